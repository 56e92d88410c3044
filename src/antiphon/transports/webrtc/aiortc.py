"""The engine over aiortc: pure Python around libav, OpenSSL and libsrtp.

Two things are done without it. What comes in goes around its jitter buffer, which holds 80 ms back (and 320
once a packet was lost) and wakes a thread for each packet: `Uplink` decodes in place. What goes out is
encoded here, in mono, and handed over as packets: its own encoder is stereo at 96 kbit/s, in a thread.
"""

import asyncio
import contextlib
from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import aiortc
import numpy as np
from aiortc.exceptions import InvalidAccessError, InvalidStateError, OperationError
from aiortc.mediastreams import MediaStreamError
from aiortc.rtcrtpparameters import RTCRtpCodecCapability
from aiortc.sdp import candidate_from_sdp
from av import Packet, VideoFrame

from ...audio import opus
from ...errors import ConfigurationError, UnavailableError, UsageError
from .engine import HEARD_HZ, EngineListener, IceCandidate
from .settings import WebRTCSettings
from .uplink import RTP_HZ, Uplink

if TYPE_CHECKING:
    from aioice import Connection
    from aiortc import RTCDtlsTransport
    from av.stream import Stream

__all__ = ["CONNECTING", "SILENCE", "Aiortc", "RtpReceiver", "give_up", "hang_up", "replace_jitter_buffer"]

Encoded: TypeAlias = "Packet[Stream]"

OPUS = RTCRtpCodecCapability(mimeType="audio/opus", clockRate=RTP_HZ, channels=2)
SILENCE = b"\xf8\xff\xfe"  # 20 ms of it, as Opus has it
JITTER_BUFFER = "_RTCRtpReceiver__jitter_buffer"  # of aiortc's own; replaced where we listen ourselves
ESTIMATOR = "_RTCRtpReceiver__remote_bitrate_estimator"  # a thousand objects, of use for pictures alone
MOST_UNSENT = 10  # packets, 200 ms: with more the network takes none
VIDEO_HZ = 90000
SHORTEST = 12  # bytes: RTP's header, the shortest of those that share the connection
SETTLE = 0.05  # seconds after which a connection that was being made has seen that it is closed
SOURCES = ("camera", "screen")
GUARDED, RESIGNING = "data_received", "_transmit"  # methods of a connection, and of its messenger
CONNECTING = "_RTCPeerConnection__connect"  # a method, too


