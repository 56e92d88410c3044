"""Admission of sessions: keys, limits, pending openings and running sessions."""

import asyncio
import logging
import math
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING

from starlette.requests import HTTPConnection, Request

from ..transports.wire import Wire
from .keys import Keys, Right, address_of, host_of
from .limits import AddressShare, RateLimit, Throttle, read_body
from .metrics import Metrics
from .port import Host, HostedSession, OnReport, Opening, OpeningKind, Refused, SessionBegan, SessionReport
from .settings import ServerSettings
from .tokens import Tokens

if TYPE_CHECKING:
    from ..transports.sip import Ringing

__all__ = ["Admission"]

logger = logging.getLogger("antiphon.server")

CLOSING = "the server is being shut down"
POLL_EVERY = 0.1  # seconds between checks whether the last session is over
OFFER_PAUSE = 0.02  # seconds between offers: each blocks the loop for 7 ms, and with it running calls
OFFER_LONGEST = 3.0  # seconds that an offer may wait for its turn


class Admission:
    """A server's host, keys, limits, openings and sessions, shared by all routes."""

    def __init__(self, make_host: Callable[[OnReport], Host], settings: ServerSettings) -> None:
        self.settings = settings
        self.host = make_host(self._record)
        self.keys = Keys(settings)
        self.rate_limit = RateLimit(settings.per_minute, settings.burst)
        share = settings.address_share
        self.address_share = AddressShare(
            math.ceil(settings.capacity * share), math.ceil(settings.half_open * share)
        )
        self.offer_throttle = Throttle(OFFER_PAUSE, OFFER_LONGEST)
        self.openings: Tokens[Opening] = Tokens(settings.join_within)
        """The openings of sessions whose client or caller has not joined yet, by token."""
        self.metrics = Metrics()
        self.sessions: dict[str, HostedSession] = {}
        self.session_of: dict[str, str] = {}
        """The session of each WebRTC connection, by its `pc_id`."""
        self.draining = False
        self.serves_audiosocket = False
        """True once AudioSocket is served, by `antiphon serve` or else by the application itself."""
        self._started = False
        self._unconnected: set[str] = set()
        """WebRTC sessions whose client has not connected yet."""
        self._watching: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Start the host. Further calls do nothing."""
        if not self._started:
            self._started = True
            await self.host.start()

    async def close(self) -> None:
        """End all sessions at once."""
        self.draining = True
        await self.host.close()

    # Before a session ------------------------------------------------------------------------------

    def check(self, connection: HTTPConnection, right: Right) -> None:
        """Raise Refused if a request lacks this right or its address exceeds the rate."""
        self.rate_limit.spend(address_of(connection))
        self.keys.check(connection, right)

    async def read(self, request: Request, most: int | None = None) -> bytes:
        """Return a request's body, limited by `most` bytes and `settings.body_bytes`."""
        return await read_body(request, min(most or self.settings.body_bytes, self.settings.body_bytes))

    def new_session(self) -> str:
        """Return the id of a new session."""
        return secrets.token_urlsafe(16)

    def agent_named(self, name: object) -> str:
        """Return the name of the agent that was asked for, by default the first one.

        Raises Refused if there is no such agent.
        """
        names = self.host.names
        chosen = names[0] if name is None or name == "" else name
        if not isinstance(chosen, str) or chosen not in names:
            raise Refused(404, "there is no such agent here; see /agents")
        return chosen

    def check_room(
        self, kind: OpeningKind | None = None, *, promised: bool = False, address: str | None = None
    ) -> None:
        """Raise Refused if no session of this kind can begin now for this address.

        `promised`: the caller holds a token, and may join even while the server drains. `address=None`
        skips the limit per address.
        """
        if self.draining and not promised:
            raise Refused(503, CLOSING, 30)
        if not self.host.room:
            raise Refused(429, "all lines are busy: try again in a moment", 5)
        if kind == "webrtc" and self.unconnected >= self.settings.half_open:
            raise Refused(429, "too many clients are connecting: try again in a moment", 5)
        self.address_share.check(address, self._unconnected if kind == "webrtc" else ())

    def url(self, connection: HTTPConnection, path: str, *, socket: bool = False) -> str:
        """Return the URL of a path of this server for clients and phone providers."""
        base = self.settings.public_url.rstrip("/")
        if not base:
            secure = connection.url.scheme in ("https", "wss")
            base = f"{'https' if secure else 'http'}://{host_of(connection)}"
        return (base.replace("http", "ws", 1) if socket else base) + path

    # A session -------------------------------------------------------------------------------------

    async def open(
        self,
        opening: Opening,
        wire: Wire | None,
        address: str | None = None,
        *,
        ringing: "Ringing | None" = None,
    ) -> HostedSession:
        """Open a session, counted for `address` if that is not None. Raises Refused."""
        self.check_room(opening.kind, promised=True, address=address)
        self.address_share.reserve(opening.session, address)
        try:
            if opening.kind == "webrtc":
                self._unconnected.add(opening.session)
                await self.offer_throttle.wait()
            hosted = await self.host.open(opening, wire, ringing)
        except BaseException:
            self._release(opening.session)
            raise
        self.sessions[opening.session] = hosted
        watching = asyncio.create_task(self._watch(hosted), name=f"antiphon watch {opening.session}")
        self._watching.add(watching)
        watching.add_done_callback(self._watching.discard)
        return hosted

    @property
    def unconnected(self) -> int:
        """The number of WebRTC sessions whose client has not connected yet."""
        return len(self._unconnected)

    @property
    def ringing(self) -> bool:
        """True while a phone call is expected to open its websocket."""
        return any(opening.kind == "phone" for opening in self.openings.values())

    async def drain(self) -> None:
        """Admit no new session and wait until all have ended.

        After `settings.drain` seconds, the remaining ones are ended.
        """
        self.draining = True
        try:
            async with asyncio.timeout(self.settings.drain):
                while self.host.running or self._watching or self.ringing:  # noqa: ASYNC110  there is no event
                    await asyncio.sleep(POLL_EVERY)
        except TimeoutError:
            await self.end_all()

    async def end_all(self) -> None:
        """End every session, once its agent has finished its sentence."""
        self.draining = True
        await asyncio.gather(
            *(hosted.end(CLOSING) for hosted in list(self.sessions.values())), return_exceptions=True
        )

    async def _watch(self, hosted: HostedSession) -> None:
        """Wait for a session's end, then drop what is kept about it."""
        try:
            await hosted.wait()
        finally:
            self.sessions.pop(hosted.session, None)
            self._release(hosted.session)
            for pc_id in [one for one, session in self.session_of.items() if session == hosted.session]:
                del self.session_of[pc_id]

    def _release(self, session: str) -> None:
        self._unconnected.discard(session)
        self.address_share.release(session)

    def _record(self, report: SessionReport) -> None:
        """Record a report of the host."""
        if isinstance(report, SessionBegan):
            self._unconnected.discard(report.session)
        self.metrics.record(report)
