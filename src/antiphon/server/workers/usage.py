"""The processor time and memory of a process, as counted by the kernel."""

import os
import resource
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ProcessUsage"]

PAGE = resource.getpagesize()
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class ProcessUsage:
    """Processor seconds since the start, and resident memory in bytes."""

    cpu: float
    memory: int

    @classmethod
    def of(cls, pid: int, proc: Path = Path("/proc")) -> "ProcessUsage | None":
        """Read the usage from /proc; None if there is no such process."""
        try:
            stat = (proc / str(pid) / "stat").read_bytes()
            statm = (proc / str(pid) / "statm").read_bytes()
            ticks = stat[stat.rindex(b")") + 2 :].split()[11:13]
            return cls(sum(map(int, ticks)) / TICKS, int(statm.split()[1]) * PAGE)
        except (OSError, ValueError, IndexError):
            return None
