"""Clocks, the only sources of a session's time.

Time is an input: no other code reads it. `LoopClock` follows the event loop that it runs in. Under
`antiphon.testing.run_virtual` that loop's time is virtual, and so are all waits and timers.
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
    """A source of a session's time."""

    def now(self) -> float:
        """Return the seconds since some fixed, arbitrary moment."""
        ...

    def call_at(self, when: float, call: Callable[[], object]) -> Timer:
        """Schedule a call for the moment when `now()` reaches `when`."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for this long."""
        ...


class LoopClock:
    """A clock that shows the time of its event loop, real or virtual."""

    _loop: asyncio.AbstractEventLoop | None = None

    def now(self) -> float:
        """Return the seconds since the loop's own, arbitrary origin."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        return self._loop.time()

    def call_at(self, when: float, call: Callable[[], object]) -> Timer:
        """Schedule a call for `when`, or for the loop's next iteration if that is past."""
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
