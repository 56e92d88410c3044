"""Where sessions are let in, counted and shown out: what all routes of a server share."""

import asyncio
import logging
import math
import secrets
from collections.abc import Callable
from typing import Any

from starlette.requests import HTTPConnection, Request

from ..transports.wire import Wire
from .host import Host, HostedSession, Kind, Opening, Refused, Report
from .keys import Keys, Right, address, host_of
from .limits import AddressShare, RateLimit, Throttle, read_body
from .metrics import Metrics
from .settings import ServerSettings
from .tokens import Tokens

__all__ = ["Admission"]

logger = logging.getLogger("antiphon.server")

CLOSING = "the server is being shut down"
LOOK = 0.1  # seconds between two looks at whether the last session is over
OFFERS = (
    0.02  # seconds from one offer to the next: each takes 7 ms, that calls which are going on must not miss
)
LONGEST = 3.0  # seconds that an offer may wait for its turn


class Admission:
    """One server: its host, its keys, its limits, and the sessions that run."""

    def __init__(self, hosting: Callable[[Report], Host], settings: ServerSettings) -> None:
        self.settings = settings
        self.host = hosting(self._heard)
        self.keys = Keys(settings)
        self.rates = RateLimit(settings.per_minute, settings.burst)
        share = settings.address_share
        self.places = AddressShare(
            math.ceil(settings.capacity * share), math.ceil(settings.half_open * share)
        )
        self.offers = Throttle(OFFERS, LONGEST)
        self.openings: Tokens[Opening] = Tokens(settings.join_within)
        """What was begun by /start or a phone's webhook, and is to be joined."""
        self.metrics = Metrics()
        self.sessions: dict[str, HostedSession] = {}
        self.peers: dict[str, str] = {}
        """The session of each WebRTC connection, by the name (`pc_id`) that its client knows it by."""
        self.draining = False
        self._started = False
        self._pending: set[str] = set()  # sessions that nobody has come to yet
        self._watching: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Get the host ready, once."""
        if not self._started:
            self._started = True
            await self.host.start()

    async def close(self) -> None:
        """End all sessions at once."""
        self.draining = True
        await self.host.close()

    # Before a session ------------------------------------------------------------------------------

    def check(self, connection: HTTPConnection, right: Right) -> None:
        """Raises Refused where a request may not do this, or its address asks too much."""
        self.rates.take(address(connection))
        self.keys.check(connection, right)

    async def read(self, request: Request, most: int | None = None) -> bytes:
        """The body of a request, within the limit."""
        return await read_body(request, min(most or self.settings.body_bytes, self.settings.body_bytes))

    def opening(self, kind: Kind, agent: object, body: Any = None, **details: Any) -> Opening:
        """What a session of this agent, or of the first, is to begin with. Raises Refused for others."""
        names = self.host.names
        name = names[0] if agent is None or agent == "" else agent
        if not isinstance(name, str) or name not in names:
            raise Refused(404, "there is no such agent here; see /agents")
        return Opening(secrets.token_urlsafe(16), name, kind, body, details)

    def has_room(self, kind: Kind | None = None, *, promised: bool = False, whose: str | None = None) -> None:
        """Raises Refused while no session (of this kind, of this address) can begin.

        Who was `promised` one may come late.
        """
        if self.draining and not promised:
            raise Refused(503, CLOSING, 30)
        if not self.host.room:
            raise Refused(429, "all lines are busy: try again in a moment", 5)
        if kind == "webrtc" and self.pending >= self.settings.half_open:
            raise Refused(429, "too many sessions wait for their callers: try again in a moment", 5)
        self.places.check(whose, self._pending if kind == "webrtc" else ())

    def url(self, connection: HTTPConnection, path: str, *, socket: bool = False) -> str:
        """How the outside reaches a path of ours."""
        base = self.settings.public_url.rstrip("/")
        if not base:
            secure = connection.url.scheme in ("https", "wss")
            base = f"{'https' if secure else 'http'}://{host_of(connection)}"
        return (base.replace("http", "ws", 1) if socket else base) + path

    # A session -------------------------------------------------------------------------------------

    async def open(self, opening: Opening, wire: Wire | None, whose: str | None = None) -> HostedSession:
        """Begin a session, of this address, for which there is room. Raises Refused."""
        self.has_room(opening.kind, promised=True, whose=whose)
        self.places.take(opening.session, whose)
        try:
            if opening.kind == "webrtc":
                self._pending.add(opening.session)
                await self.offers.wait()
            hosted = await self.host.open(opening, wire)
        except BaseException:
            self._forget(opening.session)
            raise
        self.sessions[opening.session] = hosted
        watching = asyncio.create_task(self._watch(hosted), name=f"antiphon watch {opening.session}")
        self._watching.add(watching)
        watching.add_done_callback(self._watching.discard)
        return hosted

    @property
    def pending(self) -> int:
        """Sessions over WebRTC that nobody has come to yet."""
        return len(self._pending)

    @property
    def ringing(self) -> bool:
        """Whether a phone call that we have answered, or have made, has not come yet."""
        return any(opening.kind == "phone" for opening in self.openings.values())

    async def drain(self) -> None:
        """Let nobody in any more, and wait for the end of the last session; after a while, end them all."""
        self.draining = True
        try:
            async with asyncio.timeout(self.settings.drain):
                while self.host.running or self._watching or self.ringing:  # noqa: ASYNC110  nobody tells
                    await asyncio.sleep(LOOK)
        except TimeoutError:
            await self.end_all()

    async def end_all(self) -> None:
        """End every session: the agent finishes its sentence, and no more."""
        self.draining = True
        await asyncio.gather(
            *(hosted.end(CLOSING) for hosted in list(self.sessions.values())), return_exceptions=True
        )

    async def _watch(self, hosted: HostedSession) -> None:
        try:
            await hosted.wait()
        finally:
            self.sessions.pop(hosted.session, None)
            self._forget(hosted.session)
            for peer in [peer for peer, session in self.peers.items() if session == hosted.session]:
                del self.peers[peer]

    def _forget(self, session: str) -> None:
        self._pending.discard(session)
        self.places.leave(session)

    def _heard(self, report: dict[str, Any]) -> None:
        """What the host tells of a session."""
        if "began" in report:
            self._pending.discard(report["session"])
        self.metrics.take(report)
