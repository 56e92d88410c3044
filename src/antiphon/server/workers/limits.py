"""The limits of a worker: memory, processor time and response time.

Memory is limited twice. With RLIMIT_DATA, too large an allocation fails with a MemoryError in the code that
allocates; and once a second the server kills workers that exceed the limit in other ways, such as by
shared mappings. A worker that uses too much processor time gets the lowest priority, so that it does not slow
down other calls. If the server may create control groups, the kernel enforces both limits exactly (see
`cgroups`).
"""

import resource
from dataclasses import dataclass
from pathlib import Path

from ...errors import ConfigurationError

__all__ = ["WorkerLimits", "limit_memory"]


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """The limits of a worker and its one session."""

    memory_mb: int = 512
    """Memory that it may allocate in addition to what it had when it was ready."""
    cpu: float = 1.0
    """Cores, averaged over about ten seconds."""
    stuck_after: float = 10.0
    """Seconds without a response after which it is killed, because its event loop is blocked."""

    def __post_init__(self) -> None:
        if self.memory_mb < 16:
            raise ConfigurationError(f"a worker needs more than {self.memory_mb} MB: allow it 16 or more")
        if self.cpu <= 0 or self.stuck_after <= 0:
            raise ConfigurationError("a worker's cpu and stuck_after must be greater than 0")

    @property
    def memory_bytes(self) -> int:
        """`memory_mb` in bytes."""
        return self.memory_mb * 1_000_000


def limit_memory(more: int) -> None:
    """Limit this process to `more` bytes of private memory beyond what it has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[5])  # data and stack
    most = pages * resource.getpagesize() + more
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard == resource.RLIM_INFINITY or most < hard:
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
