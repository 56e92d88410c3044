"""A process for each session, a few of them warm: the host of `isolation="process"`.

    server ── zygote       imported and loaded; forks the others on request
           ├─ models       what cannot be forked, once for all (see `served`); only where there is such
           ├─ worker       a session
           ├─ worker       a session
           └─ worker       warm

All are the server's own children. One that dies takes with it what it did itself: a worker its session, the
zygote nothing; the models' calls fail as those of a service do that is not reached, until they are back.
"""

import asyncio
import logging
import os
import socket
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from ...errors import AntiphonError, ConfigurationError
from ...transports.wire import Wire
from ..host import Opening, Refused, Report
from ..settings import ServerSettings
from .bounds import Bounds, Groups
from .job import Job
from .model_process import ModelProcess
from .processes import adopt_orphans, check_system, reap_orphan
from .spawner import Spawner
from .worker_handle import WorkerHandle, WorkerLost
from .zygote import WORKER

__all__ = ["WorkerHost"]

logger = logging.getLogger("antiphon.server")

LOOK_EVERY = 1.0  # seconds
LATE = 3.0  # seconds between two looks after which it is the server that was away, not the workers
AGAIN_AFTER, LONGEST = 1.0, 30.0  # seconds to the next try after a worker that did not come to be; doubled


