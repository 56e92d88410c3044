"""Creating child processes: forked by the zygote, or started as new programs."""

import asyncio
import contextlib
import logging
import socket
import sys

import msgspec

from ...errors import ConfigurationError, UnavailableError
from .job import Job
from .processes import Child, spawn_program
from .zygote import ROLES, ForkVerdict

__all__ = ["Spawner"]

logger = logging.getLogger("antiphon.server")

LOADED_WITHIN = 300.0  # seconds to load the agents' file and models on a busy machine
FORKED_WITHIN = 10.0  # seconds for the zygote to fork a process


class Spawner:
    """The factory of child processes, and the owner of the zygote.

    A zygote that dies is replaced; the processes that it has forked continue.
    """

    def __init__(self, job: Job, *, fork: bool = True) -> None:
        self.forks = fork
        self.verdict = ForkVerdict()
        self._job = job
        self._control: socket.socket | None = None
        self._zygote: Child | None = None
        self._lock = asyncio.Lock()
        self._replacing: asyncio.Task[None] | None = None
        self._unclaimed: set[asyncio.Task[Child]] = set()
        self._closed = False

    async def start(self) -> None:
        """Load the agents in a zygote. Raises ConfigurationError if that fails."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        self._control = ours
        with theirs:
            self._zygote = self._start_program("zygote", theirs)
        verdict = await self._verdict(ours)
        if verdict.problem:
            await self._end_zygote()
            raise ConfigurationError(verdict.problem)
        if verdict.unsafe and self.forks:
            self.forks = False
            logger.warning(
                "workers cannot be forked, so each is started as a new program, which takes seconds and "
                "memory. The reason is in the agents' file: %s. Start such things only when they are needed, "
                "in a tool or a function",
                "; ".join(verdict.unsafe),
            )
        self.verdict = verdict
        if self.forks:
            self._zygote.ended.add_done_callback(self._replace)
        else:
            await self._end_zygote()

    async def spawn(self, role: bytes, end: socket.socket) -> Child:
        """Create a process that inherits this socket. Raises UnavailableError."""
        spawning = asyncio.create_task(self._spawn(role, end.dup()))
        self._unclaimed.add(spawning)
        spawning.add_done_callback(self._forget_failed)
        child = await asyncio.shield(spawning)  # if the caller is cancelled, `close` ends the process
        self._unclaimed.discard(spawning)
        return child

    async def close(self) -> None:
        """End the zygote, and processes whose `spawn` was cancelled; others continue."""
        self._closed = True
        if self._replacing is not None:
            self._replacing.cancel()
        for spawning in list(self._unclaimed):
            with contextlib.suppress(UnavailableError):
                child = await spawning
                child.kill()
                await child.stop()
        await self._end_zygote()

    async def _spawn(self, role: bytes, end: socket.socket) -> Child:
        with end:
            async with self._lock:
                try:
                    return await self._create(role, end)
                except (OSError, TimeoutError) as error:
                    logger.error("the zygote does not answer (%r): it is restarted", error)
                try:
                    await self._end_zygote(patience=0)
                    await self.start()
                    return await self._create(role, end)
                except (OSError, TimeoutError, ConfigurationError) as error:
                    raise UnavailableError(f"no process could be started: {error}") from error

    async def _create(self, role: bytes, end: socket.socket) -> Child:
        return await self._fork(role, end) if self.forks else self._start_program(ROLES[role], end)

    def _forget_failed(self, spawning: asyncio.Task[Child]) -> None:
        if spawning.cancelled() or spawning.exception() is not None:
            self._unclaimed.discard(spawning)

    async def _verdict(self, control: socket.socket) -> ForkVerdict:
        try:
            async with asyncio.timeout(LOADED_WITHIN):
                answer = await asyncio.get_running_loop().sock_recv(control, 1 << 16)
        except TimeoutError:
            return ForkVerdict(problem=f"the agents were not loaded within {LOADED_WITHIN:g} s")
        if not answer:
            return ForkVerdict(
                problem="the process that loads the agents has ended; its last messages are in the log"
            )
        return msgspec.msgpack.decode(answer, type=ForkVerdict)

    async def _end_zygote(self, patience: float = 2.0) -> None:
        control, self._control = self._control, None
        zygote, self._zygote = self._zygote, None
        if control is not None:
            control.close()
        if zygote is not None:
            await zygote.stop(patience)

    def _replace(self, _: object) -> None:
        """Start another zygote after one has exited; `spawn` waits for it."""
        if not self._closed:
            self._replacing = asyncio.create_task(self._restart(), name="antiphon zygote")

    async def _restart(self) -> None:
        async with self._lock:
            if self._closed or self._zygote is None or not self._zygote.ended.done():
                return
            logger.error("the zygote has ended and is restarted; no session is affected")
            await self._end_zygote()
            try:
                await self.start()
            except ConfigurationError as error:  # the next `spawn` tries again
                logger.error("the agents could not be loaded again: %s", error)

    async def _fork(self, role: bytes, end: socket.socket) -> Child:
        if self._control is None:
            raise ConnectionError("there is no zygote")
        socket.send_fds(self._control, [role], [end.fileno()])
        async with asyncio.timeout(FORKED_WITHIN):
            pid = await asyncio.get_running_loop().sock_recv(self._control, 16)
        if not pid:
            raise ConnectionError("the zygote has ended")
        return Child(int.from_bytes(pid, "big"))

    def _start_program(self, role: str, end: socket.socket) -> Child:
        command = [sys.executable, "-m", __package__ or "", role]
        return Child(spawn_program(command, end.fileno(), self._job.environment(role)))
