"""Starting, watching and reaping child processes.

A process is identified by its pidfd, which stays valid even if the kernel reuses the process id. A forked
process is a grandchild of the zygote: once the process between them has exited, the kernel makes the server
(the nearest subreaper) its parent, so that it outlives the zygote. All of them die with the server
(PR_SET_PDEATHSIG).
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
ADOPTED_WITHIN = 5.0  # seconds until the server is a forked process's parent
KILLED_WITHIN = 2.0  # seconds for a killed process to be reaped
SWEEPS = 20  # attempts, 50 ms apart, to reap processes that a worker left behind


def check_system() -> None:
    """Raise ConfigurationError if the system has no pidfds."""
    if sys.platform != "linux" or not hasattr(os, "pidfd_open"):
        raise ConfigurationError('isolation="process" needs Linux 5.4 or later: use isolation="loop"')


def adopt_orphans(adopt: bool = True) -> None:
    """Become the parent of all descendants whose own parent exits (a subreaper)."""
    _prctl(CHILD_SUBREAPER, int(adopt))


def die_with(parent: int) -> None:
    """Have this process killed when `parent` dies.

    Waits until `parent` is the parent of this process.
    """
    until = time.monotonic() + ADOPTED_WITHIN
    while os.getppid() != parent:
        if time.monotonic() > until:
            os._exit(1)
        time.sleep(0.0002)
    _prctl(PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def call_this(name: str) -> None:
    """Set this process's name in `ps -o comm` and `top`, of at most 15 bytes."""
    _prctl(NAME, name.encode())


def _prctl(option: int, value: int | bytes) -> None:
    argument = value if isinstance(value, bytes) else ctypes.c_ulong(value)
    if ctypes.CDLL(None, use_errno=True).prctl(option, argument, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def spawn_program(command: list[str], fd: int, environment: Mapping[str, str]) -> int:
    """Start a program in its own session, and return its process id.

    `fd` becomes its file descriptor FD.
    """
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

    `ended` is done once the process was reaped; its result is the exit status, the negative number of the
    signal that killed it, or None if unknown.
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
        """Kill the process if it has not exited."""
        if self._fd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._fd, signal.SIGKILL)

    async def stop(self, within: float = 2.0) -> None:
        """Wait for the process to exit; kill it after `within` seconds."""
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
    """Reap the children of an exited process, which were killed with its group."""
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
    """Reap the dead child that the last call has returned, if it is still there.

    Returns the id of another dead child, to pass to the next call as `seen`, or 0. Such children are orphans
    of workers that left the process group, so `_sweep` does not reap them.
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
