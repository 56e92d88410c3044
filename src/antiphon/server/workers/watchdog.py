"""The check once a second whether a worker exceeds its limits."""

import time

from .limits import WorkerLimits
from .usage import ProcessUsage

__all__ = ["Watchdog"]

AVERAGED = 10.0  # seconds over which processor use is averaged


class Watchdog:
    """The watchdog of a worker: its memory, processor time and responses."""

    def __init__(self, limits: WorkerLimits) -> None:
        self.cores = 0.0
        """The cores that the worker uses, averaged over AVERAGED seconds."""
        self._limits = limits
        self._responded = time.monotonic()
        self._baseline: ProcessUsage | None = None
        self._last: ProcessUsage | None = None
        self._checked = 0.0

    @property
    def exceeds_cpu(self) -> bool:
        """True while the worker uses more processor time than it may."""
        return self.cores > self._limits.cpu

    def responded(self) -> None:
        """Note that the worker has responded."""
        self._responded = time.monotonic()

    def baseline(self, usage: ProcessUsage | None) -> None:
        """Set the usage when the worker became ready; memory is counted from there."""
        self._baseline = usage

    def check(self, usage: ProcessUsage) -> str:
        """Return the reason why the worker must be killed, or ""."""
        now = time.monotonic()
        if self._last is not None and (passed := now - self._checked) > 0:
            used = (usage.cpu - self._last.cpu) / passed
            self.cores += min(1.0, passed / AVERAGED) * (used - self.cores)
        self._last, self._checked = usage, now
        limits = self._limits
        if self._baseline is not None and usage.memory - self._baseline.memory > limits.memory_bytes:
            return f"it used more than {limits.memory_mb} MB of memory"
        if now - self._responded > limits.stuck_after:
            return f"it did not answer for {limits.stuck_after:g} s: the agent's code blocks the event loop"
        return ""
