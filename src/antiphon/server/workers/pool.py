"""The host with one process per session, for `isolation="process"`.

    server ── zygote       has imported and loaded everything; forks the others on request
           ├─ models       holds models that cannot be forked (see `model_server`), if the agents have any
           ├─ worker       runs a session
           ├─ worker       runs a session
           └─ worker       warm: waits for a session

All are direct children of the server. If a worker dies, its session ends; if the zygote dies, no session is
affected; while the model process is down, calls to its models fail like those to an unreachable service.
"""

import asyncio
import logging
import os
import socket
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import AntiphonError, ConfigurationError
from ...transports.wire import Wire
from ..port import OnReport, Opening, Refused, SIPOpening
from ..settings import ServerSettings
from .cgroups import ControlGroups
from .job import Job
from .limits import WorkerLimits
from .model_process import ModelProcess
from .processes import adopt_orphans, check_system, reap_orphan
from .spawner import Spawner
from .worker_handle import WorkerHandle, WorkerLost
from .zygote import WORKER

if TYPE_CHECKING:
    from ...transports.sip import Ringing

__all__ = ["WorkerHost"]

logger = logging.getLogger("antiphon.server")

CHECK_EVERY = 1.0  # seconds
LATE = 3.0  # seconds between two checks above which the server itself was blocked, not the workers
RETRY_AFTER = 1.0  # seconds until a failed start of a worker is retried; doubled each time
RETRY_LONGEST = 30.0


