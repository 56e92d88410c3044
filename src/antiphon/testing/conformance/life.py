"""Checks in all suites: opening, closing, and that no task is left behind."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from ...errors import ConfigurationError
from ...services.ports import Service, verified

__all__ = ["alive", "nothing_left"]

S = TypeVar("S", bound=Service)


@asynccontextmanager
async def alive(port: str, make: Callable[[], S]) -> AsyncGenerator[S, None]:
    """Make a service and lead it through its life, around the caller's checks.

    It is loaded and opened twice, closed and opened again; on leaving it is closed twice and leaves no task.
    """
    assert callable(make), f"give the class of the service, or a function that makes it, not {make!r}"
    async with nothing_left():
        service = make()
        try:
            verified(port, service)
        except ConfigurationError as error:
            raise AssertionError(str(error)) from error
        for _ in range(2):
            await service.load()
            await service.open()
        await service.close()
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