class Aiortc:
    """A peer connection of aiortc."""

    def __init__(self, settings: WebRTCSettings, ear: EngineListener) -> None:
        self._ear = ear
        self._pc = aiortc.RTCPeerConnection(_configuration(settings))
        give_up(self._pc)
        self._pc.on("connectionstatechange", self._changed)
        self._pc.on("datachannel", self._channel_made)
        self._channel: aiortc.RTCDataChannel | None = None
        self._voice = _Voice(settings)
        self._pictures = _Pictures()
        self._heard = RtpReceiver(ear.heard)
        self._guarded: set[Connection] = set()
        self._messenger: aiortc.RTCSctpTransport | None = None
        self._watching: dict[str, asyncio.Task[None]] = {}
        self._frames = 0
        self._messages = 0

    @property
    def packets(self) -> int:
        """Packets of sound, pictures and messages so far."""
        return self._heard.packets + self._frames + self._messages

    @property
    def unsent(self) -> int:
        """Bytes of messages that wait."""
        return 0 if self._channel is None else self._channel.bufferedAmount

    async def answer(self, offer: str) -> str:
        """The answer, with all candidates in it. Raises UsageError for an offer that cannot be read."""
        pc = self._pc
        if not pc.getTransceivers() and "m=audio" in offer:
            # Made before the offer is read, so that it is taken for the offer's and speaks Opus alone.
            pc.addTransceiver(self._voice, "sendrecv").setCodecPreferences([OPUS])
        try:
            await pc.setRemoteDescription(aiortc.RTCSessionDescription(offer, "offer"))
            self._arrange()
            for connection in set(map(_connection, _transports(pc))) - self._guarded:
                _guard(connection)
                self._guarded.add(connection)
            if pc.sctp is not None and pc.sctp is not self._messenger:
                self._messenger = pc.sctp
                _resign(pc.sctp)
            await pc.setLocalDescription(await pc.createAnswer())
        except ConfigurationError:
            raise
        except OSError as error:
            raise UnavailableError(f"no connection can be made here: {error}") from error
        except (OperationError, InvalidAccessError, InvalidStateError, ValueError) as error:
            raise UsageError(f"the offer cannot be answered: {error}") from error
        except Exception as error:  # its parser raises whatever the text leads it to
            raise UsageError("the offer cannot be answered: its SDP is broken or incomplete") from error
        return pc.localDescription.sdp

    def _arrange(self) -> None:
        """Give each of the offer's media its part: the microphone's and the camera's are two-way."""
        video = 0
        for transceiver in self._pc.getTransceivers():
            receiver = transceiver.receiver
            if transceiver.kind == "audio":
                replace_jitter_buffer(receiver, self._heard)
                continue
            source, video = SOURCES[min(video, 1)], video + 1
            if source == "camera":
                transceiver.direction = "sendrecv"
                if transceiver.sender.track is not self._pictures:
                    transceiver.sender.replaceTrack(self._pictures)
            if not self._ear.wants_video:
                receiver._enabled = False  # pyright: ignore[reportPrivateUsage]  else all is decoded
                setattr(receiver, ESTIMATOR, None)
            elif receiver.track and source not in self._watching:
                watch = self._watch(receiver.track, source)
                self._watching[source] = asyncio.create_task(watch, name=f"antiphon {source}")

    async def _watch(self, track: aiortc.MediaStreamTrack, source: str) -> None:
        while True:
            try:
                frame = cast(VideoFrame, await track.recv())  # pyright: ignore[reportUnknownMemberType]
            except MediaStreamError:
                return
            self._frames += 1
            width, height = frame.width & ~1, frame.height & ~1
            picture = frame.reformat(width, height, "yuv420p")
            self._ear.saw(picture.to_ndarray().tobytes(), width, height, source)

    def _changed(self) -> None:
        state = self._pc.connectionState
        if state == "connected":
            self._ear.connected()
        elif state in ("failed", "closed"):
            self._ear.lost(f"the connection is {state}")

    def _channel_made(self, channel: aiortc.RTCDataChannel) -> None:
        if self._channel is not None and self._channel.readyState == "open":
            return
        self._channel = channel
        channel.on("message", self._message)
        self._ear.opened()

    def _message(self, message: str | bytes) -> None:
        self._messages += 1
        if isinstance(message, str):
            self._ear.told(message)

    async def add(self, candidate: IceCandidate) -> None:
        """Try one more address. Raises UsageError where it is none."""
        if not candidate.candidate:
            await self._pc.addIceCandidate(None)
            return
        try:
            found = candidate_from_sdp(candidate.candidate.removeprefix("candidate:"))
            found.sdpMid, found.sdpMLineIndex = candidate.mid, candidate.index
            await self._pc.addIceCandidate(found)
        except (AssertionError, ValueError, IndexError) as error:
            raise UsageError(f"{candidate.candidate[:100]!r} is no ICE candidate") from error

    def say(self, pcm: bytes | None) -> None:
        """Encode and send 20 ms."""
        self._voice.say(pcm)

    def show(self, pixels: bytes, width: int, height: int, at: float) -> None:
        """Send a picture, unless a later one overtakes it."""
        self._pictures.show(_picture(pixels, width, height, at))

    def tell(self, text: str) -> None:
        """Send a message. Raises UsageError for one that is too long for the client."""
        if (
            self._channel is None
            or self._channel.readyState != "open"
            or self._pc.connectionState != "connected"
        ):
            return
        try:
            self._channel.send(text)
        except ValueError as error:
            raise UsageError(f"a message of {len(text)} characters is too long for the client") from error

    async def close(self) -> None:
        """Close the connection, and wait until nothing of it is left."""
        self._pc.remove_all_listeners()
        self._voice.stop()
        self._pictures.stop()
        for task in self._watching.values():
            task.cancel()
        await hang_up(self._pc)
        await asyncio.gather(*self._watching.values(), return_exceptions=True)


async def hang_up(pc: aiortc.RTCPeerConnection) -> None:
    """Close a connection of aiortc's, whatever it is doing, with all its tasks, and let go of its memory."""
    was_connecting, transports = pc.connectionState == "connecting", _transports(pc)
    await pc.close()
    if was_connecting:
        # A check that succeeds at this moment has it ask for the other side's consent, for half a minute.
        await asyncio.sleep(SETTLE)
        for transport in transports:
            await _connection(transport).close()
    # Who knows each other in a circle stays until the garbage collector stops everybody to look for it.
    for transport in transports:
        for part in (transport, transport.transport, transport.transport.iceGatherer):
            part.remove_all_listeners()
        vars(_connection(transport)).pop(GUARDED, None)
    vars(pc).pop(CONNECTING, None)
    if pc.sctp is not None:
        pc.sctp.remove_all_listeners()
        vars(pc.sctp).pop(RESIGNING, None)


def _guard(connection: "Connection") -> None:
    """Keep from aiortc what is too short to be a packet: an empty one, from anybody, ends the connection."""
    take = connection.data_received

    def checked(data: bytes, component: int) -> None:
        if len(data) >= SHORTEST:
            take(data, component)

    setattr(connection, GUARDED, checked)


