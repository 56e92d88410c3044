"""A browser over WebRTC, compatible with the SmallWebRTC clients.

It carries voice, camera, screen and a data channel. The client makes an offer over HTTP, and sends ICE
candidates that it finds later. It can make another offer at any time: to change its media, or to get a new
connection after its network has changed; the conversation goes on. The data channel carries "ping" texts, a
few messages about the connection itself ("signalling"), and those of the client protocol.
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
from .data_channel import ClientProtocol
from .downlink import Downlink
from .engine import HEARD_HZ, PIECE, MakeEngine
from .engines import engine_maker
from .link import WebRTCLink
from .requests import SdpOffer, candidates
from .settings import WebRTCSettings

__all__ = ["WebRTC"]

ANSWER_WITHIN = 10.0  # seconds that the answer, with the gathering of our ICE candidates, may take
CHECK = 0.25  # seconds between two checks of whether the client is still there
MOST_UNSENT = 1 << 20  # bytes of messages that may wait to be sent; with more the client is too slow
QUIET = 0.5  # seconds without audio from the client after which silence takes its place


class WebRTC:
    """A transport whose client makes offers.

    `rtvi` is the client protocol on the data channel, if there is one. The session starts when the client has
    connected, and ends when it has gone.
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
        """The id of the connection, made with the first answer. It stays the same after a restart."""
        self._link = WebRTCLink(self.settings, engine or engine_maker(self.settings), rtvi)
        self.input = WebRTCInput(self._link, rtvi)
        self.output = WebRTCOutput(self._link)
        self._offering = asyncio.Lock()

    async def offer(self, request: Mapping[str, Any]) -> dict[str, str]:
        """Answer {"sdp", "type", "pc_id", "restart_pc"} with {"sdp", "type", "pc_id"}.

        Raises UsageError if the offer is invalid or for another connection.
        """
        offer = SdpOffer.read(request)
        async with self._offering:
            if offer.pc_id not in (None, self.pc_id):
                raise UsageError("this session has no connection with this pc_id; send null to begin one")
            if offer.pc_id is None and self.pc_id is not None and not offer.restart:
                raise UsageError("this session has a connection; give its pc_id, or ask to restart_pc")
            try:
                async with asyncio.timeout(ANSWER_WITHIN):
                    sdp = await self._link.answer(offer)
            except TimeoutError as error:
                raise ServiceTimeoutError(
                    "no answer was ready in time: can the STUN and TURN servers be reached?"
                ) from error
            self.pc_id = self.pc_id or secrets.token_urlsafe(12)
            return {"sdp": sdp, "type": "answer", "pc_id": self.pc_id}

    async def candidates(self, request: Mapping[str, Any]) -> dict[str, str]:
        """Add the ICE candidates in {"pc_id", "candidates": [...]}.

        Raises UsageError if they are invalid.
        """
        found = candidates(request)
        if self.pc_id is None or request.get("pc_id") != self.pc_id:
            raise UsageError("this session has no connection with this pc_id")
        await self._link.add_candidates(found)
        return {"status": "success"}

    def renegotiate(self) -> None:
        """Ask the client, over the data channel, for a new offer."""
        self._link.channel.signal("renegotiate")

    async def close(self) -> None:
        """Tell the client that the session is over, and close the connection."""
        await self._link.close()


