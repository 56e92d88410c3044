"""What all suites check: the life of a service, and that no task is left behind."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from ...services.ports import Service

__all__ = ["alive", "nothing_left"]

S = TypeVar("S", bound=Service)


@asynccontextmanager
async def alive(make: Callable[[], S]) -> AsyncGenerator[S, None]:
    """Make, load and open a service; on leaving, check that it can be closed twice and leaves no task."""
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
    """Check on leaving that every task that was begun in between is over within a second."""
    before = asyncio.all_tasks()
    yield
    if left := asyncio.all_tasks() - before:
        _, left = await asyncio.wait(left, timeout=1)
    assert not left, f"tasks were left behind: {left}"
