"""A browser over WebRTC: voice, camera, screen and a data channel, as the SmallWebRTC clients do it.

The client makes an offer over HTTP, and sends the addresses that it finds later. It can make another offer at
any time: to change what is sent, or, when its network has changed, for a new connection; the conversation
goes on. Over the data channel go "ping" texts, a few messages about the connection itself ("signalling"), and
those of the client protocol.
"""

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from ...clock import Timer
from ...errors import ServiceTimeoutError, UnavailableError, UsageError
from ...frames import AgentAudio, AgentVideo, Interrupted, PlayoutPaused, SessionStarted, UserVideo
from ...observers import Observer
from ...ports import BranchPort
from ...processor import Processor, Route, SessionPort, on
from ..intake import Intake
from .channel import ClientProtocol
from .downlink import Downlink
from .engine import HEARD_HZ, PIECE, MakeEngine, engine_maker
from .line import WebRTCLink
from .requests import SdpOffer, candidates
from .settings import WebRTCSettings

__all__ = ["WebRTC"]

ANSWER_WITHIN = 10.0  # seconds that an offer, and the gathering of our addresses, may take
LOOK = 0.25  # seconds between two looks at whether the client is still there
MOST_UNSENT = 1 << 20  # bytes of messages that may wait for a client
QUIET = 0.5  # seconds without sound from the client, after which it counts as silent


class WebRTC:
    """A transport whose client makes offers. `rtvi` is the client protocol, if one is spoken.

    The session starts when the client has connected. It ends when the client has gone.
    """

    lead = PIECE

    def __init__(
        self,
        settings: WebRTCSettings | None = None,
        rtvi: ClientProtocol | None = None,
        *,
        engine: MakeEngine | None = None,
    ) -> None:
        self.settings = settings or WebRTCSettings()
        self.sample_rate = self.settings.sample_rate
        self.observers: Sequence[Observer] = () if rtvi is None else (rtvi,)
        self.pc_id: str | None = None
        """The name of the connection, made with the first answer; it outlives a restart."""
        self._line = WebRTCLink(self.settings, engine or engine_maker(self.settings), rtvi)
        self.input = WebRTCInput(self._line, rtvi)
        self.output = WebRTCOutput(self._line)
        self._offering = asyncio.Lock()

    async def offer(self, request: Mapping[str, Any]) -> dict[str, str]:
        """Answer {"sdp", "type", "pc_id", "restart_pc"} by {"sdp", "type", "pc_id"}.

        Raises UsageError for what is no offer, or not for this connection.
        """
        offer = SdpOffer.read(request)
        async with self._offering:
            if offer.pc_id not in (None, self.pc_id):
                raise UsageError("there is no connection of this pc_id here; send null to begin one")
            if offer.pc_id is None and self.pc_id is not None and not offer.restart:
                raise UsageError("this session has a connection; give its pc_id, or ask to restart_pc")
            try:
                async with asyncio.timeout(ANSWER_WITHIN):
                    sdp = await self._line.answer(offer.sdp, anew=offer.restart)
            except TimeoutError as error:
                raise ServiceTimeoutError("no answer was ready in time: are STUN and TURN there?") from error
            self.pc_id = self.pc_id or secrets.token_urlsafe(12)
            return {"sdp": sdp, "type": "answer", "pc_id": self.pc_id}

    async def candidates(self, request: Mapping[str, Any]) -> dict[str, str]:
        """Try the addresses in {"pc_id", "candidates": [...]}. Raises UsageError for what is none."""
        found = candidates(request)
        if self.pc_id is None or request.get("pc_id") != self.pc_id:
            raise UsageError("there is no connection of this pc_id here")
        await self._line.add(found)
        return {"status": "success"}

    def renegotiate(self) -> None:
        """Ask the client for a new offer, over the connection that there is."""
        self._line.channel.signal("renegotiate")

    async def close(self) -> None:
        """Tell the client that nobody is here any more, and close the connection."""
        await self._line.close()


