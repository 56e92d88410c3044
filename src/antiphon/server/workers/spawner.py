"""Where processes come from: forked by the zygote, or started from nothing where that cannot be."""

import asyncio
import contextlib
import logging
import socket
import sys

import msgspec

from ...errors import ConfigurationError, UnavailableError
from .job import Job
from .processes import Child, spawn
from .zygote import ROLES, ForkVerdict

__all__ = ["Spawner"]

logger = logging.getLogger("antiphon.server")

LOADED_WITHIN = 300.0  # seconds: agents' files and models, on a busy machine
BORN_WITHIN = 10.0


class Spawner:
    """Makes processes. `start` decides how; a zygote that dies is replaced, and takes nobody with it."""

    def __init__(self, job: Job, *, fork: bool = True) -> None:
        self.forks = fork
        self.verdict = ForkVerdict()
        self._job = job
        self._control: socket.socket | None = None
        self._zygote: Child | None = None
        self._one_at_a_time = asyncio.Lock()
        self._replacing: asyncio.Task[None] | None = None
        self._unclaimed: set[asyncio.Task[Child]] = set()
        self._closed = False

    async def start(self) -> None:
        """Load the agents in a zygote. Raises ConfigurationError where there is something wrong with them."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        self._control = ours
        with theirs:
            self._zygote = self._spawned("zygote", theirs)
        verdict = await self._verdict(ours)
        if verdict.problem:
            await self._end_zygote()
            raise ConfigurationError(verdict.problem)
        if verdict.unsafe and self.forks:
            self.forks = False
            logger.warning(
                "workers cannot be forked, so each is started from nothing, which takes seconds and memory. "
                "Of the agents' file: %s. Begin such things in a tool or a function, when they are needed",
                "; ".join(verdict.unsafe),
            )
        self.verdict = verdict
        if self.forks:
            self._zygote.ended.add_done_callback(self._replace)
        else:
            await self._end_zygote()

    async def bear(self, role: bytes, end: socket.socket) -> Child:
        """A new process with this socket. Raises UnavailableError."""
        birth = asyncio.create_task(self._birth(role, end.dup()))
        self._unclaimed.add(birth)
        birth.add_done_callback(self._failed)
        child = await asyncio.shield(birth)  # what is on its way must find somebody who knows it
        self._unclaimed.discard(birth)
        return child

    async def close(self) -> None:
        """End the zygote; what it has borne lives on."""
        self._closed = True
        if self._replacing is not None:
            self._replacing.cancel()
        for birth in list(self._unclaimed):
            with contextlib.suppress(UnavailableError):
                child = await birth
                child.kill()
                await child.stop()
        await self._end_zygote()

    async def _birth(self, role: bytes, end: socket.socket) -> Child:
        with end:
            async with self._one_at_a_time:
                try:
                    return await self._made(role, end)
                except (OSError, TimeoutError) as error:
                    logger.error("the zygote does not answer (%r): it is begun again", error)
                try:
                    await self._end_zygote(patience=0)
                    await self.start()
                    return await self._made(role, end)
                except (OSError, TimeoutError, ConfigurationError) as error:
                    raise UnavailableError(f"no process could be started: {error}") from error

    async def _made(self, role: bytes, end: socket.socket) -> Child:
        return await self._forked(role, end) if self.forks else self._spawned(ROLES[role], end)

    def _failed(self, birth: asyncio.Task[Child]) -> None:
        if birth.cancelled() or birth.exception() is not None:
            self._unclaimed.discard(birth)

    async def _verdict(self, control: socket.socket) -> ForkVerdict:
        try:
            async with asyncio.timeout(LOADED_WITHIN):
                said = await asyncio.get_running_loop().sock_recv(control, 1 << 16)
        except TimeoutError:
            return ForkVerdict(problem=f"the agents were not loaded within {LOADED_WITHIN:g} s")
        if not said:
            return ForkVerdict(
                problem="the process that loads the agents has ended; the log has its last words"
            )
        return msgspec.msgpack.decode(said, type=ForkVerdict)

    async def _end_zygote(self, patience: float = 2.0) -> None:
        control, self._control = self._control, None
        zygote, self._zygote = self._zygote, None
        if control is not None:
            control.close()
        if zygote is not None:
            await zygote.stop(patience)

    def _replace(self, _: object) -> None:
        """A zygote has ended: begin another, and let those who want to be born wait for it."""
        if not self._closed:
            self._replacing = asyncio.create_task(self._again(), name="antiphon zygote")

    async def _again(self) -> None:
        async with self._one_at_a_time:
            if self._closed or self._zygote is None or not self._zygote.ended.done():
                return
            logger.error("the zygote has ended, and is begun again; no session is lost by that")
            await self._end_zygote()
            try:
                await self.start()
            except ConfigurationError as error:  # who wants to be born tries again
                logger.error("the agents cannot be loaded any more: %s", error)

    async def _forked(self, role: bytes, end: socket.socket) -> Child:
        if self._control is None:
            raise ConnectionError("there is no zygote")
        socket.send_fds(self._control, [role], [end.fileno()])
        async with asyncio.timeout(BORN_WITHIN):
            said = await asyncio.get_running_loop().sock_recv(self._control, 16)
        if not said:
            raise ConnectionError("the zygote has ended")
        return Child(int.from_bytes(said, "big"))

    def _spawned(self, role: str, end: socket.socket) -> Child:
        command = [sys.executable, "-m", __package__ or "", role]
        return Child(spawn(command, end.fileno(), self._job.environment(role)))
