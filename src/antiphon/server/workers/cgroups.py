"""Control groups (version 2) that limit each worker's memory and processor time.

https://docs.kernel.org/admin-guide/cgroup-v2.html
"""

import contextlib
import os
from pathlib import Path

from .limits import WorkerLimits

__all__ = ["ControlGroups"]

PERIOD = 100_000  # microseconds: the period in cpu.max


class ControlGroups:
    """One control group per worker, or none if the server may not create any."""

    def __init__(self, limits: WorkerLimits, folder: Path | None) -> None:
        self._limits = limits
        self._folder = folder

    @classmethod
    def here(cls, limits: WorkerLimits, mount: Path = Path("/sys/fs/cgroup")) -> "ControlGroups":
        """Return groups in this process's own group or beside it, whichever is allowed."""
        try:
            lines = Path("/proc/self/cgroup").read_text().splitlines()
            own = mount / next(line[3:] for line in lines if line.startswith("0::")).lstrip("/")
        except (OSError, StopIteration):
            return cls(limits, None)
        for base in (own, own.parent):
            groups = cls(limits, base / f"antiphon-{os.getpid()}")
            if (base / "cgroup.controllers").exists() and groups.create():
                return groups
        return cls(limits, None)

    def create(self) -> bool:
        """Create the folder, and return whether groups in it can be limited."""
        if self._folder is None:
            return False
        with contextlib.suppress(OSError):
            self._folder.mkdir()
            for folder in (self._folder.parent, self._folder):
                with contextlib.suppress(OSError):  # enabled already, or not allowed
                    (folder / "cgroup.subtree_control").write_text("+memory +cpu")
            if self.place("probe"):
                self.remove("probe")
                return True
        self.close()
        return False

    @property
    def used(self) -> bool:
        """True if workers get control groups."""
        return self._folder is not None

    def place(self, name: str, pid: int | None = None) -> bool:
        """Create a group with limits and put a process in it; True if that worked."""
        if self._folder is None:
            return False
        group = self._folder / name
        try:
            group.mkdir(exist_ok=True)
            if not (group / "memory.max").exists():
                return False
            (group / "memory.max").write_text(str(self._limits.memory_bytes))
            (group / "cpu.max").write_text(f"{int(self._limits.cpu * PERIOD)} {PERIOD}")
            if pid is not None:
                (group / "cgroup.procs").write_text(str(pid))
        except OSError:
            return False
        return True

    def remove(self, name: str) -> None:
        """Remove a group whose processes have ended."""
        if self._folder is not None:
            with contextlib.suppress(OSError):
                (self._folder / name).rmdir()

    def close(self) -> None:
        """Remove all groups."""
        if self._folder is not None and self._folder.is_dir():
            for group in [*filter(Path.is_dir, self._folder.iterdir()), self._folder]:
                with contextlib.suppress(OSError):
                    group.rmdir()
