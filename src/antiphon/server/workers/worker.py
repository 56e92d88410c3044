"""A worker process: it runs one session, then exits."""

import asyncio
import logging
import os
import socket
import sys
import threading
from collections.abc import Coroutine
from typing import Any

import msgspec

from ...agent_file import Agents
from ..host import LoopHost
from ..port import Candidates, HostedSession, Offer, OfferAnswer, Opening, Refusal, Refused, SessionReport
from .job import Job
from .limits import limit_memory
from .messages import (
    AskAnswered,
    AskSession,
    BeginSession,
    EndSession,
    FromServer,
    Ping,
    Pong,
    SessionOpened,
    SessionReported,
    WorkerDone,
    WorkerReady,
    WorkerTaken,
)
from .model_client import ModelConnection, with_remote_models
from .pipe import Pipe, PipeWire
from .processes import die_with

__all__ = ["run"]

logger = logging.getLogger("antiphon.server")

STACK = 1 << 20  # bytes of each thread's stack, since reserved stacks count as memory


def run(end: socket.socket, job: Job, agents: Agents) -> None:
    """Run one session; `end` is this process's end of the pipe to the server."""
    threading.stack_size(STACK)
    if (random := sys.modules.get("numpy.random")) is not None:
        random.seed()  # otherwise all workers draw the same numbers; the module `random` reseeds itself
    asyncio.run(_Worker(job, agents).run(end))


class _Worker:
    def __init__(self, job: Job, agents: Agents) -> None:
        self._job = job
        agents = with_remote_models(agents, ModelConnection(job.models))
        self._host = LoopHost(agents, job.settings, self._report)
        self._session: HostedSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, end: socket.socket) -> None:
        """Run until the session is over or the server is gone, then exit the process."""
        self._pipe: Pipe[Any] = Pipe[Any](
            msgspec.msgpack.Decoder(FromServer), self._handle, self._feed_wire, waits=True
        )
        self._wire = PipeWire(self._pipe)
        self._over = asyncio.Event()
        await self._pipe.connect(end)
        self._pipe.gone.add_done_callback(lambda _: self._over.set())
        limit_memory(self._job.limits.memory_bytes)
        self._pipe.tell(WorkerReady())
        die_with(self._job.parent)  # after WorkerReady: it may wait for the forking process to exit
        await self._over.wait()
        self._pipe.close()
        await self._pipe.gone
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)  # without waiting for threads that tools have started

    def _feed_wire(self, kind: int, content: bytes) -> None:
        self._wire.feed(kind, content)

    def _handle(self, message: FromServer) -> None:
        match message:
            case BeginSession(opening, wired):
                self._start(self._begin(opening, wired))
            case AskSession(number, question):
                self._start(self._answer(number, question))
            case EndSession(reason, at_once):
                self._start(self._end(reason, at_once))
            case Ping():
                self._pipe.tell(Pong())

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _begin(self, opening: Opening, wired: bool) -> None:
        self._pipe.tell(WorkerTaken())
        try:
            session = self._session = await self._host.open(opening, self._wire if wired else None)
        except Refused as refused:
            self._pipe.tell(SessionOpened(Refusal.of(refused)))
            self._over.set()
            return
        self._pipe.tell(SessionOpened())
        reason = await session.wait()
        self._pipe.tell(WorkerDone(reason))
        await self._host.close()
        self._over.set()

    async def _answer(self, number: int, question: Offer | Candidates) -> None:
        try:
            self._pipe.tell(AskAnswered(number, await self._ask(question)))
        except Refused as refused:
            self._pipe.tell(AskAnswered(number, refusal=Refusal.of(refused)))
        except Exception:
            logger.exception("a request could not be answered")
            self._pipe.tell(AskAnswered(number, refusal=Refusal(500, "the request could not be answered")))

    async def _ask(self, question: Offer | Candidates) -> OfferAnswer | None:
        if self._session is None:
            raise Refused(409, "the session has not begun")
        if isinstance(question, Offer):
            return await self._session.offer(question)
        await self._session.add_candidates(question)
        return None

    async def _end(self, reason: str, at_once: bool) -> None:
        if self._session is None:
            self._over.set()
        elif at_once:
            await self._host.close()
        else:
            await self._session.end(reason)

    def _report(self, report: SessionReport) -> None:
        self._pipe.tell(SessionReported(report))
