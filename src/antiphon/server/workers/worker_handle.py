"""The server's side of a worker: its process, its pipe and its session."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import time
from collections.abc import Coroutine
from itertools import count
from typing import Any

import msgspec

from ...transports.wire import Wire
from ..port import (
    Candidates,
    Offer,
    OfferAnswer,
    OnReport,
    Opening,
    Refusal,
    Refused,
    SessionOver,
    SessionReport,
)
from .limits import WorkerLimits
from .messages import (
    AskAnswered,
    AskSession,
    BeginSession,
    EndSession,
    FromWorker,
    Ping,
    Pong,
    SessionOpened,
    SessionReported,
    WorkerDone,
    WorkerReady,
    WorkerTaken,
)
from .pipe import BINARY, CLOSE, TEXT, Pipe, decode_close, relay
from .processes import Child
from .usage import ProcessUsage
from .watchdog import Watchdog

__all__ = ["WorkerHandle", "WorkerLost", "ended_by"]

logger = logging.getLogger("antiphon.server")

READY_WITHIN = 60.0  # seconds on a busy machine
OPENED_WITHIN = 60.0
ANSWERED_WITHIN = 30.0
CLOSED_WITHIN = 5.0
DRAINED_WITHIN = 0.2  # seconds to read the last messages of a process that has exited
EXITED_WITHIN = 2.0  # seconds that a process may take to exit after its pipe has ended
LOWEST_PRIORITY = 19
INTERNAL_ERROR = 1011  # a websocket close code


class WorkerLost(Exception):  # noqa: N818  a condition of the worker, not an error
    """The worker died before it received its session, so another worker can run it."""


class WorkerHandle:
    """One worker process and its one session; the `HostedSession` of a `WorkerHost`."""

    def __init__(self, limits: WorkerLimits, name: str, *, last_words: float = 10.0) -> None:
        self.name = name
        self.last_words = last_words
        """Seconds that the agent may finish speaking when the session is ended."""
        self.session = ""
        self.child: Child | None = None
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._watchdog = Watchdog(limits)
        self._pipe: Pipe[Any] = Pipe[Any](
            msgspec.msgpack.Decoder(FromWorker), self._handle, self._send_to_wire
        )
        self._opening: Opening | None = None
        self._taken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._opened: asyncio.Future[Refusal | None] = asyncio.get_running_loop().create_future()
        self._over: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._wire: Wire | None = None
        self._on_report: OnReport = lambda _: None
        self._reported_end = False
        self._kill_reason = ""
        self._questions: dict[int, asyncio.Future[AskAnswered]] = {}
        self._numbers = count()
        self._began = time.monotonic()
        self._slowed = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def connect(self, end: socket.socket, child: Child) -> None:
        """Wait until the process is ready for a session. Raises Refused if that fails."""
        self.child, loop = child, asyncio.get_running_loop()
        await self._pipe.connect(end)
        self._pipe.gone.add_done_callback(lambda gone: self._start(self._on_pipe_end(gone.result())))
        child.ended.add_done_callback(lambda _: loop.call_later(DRAINED_WITHIN, self._pipe.abort, ""))
        await self._wait_for(self.ready, READY_WITHIN)
        if not self.ready.done():
            self.kill(f"it was not ready within {READY_WITHIN:g} s")
            reason = self._over.result() if self._over.done() else self._kill_reason
            raise Refused(503, f"no worker could be started: {reason}", 5)
        self._watchdog.baseline(ProcessUsage.of(child.pid))

    @property
    def alive(self) -> bool:
        """True while the worker has a session or can begin one."""
        return self.ready.done() and not self._over.done()

    # The session -----------------------------------------------------------------------------------

    async def open(self, opening: Opening, wire: Wire | None, on_report: OnReport) -> None:
        """Begin the session. Raises Refused, or WorkerLost if another worker can do it."""
        self._began = time.monotonic()
        self.session, self._opening, self._wire = opening.session, opening, wire
        self._on_report = on_report
        self._pipe.tell(BeginSession(opening, wire is not None))
        await self._wait_for(self._taken, OPENED_WITHIN)
        if not self._taken.done():
            raise WorkerLost
        if wire is not None:
            self._start(relay(wire, self._pipe))
        try:
            await self._wait_for(self._opened, OPENED_WITHIN)
        except asyncio.CancelledError:
            self._opening = None
            raise
        refusal = Refusal(500, "the session could not begin")
        if self._opened.done():
            refusal = self._opened.result()
        if refusal is not None:
            self._opening = None  # so that no end is reported
            raise refusal.exception()

    async def offer(self, offer: Offer) -> OfferAnswer:
        """Answer a WebRTC offer. Raises Refused, also if this is not a WebRTC session."""
        answer = (await self._ask(offer)).answer
        if answer is None:
            raise Refused(500, "the request could not be answered")
        return answer

    async def add_candidates(self, candidates: Candidates) -> None:
        """Add ICE candidates of the client. Raises Refused as `offer` does."""
        await self._ask(candidates)

    async def _ask(self, question: Offer | Candidates) -> AskAnswered:
        number = next(self._numbers)
        answer = self._questions[number] = asyncio.get_running_loop().create_future()
        self._pipe.tell(AskSession(number, question))
        try:
            await self._wait_for(answer, ANSWERED_WITHIN)
        finally:
            del self._questions[number]
        if not answer.done():
            raise Refused(410 if self._over.done() else 504, "the session does not answer")
        answered: AskAnswered = answer.result()
        if answered.refusal is not None:
            raise answered.refusal.exception()
        return answered

    async def wait(self) -> str:
        """Wait until the session is over and return the reason."""
        return await asyncio.shield(self._over)

    async def end(self, reason: str) -> None:
        """End the session after the agent's current sentence, and wait until it is over."""
        self._pipe.tell(EndSession(reason))
        await self._finish(self.last_words + CLOSED_WITHIN)

    async def cancel(self, reason: str) -> None:
        """End the session at once."""
        self._pipe.tell(EndSession(reason, at_once=True))
        await self._finish(CLOSED_WITHIN)

    def kill(self, why: str) -> None:
        """Kill the process; `why` becomes the session's end reason, unless it has one."""
        self._kill_reason = self._kill_reason or why
        if self.child is not None:
            self.child.kill()

    async def stop(self) -> None:
        """Wait until the process has exited; kill it if that takes too long."""
        if self.child is not None:
            await self.child.stop(EXITED_WITHIN)

    # Once a second ---------------------------------------------------------------------------------

    def look(self, *, excused: bool = False) -> None:
        """Kill the worker, or lower its priority, if it exceeds its limits.

        `excused`: the server itself was blocked, so missing responses are not the worker's fault.
        """
        if self.child is None or not self.alive:
            return
        if excused:
            self._watchdog.responded()
        usage = ProcessUsage.of(self.child.pid)
        if usage is None:
            return
        if reason := self._watchdog.check(usage):
            self.kill(reason)
        if self._watchdog.exceeds_cpu and not self._slowed:
            self._slowed = True
            logger.warning(
                "session %s uses %.1f cores, more than its limit: it continues with the lowest priority",
                self.session,
                self._watchdog.cores,
            )
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PGRP, self.child.pid, LOWEST_PRIORITY)
        self._pipe.tell(Ping())

    # What the worker sends -------------------------------------------------------------------------

    def _handle(self, message: FromWorker) -> None:
        match message:
            case WorkerReady():
                self._watchdog.responded()
                if not self.ready.done():
                    self.ready.set_result(None)
            case WorkerTaken():
                if not self._taken.done():
                    self._taken.set_result(None)
            case SessionOpened(refusal):
                if not self._opened.done():
                    self._opened.set_result(refusal)
            case AskAnswered(number):
                answer = self._questions.get(number)
                if answer is not None and not answer.done():
                    answer.set_result(message)
            case SessionReported(report):
                self._report(report)
            case WorkerDone(reason):
                self._set_over(reason)
            case Pong():
                self._watchdog.responded()

    def _send_to_wire(self, kind: int, content: bytes) -> None:
        if self._wire is None:
            return
        if kind == BINARY:
            self._wire.send(content)
        elif kind == TEXT:
            self._wire.send(content.decode(errors="replace"))
        elif kind == CLOSE:
            self._close_wire(*decode_close(content))

    async def _on_pipe_end(self, why: str) -> None:
        """Wait for the process to exit after its pipe has ended; then end the session."""
        if self.child is None:
            return
        if why:
            self.kill(why)
        await self.child.stop(EXITED_WITHIN)
        status = self.child.ended.result() if self.child.ended.done() else None
        self._set_over(
            f"its process was ended: {self._kill_reason}" if self._kill_reason else ended_by(status)
        )
        if self._taken.done():
            self._close_wire(1000, "")  # if it is still open

    def _set_over(self, reason: str) -> None:
        """Mark the session as over, and report that unless the worker did."""
        if self._over.done():
            return
        self._over.set_result(reason)
        if self._opening is not None and self._taken.done():
            if not self._reported_end:
                seconds = round(time.monotonic() - self._began, 3)
                opening = self._opening
                self._report(SessionOver(opening.session, opening.agent, opening.kind, reason, seconds))
            if self._pipe.gone.done():
                logger.error("session %s was lost: %s", self.session, reason)
                self._close_wire(INTERNAL_ERROR, reason)

    def _report(self, report: SessionReport) -> None:
        """Pass a report on; its session is set here, since the worker is not trusted."""
        opening = self._opening
        if opening is None:
            return
        self._reported_end = self._reported_end or isinstance(report, SessionOver)
        try:
            self._on_report(
                msgspec.structs.replace(
                    report, session=opening.session, agent=opening.agent, kind=opening.kind
                )
            )
        except Exception:
            logger.exception("a report of session %s could not be recorded", self.session)

    def _close_wire(self, code: int, reason: str) -> None:
        wire, self._wire = self._wire, None
        if wire is not None:
            self._start(wire.close(code, reason))

    async def _wait_for(self, awaited: asyncio.Future[Any], within: float) -> None:
        """Wait for a future or the session's end, at most `within` seconds."""
        await asyncio.wait([awaited, self._over], timeout=within, return_when=asyncio.FIRST_COMPLETED)

    async def _finish(self, within: float) -> None:
        """Wait for the session's end; kill the process if that takes too long."""
        if self.child is None:
            self._set_over("its process had not begun")
        await asyncio.wait([self._over], timeout=within)
        if not self._over.done():
            self.kill(f"it did not end within {within:g} s")
        await self.stop()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def ended_by(status: int | None) -> str:
    """Return in words why a process ended, given its exit status (see `Child`)."""
    if status is None:
        return "its process is gone"
    if status < 0:
        return f"its process was killed by {signal.Signals(-status).name}"
    return f"its process ended with status {status}"
