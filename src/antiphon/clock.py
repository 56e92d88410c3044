"""Clocks: where a session's time comes from. Time is an input, and is read nowhere else.

`LoopClock` follows the event loop that it runs in. Under `antiphon.testing.run_virtual` that loop's time is
virtual, and so are all waits and timers.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Timer(Protocol):
    """A call that is scheduled for later."""

    def cancel(self) -> None: ...


class Clock(Protocol):
    """Where a session's time comes from."""

    def now(self) -> float:
        """Seconds since some fixed, arbitrary moment."""
        ...

    def call_at(self, when: float, call: Callable[[], object]) -> Timer:
        """Call once `now()` has reached `when`."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for this long."""
        ...


class LoopClock:
    """The time of the event loop that it is first read in, real or virtual."""

    _loop: asyncio.AbstractEventLoop | None = None

    def now(self) -> float:
        """Seconds since the loop's own, arbitrary origin."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        return self._loop.time()

    def call_at(self, when: float, call: Callable[[], object]) -> Timer:
        """Call at `when`; a time in the past means at the loop's next turn."""
        return asyncio.get_running_loop().call_at(when, call)

    async def sleep(self, seconds: float) -> None:
        """Wait for this long."""
        await asyncio.sleep(seconds)


async def offload(executor: Executor | None, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run blocking work in a thread of the executor and return its result.

    Under a virtual loop it runs at once, in the loop's thread: computing takes no virtual time, so that the
    same inputs lead to the same order of events every time.
    """
    loop = asyncio.get_running_loop()
    if getattr(loop, "virtual", False):
        return call(*args, **kwargs)
    return await loop.run_in_executor(executor, lambda: call(*args, **kwargs))
