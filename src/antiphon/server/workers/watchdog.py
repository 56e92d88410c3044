"""Decides whether a worker exceeds its limits, from what the server sees of it once a second."""

import time

from .limits import WorkerLimits
from .usage import ProcessUsage

__all__ = ["Watchdog"]

AVERAGED = 10.0  # seconds over which processor use is averaged


class Watchdog:
    """Watches one worker: its memory, its share of the processor, and whether it responds."""

    def __init__(self, limits: WorkerLimits) -> None:
        self.cores = 0.0
        """The cores that the worker uses, averaged."""
        self._limits = limits
        self._responded = time.monotonic()
        self._baseline: ProcessUsage | None = None
        self._last: ProcessUsage | None = None
        self._checked = 0.0

    @property
    def exceeds_cpu(self) -> bool:
        """True while the worker uses more of the processor than it may."""
        return self.cores > self._limits.cpu

    def responded(self) -> None:
        """The worker has sent a sign of life."""
        self._responded = time.monotonic()

    def baseline(self, usage: ProcessUsage | None) -> None:
        """What the worker used when it became ready; memory is counted from there."""
        self._baseline = usage

    def check(self, usage: ProcessUsage) -> str:
        """Return why the worker must be killed, or ""."""
        now = time.monotonic()
        if self._last is not None and (passed := now - self._checked) > 0:
            used = (usage.cpu - self._last.cpu) / passed
            self.cores += min(1.0, passed / AVERAGED) * (used - self.cores)
        self._last, self._checked = usage, now
        limits = self._limits
        if self._baseline is not None and usage.memory - self._baseline.memory > limits.memory_bytes:
            return f"it took more than {limits.memory_mb} MB of memory"
        if now - self._responded > limits.stuck_after:
            return f"it did not answer for {limits.stuck_after:g} s: the agent's code blocks its loop"
        return ""
