"""The engine over aiortc: pure Python around libav, OpenSSL and libsrtp.

Three parts of aiortc are replaced. Incoming audio bypasses its jitter buffer, which holds 80 ms back (320
after a loss) and wakes a thread for each packet: `Uplink` decodes in place. Outgoing audio is encoded here,
in mono, and handed over as packets: its own encoder of Opus makes stereo at 96 kbit/s, in a thread. And its
queues of pictures, before and after the decoder, are unbounded: ours drop pictures if the machine is late.
"""

import asyncio
import contextlib
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import aiortc
from aiortc.exceptions import InvalidAccessError, InvalidStateError, OperationError
from aiortc.mediastreams import MediaStreamError
from aiortc.rtcrtpparameters import RTCRtpCodecCapability
from aiortc.sdp import candidate_from_sdp
from av import Packet, VideoFrame

from ...errors import ConfigurationError, UnavailableError, UsageError
from .aiortc_pictures import PictureQueue, PictureTrack, bound_video, picture_frame, replace_private
from .codecs import OPUS, AudioCodec, offered
from .engine import PIECE, EngineListener, IceCandidate
from .settings import WebRTCSettings
from .uplink import Uplink

if TYPE_CHECKING:
    from aioice import Connection
    from aiortc import RTCDtlsTransport
    from av.stream import Stream

__all__ = [
    "CONNECTING",
    "Aiortc",
    "RtpReceiver",
    "capability",
    "hang_up",
    "replace_jitter_buffer",
    "watch_connecting",
]

Encoded: TypeAlias = "Packet[Stream]"

JITTER_BUFFER = "_RTCRtpReceiver__jitter_buffer"  # private to aiortc, as the next
ESTIMATOR = "_RTCRtpReceiver__remote_bitrate_estimator"  # a thousand objects, useful for video only
MOST_UNSENT = 10  # packets, 200 ms; if more wait, the network accepts none
SHORTEST = 12  # bytes in an RTP header; no packet on the connection is shorter
SETTLE = 0.05  # seconds in which a connection that is being made notices that it was closed
SOURCES = ("camera", "screen")
DATA_RECEIVED, TRANSMIT = "data_received", "_transmit"  # methods of aioice's connection and of SCTP
CONNECTING = "_RTCPeerConnection__connect"  # a method of aiortc's peer connection


