"""A host for tests: its sessions hold no conversation, and end when they are told to."""

import asyncio
from collections.abc import Sequence
from typing import Any

from ..server.host import Opening, Refused, Report
from ..transports.wire import Wire

__all__ = ["ScriptedHost", "ScriptedSession"]


class ScriptedSession:
    """Answers every offer; over a wire it sends back what it hears."""

    def __init__(self, host: "ScriptedHost", opening: Opening, wire: Wire | None) -> None:
        self.opening = opening
        self.asked: list[dict[str, Any]] = []
        self._host = host
        self._over: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._echo = None if wire is None else asyncio.create_task(self._listen(wire))

    @property
    def session(self) -> str:
        """Its name."""
        return self.opening.session

    async def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """An answer, or what the host is to refuse with."""
        self.asked.append(request)
        if self._host.refuses is not None:
            raise self._host.refuses
        if request["do"] == "candidates":
            return {"status": "success"}
        return {"sdp": "v=0", "type": "answer", "pc_id": request.get("pc_id") or f"pc-{self.session}"}

    async def wait(self) -> str:
        """Wait until somebody has ended it."""
        return await asyncio.shield(self._over)

    async def end(self, reason: str) -> None:
        """It is over."""
        if not self._over.done():
            self._over.set_result(reason)
            self._host.sessions.pop(self.session, None)
            self._host.report({**self._about, "ended": reason, "seconds": 1.0})
        if self._echo is not None and self._echo is not asyncio.current_task():
            self._echo.cancel()

    def begin(self) -> None:
        """Its other side has come."""
        self._host.report({**self._about, "began": True})

    @property
    def _about(self) -> dict[str, Any]:
        return {"session": self.session, "agent": self.opening.agent, "kind": self.opening.kind}

    async def _listen(self, wire: Wire) -> None:
        self.begin()
        while (message := await wire.receive()) is not None:
            wire.send(message)
        await self.end("the client left")


class ScriptedHost:
    """Takes `room` sessions; each of them is kept in `opened`."""

    def __init__(self, report: Report, names: Sequence[str] = ("agent", "other"), room: int = 100) -> None:
        self.report = report
        self.names = names
        self.most = room
        self.opened: list[ScriptedSession] = []
        self.sessions: dict[str, ScriptedSession] = {}
        self.refuses: Refused | None = None
        """What every session that is asked refuses with."""

    @property
    def running(self) -> int:
        """How many sessions there are."""
        return len(self.sessions)

    @property
    def room(self) -> int:
        """How many more there may be."""
        return self.most - self.running

    async def start(self) -> None:
        """Nothing has to be got ready."""

    async def open(self, opening: Opening, wire: Wire | None) -> ScriptedSession:
        """A session of which nobody has come yet, unless there is a wire."""
        session = self.sessions[opening.session] = ScriptedSession(self, opening, wire)
        self.opened.append(session)
        return session

    async def close(self) -> None:
        """End them all."""
        for session in list(self.sessions.values()):
            await session.end("the server was closed")
