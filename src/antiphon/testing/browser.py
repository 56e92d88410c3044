"""A fake browser: a WebRTC peer that behaves like the SmallWebRTC clients.

It offers voice, camera, screen and a data channel, sends its candidates after the answer, and pings once a
second. Its microphone is silent until a test has it say something; its camera shows a test's pictures.
"""

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

import aiortc
from aiortc.mediastreams import MediaStreamError
from av import Packet, VideoFrame

from ..transports.webrtc.aiortc import RtpReceiver, capability, hang_up, replace_jitter_buffer
from ..transports.webrtc.codecs import CODECS, OPUS, AudioCodec

if TYPE_CHECKING:
    from av.stream import Stream

__all__ = ["Browser", "BrowserCamera", "BrowserMicrophone"]

HZ = 48000
PIECE = 960  # samples, 20 ms
PING = 1.0  # seconds between pings

Ask = Callable[[dict[str, Any]], Awaitable[Mapping[str, Any]]]


class Browser:
    """A browser that signals by two callbacks instead of HTTP requests.

    `offer` and `candidates` are called with the bodies of the requests and return those of the responses.
    `heard` is the audio that it received, mono 16-bit at 16 kHz; `seen` the pictures, `messages` the texts.
    It offers one audio `codec`: "opus", "G722", "PCMU" or "PCMA".
    """

    def __init__(
        self,
        offer: Ask,
        candidates: Ask,
        *,
        servers: Mapping[str, Any] | None = None,
        relay_only: bool = False,
        screen: bool = False,
        trickle: bool = True,
        codec: str = "opus",
    ) -> None:
        self._offer, self._candidates = offer, candidates
        self._configuration = _configuration(servers or {}, relay_only)
        self._trickle = trickle
        self._tasks: list[asyncio.Task[None]] = []
        self.pc_id: str | None = None
        self._codec = next(one for one in CODECS if one.name == codec)
        self.microphone = BrowserMicrophone(self._codec)
        self.camera = BrowserCamera()
        self.screen = BrowserCamera() if screen else None
        self.heard = bytearray()
        self.seen: list[VideoFrame] = []
        self.messages: list[str] = []
        self.answer = ""
        self._begin()

    def _begin(self) -> None:
        self.pc = pc = aiortc.RTCPeerConnection(self._configuration)
        self.open = asyncio.Event()
        voice = pc.addTransceiver(self.microphone, "sendrecv")
        voice.setCodecPreferences([capability(self._codec)])
        received = RtpReceiver(lambda pcm, skipped: self.heard.extend(pcm))
        received.use(self._codec)
        replace_jitter_buffer(voice.receiver, received)
        pc.addTransceiver(self.camera, "sendrecv")
        if self.screen is not None:
            pc.addTransceiver(self.screen, "sendonly")
        self.channel = pc.createDataChannel("chat")
        self.channel.on("open", self.open.set)
        self.channel.on("message", self.messages.append)

    async def connect(self, *, restart: bool = False) -> None:
        """Send an offer and wait until the data channel is open."""
        await self.negotiate(restart=restart)
        async with asyncio.timeout(10):
            await self.open.wait()
        self._tasks = [
            asyncio.create_task(task)
            for task in (
                self._ping(),
                self._watch(self.pc.getReceivers()[1].track),
            )
        ]

    async def negotiate(self, *, restart: bool = False) -> None:
        """Send an offer, for the existing connection or for a new one."""
        pc = self.pc
        await pc.setLocalDescription(await pc.createOffer())
        sdp = pc.localDescription.sdp
        lines = sdp.splitlines(keepends=True)
        found = [line for line in lines if line.startswith("a=candidate:")]
        if self._trickle:
            sdp = "".join([line for line in lines if line not in found and "end-of-candidates" not in line])
        request = {"sdp": sdp, "type": "offer", "pc_id": self.pc_id, "restart_pc": restart}
        answer = await self._offer(request)
        self.pc_id, self.answer = answer["pc_id"], answer["sdp"]
        await pc.setRemoteDescription(aiortc.RTCSessionDescription(self.answer, "answer"))
        if self._trickle and found:
            several = [
                {"candidate": line[2:].strip(), "sdp_mid": "0", "sdp_mline_index": 0} for line in found
            ]
            await self._candidates({"pc_id": self.pc_id, "candidates": several})

    async def restart(self) -> None:
        """Connect again for the same conversation, as after a change of network."""
        self.vanish()
        old, self.microphone, self.camera = self.pc, self.microphone.renewed(), BrowserCamera()
        self.screen = None if self.screen is None else BrowserCamera()
        self._begin()
        await hang_up(old)
        await self.connect(restart=True)

    def send(self, message: str | dict[str, Any]) -> None:
        """Send a text, or JSON, over the data channel."""
        self.channel.send(message if isinstance(message, str) else json.dumps(message))

    def vanish(self) -> None:
        """Stop sending, without telling the other side."""
        for task in self._tasks:
            task.cancel()
        self.microphone.muted = True

    async def close(self) -> None:
        """Close the connection."""
        self.vanish()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await hang_up(self.pc)

    async def _ping(self) -> None:
        while self.channel.readyState == "open":
            self.channel.send("ping: 0")
            await asyncio.sleep(PING)

    async def _watch(self, track: aiortc.MediaStreamTrack) -> None:
        with suppress(MediaStreamError):
            while True:
                self.seen.append(cast(VideoFrame, await track.recv()))  # pyright: ignore[reportUnknownMemberType]


