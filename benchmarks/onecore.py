"""How would this program run on one processor core of its own? An event loop with a clock that answers it.

The loop's time is the CPU time of the process with all threads, plus idle time, which is skipped instead of
waited for. A delay on this clock is the work that caused it, whatever else the machine is doing, and an hour
of waiting takes no time. It works for any asyncio program that opens no sockets.
"""

import asyncio
import selectors
import time
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")

POLL = 0.005  # seconds of real time between two looks while a thread works


class OneCoreLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is CPU time plus skipped idle time."""

    def __init__(self) -> None:
        self.skipped = 0.0
        self.threads_at_work = 0
        super().__init__(_IdleSkipper(self))

    def time(self) -> float:
        """Return the CPU seconds of the process plus the seconds skipped so far."""
        return time.process_time() + self.skipped

    def run_in_executor(
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """Run a function in a thread; no time is skipped until it returns."""
        self.threads_at_work += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._thread_rests)
        return future

    async def shutdown_default_executor(self, *timeout: float) -> None:
        """Wait for the threads in real time, without skipping to their deadline."""
        self.threads_at_work += 1
        await super().shutdown_default_executor(*timeout)

    def _thread_rests(self, _: asyncio.Future[Any]) -> None:
        self.threads_at_work -= 1


class _IdleSkipper(selectors.DefaultSelector):
    def __init__(self, loop: OneCoreLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if timeout is None:
            return super().select(None)
        if self._loop.threads_at_work:
            return super().select(min(timeout, POLL))
        self._loop.skipped += timeout
        return ready


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on a `OneCoreLoop`; meanwhile the clocks of module `time` show the loop's time."""
    with asyncio.Runner(loop_factory=OneCoreLoop) as runner, _clocks_follow(runner.get_loop()):
        return runner.run(main)


@contextmanager
def _clocks_follow(loop: asyncio.AbstractEventLoop) -> Generator[None, None, None]:
    epoch = time.time() - loop.time()
    clocks: dict[str, Callable[[], float]] = {
        "time": lambda: epoch + loop.time(),
        "time_ns": lambda: int((epoch + loop.time()) * 1e9),
        "monotonic": loop.time,
        "monotonic_ns": lambda: int(loop.time() * 1e9),
        "perf_counter": loop.time,
        "perf_counter_ns": lambda: int(loop.time() * 1e9),
    }
    real = {name: getattr(time, name) for name in clocks}
    for name, clock in clocks.items():
        setattr(time, name, clock)
    try:
        yield
    finally:
        for name, clock in real.items():
            setattr(time, name, clock)
