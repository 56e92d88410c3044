"""The engine over wrtc: Chrome's libwebrtc.

It has its own jitter buffer, error correction and congestion control. It works in its own threads, which all
connections share, and calls the event loop for each 10 ms of audio. If the loop is late, the library's queues
drop the oldest audio and pictures.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import webrtc

from ...audio.pcm import samples
from ...audio.resample import Resampler
from ...errors import UsageError
from .codecs import OPUS, offered
from .engine import HEARD_HZ, PIECE, EngineListener, IceCandidate
from .settings import WebRTCSettings

__all__ = ["Wrtc"]

GATHER_WITHIN = 3.0  # seconds to gather our ICE candidates; the answer contains those found by then
SOURCES = ("camera", "screen")
MOST_AUDIO = 200  # chunks of 10 ms that may wait for the event loop
MOST_PICTURES = 2


class Wrtc:
    """A peer connection over wrtc."""

    def __init__(self, settings: WebRTCSettings, listener: EngineListener) -> None:
        self._settings = settings
        self._listener = listener
        self._pc = webrtc.RTCPeerConnection(_configuration(settings))
        self._pc.on("connectionstatechange", self._changed)
        self._pc.on("datachannel", self._channel_made)
        self._channel: webrtc.RTCDataChannel | None = None
        self._voice = webrtc.MediaStreamTrackGenerator("audio")
        self._voice_writer = self._voice.writable.get_writer()
        self._pictures = webrtc.VideoTrackGenerator()
        self._picture_writer = self._pictures.writable.get_writer()
        self._readings: dict[webrtc.MediaStreamTrack, _Reading] = {}
        self._resample: Resampler | None = None
        self._silence = bytes(int(settings.sample_rate * PIECE) * 2)
        self._latest = 0
        self._messages = 0

    @property
    def packets(self) -> int:
        """A count that grows with every packet of audio or video, and with every message."""
        times = [
            int(source.timestamp)
            for receiver in self._pc.get_receivers()
            for source in receiver.get_synchronization_sources()
        ]
        self._latest = max(self._latest, *times, 0)  # the library forgets old times
        return self._latest + self._messages

    @property
    def dropped(self) -> int:
        """The number of chunks of 10 ms of audio, and of pictures, that were dropped."""
        return sum(reading.dropped for reading in self._readings.values())

    @property
    def unsent(self) -> int:
        """Bytes of messages that wait to be sent."""
        return 0 if self._channel is None else self._channel.buffered_amount

    async def answer(self, offer: str) -> str:
        """Return the SDP answer, which contains our candidates.

        Raises UsageError if the offer is invalid.
        """
        pc, codecs = self._pc, offered(offer)
        try:
            await pc.set_remote_description(webrtc.RTCSessionDescriptionInit(type="offer", sdp=offer))
            await self._arrange()
            await pc.set_local_description(await pc.create_answer())
            if OPUS in codecs:  # the others have one bitrate only
                await self._limit_bitrate()
        except (webrtc.RTCException, TypeError, ValueError) as error:
            raise UsageError(f"the offer cannot be answered: {str(error) or repr(error)}") from error
        await self._gathered()
        assert pc.local_description is not None
        return pc.local_description.sdp

    async def _limit_bitrate(self) -> None:
        """Limit the voice to the bitrate in the settings."""
        for sender in self._pc.get_senders():
            if sender.track == self._voice:
                parameters = sender.get_parameters()
                for encoding in parameters.encodings:
                    encoding.max_bitrate = self._settings.bitrate
                await sender.set_parameters(parameters)

    async def _gathered(self) -> None:
        gathered = asyncio.Event()

        def check(_: object = None) -> None:
            if self._pc.ice_gathering_state == "complete":
                gathered.set()

        self._pc.on("icegatheringstatechange", check)
        check()
        with suppress(TimeoutError):
            async with asyncio.timeout(GATHER_WITHIN):
                await gathered.wait()

    async def _arrange(self) -> None:
        """Assign the offer's media sections to our tracks.

        Audio and the first video (the camera) are two-way.
        """
        video = 0
        for transceiver in self._pc.get_transceivers():
            track = transceiver.receiver.track
            if track.kind == "audio":
                transceiver.receiver.jitter_buffer_target = 0  # ms: as short as the network allows
                transceiver.direction = webrtc.RTCRtpTransceiverDirection.sendrecv
                await transceiver.sender.replace_track(self._voice)
                self._read(track, self._on_audio, MOST_AUDIO)
                continue
            source, video = SOURCES[min(video, 1)], video + 1
            if source == "camera":
                transceiver.direction = webrtc.RTCRtpTransceiverDirection.sendrecv
                await transceiver.sender.replace_track(self._pictures.track)
            if self._listener.wants_video:
                self._read(track, partial(self._on_picture, source=source), MOST_PICTURES)

    def _read(self, track: webrtc.MediaStreamTrack, handle: Callable[[Any], object], most: int) -> None:
        """Start to read a track, unless it is being read already."""
        if track not in self._readings:
            self._readings[track] = _Reading(track, handle, most)

    def _on_audio(self, data: webrtc.AudioData) -> None:
        with data:
            pcm, rate = _mono(data), int(data.sample_rate)
        if self._resample is None or self._resample.source_hz != rate:
            self._resample = Resampler(rate, HEARD_HZ)
        self._listener.on_audio(self._resample(pcm))

    def _on_picture(self, frame: webrtc.VideoFrame, source: str) -> None:
        with frame:
            width, height = frame.coded_width & ~1, frame.coded_height & ~1
            part = webrtc.VideoFrameCopyToOptions(
                rect=webrtc.DOMRectInit(0, 0, width, height), format=webrtc.VideoPixelFormat.I420
            )
            pixels = bytearray(width * height * 3 // 2)
            frame.copy_to(pixels, part).result()  # it has completed already
        self._listener.on_picture(bytes(pixels), width, height, source)

    def _changed(self, _: object) -> None:
        state = self._pc.connection_state
        if state == "connected":
            self._listener.on_connected()
        elif state in ("failed", "closed"):
            self._listener.on_disconnected(f"the connection is {state}")

    def _channel_made(self, event: webrtc.RTCDataChannelEvent) -> None:
        if self._channel is not None and self._channel.ready_state == "open":
            return
        self._channel = channel = event.channel
        channel.on("message", self._message)
        channel.on(
            "close", lambda _: self._listener.on_disconnected("the client has closed the data channel")
        )
        if channel.ready_state == "open":
            self._listener.on_channel_open()
        else:
            channel.on("open", lambda _: self._listener.on_channel_open())

    def _message(self, event: webrtc.MessageEvent) -> None:
        self._messages += 1
        if isinstance(event.data, str):
            self._listener.on_message(event.data)

    async def add_candidate(self, candidate: IceCandidate) -> None:
        """Add an address of the client. Raises UsageError if it is invalid."""
        init = webrtc.RTCIceCandidateInit(candidate.candidate, candidate.mid, candidate.index)
        try:
            await self._pc.add_ice_candidate(init)
        except (webrtc.RTCException, TypeError, ValueError) as error:
            raise UsageError(f"{candidate.candidate[:100]!r} is not an ICE candidate: {error}") from error

    def send_audio(self, pcm: bytes | None) -> None:
        """Encode and send 20 ms of audio."""
        sound = webrtc.AudioDataInit(
            format=webrtc.AudioSampleFormat.s16,
            sample_rate=self._settings.sample_rate,
            number_of_frames=len(self._silence) // 2,
            number_of_channels=1,
            timestamp=0,
            data=self._silence if pcm is None else pcm,
        )
        self._voice_writer.write(webrtc.AudioData(sound))

    def send_picture(self, pixels: bytes, width: int, height: int, at: float) -> None:
        """Send a picture."""
        picture = webrtc.VideoFrameBufferInit(
            format=webrtc.VideoPixelFormat.I420,
            coded_width=width,
            coded_height=height,
            timestamp=round(at * 1_000_000),
        )
        self._picture_writer.write(webrtc.VideoFrame(pixels, picture))

    def send_message(self, text: str) -> None:
        """Send a message. Raises UsageError if it is too long for the client."""
        if self._channel is None or self._channel.ready_state != "open":
            return
        try:
            self._channel.send(text)
        except (TypeError, webrtc.OperationError) as error:
            raise UsageError(f"a message of {len(text)} characters is too long for the client") from error

    async def close(self) -> None:
        """Close the connection and wait until its tasks have ended."""
        self._pc.off()
        self._pc.close()
        self._voice.stop()
        self._pictures.track.stop()
        await asyncio.gather(*(reading.end() for reading in self._readings.values()), return_exceptions=True)


class _Reading:
    """A task that reads a track.

    At most `most` items wait to be read; the library drops the oldest.
    """

    def __init__(self, track: webrtc.MediaStreamTrack, handle: Callable[[Any], object], most: int) -> None:
        self._processor = webrtc.MediaStreamTrackProcessor(webrtc.MediaStreamTrackProcessorInit(track, most))
        self._reader = self._processor.readable.get_reader()
        self._task = asyncio.create_task(self._run(handle), name=f"antiphon {track.kind}")

    @property
    def dropped(self) -> int:
        """The number of items that the library dropped, because the event loop was late."""
        return int(self._processor.discarded_frames)

    async def _run(self, handle: Callable[[Any], object]) -> None:
        while not (result := await self._reader.read()).done:
            handle(result.value)

    async def end(self) -> None:
        """End the stream and wait for the task.

        Cancelling the task would lose an item that is being read.
        """
        await self._reader.cancel()
        await self._task


def _mono(data: webrtc.AudioData) -> bytes:
    channels, frames = data.number_of_channels, data.number_of_frames
    pcm = bytearray(frames * channels * 2)
    data.copy_to(pcm, webrtc.AudioDataCopyToOptions(plane_index=0, format=webrtc.AudioSampleFormat.s16))
    if channels == 1:
        return bytes(pcm)
    return samples(bytes(pcm)).reshape(frames, channels).mean(axis=1).astype("<i2").tobytes()


def _configuration(settings: WebRTCSettings) -> webrtc.RTCConfiguration:
    return webrtc.RTCConfiguration(
        ice_servers=[
            webrtc.RTCIceServer(server.url, server.username, server.credential)
            for server in settings.servers()
        ],
        ice_transport_policy="relay" if settings.relay_only else "all",
        port_range=settings.port_range,
    )