def _resign(sctp: aiortc.RTCSctpTransport) -> None:
    """Let it stop sending to a client that has hung up, instead of failing in a task that nobody awaits."""
    transmit = sctp._transmit  # pyright: ignore[reportPrivateUsage]

    async def transmitted() -> None:
        with contextlib.suppress(ConnectionError):
            await transmit()

    setattr(sctp, RESIGNING, transmitted)


def give_up(pc: aiortc.RTCPeerConnection) -> None:
    """Let it stop connecting when it is closed, instead of failing in a task that nobody awaits."""
    connect = getattr(pc, CONNECTING)

    async def connected() -> None:
        with contextlib.suppress(InvalidStateError):
            await connect()

    setattr(pc, CONNECTING, connected)


def _transports(pc: aiortc.RTCPeerConnection) -> "set[RTCDtlsTransport]":
    """Its transports: one, where all is bundled."""
    transports = {transceiver.receiver.transport for transceiver in pc.getTransceivers()}
    return transports if pc.sctp is None else transports | {pc.sctp.transport}


def _connection(transport: "RTCDtlsTransport") -> "Connection":
    """That of aioice's, below it."""
    return transport.transport._connection  # pyright: ignore[reportPrivateUsage]


class RtpReceiver:
    """Stands where aiortc has its jitter buffer; gives it nothing to decode."""

    def __init__(self, heard: Callable[[bytes], object]) -> None:
        self.packets = 0
        self._uplink = Uplink(opus.OpusDecoder(HEARD_HZ), heard)

    def add(self, packet: Any) -> tuple[bool, None]:
        """A packet of aiortc's: no picture is missed, no frame is complete."""
        self.packets += 1
        self._uplink.add(packet.sequence_number, packet.timestamp, packet._data)
        return False, None


class _Voice(aiortc.MediaStreamTrack):
    """The agent's voice, in packets that aiortc sends as they are."""

    kind = "audio"

    def __init__(self, settings: WebRTCSettings) -> None:
        super().__init__()
        self._encode = opus.OpusEncoder(settings.sample_rate, bitrate=settings.bitrate)
        self._packets: asyncio.Queue[Encoded | None] = asyncio.Queue()
        self._at = 0
        self._is_read = False

    def say(self, pcm: bytes | None) -> None:
        if not self._is_read:  # what waited now would come in a burst, by which the far end sets its buffer
            return
        for data in [SILENCE] if pcm is None else self._encode(pcm):
            packet = Packet(data)
            packet.pts, packet.time_base = self._at, Fraction(1, RTP_HZ)
            self._at += RTP_HZ // 50
            if self._packets.qsize() < MOST_UNSENT:
                self._packets.put_nowait(packet)

    async def recv(self) -> Encoded:
        self._is_read = True
        packet = await self._packets.get()
        if packet is None:
            raise MediaStreamError
        return packet

    def stop(self) -> None:
        super().stop()
        self._packets.put_nowait(None)


class _Pictures(aiortc.MediaStreamTrack):
    """What the agent shows: the latest picture, once."""

    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self._latest: VideoFrame | None = None
        self._there = asyncio.Event()

    def show(self, picture: VideoFrame) -> None:
        self._latest = picture
        self._there.set()

    async def recv(self) -> VideoFrame:
        await self._there.wait()
        picture, self._latest = self._latest, None
        if picture is None:
            raise MediaStreamError
        self._there.clear()
        return picture

    def stop(self) -> None:
        super().stop()
        self._latest = None
        self._there.set()


def _picture(pixels: bytes, width: int, height: int, at: float) -> VideoFrame:
    planes = np.frombuffer(pixels, np.uint8).reshape(height * 3 // 2, width)
    picture = VideoFrame.from_ndarray(planes, "yuv420p")
    picture.pts, picture.time_base = round(at * VIDEO_HZ), Fraction(1, VIDEO_HZ)
    return picture


def replace_jitter_buffer(receiver: aiortc.RTCRtpReceiver, heard: RtpReceiver) -> None:
    """Let a receiver's packets be heard at once. Raises ConfigurationError for an aiortc that has changed."""
    if not hasattr(receiver, JITTER_BUFFER):
        raise ConfigurationError(
            f"aiortc {aiortc.__version__} is made otherwise than the one this was written for: "
            'pip install "antiphon[webrtc]"'
        )
    setattr(receiver, JITTER_BUFFER, heard)


def _configuration(settings: WebRTCSettings) -> aiortc.RTCConfiguration:
    return aiortc.RTCConfiguration(
        iceServers=[
            aiortc.RTCIceServer(server.url, server.username, server.credential)
            for server in settings.servers()
        ],
        bundlePolicy=aiortc.RTCBundlePolicy.MAX_COMPAT,  # the others lose a second video, or addresses
        iceTransportPolicy=aiortc.RTCIceTransportPolicy("relay" if settings.relay_only else "all"),
    )
