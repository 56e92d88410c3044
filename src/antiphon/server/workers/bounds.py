"""How much of the machine one session may take, and how the kernel is made to hold it to that.

Memory is bounded twice: RLIMIT_DATA makes what is too much fail where it is asked for, as a MemoryError in
the code that asks; and the server looks at each worker every second and ends one that has grown beyond its
bound by other ways, such as shared mappings. Of the processor a worker may take its share; one that takes
more for long is given the lowest priority, so that it slows no other call. Where the server may make control
groups (version 2), each worker has one as well, and the kernel holds both bounds exactly.
https://docs.kernel.org/admin-guide/cgroup-v2.html
"""

import contextlib
import os
import resource
from dataclasses import dataclass
from pathlib import Path

from ...errors import ConfigurationError

__all__ = ["Bounds", "Groups", "Use", "limit_data"]

PAGE = resource.getpagesize()
TICKS = os.sysconf("SC_CLK_TCK")
PERIOD = 100_000  # microseconds: of cpu.max


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a worker may take for its one session."""

    memory_mb: int = 512
    """Beyond what it had when it was ready."""
    cpu: float = 1.0
    """Cores, averaged over ten seconds or so."""
    stuck_after: float = 10.0
    """Seconds without a sign of life after which it is ended: its event loop is blocked."""

    def __post_init__(self) -> None:
        if self.memory_mb < 16:
            raise ConfigurationError(f"a worker cannot live on {self.memory_mb} MB: give it 16 or more")
        if self.cpu <= 0 or self.stuck_after <= 0:
            raise ConfigurationError("a worker's cpu and stuck_after must be more than 0")

    @property
    def memory_bytes(self) -> int:
        """The same in bytes."""
        return self.memory_mb * 1_000_000


def limit_data(more: int) -> None:
    """Let this process have so many bytes more of private memory than it has, and no more."""
    pages = int(Path("/proc/self/statm").read_text().split()[5])  # data and stack, in pages
    most = pages * PAGE + more
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard == resource.RLIM_INFINITY or most < hard:
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


@dataclass(frozen=True, slots=True)
class Use:
    """What a process has taken so far: seconds of the processor, bytes that are resident."""

    cpu: float
    memory: int

    @classmethod
    def of(cls, pid: int, proc: Path = Path("/proc")) -> "Use | None":
        """As the kernel says; None where there is no such process any more."""
        try:
            stat = (proc / str(pid) / "stat").read_bytes()
            statm = (proc / str(pid) / "statm").read_bytes()
            ticks = stat[stat.rindex(b")") + 2 :].split()[11:13]
            return cls(sum(map(int, ticks)) / TICKS, int(statm.split()[1]) * PAGE)
        except (OSError, ValueError, IndexError):
            return None


class Groups:
    """Control groups for workers, below the server's own; does nothing where that is not allowed."""

    def __init__(self, bounds: Bounds, folder: Path | None) -> None:
        self._bounds = bounds
        self._folder = folder

    @classmethod
    def here(cls, bounds: Bounds, mount: Path = Path("/sys/fs/cgroup")) -> "Groups":
        """Below the group of this process or beside it, where groups can be made and bounded."""
        try:
            lines = Path("/proc/self/cgroup").read_text().splitlines()
            own = mount / next(line[3:] for line in lines if line.startswith("0::")).lstrip("/")
        except (OSError, StopIteration):
            return cls(bounds, None)
        for base in (own, own.parent):
            groups = cls(bounds, base / f"antiphon-{os.getpid()}")
            if (base / "cgroup.controllers").exists() and groups.made():
                return groups
        return cls(bounds, None)

    def made(self) -> bool:
        """Make the folder, and see whether a group in it can be bounded."""
        if self._folder is None:
            return False
        with contextlib.suppress(OSError):
            self._folder.mkdir()
            for folder in (self._folder.parent, self._folder):
                with contextlib.suppress(OSError):  # allowed already, or not to us
                    (folder / "cgroup.subtree_control").write_text("+memory +cpu")
            if self.place("probe"):
                self.remove("probe")
                return True
        self.close()
        return False

    @property
    def used(self) -> bool:
        """Whether workers have groups here."""
        return self._folder is not None

    def place(self, name: str, pid: int | None = None) -> bool:
        """Make a group, bounded, and put a process in it."""
        if self._folder is None:
            return False
        group = self._folder / name
        try:
            group.mkdir(exist_ok=True)
            if not (group / "memory.max").exists():
                return False
            (group / "memory.max").write_text(str(self._bounds.memory_bytes))
            (group / "cpu.max").write_text(f"{int(self._bounds.cpu * PERIOD)} {PERIOD}")
            if pid is not None:
                (group / "cgroup.procs").write_text(str(pid))
        except OSError:
            return False
        return True

    def remove(self, name: str) -> None:
        """Take a group away whose processes have ended."""
        if self._folder is not None:
            with contextlib.suppress(OSError):
                (self._folder / name).rmdir()

    def close(self) -> None:
        """Leave nothing behind."""
        if self._folder is not None and self._folder.is_dir():
            for group in [*filter(Path.is_dir, self._folder.iterdir()), self._folder]:
                with contextlib.suppress(OSError):
                    group.rmdir()
