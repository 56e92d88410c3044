"""Starting, watching and reaping child processes.

A process is held by its pidfd, which stays valid when the kernel reuses the process id. A forked process is a
grandchild of the zygote: once the process between them has exited, the kernel makes the server its parent, as
the nearest subreaper, so that it outlives the zygote. All die when the server does (PR_SET_PDEATHSIG).
https://man7.org/linux/man-pages/man2/prctl.2.html
"""

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Mapping

from ...errors import ConfigurationError

__all__ = ["Child", "adopt_orphans", "call_this", "check_system", "die_with", "reap_orphan", "spawn_program"]

PDEATHSIG, NAME, CHILD_SUBREAPER = 1, 15, 36
FD = 3  # the file descriptor of a spawned process's socket
ADOPTED_WITHIN = 5.0
KILLED_WITHIN = 2.0
SWEEPS = 20  # attempts, 50 ms apart, to reap what a worker left behind


def check_system() -> None:
    """Raises ConfigurationError if the system has no pidfds."""
    if sys.platform != "linux" or not hasattr(os, "pidfd_open"):
        raise ConfigurationError('isolation="process" needs Linux 5.4 or later: use isolation="loop"')


def adopt_orphans(adopt: bool = True) -> None:
    """Become the parent of all descendants whose own parent exits (a subreaper)."""
    _prctl(CHILD_SUBREAPER, int(adopt))


def die_with(parent: int) -> None:
    """Have this process killed when `parent` dies; waits until that process is its parent."""
    until = time.monotonic() + ADOPTED_WITHIN
    while os.getppid() != parent:
        if time.monotonic() > until:
            os._exit(1)
        time.sleep(0.0002)
    _prctl(PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def call_this(name: str) -> None:
    """Set the name that `ps -o comm` and `top` show for this process, at most 15 bytes."""
    _prctl(NAME, name.encode())


def _prctl(option: int, value: int | bytes) -> None:
    argument = value if isinstance(value, bytes) else ctypes.c_ulong(value)
    if ctypes.CDLL(None, use_errno=True).prctl(option, argument, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def spawn_program(command: list[str], fd: int, environment: Mapping[str, str]) -> int:
    """Start a program in a session of its own, with `fd` as its descriptor FD; returns its process id."""
    return os.posix_spawn(
        command[0],
        command,
        environment,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, fd, FD),
        ],
        setsid=True,
        setsigmask=[],
    )


class Child:
    """A child process.

    `ended` is done once it was reaped; its result is the exit status, the negative number of the signal that
    killed it, or None if unknown.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.ended: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        self._attempts = 0
        try:
            self._fd = os.pidfd_open(pid)
        except ProcessLookupError:
            self._fd = -1
            self.ended.set_result(None)
        else:
            asyncio.get_running_loop().add_reader(self._fd, self._has_ended)

    def kill(self) -> None:
        """Kill it, if it has not exited."""
        if self._fd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._fd, signal.SIGKILL)

    async def stop(self, within: float = 2.0) -> None:
        """Wait for its exit, and kill it if that takes longer than `within` seconds."""
        await asyncio.wait([self.ended], timeout=within)
        self.kill()
        await asyncio.wait([self.ended], timeout=KILLED_WITHIN)

    def _has_ended(self) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._fd)
        with contextlib.suppress(OSError):  # its own children; the id is not reused until it is reaped
            os.killpg(self.pid, signal.SIGKILL)
        self._reap(loop)

    def _reap(self, loop: asyncio.AbstractEventLoop) -> None:
        status: int | None = None
        try:
            found = os.waitid(os.P_PIDFD, self._fd, os.WEXITED | os.WNOHANG)
            if found is not None:
                status = found.si_status if found.si_code == os.CLD_EXITED else -found.si_status
        except ChildProcessError:  # not our child yet, or reaped by somebody else
            self._attempts += 1
            if self._attempts < SWEEPS:
                loop.call_later(0.005, self._reap, loop)
                return
        os.close(self._fd)
        self._fd = -1
        self.ended.set_result(status)
        _sweep(loop, self.pid, SWEEPS)


def _sweep(loop: asyncio.AbstractEventLoop, group: int, times: int) -> None:
    """Reap the children that a process left behind; they were killed with its process group."""
    try:
        while True:
            pid, _ = os.waitpid(-group, os.WNOHANG)
            if not pid:
                break
    except ChildProcessError:
        return
    if times:
        loop.call_later(0.05, _sweep, loop, group, times - 1)


def reap_orphan(seen: int) -> int:
    """Reap a dead child that was `seen` by the last call and is still not reaped; returns the next, or 0.

    These are descendants of workers that left their process group, so that nobody else reaps them.
    """
    try:
        found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return 0
    if found is None or found.si_pid != seen:
        return 0 if found is None else found.si_pid
    with contextlib.suppress(ChildProcessError):
        os.waitpid(seen, os.WNOHANG)
    return 0