class WebRTCInput(Processor):
    """The first part: what the client says and shows."""

    name = "webrtc in"

    def __init__(self, line: WebRTCLink, protocol: ClientProtocol | None) -> None:
        self._line = line
        self._protocol = protocol
        self._settings = line.settings
        self._intake = Intake(HEARD_HZ)
        self._running = False  # whether the session has started, and the part is not closed
        self._heard = 0.0  # up to when there is sound, in the session's time
        self._packets: object = None
        self._looked = 0.0  # when the client was last looked for
        self._missing = 0.0  # seconds in which nothing came from it
        self._vanished = False
        self._timer: Timer | None = None
        self._ending: asyncio.Task[None] | None = None

    def link(self, session: SessionPort, after: Route, branches: tuple[BranchPort, ...]) -> Route:
        """Take a place, and see whether anybody behind it looks at pictures."""
        self._line.wants_video = after(UserVideo) is not None
        if self._protocol is not None:
            self._protocol.bind(session)
        return super().link(session, after, branches)

    async def open(self) -> None:
        """Wait for the client. Raises ServiceTimeoutError where it does not come."""
        self._line.hear, self._line.see = self._hear, self._see
        try:
            async with asyncio.timeout(self._settings.connect_within):
                await self._line.connected.wait()
        except TimeoutError as error:
            raise ServiceTimeoutError("the client made no connection in time") from error

    async def close(self) -> None:
        """Hang up."""
        if self._timer is not None:
            self._timer.cancel()
        self._running = False
        await self._line.close()

    @on(SessionStarted)
    def started(self, signal: SessionStarted) -> None:
        """Time begins; without a client, it ends."""
        self._running = True
        if not self._line.connected.is_set():
            self._end("the client never connected")
        else:
            self._look()

    def _hear(self, pcm: bytes) -> None:
        if not self._running:
            return
        self._heard = now = self.session.elapsed()
        if (frame := self._intake.take(pcm, now)) is not None:
            self.push(frame)

    def _see(self, pixels: bytes, width: int, height: int, source: str) -> None:
        if self._running:
            self.push(UserVideo(pixels, width, height, self.session.elapsed(), source))

    def _look(self) -> None:
        """See from time to time whether the client is still there; where it says nothing, it is quiet."""
        if not self._running:
            return
        now = self.session.elapsed()
        elapsed, self._looked = now - self._looked, now
        if (packets := self._line.packets) != self._packets:
            self._packets, self._missing, self._vanished = packets, 0.0, False
        else:
            self._missing += min(elapsed, 2 * LOOK)  # more is time in which we did not listen
        if (quiet := now - self._heard) >= QUIET:
            self._hear(bytes(int(min(quiet, 2 * QUIET) * HEARD_HZ) * 2))
        if self._line.unsent > MOST_UNSENT:
            self._end("the client does not read its messages")
        self._mind(self._missing)
        clock = self.session.clock
        self._timer = clock.call_at(clock.now() + LOOK, self._look)

    def _mind(self, missing: float) -> None:
        """Nothing has come from the client for this many seconds."""
        settings = self._settings
        if missing < settings.vanished_after:
            return
        if not self._vanished:
            self._vanished = True
            self.session.failed(
                self, UnavailableError(f"nothing has come from the client for {missing:.1f} s")
            )
            self.session.interrupt("the client vanished", force=True)
        if self._line.gone:
            self._end("the client left")
        elif missing >= settings.vanished_after + settings.restart_within:
            self._end("the client vanished")

    def _end(self, reason: str) -> None:
        if self._ending is None:
            self._ending = asyncio.create_task(self.session.cancel(reason), name="antiphon webrtc end")


class WebRTCOutput(Processor):
    """The last part: what the agent says and shows."""

    name = "webrtc out"

    def __init__(self, line: WebRTCLink) -> None:
        self._line = line
        self._speaking: Downlink | None = None

    @on(SessionStarted)
    def started(self, signal: SessionStarted) -> None:
        """Begin to send, if only silence: the client knows from it how much to buffer."""
        self._speaking = Downlink(self.session.clock, self._line.settings.sample_rate, self._line.say)

    @on(AgentAudio)
    def audio(self, frame: AgentAudio) -> None:
        if self._speaking is not None:
            self._speaking.add(frame.pcm)
        self.push(frame)

    @on(AgentVideo)
    def video(self, frame: AgentVideo) -> None:
        self._line.show(frame.pixels, frame.width, frame.height, frame.at)
        self.push(frame)

    @on(Interrupted, PlayoutPaused)
    def clear(self, signal: Interrupted | PlayoutPaused) -> None:
        """Fall silent within 20 ms."""
        if self._speaking is not None:
            self._speaking.clear()

    async def close(self) -> None:
        """Say no more."""
        if self._speaking is not None:
            self._speaking.stop()
