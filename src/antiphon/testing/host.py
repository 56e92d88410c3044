"""A host for tests of a server, whose sessions have no agent."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..server.port import (
    Candidates,
    Offer,
    OfferAnswer,
    OnReport,
    Opening,
    Refused,
    SessionBegan,
    SessionOver,
)
from ..transports.wire import Wire

if TYPE_CHECKING:
    from ..transports.sip import Ringing

__all__ = ["ScriptedHost", "ScriptedSession"]


class ScriptedSession:
    """A session that echoes its wire's messages and answers every offer.

    It lasts until `end` is called or the client leaves.
    """

    def __init__(
        self, host: "ScriptedHost", opening: Opening, wire: Wire | None, ringing: "Ringing | None"
    ) -> None:
        self.opening = opening
        self.ringing = ringing
        self.asked: list[Offer | Candidates] = []
        """The offers and candidates that it has received."""
        self._host = host
        self._over: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._echo = None if wire is None else asyncio.create_task(self._listen(wire))

    @property
    def session(self) -> str:
        """The session's id."""
        return self.opening.session

    async def offer(self, offer: Offer) -> OfferAnswer:
        """Record the offer and answer it, or raise `ScriptedHost.refuses`."""
        self._record(offer)
        return OfferAnswer("v=0", offer.pc_id or f"pc-{self.session}")

    async def add_candidates(self, candidates: Candidates) -> None:
        """Record the candidates, or raise `ScriptedHost.refuses`."""
        self._record(candidates)

    def _record(self, question: Offer | Candidates) -> None:
        self.asked.append(question)
        if self._host.refuses is not None:
            raise self._host.refuses

    async def wait(self) -> str:
        """Wait until the session is over and return the reason."""
        return await asyncio.shield(self._over)

    async def end(self, reason: str) -> None:
        """End the session."""
        if not self._over.done():
            self._over.set_result(reason)
            self._host.sessions.pop(self.session, None)
            self._host.on_report(
                SessionOver(self.session, self.opening.agent, self.opening.kind, reason, 1.0)
            )
        if self._echo is not None and self._echo is not asyncio.current_task():
            self._echo.cancel()

    def begin(self) -> None:
        """Report that the client has connected."""
        self._host.on_report(SessionBegan(self.session, self.opening.agent, self.opening.kind))

    async def _listen(self, wire: Wire) -> None:
        self.begin()
        while (message := await wire.receive()) is not None:
            wire.send(message)
        await self.end("the client left")


class ScriptedHost:
    """A host with room for `room` sessions, which keeps all of them in `opened`."""

    def __init__(
        self, on_report: OnReport, names: Sequence[str] = ("agent", "other"), room: int = 100
    ) -> None:
        self.on_report = on_report
        self.names = names
        self.capacity = room
        self.opened: list[ScriptedSession] = []
        self.sessions: dict[str, ScriptedSession] = {}
        """The sessions that are not over."""
        self.refuses: Refused | None = None
        """The refusal to raise at every offer and candidate, if any."""

    @property
    def running(self) -> int:
        """The number of open sessions."""
        return len(self.sessions)

    @property
    def room(self) -> int:
        """The number of sessions that could be opened now."""
        return self.capacity - self.running

    async def start(self) -> None:
        """Do nothing: there is nothing to load."""

    async def open(
        self, opening: Opening, wire: Wire | None, ringing: "Ringing | None" = None
    ) -> ScriptedSession:
        """Open a session.

        Without a wire, it begins when the test calls `ScriptedSession.begin`.
        """
        session = self.sessions[opening.session] = ScriptedSession(self, opening, wire, ringing)
        self.opened.append(session)
        return session

    async def close(self) -> None:
        """End all sessions."""
        for session in list(self.sessions.values()):
            await session.end("the server was closed")