class WorkerHost:
    """A host whose sessions each run in a worker process.

    It keeps `settings.warm` workers ready. `agents` is the Python file that defines the agents, None for the
    demo's agent; the server itself need not import it. `names` is known after `start`. Call `start` in the
    server's main thread: the kernel kills the workers when the thread that created them exits.
    """

    def __init__(
        self,
        agents: Path | None,
        settings: ServerSettings | None = None,
        on_report: OnReport = lambda _: None,
        *,
        limits: WorkerLimits | None = None,
        fork: bool = True,
    ) -> None:
        check_system()
        self.settings = settings or ServerSettings()
        self.on_report = on_report
        self.limits = limits or WorkerLimits()
        self.names: list[str] = []
        self.sessions: dict[str, WorkerHandle] = {}
        self.warm: list[WorkerHandle] = []
        self.start_times: list[float] = []
        """Seconds that each of the newest hundred workers took to get ready."""
        self._agents = agents
        self._fork = fork
        self._groups = ControlGroups(self.limits, None)
        self._workers: set[WorkerHandle] = set()
        self._created = 0
        self._is_open = False
        self._filling: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def running(self) -> int:
        """The number of open sessions."""
        return len(self.sessions)

    @property
    def room(self) -> int:
        """The number of sessions that could be opened now."""
        return max(0, self.settings.capacity - self.running) if self._is_open else 0

    @property
    def forks(self) -> bool:
        """True if workers are forked, False if each is started as a new program."""
        return self._spawner.forks

    async def start(self) -> None:
        """Load the agents and models, and start the warm workers.

        Raises ConfigurationError.
        """
        self._is_open = True
        self.models = ModelProcess()
        self._spawner = Spawner(self._job(), fork=self._fork)
        adopt_orphans()
        self._groups = ControlGroups.here(self.limits)
        try:
            await self._spawner.start()
            self.names = self._spawner.verdict.agents
            if self._spawner.verdict.served:
                await self.models.start(self._spawner)
            await asyncio.gather(*(self.start_warm() for _ in range(self._missing())))
        except (AntiphonError, Refused) as error:
            await self.close()
            raise ConfigurationError(str(error)) from error
        except BaseException:
            await self.close()
            raise
        self._start_task(self._watch())

    async def open(
        self, opening: Opening, wire: Wire | None, ringing: "Ringing | None" = None
    ) -> WorkerHandle:
        """Begin a session in a worker. Raises Refused, also for SIP calls."""
        if isinstance(opening, SIPOpening):
            raise Refused(501, "a SIP call cannot leave the server's process: use isolation loop")
        if not self.room:
            raise Refused(429, "all lines are busy: try again in a moment", 5)
        if opening.agent not in self.names:
            raise Refused(404, f"there is no agent {opening.agent!r} here; see /agents")
        spare = self._new_worker()
        self.sessions[opening.session] = spare
        try:
            worker = self.sessions[opening.session] = await self._opened(spare, opening, wire)
        except BaseException:
            del self.sessions[opening.session]
            raise
        finally:
            self._refill()
        self._start_task(self._forget_when_over(worker))
        return worker

    async def start_warm(self) -> None:
        """Start one more warm worker. Raises Refused if that fails."""
        worker = self._new_worker()
        await self._start_worker(worker)
        self.warm.append(worker)

    async def close(self) -> None:
        """End all sessions and processes at once."""
        if not self._is_open:
            return
        self._is_open = False
        await asyncio.gather(*(worker.cancel("the server was closed") for worker in self.sessions.values()))
        for task in list(self._tasks):
            task.cancel()
        for worker in self._workers:
            worker.kill("the server was closed")
        await asyncio.gather(*(worker.stop() for worker in list(self._workers)))
        await self.models.close()
        await self._spawner.close()
        self._groups.close()

    def _job(self) -> Job:
        return Job(
            os.getpid(),
            str(self._agents.resolve()) if self._agents else None,
            self.settings,
            self.limits,
            self.models.address,
            logger.getEffectiveLevel(),
        )

    async def _opened(self, spare: WorkerHandle, opening: Opening, wire: Wire | None) -> WorkerHandle:
        """Open the session in a warm worker, or else in `spare`, which is started then.

        Raises Refused.
        """
        while (worker := self._pop_warm() or spare) is not spare or not spare.ready.done():
            try:
                if worker is spare:
                    await self._start_worker(worker)
                await worker.open(opening, wire, self.on_report)
            except WorkerLost:
                worker.kill("it did not begin its session")
            except BaseException:
                worker.kill("its session could not be opened")
                raise
            else:
                return worker
        raise Refused(503, "workers exit before they can begin the session", 5)

    # Workers ---------------------------------------------------------------------------------------

    def _pop_warm(self) -> WorkerHandle | None:
        while self.warm:
            if (worker := self.warm.pop(0)).alive:
                return worker
        return None

    def _new_worker(self) -> WorkerHandle:
        self._created += 1
        return WorkerHandle(self.limits, f"worker-{self._created}", last_words=self.settings.last_words)

    async def _start_worker(self, worker: WorkerHandle) -> None:
        """Start a worker's process and wait until it is ready. Raises Refused."""
        began = time.monotonic()
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                child = await self._spawner.spawn(WORKER, theirs)
        except BaseException as error:
            ours.close()  # a worker that is created too late finds the pipe closed, and exits
            if isinstance(error, AntiphonError):
                raise Refused(503, str(error), 5) from error
            raise
        self._workers.add(worker)
        child.ended.add_done_callback(lambda _: self._on_exit(worker))
        self._groups.place(worker.name, child.pid)
        await worker.connect(ours, child)
        self.start_times = [*self.start_times[-99:], time.monotonic() - began]

    def _on_exit(self, worker: WorkerHandle) -> None:
        self._workers.discard(worker)
        self._groups.remove(worker.name)
        if worker in self.warm and self._is_open:
            self.warm.remove(worker)
            logger.warning("a warm worker has died")
            asyncio.get_running_loop().call_later(RETRY_AFTER, self._refill)

    def _missing(self) -> int:
        """Return the number of warm workers to start."""
        return min(self.settings.warm, self.room) - len(self.warm)

    def _refill(self) -> None:
        if self._missing() > 0 and (self._filling is None or self._filling.done()):
            self._filling = self._start_task(self._start_warm_workers())

    async def _start_warm_workers(self) -> None:
        wait = RETRY_AFTER
        while self._missing() > 0:
            try:
                await self.start_warm()
            except Refused as refused:
                logger.error("%s; trying again in %g s", refused, wait)
                await asyncio.sleep(wait)
                wait = min(2 * wait, RETRY_LONGEST)

    async def _forget_when_over(self, worker: WorkerHandle) -> None:
        """Wait for a session's end, then drop it and start another warm worker."""
        await worker.wait()
        del self.sessions[worker.session]
        await worker.stop()
        self._refill()

    async def _watch(self) -> None:
        """Check every worker once a second."""
        checked, dead = time.monotonic(), 0
        while True:
            await asyncio.sleep(CHECK_EVERY)
            dead = reap_orphan(dead)
            before, checked = checked, time.monotonic()
            for worker in list(self._workers):
                worker.look(excused=checked - before > LATE)
                await asyncio.sleep(0)  # let other tasks run in between

    def _start_task(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