class WorkerHost:
    """Hosts each session in a worker; keeps `settings.warm` of them ready.

    `agents` is the Python file that has them, None the demo's agent: the server need not have run it itself.
    `names` are known after `start`. Start it in the thread that the server ends with.
    """

    def __init__(
        self,
        agents: Path | None,
        settings: ServerSettings | None = None,
        report: Report = lambda _: None,
        *,
        bounds: Bounds | None = None,
        fork: bool = True,
    ) -> None:
        check_system()
        self.settings = settings or ServerSettings()
        self.report = report
        self.bounds = bounds or Bounds()
        self.names: list[str] = []
        self.sessions: dict[str, WorkerHandle] = {}
        self.warm: list[WorkerHandle] = []
        self.births: list[float] = []
        """Seconds from the wish for a worker to its being ready, of the newest hundred."""
        self._agents = agents
        self._fork = fork
        self._groups = Groups(self.bounds, None)
        self._everybody: set[WorkerHandle] = set()
        self._born = 0
        self._is_open = False
        self._filling: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def running(self) -> int:
        """How many sessions there are."""
        return len(self.sessions)

    @property
    def room(self) -> int:
        """How many more there may be."""
        return max(0, self.settings.capacity - self.running) if self._is_open else 0

    @property
    def forks(self) -> bool:
        """Whether workers are forked, rather than started from nothing."""
        return self._nursery.forks

    async def start(self) -> None:
        """Load the agents and the models, and have the warm workers ready. Raises ConfigurationError."""
        self._is_open = True
        self.models = ModelProcess()
        self._nursery = Spawner(self._job(), fork=self._fork)
        adopt_orphans()
        self._groups = Groups.here(self.bounds)
        try:
            await self._nursery.start()
            self.names = self._nursery.verdict.agents
            if self._nursery.verdict.served:
                await self.models.start(self._nursery)
            await asyncio.gather(*(self.stand_by() for _ in range(self._wanted())))
        except (AntiphonError, Refused) as error:
            await self.close()
            raise ConfigurationError(str(error)) from error
        except BaseException:
            await self.close()
            raise
        self._keep(self._watch())

    async def open(self, opening: Opening, wire: Wire | None) -> WorkerHandle:
        """Begin a session in a worker. Raises Refused."""
        if not self.room:
            raise Refused(429, "all lines are busy: try again in a moment", 5)
        if opening.agent not in self.names:
            raise Refused(404, f"there is no agent {opening.agent!r} here; see /agents")
        place = self._unborn()
        self.sessions[opening.session] = place
        try:
            worker = self.sessions[opening.session] = await self._opened(place, opening, wire)
        except BaseException:
            del self.sessions[opening.session]
            raise
        finally:
            self._fill()
        self._keep(self._attend(worker))
        return worker

    async def stand_by(self) -> None:
        """Have one more worker ready. Raises Refused if it does not come to that."""
        worker = self._unborn()
        await self._bear(worker)
        self.warm.append(worker)

    async def close(self) -> None:
        """End all sessions at once, and leave nothing behind."""
        if not self._is_open:
            return
        self._is_open = False
        await asyncio.gather(*(worker.cancel("the server was closed") for worker in self.sessions.values()))
        for task in list(self._tasks):
            task.cancel()
        for worker in self._everybody:
            worker.kill("the server was closed")
        await asyncio.gather(*(worker.stop() for worker in list(self._everybody)))
        await self.models.close()
        await self._nursery.close()
        self._groups.close()

    def _job(self) -> Job:
        return Job(
            os.getpid(),
            str(self._agents.resolve()) if self._agents else None,
            self.settings,
            self.bounds,
            self.models.address,
            logger.getEffectiveLevel(),
        )

    async def _opened(self, unborn: WorkerHandle, opening: Opening, wire: Wire | None) -> WorkerHandle:
        """A worker with this session: a warm one that lives, or else a new one. Raises Refused."""
        while (worker := self._warm() or unborn) is not unborn or not unborn.ready.done():
            try:
                if worker is unborn:
                    await self._bear(worker)
                await worker.open(opening, wire, self.report)
            except WorkerLost:
                worker.kill("it did not take its session")
            except BaseException:
                worker.kill("its session could not be opened")
                raise
            else:
                return worker
        raise Refused(503, "no worker lives long enough", 5)

    # Workers ---------------------------------------------------------------------------------------

    def _warm(self) -> WorkerHandle | None:
        while self.warm:
            if (worker := self.warm.pop(0)).alive:
                return worker
        return None

    def _unborn(self) -> WorkerHandle:
        self._born += 1
        return WorkerHandle(self.bounds, f"worker-{self._born}", last_words=self.settings.last_words)

    async def _bear(self, worker: WorkerHandle) -> None:
        """Let a worker come into the world. Raises Refused if that fails."""
        began = time.monotonic()
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                child = await self._nursery.bear(WORKER, theirs)
        except BaseException as error:
            ours.close()  # a worker that comes too late finds nobody, and goes
            if isinstance(error, AntiphonError):
                raise Refused(503, str(error), 5) from error
            raise
        self._everybody.add(worker)
        child.ended.add_done_callback(lambda _: self._died(worker))
        self._groups.place(worker.name, child.pid)
        await worker.connect(ours, child)
        self.births = [*self.births[-99:], time.monotonic() - began]

    def _died(self, worker: WorkerHandle) -> None:
        self._everybody.discard(worker)
        self._groups.remove(worker.name)
        if worker in self.warm and self._is_open:
            self.warm.remove(worker)
            logger.warning("a worker that waited for its session has died")
            asyncio.get_running_loop().call_later(AGAIN_AFTER, self._fill)

    def _wanted(self) -> int:
        """How many more should stand ready."""
        return min(self.settings.warm, self.room) - len(self.warm)

    def _fill(self) -> None:
        if self._wanted() > 0 and (self._filling is None or self._filling.done()):
            self._filling = self._keep(self._refill())

    async def _refill(self) -> None:
        wait = AGAIN_AFTER
        while self._wanted() > 0:
            try:
                await self.stand_by()
            except Refused as refused:
                logger.error("%s; the next try is in %g s", refused, wait)
                await asyncio.sleep(wait)
                wait = min(2 * wait, LONGEST)

    async def _attend(self, worker: WorkerHandle) -> None:
        """Make room when a session is over."""
        await worker.wait()
        del self.sessions[worker.session]
        await worker.stop()
        self._fill()

    async def _watch(self) -> None:
        """Look at every worker once a second."""
        looked, dead = time.monotonic(), 0
        while True:
            await asyncio.sleep(LOOK_EVERY)
            dead = reap_orphan(dead)
            before, looked = looked, time.monotonic()
            for worker in list(self._everybody):
                worker.look(excused=looked - before > LATE)
                await asyncio.sleep(0)  # what else there is to do comes between

    def _keep(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