class Aiortc:
    """A peer connection over aiortc."""

    def __init__(self, settings: WebRTCSettings, listener: EngineListener) -> None:
        self._listener = listener
        self._pc = aiortc.RTCPeerConnection(_configuration(settings))
        watch_connecting(self._pc, self._not_connected)
        self._pc.on("connectionstatechange", self._changed)
        self._pc.on("datachannel", self._channel_made)
        self._channel: aiortc.RTCDataChannel | None = None
        self._voice = _Voice(settings)
        self._pictures = PictureTrack()
        self._codec = OPUS
        self._heard = RtpReceiver(listener.on_audio)
        self._filtered: set[Connection] = set()
        self._sctp: aiortc.RTCSctpTransport | None = None
        self._decoded: dict[str, PictureQueue] = {}
        self._picture_count = 0
        self._messages = 0

    @property
    def packets(self) -> int:
        """The number of audio packets, pictures and messages so far."""
        return self._heard.packets + self._picture_count + self._messages

    @property
    def unsent(self) -> int:
        """Bytes of messages that wait to be sent."""
        return 0 if self._channel is None else self._channel.bufferedAmount

    async def answer(self, offer: str) -> str:
        """Return the SDP answer, which contains all our candidates.

        Raises UsageError if the offer is invalid.
        """
        pc = self._pc
        self._choose_codec(offered(offer))
        try:
            await pc.setRemoteDescription(aiortc.RTCSessionDescription(offer, "offer"))
            self._arrange()
            for connection in set(map(_connection, _transports(pc))) - self._filtered:
                _filter_short_packets(connection)
                self._filtered.add(connection)
            if pc.sctp is not None and pc.sctp is not self._sctp:
                self._sctp = pc.sctp
                _ignore_hang_up(pc.sctp)
            await pc.setLocalDescription(await pc.createAnswer())
        except ConfigurationError:
            raise
        except OSError as error:
            raise UnavailableError(f"no connection can be made here: {error}") from error
        except (OperationError, InvalidAccessError, InvalidStateError, ValueError) as error:
            raise UsageError(f"the offer cannot be answered: {error}") from error
        except Exception as error:  # its parser may raise anything if the SDP is broken
            raise UsageError("the offer cannot be answered: its SDP is broken or incomplete") from error
        return pc.localDescription.sdp

    def _choose_codec(self, codecs: list[AudioCodec]) -> None:
        """Choose the best codec for the first audio that is offered.

        It stays that of the connection. Raises UsageError if a later offer lacks it.
        """
        if not codecs:
            return
        if self._pc.getTransceivers():
            if self._codec not in codecs:
                raise UsageError(f"the audio of this connection is {self._codec.name}: offer that again")
            return
        codec = self._codec = codecs[0]
        self._voice.use(codec)
        self._heard.use(codec)
        # added before the offer is set, so that it is matched with the offer's and negotiates this codec only
        self._pc.addTransceiver(self._voice, "sendrecv").setCodecPreferences([capability(codec)])

    def _arrange(self) -> None:
        """Assign the offer's media sections to our tracks.

        Audio and the first video (the camera) are two-way.
        """
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
            if not self._listener.wants_video:
                receiver._enabled = False  # pyright: ignore[reportPrivateUsage]  or it would be decoded
                setattr(receiver, ESTIMATOR, None)
            elif receiver.track and source not in self._decoded:
                self._decoded[source] = bound_video(receiver, partial(self._on_picture, source))

    def _on_picture(self, source: str, frame: VideoFrame) -> None:
        self._picture_count += 1
        width, height = frame.width & ~1, frame.height & ~1
        picture = frame.reformat(width, height, "yuv420p")
        self._listener.on_picture(picture.to_ndarray().tobytes(), width, height, source)

    def _not_connected(self, error: Exception) -> None:
        self._listener.on_disconnected(
            f"no connection can be made with its offer ({str(error) or repr(error)})"
        )

    def _changed(self) -> None:
        state = self._pc.connectionState
        if state == "connected":
            self._listener.on_connected()
        elif state in ("failed", "closed"):
            self._listener.on_disconnected(f"the connection is {state}")

    def _channel_made(self, channel: aiortc.RTCDataChannel) -> None:
        if self._channel is not None and self._channel.readyState == "open":
            return
        self._channel = channel
        channel.on("message", self._message)
        self._listener.on_channel_open()

    def _message(self, message: str | bytes) -> None:
        self._messages += 1
        if isinstance(message, str):
            self._listener.on_message(message)

    async def add_candidate(self, candidate: IceCandidate) -> None:
        """Add an address of the client. Raises UsageError if it is invalid."""
        if not candidate.candidate:
            await self._pc.addIceCandidate(None)
            return
        try:
            found = candidate_from_sdp(candidate.candidate.removeprefix("candidate:"))
            found.sdpMid, found.sdpMLineIndex = candidate.mid, candidate.index
            await self._pc.addIceCandidate(found)
        except (AssertionError, ValueError, IndexError) as error:
            raise UsageError(f"{candidate.candidate[:100]!r} is not an ICE candidate") from error

    def send_audio(self, pcm: bytes | None) -> None:
        """Encode and send 20 ms of audio."""
        self._voice.send(pcm)

    def send_picture(self, pixels: bytes, width: int, height: int, at: float) -> None:
        """Send a picture, unless a later one replaces it before it is sent."""
        self._pictures.show(picture_frame(pixels, width, height, at))

    def send_message(self, text: str) -> None:
        """Send a message. Raises UsageError if it is too long for the client."""
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
        """Close the connection and wait until its tasks and sockets are gone."""
        self._pc.remove_all_listeners()
        self._voice.stop()
        self._pictures.stop()
        for decoded in self._decoded.values():
            decoded.close()
        await hang_up(self._pc)


async def hang_up(pc: aiortc.RTCPeerConnection) -> None:
    """Close an aiortc connection in any state, and stop all its tasks.

    It also breaks the connection's reference cycles.
    """
    was_connecting, transports = pc.connectionState == "connecting", _transports(pc)
    await pc.close()
    if was_connecting:
        # If an ICE check succeeds at this moment, it goes on with consent checks for half a minute.
        await asyncio.sleep(SETTLE)
        for transport in transports:
            await _connection(transport).close()
    # Reference cycles would live until a full garbage collection, which pauses all sessions.
    for transport in transports:
        for part in (transport, transport.transport, transport.transport.iceGatherer):
            part.remove_all_listeners()
        vars(_connection(transport)).pop(DATA_RECEIVED, None)
    vars(pc).pop(CONNECTING, None)
    if pc.sctp is not None:
        pc.sctp.remove_all_listeners()
        vars(pc.sctp).pop(TRANSMIT, None)


def capability(codec: AudioCodec) -> RTCRtpCodecCapability:
    """Return a codec as aiortc describes it."""
    return RTCRtpCodecCapability(f"audio/{codec.name}", codec.rtp_hz, codec.channels)


