"""What the server concludes from looking at a worker once a second."""

import time

import pytest

from antiphon.server.workers.limits import WorkerLimits
from antiphon.server.workers.usage import ProcessUsage
from antiphon.server.workers.watchdog import Watchdog

MB = 1_000_000


class Now:
    """The time, moved by the test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)


def test_memory_counts_from_when_the_worker_was_ready() -> None:
    watchdog = Watchdog(WorkerLimits(memory_mb=100))
    assert watchdog.check(ProcessUsage(0, 900 * MB)) == ""  # it is not ready yet
    watchdog.baseline(ProcessUsage(0, 300 * MB))
    assert watchdog.check(ProcessUsage(0, 400 * MB)) == ""
    assert "more than 100 MB" in watchdog.check(ProcessUsage(0, 400 * MB + 1))


def test_a_worker_that_does_not_respond_is_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    now = Now(monkeypatch)
    watchdog = Watchdog(WorkerLimits(stuck_after=5))
    now.now += 5
    assert watchdog.check(ProcessUsage(0, 0)) == ""
    now.now += 0.1
    assert "did not answer for 5 s" in watchdog.check(ProcessUsage(0, 0))
    watchdog.responded()
    assert watchdog.check(ProcessUsage(0, 0)) == ""


def test_processor_use_is_averaged(monkeypatch: pytest.MonkeyPatch) -> None:
    now = Now(monkeypatch)
    watchdog = Watchdog(WorkerLimits(cpu=1.0, stuck_after=1000))
    used = 0.0
    watchdog.check(ProcessUsage(used, 0))
    for _ in range(3):  # a short burst of three cores
        now.now += 1
        used += 3
        watchdog.check(ProcessUsage(used, 0))
    assert not watchdog.exceeds_cpu
    for _ in range(10):
        now.now += 1
        used += 3
        watchdog.check(ProcessUsage(used, 0))
    assert watchdog.exceeds_cpu
    assert 2 < watchdog.cores < 3
