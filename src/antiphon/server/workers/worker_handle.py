"""A worker as the server has it: a process, its pipe, and the one session in it."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import time
from itertools import count
from typing import Any

import msgspec

from ...transports.wire import Wire
from ..host import Opening, Refused, Report
from .bounds import Bounds, Use
from .messages import (
    AskAnswered,
    AskSession,
    BeginSession,
    EndSession,
    FromWorker,
    Ping,
    Pong,
    Refusal,
    SessionOpened,
    SessionOver,
    SessionReported,
    WorkerReady,
    WorkerTaken,
)
from .pipe import BINARY, CLOSE, TEXT, Pipe, closed, closing
from .processes import Child

__all__ = ["WorkerHandle", "WorkerLost", "ended_by"]

logger = logging.getLogger("antiphon.server")

READY_WITHIN = 60.0  # seconds: spawned on a busy machine
OPENED_WITHIN = 60.0
ASKED_WITHIN = 30.0
CLOSED_WITHIN = 5.0
DRAINED_WITHIN = 0.2  # seconds in which the last words of a process that has ended are read
LAST = 2.0  # seconds that a process may take to end after its last word
AVERAGED = 10.0  # seconds over which the use of the processor is averaged
LOWEST = 19  # the priority of those that take too much
BROKEN = 1011  # of a websocket: the server cannot go on


class WorkerLost(Exception):  # noqa: N818  what has become of it
    """The worker died before it took its session, of which nothing is lost."""


class WorkerHandle:
    """One process and its one session, which it hosts for the server."""

    def __init__(self, bounds: Bounds, name: str, *, last_words: float = 10.0) -> None:
        self.name = name
        self.last_words = last_words
        """Seconds that the agent may go on speaking when the session is ended."""
        self.session = ""
        self.child: Child | None = None
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._bounds = bounds
        self._pipe: Pipe[Any] = Pipe[Any](msgspec.msgpack.Decoder(FromWorker), self._note, self._take)
        self._opening: Opening | None = None
        self._taken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._opened: asyncio.Future[Refusal | None] = asyncio.get_running_loop().create_future()
        self._over: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._wire: Wire | None = None
        self._report: Report = lambda _: None
        self._reported_end = False
        self._why = ""
        self._asked: dict[int, asyncio.Future[AskAnswered]] = {}
        self._numbers = count()
        self._began = self._answered = time.monotonic()
        self._first: Use | None = None
        self._last: Use | None = None
        self._looked = 0.0
        self._cores = 0.0
        self._slowed = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def connect(self, end: socket.socket, child: Child) -> None:
        """Wait until the process is ready. Raises Refused if it does not come to that."""
        self.child, loop = child, asyncio.get_running_loop()
        await self._pipe.connect(end)
        self._pipe.gone.add_done_callback(lambda gone: self._start(self._gone(gone.result())))
        child.ended.add_done_callback(lambda _: loop.call_later(DRAINED_WITHIN, self._pipe.abort, ""))
        await asyncio.wait(
            [self.ready, self._over], timeout=READY_WITHIN, return_when=asyncio.FIRST_COMPLETED
        )
        if not self.ready.done():
            self.kill(f"it was not ready within {READY_WITHIN:g} s")
            reason = self._over.result() if self._over.done() else self._why
            raise Refused(503, f"no worker could be started: {reason}", 5)
        self._first = Use.of(child.pid)

    @property
    def alive(self) -> bool:
        """Whether it can take a session, or has one."""
        return self.ready.done() and not self._over.done()

    # The session -----------------------------------------------------------------------------------

    async def open(self, opening: Opening, wire: Wire | None, report: Report) -> None:
        """Begin the session. Raises Refused as its host there does, and Lost where another may try."""
        self._began = time.monotonic()
        self.session, self._opening, self._wire, self._report = opening.session, opening, wire, report
        self._pipe.tell(BeginSession(msgspec.to_builtins(opening), wire is not None))
        await self._first_of(self._taken)
        if not self._taken.done():
            raise WorkerLost
        if wire is not None:
            self._start(self._relay(wire))
        try:
            await self._first_of(self._opened)
        except asyncio.CancelledError:
            self._opening = None
            raise
        refusal = Refusal(500, "the session could not begin")
        if self._opened.done():
            refusal = self._opened.result()
        if refusal is not None:
            self._opening = None  # there was no session
            raise Refused(refusal.status, refusal.detail, refusal.retry_after)

    async def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """The transport's answer."""
        number = next(self._numbers)
        answer = self._asked[number] = asyncio.get_running_loop().create_future()
        self._pipe.tell(AskSession(number, request))
        try:
            await asyncio.wait(
                [answer, self._over], timeout=ASKED_WITHIN, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            del self._asked[number]
        if not answer.done():
            raise Refused(410 if self._over.done() else 504, "the session does not answer")
        answered: AskAnswered = answer.result()
        if (refusal := answered.refusal) is not None:
            raise Refused(refusal.status, refusal.detail, refusal.retry_after)
        return answered.result

    async def wait(self) -> str:
        """Wait until the session is over; gives the reason."""
        return await asyncio.shield(self._over)

    async def end(self, reason: str) -> None:
        """Let the agent finish what it says, then end; returns when it is over."""
        self._pipe.tell(EndSession(reason))
        await self._finish(self.last_words + CLOSED_WITHIN)

    async def cancel(self, reason: str) -> None:
        """End at once."""
        self._pipe.tell(EndSession(reason, at_once=True))
        await self._finish(CLOSED_WITHIN)

    def kill(self, why: str) -> None:
        """End the process; `why` is what is told of it."""
        self._why = self._why or why
        if self.child is not None:
            self.child.kill()

    async def stop(self) -> None:
        """Wait until the process is gone."""
        if self.child is not None:
            await self.child.stop(LAST)

    # Once a second ---------------------------------------------------------------------------------

    def look(self, *, excused: bool = False) -> None:
        """Hold the session to its bounds. `excused`: the server was away itself, and heard nobody."""
        if self.child is None or not self.alive:
            return
        now = time.monotonic()
        if excused:
            self._answered = now
        use = Use.of(self.child.pid)
        if use is None:
            return
        if self._first is not None and use.memory - self._first.memory > self._bounds.memory_bytes:
            self.kill(f"it took more than {self._bounds.memory_mb} MB of memory")
        if now - self._answered > self._bounds.stuck_after:
            self.kill(
                f"it did not answer for {self._bounds.stuck_after:g} s: the agent's code blocks its loop"
            )
        if self._last is not None and (passed := now - self._looked) > 0:
            self._cores += min(1.0, passed / AVERAGED) * ((use.cpu - self._last.cpu) / passed - self._cores)
        self._last, self._looked = use, now
        if self._cores > self._bounds.cpu and not self._slowed:
            self._slowed = True
            logger.warning(
                "session %s takes %.1f cores, more than its %g: it goes on with the lowest priority",
                self.session, self._cores, self._bounds.cpu,
            )  # fmt: skip
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PGRP, self.child.pid, LOWEST)
        self._pipe.tell(Ping())

    # What comes ------------------------------------------------------------------------------------

    def _note(self, note: FromWorker) -> None:
        match note:
            case WorkerReady():
                self._answered = time.monotonic()
                if not self.ready.done():
                    self.ready.set_result(None)
            case WorkerTaken():
                if not self._taken.done():
                    self._taken.set_result(None)
            case SessionOpened(refusal):
                if not self._opened.done():
                    self._opened.set_result(refusal)
            case AskAnswered(number):
                answer = self._asked.get(number)
                if answer is not None and not answer.done():
                    answer.set_result(note)
            case SessionReported(what):
                self._tell(what)
            case SessionOver(reason):
                self._ended(reason)
            case Pong():
                self._answered = time.monotonic()

    def _take(self, kind: int, content: bytes) -> None:
        if self._wire is None:
            return
        if kind == BINARY:
            self._wire.send(content)
        elif kind == TEXT:
            self._wire.send(content.decode(errors="replace"))
        elif kind == CLOSE:
            self._close_wire(*closed(content))

    async def _relay(self, wire: Wire) -> None:
        """Messages of the far end into the pipe, until it has gone."""
        while (message := await wire.receive()) is not None:
            if isinstance(message, str):
                self._pipe.send(TEXT, message.encode())
            else:
                self._pipe.send(BINARY, message)
        self._pipe.send(CLOSE, closing(1000, ""))

    async def _gone(self, why: str) -> None:
        """The pipe has ended: so has the process, or it is to."""
        if self.child is None:
            return
        if why:
            self.kill(why)
        await self.child.stop(LAST)
        status = self.child.ended.result() if self.child.ended.done() else None
        self._ended(f"its process was ended: {self._why}" if self._why else ended_by(status))
        if self._taken.done():
            self._close_wire(1000, "")  # if it still is open

    def _ended(self, reason: str) -> None:
        if self._over.done():
            return
        self._over.set_result(reason)
        if self._opening is not None and self._taken.done():
            if not self._reported_end:
                seconds = round(time.monotonic() - self._began, 3)
                self._tell({"ended": reason, "seconds": seconds})
            if self._pipe.gone.done():
                logger.error("session %s was lost: %s", self.session, reason)
                self._close_wire(BROKEN, reason)

    def _tell(self, what: dict[str, Any]) -> None:
        """Report what a session of this opening does, whatever the worker calls it."""
        if self._opening is None:
            return
        self._reported_end = self._reported_end or "ended" in what
        about = {"session": self.session, "agent": self._opening.agent, "kind": self._opening.kind}
        try:
            self._report(what | about)
        except Exception:
            logger.exception("a report of session %s was not taken", self.session)

    def _close_wire(self, code: int, reason: str) -> None:
        wire, self._wire = self._wire, None
        if wire is not None:
            self._start(wire.close(code, reason))

    async def _first_of(self, awaited: asyncio.Future[Any]) -> None:
        """Wait for this or for the end, but not for ever."""
        await asyncio.wait([awaited, self._over], timeout=OPENED_WITHIN, return_when=asyncio.FIRST_COMPLETED)

    async def _finish(self, within: float) -> None:
        if self.child is None:
            self._ended("its process had not begun")
        await asyncio.wait([self._over], timeout=within)
        if not self._over.done():
            self.kill(f"it did not end within {within:g} s")
        await self.stop()

    def _start(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def ended_by(status: int | None) -> str:
    """Why a process ended that had not said so."""
    if status is None:
        return "its process is gone"
    if status < 0:
        return f"its process was killed by {signal.Signals(-status).name}"
    return f"its process ended with status {status}"