def _filter_short_packets(connection: "Connection") -> None:
    """Drop packets that are too short to be RTP.

    An empty packet, which anybody can send, would make aiortc end the connection.
    """
    receive = connection.data_received

    def filtered(data: bytes, component: int) -> None:
        if len(data) >= SHORTEST:
            receive(data, component)

    setattr(connection, DATA_RECEIVED, filtered)


def _ignore_hang_up(sctp: aiortc.RTCSctpTransport) -> None:
    """Suppress the error of sending to a client that has hung up.

    It would be raised in a task that is never awaited.
    """
    transmit = sctp._transmit  # pyright: ignore[reportPrivateUsage]

    async def transmitted() -> None:
        with contextlib.suppress(ConnectionError):
            await transmit()

    setattr(sctp, TRANSMIT, transmitted)


def watch_connecting(pc: aiortc.RTCPeerConnection, failed: Callable[[Exception], object]) -> None:
    """Call `failed` if the connection cannot be made, unless it was closed meanwhile.

    The error would be raised in a task that is never awaited: its cause may be anything that an offer lacks.
    """
    connect = getattr(pc, CONNECTING)

    async def connected() -> None:
        try:
            await connect()
        except InvalidStateError:
            pass
        except Exception as error:  # noqa: BLE001  aiortc checks little of what it is offered
            failed(error)

    setattr(pc, CONNECTING, connected)


def _transports(pc: aiortc.RTCPeerConnection) -> "set[RTCDtlsTransport]":
    """Return the connection's DTLS transports: only one if all media are bundled."""
    transports = {transceiver.receiver.transport for transceiver in pc.getTransceivers()}
    return transports if pc.sctp is None else transports | {pc.sctp.transport}


def _connection(transport: "RTCDtlsTransport") -> "Connection":
    """Return the aioice connection of a transport."""
    return transport.transport._connection  # pyright: ignore[reportPrivateUsage]


class RtpReceiver:
    """A replacement for aiortc's jitter buffer, which passes packets to `Uplink`."""

    def __init__(self, on_audio: Callable[[bytes, int], object]) -> None:
        self.packets = 0
        self._on_audio = on_audio
        self.use(OPUS)

    def use(self, codec: AudioCodec) -> None:
        """Decode packets of this codec."""
        self._uplink = Uplink(codec.decoder(), self._on_audio, codec.rtp_hz)

    def add(self, packet: Any) -> tuple[bool, None]:
        """Pass on an RTP packet.

        Returns what aiortc expects: no picture lost, no frame complete.
        """
        self.packets += 1
        self._uplink.add(packet.sequence_number, packet.timestamp, packet._data)
        return False, None


class _Voice(aiortc.MediaStreamTrack):
    """The agent's voice, as encoded packets that aiortc sends as they are."""

    kind = "audio"

    def __init__(self, settings: WebRTCSettings) -> None:
        super().__init__()
        self._settings = settings
        self._silence = bytes(2 * int(settings.sample_rate * PIECE))
        self._packets: asyncio.Queue[Encoded | None] = asyncio.Queue()
        self._at = 0
        self._is_read = False
        self.use(OPUS)

    def use(self, codec: AudioCodec) -> None:
        """Encode with this codec."""
        self._codec = codec
        self._encode = codec.encoder(self._settings.sample_rate, self._settings.bitrate)

    def send(self, pcm: bytes | None) -> None:
        if (
            not self._is_read
        ):  # queued packets would leave in a burst, and the client's jitter buffer would grow
            return
        codec = self._codec
        for data in [codec.silence] if pcm is None and codec.silence else self._encode(pcm or self._silence):
            packet = Packet(data)
            packet.pts, packet.time_base = self._at, Fraction(1, codec.rtp_hz)
            self._at += int(codec.rtp_hz * PIECE)
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


def replace_jitter_buffer(receiver: aiortc.RTCRtpReceiver, heard: RtpReceiver) -> None:
    """Make a receiver pass its packets to `heard` at once.

    Raises ConfigurationError if this version of aiortc does not allow that.
    """
    replace_private(receiver, JITTER_BUFFER, heard)


def _configuration(settings: WebRTCSettings) -> aiortc.RTCConfiguration:
    return aiortc.RTCConfiguration(
        iceServers=[
            aiortc.RTCIceServer(server.url, server.username, server.credential)
            for server in settings.servers()
        ],
        bundlePolicy=aiortc.RTCBundlePolicy.MAX_COMPAT,  # other policies lose a second video, or candidates
        iceTransportPolicy=aiortc.RTCIceTransportPolicy("relay" if settings.relay_only else "all"),
    )
