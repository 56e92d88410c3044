"""The instruments that all benchmarks read: memory, and CPU time by the second."""

import asyncio
import gc
import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

PAGE_KIB = os.sysconf("SC_PAGE_SIZE") / 1024


class Moments(dict[str, float]):
    """When each thing first happened since the last `clear()`."""

    def note(self, name: str) -> None:
        """It happens now."""
        self.setdefault(name, time.perf_counter())


def resident_kib() -> float:
    """Resident memory of this process, in KiB, after a collection of garbage."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_KIB


async def cpu_ms_per_second(seconds: float, windows: int = 2) -> float:
    """CPU milliseconds that this process spends in a second, in its cheapest of some windows."""
    costs: list[float] = []
    for _ in range(windows):
        gc.collect()
        began, cpu = time.perf_counter(), time.process_time()
        await asyncio.sleep(seconds)
        costs.append(1e3 * (time.process_time() - cpu) / (time.perf_counter() - began))
    return min(costs)


def calibration_ms() -> float:
    """CPU milliseconds of a fixed loop of plain Python: how fast this machine is just now."""
    tries: list[float] = []
    for _ in range(3):
        began = time.process_time()
        sum(n & 7 for n in range(1_000_000))
        tries.append(1e3 * (time.process_time() - began))
    return min(tries)


def in_fresh_process(work: Callable[..., T], *args: object) -> T:
    """The result of `work(*args)` in a process that has done nothing else; both must pickle."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(work, *args).result()
