"""Checks in all suites: opening, closing, and that no task is left behind."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from ...services.ports import Service

__all__ = ["alive", "nothing_left"]

S = TypeVar("S", bound=Service)


@asynccontextmanager
async def alive(make: Callable[[], S]) -> AsyncGenerator[S, None]:
    """Make, load and open a service, each of the latter twice.

    On leaving, close it twice, and check that no task is left.
    """
    async with nothing_left():
        service = make()
        for _ in range(2):
            await service.load()
            await service.open()
        yield service
        for _ in range(2):
            await service.close()


@asynccontextmanager
async def nothing_left() -> AsyncGenerator[None, None]:
    """Check on leaving that tasks of the `with` block are over within a second."""
    before = asyncio.all_tasks()
    yield
    if left := asyncio.all_tasks() - before:
        _, left = await asyncio.wait(left, timeout=1)
    assert not left, f"tasks were left behind: {left}"
