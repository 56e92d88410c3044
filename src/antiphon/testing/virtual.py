"""Conversations in virtual time: an event loop that never waits.

When nothing is ready to run, the loop's time jumps to the next timer, so that an hour of conversation takes
only as long as its computation. Sleeps, timeouts and the session's timers all use this time, and the order of
events is the same every time. Work for `antiphon.clock.offload` runs in place and takes no virtual time.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Mapping
from functools import wraps
from typing import Any, ParamSpec, TypeVar

__all__ = ["VirtualLoop", "run_virtual", "virtual"]

P = ParamSpec("P")
R = TypeVar("R")

STANDSTILL = 5.0  # real seconds to wait for a thread or a socket if no timer is due


class _Selector(selectors.BaseSelector):
    """A selector that polls without waiting, and advances the loop's time instead."""

    def __init__(self) -> None:
        self.real = selectors.DefaultSelector()
        self.loop: VirtualLoop | None = None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = self.real.select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            if ready := self.real.select(STANDSTILL):
                return ready
            raise RuntimeError(
                "virtual time stands still: every task waits, and no timer is set that could wake one"
            )
        assert self.loop is not None
        self.loop.jump(timeout)
        return ready

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self.real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self.real.unregister(fileobj)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self.real.get_map()

    def close(self) -> None:
        self.real.close()


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time moves only from timer to timer, starting at 0."""

    virtual = True

    def __init__(self) -> None:
        self._now = 0.0
        self._clock_resolution = 1e-9
        selector = _Selector()
        super().__init__(selector)
        selector.loop = self
        self._clock_resolution = 1e-9

    def time(self) -> float:
        """Return the virtual seconds since the loop was made."""
        return self._now

    def jump(self, seconds: float) -> None:
        """Advance the time."""
        self._now += seconds


def run_virtual(main: Coroutine[Any, Any, R]) -> R:
    """Run a coroutine in virtual time, like `asyncio.run`, and return its result."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


def virtual(test: Callable[P, Coroutine[Any, Any, R]]) -> Callable[P, R]:
    """Decorate a coroutine function, such as a test, to run it in virtual time."""

    @wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        return run_virtual(test(*args, **kwargs))

    return run
