"""The measuring instruments of all benchmarks: memory, CPU time, moments."""

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
        """Note that it happens now, if it has not happened before."""
        self.setdefault(name, time.perf_counter())


def resident_kib() -> float:
    """Return the resident memory of this process in KiB, after a garbage collection."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_KIB


async def cpu_ms_per_second(seconds: float, windows: int = 2) -> float:
    """Return the CPU milliseconds per second of this process, in the cheapest of some time windows."""
    costs: list[float] = []
    for _ in range(windows):
        gc.collect()
        began, cpu = time.perf_counter(), time.process_time()
        await asyncio.sleep(seconds)
        costs.append(1e3 * (time.process_time() - cpu) / (time.perf_counter() - began))
    return min(costs)


def calibration_ms() -> float:
    """Return the CPU milliseconds of a fixed Python loop: how fast this machine is at the moment."""
    tries: list[float] = []
    for _ in range(3):
        began = time.process_time()
        sum(n & 7 for n in range(1_000_000))
        tries.append(1e3 * (time.process_time() - began))
    return min(tries)


def in_fresh_process(work: Callable[..., T], *args: object) -> T:
    """Return `work(*args)`, called in a new process; arguments and result must pickle."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(work, *args).result()