class BrowserMicrophone(aiortc.MediaStreamTrack):
    """An audio track of 20 ms pieces in real time."""

    kind = "audio"

    def __init__(self, codec: AudioCodec = OPUS) -> None:
        super().__init__()
        self.codec = codec
        self.muted = False
        self.spoken: list[float] = []
        """The loop's times at which the first sample of each `say` was sent."""
        self._unsent: deque[tuple[bytes, bool]] = deque()  # pieces; True for the first of a `say`
        self._encode = codec.encoder(HZ, 32000)
        if codec is not OPUS:
            self._encode(bytes(PIECE * 2))  # what it holds back at the beginning
        self._begun: float | None = None
        self._count = 0

    def renewed(self) -> "BrowserMicrophone":
        """Return a new track that continues with what is still to be said."""
        new = BrowserMicrophone(self.codec)
        new._unsent, new.spoken = self._unsent, self.spoken
        return new

    def say(self, pcm: bytes) -> None:
        """Queue mono 16-bit samples at 48 kHz, to speak from the next piece on."""
        size = PIECE * 2
        self._unsent += [(pcm[at : at + size].ljust(size, b"\0"), at == 0) for at in range(0, len(pcm), size)]

    async def recv(self) -> "Packet[Stream]":
        """Return the next piece when it is complete, as a real microphone would."""
        loop = asyncio.get_running_loop()
        if self.muted:
            await asyncio.Event().wait()
        if self._begun is None:
            self._begun = loop.time()
        self._count += 1
        end = self._begun + self._count * 0.02
        await asyncio.sleep(max(0.0, end - loop.time()))
        packet = Packet(self._next(end - 0.02))
        packet.pts, packet.time_base = (self._count - 1) * PIECE, Fraction(1, HZ)
        return packet

    def _next(self, begun: float) -> bytes:
        if not self._unsent:
            return self.codec.silence or self._encode(bytes(PIECE * 2))[0]
        piece, is_first = self._unsent.popleft()
        if is_first:
            self.spoken.append(begun)
        return self._encode(piece)[0]


class BrowserCamera(aiortc.MediaStreamTrack):
    """A video track of the pictures that a test shows."""

    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self._shown: asyncio.Queue[VideoFrame] = asyncio.Queue()
        self._count = 0

    def show(self, picture: VideoFrame) -> None:
        """Send a picture."""
        self._count += 1
        picture.pts, picture.time_base = self._count * 3000, Fraction(1, 90000)
        self._shown.put_nowait(picture)

    async def recv(self) -> VideoFrame:
        """Wait for the next picture and return it."""
        return await self._shown.get()


def _configuration(servers: Mapping[str, Any], relay_only: bool) -> aiortc.RTCConfiguration:
    return aiortc.RTCConfiguration(
        iceServers=[aiortc.RTCIceServer(**server) for server in servers.get("iceServers", ())],
        bundlePolicy=aiortc.RTCBundlePolicy.MAX_COMPAT,  # other policies lose a second video, or candidates
        iceTransportPolicy=aiortc.RTCIceTransportPolicy.RELAY
        if relay_only
        else aiortc.RTCIceTransportPolicy.ALL,
    )
