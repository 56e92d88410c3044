"""A worker: one session in a process of its own, and then the end of it."""

import asyncio
import logging
import os
import socket
import sys
import threading
from typing import Any

import msgspec

from ..host import Agents, HostedSession, LoopHost, Opening, Refused
from .bounds import limit_data
from .job import Job
from .messages import (
    AskAnswered,
    AskSession,
    BeginSession,
    EndSession,
    FromServer,
    Ping,
    Pong,
    Refusal,
    SessionOpened,
    SessionOver,
    SessionReported,
    WorkerReady,
    WorkerTaken,
)
from .model_client import ModelConnection, with_remote_models
from .pipe import Pipe, PipeWire
from .processes import die_with

__all__ = ["run"]

logger = logging.getLogger("antiphon.server")

STACK = 1 << 20  # bytes of each thread's: what is set aside for stacks counts as memory


def run(end: socket.socket, job: Job, agents: Agents) -> None:
    """Wait for a session, and be its process."""
    threading.stack_size(STACK)
    if (random := sys.modules.get("numpy.random")) is not None:
        random.seed()  # or all workers would draw the same numbers; Python's own module does it itself
    asyncio.run(_Worker(job, agents).run(end))


class _Worker:
    def __init__(self, job: Job, agents: Agents) -> None:
        self._job = job
        agents = with_remote_models(agents, ModelConnection(job.models))
        self._host = LoopHost(agents, job.settings, self._report)
        self._hosted: HostedSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, end: socket.socket) -> None:
        """Until the session is over, or the server has gone."""
        self._pipe: Pipe[Any] = Pipe[Any](msgspec.msgpack.Decoder(FromServer), self._note, self._take)
        self._wire = PipeWire(self._pipe)
        self._over = asyncio.Event()
        await self._pipe.connect(end)
        self._pipe.gone.add_done_callback(lambda _: self._over.set())
        limit_data(self._job.bounds.memory_bytes)
        self._pipe.tell(WorkerReady())
        die_with(self._job.parent)  # who forked it may take a moment to step back: nobody waits for that here
        await self._over.wait()
        self._pipe.close()
        await self._pipe.gone
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)  # no thread of a tool is waited for

    def _take(self, kind: int, content: bytes) -> None:
        self._wire.take(kind, content)

    def _note(self, note: FromServer) -> None:
        match note:
            case BeginSession(opening, wired):
                self._start(self._begin(msgspec.convert(opening, Opening), wired))
            case AskSession(number, request):
                self._start(self._answer(number, request))
            case EndSession(reason, at_once):
                self._start(self._end(reason, at_once))
            case Ping():
                self._pipe.tell(Pong())

    def _start(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _begin(self, opening: Opening, wired: bool) -> None:
        self._pipe.tell(WorkerTaken())
        try:
            hosted = self._hosted = await self._host.open(opening, self._wire if wired else None)
        except Refused as refused:
            self._pipe.tell(SessionOpened(_refusal(refused)))
            self._over.set()
            return
        self._pipe.tell(SessionOpened())
        reason = await hosted.wait()
        self._pipe.tell(SessionOver(reason))
        await self._host.close()
        self._over.set()

    async def _answer(self, number: int, request: dict[str, Any]) -> None:
        try:
            if self._hosted is None:
                raise Refused(409, "the session has not begun")
            self._pipe.tell(AskAnswered(number, await self._hosted.ask(request)))
        except Refused as refused:
            self._pipe.tell(AskAnswered(number, refusal=_refusal(refused)))
        except Exception:
            logger.exception("a request could not be answered")
            self._pipe.tell(AskAnswered(number, refusal=Refusal(500, "the request could not be answered")))

    async def _end(self, reason: str, at_once: bool) -> None:
        if self._hosted is None:
            self._over.set()
        elif at_once:
            await self._host.close()
        else:
            await self._hosted.end(reason)

    def _report(self, what: dict[str, Any]) -> None:
        self._pipe.tell(SessionReported(what))


def _refusal(refused: Refused) -> Refusal:
    return Refusal(refused.status, refused.detail, refused.retry_after)