class WebRTCInput(Processor):
    """The first part: it pushes what the client says and shows.

    It ends the session when the client has gone.
    """

    name = "webrtc in"

    def __init__(self, link: WebRTCLink, protocol: ClientProtocol | None) -> None:
        self._link = link
        self._protocol = protocol
        self._settings = link.settings
        self._intake = Intake(HEARD_HZ)
        self._running = False  # True from the session's start until the part is closed
        self._audio_at = 0.0  # when audio last arrived, in the session's time
        self._packets: object = None
        self._checked = 0.0  # when `_check` last ran
        self._silent_for = 0.0  # seconds in which nothing at all came from the client
        self._vanished = False
        self._timer: Timer | None = None
        self._ending: asyncio.Task[None] | None = None

    def link(self, session: SessionPort, after: Route, branches: tuple[BranchPort, ...]) -> Route:
        """Find out whether any part handles video, and attach the client protocol."""
        self._link.wants_video = after(UserVideo) is not None
        if self._protocol is not None:
            self._protocol.bind(session)
        return super().link(session, after, branches)

    async def open(self) -> None:
        """Wait until the client has connected.

        Raises ServiceTimeoutError if that takes too long.
        """
        self._link.on_audio, self._link.on_picture = self._push_audio, self._push_picture
        try:
            async with asyncio.timeout(self._settings.connect_within):
                await self._link.connected.wait()
        except TimeoutError as error:
            raise ServiceTimeoutError("the client made no connection in time") from error

    async def close(self) -> None:
        """Close the connection."""
        if self._timer is not None:
            self._timer.cancel()
        self._running = False
        await self._link.close()

    @on(SessionStarted)
    def started(self, signal: SessionStarted) -> None:
        """Start to check whether the client is there.

        Ends the session if the client never connected.
        """
        self._running = True
        if not self._link.connected.is_set():
            self._end("the client never connected")
        else:
            self._check()

    def _push_audio(self, pcm: bytes, skipped: int) -> None:
        if not self._running:
            return
        self._audio_at = now = self.session.elapsed()
        if (frame := self._intake.place(pcm, now, skipped=skipped)) is not None:
            self.push(frame)

    def _push_picture(self, pixels: bytes, width: int, height: int, source: str) -> None:
        if self._running:
            self.push(UserVideo(pixels, width, height, self.session.elapsed(), source))

    def _check(self) -> None:
        """Notice a vanished client, and push silence if no audio comes.

        Runs every CHECK seconds.
        """
        if not self._running:
            return
        now = self.session.elapsed()
        elapsed, self._checked = now - self._checked, now
        if (packets := self._link.packets) != self._packets:
            self._packets, self._silent_for, self._vanished = packets, 0.0, False
        else:
            self._silent_for += min(elapsed, 2 * CHECK)  # a longer time is that of a stalled event loop
        frame = self._intake.release(now)
        stalled = elapsed > 2 * CHECK  # then audio may wait to be read
        if frame is None and now - self._audio_at >= QUIET and not stalled:
            frame = self._intake.fill(now)
        if frame is not None:
            self.push(frame)
        if self._link.unsent > MOST_UNSENT:
            self._end("the client does not read its messages")
        self._handle_silence(self._silent_for)
        clock = self.session.clock
        self._timer = clock.call_at(clock.now() + CHECK, self._check)

    def _handle_silence(self, silent_for: float) -> None:
        """Interrupt the agent, and later end the session, if the client is silent.

        Nothing at all has come from it for `silent_for` seconds.
        """
        settings = self._settings
        if silent_for < settings.vanished_after:
            return
        if not self._vanished:
            self._vanished = True
            self.session.failed(
                self, UnavailableError(f"nothing has come from the client for {silent_for:.1f} s")
            )
            self.session.interrupt("the client vanished", force=True)
        if self._link.disconnected:
            self._end("the client left")
        elif silent_for >= settings.vanished_after + settings.restart_within:
            self._end("the client vanished")

    def _end(self, reason: str) -> None:
        if self._ending is None:
            self._ending = asyncio.create_task(self.session.cancel(reason), name="antiphon webrtc end")


class WebRTCOutput(Processor):
    """The last part: it sends what the agent says and shows."""

    name = "webrtc out"

    def __init__(self, link: WebRTCLink) -> None:
        self._link = link
        self._downlink: Downlink | None = None

    @on(SessionStarted)
    def started(self, signal: SessionStarted) -> None:
        """Start to send, even if only silence.

        The client's jitter buffer adapts to the network by it.
        """
        self._downlink = Downlink(self.session.clock, self._link.settings.sample_rate, self._link.send_audio)

    @on(AgentAudio)
    def audio(self, frame: AgentAudio) -> None:
        if self._downlink is not None:
            self._downlink.add(frame.pcm)
        self.push(frame)

    @on(AgentVideo)
    def video(self, frame: AgentVideo) -> None:
        self._link.send_picture(frame.pixels, frame.width, frame.height, frame.at)
        self.push(frame)

    @on(Interrupted, PlayoutPaused)
    def clear(self, signal: Interrupted | PlayoutPaused) -> None:
        """Fall silent within 20 ms."""
        if self._downlink is not None:
            self._downlink.clear()

    async def close(self) -> None:
        """Stop sending."""
        if self._downlink is not None:
            self._downlink.stop()
