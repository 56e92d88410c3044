"""Opening and closing a session's parts, concurrently and with time limits."""

import asyncio
import logging
import weakref
from collections.abc import Iterable, Iterator, Sequence

from .errors import ServiceTimeoutError, UnavailableError
from .processor import Processor, SessionPort

__all__ = ["Startup", "close_all", "release_all"]

logger = logging.getLogger("antiphon.session")

PATIENCE = 0.5  # seconds to wait for parts that close, and for tasks that were cancelled
READY_WITHIN = 120.0  # seconds that a part may take to open (a model may have to be loaded)

Task = asyncio.Task[None]


class Startup:
    """The tasks in which parts open."""

    def __init__(self, parts: Iterable[Processor] = ()) -> None:
        self._tasks: dict[Task, Processor] = {
            asyncio.create_task(part.open(), name=f"antiphon open {part.name}"): part
            for part in parts
            if type(part).open is not Processor.open
        }

    async def wait(self) -> None:
        """Wait until the last part is open, or has taken too long."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=READY_WITHIN)

    def errors(self) -> Iterator[tuple[Processor, BaseException]]:
        """Yield the parts that could not be opened, and why."""
        for task, part in self._tasks.items():
            if not task.done():
                task.cancel()
                yield part, ServiceTimeoutError(f"{part.name} was not ready after {READY_WITHIN:g} s")
            elif task.cancelled():
                yield part, UnavailableError(f"{part.name} was cancelled while it was being opened")
            elif (error := task.exception()) is not None:
                yield part, error

    async def stop(self) -> None:
        """Cancel the opening of parts that are not open yet."""
        tasks, self._tasks = self._tasks, {}
        await _stop({task: part.name for task, part in tasks.items() if not task.done()})


async def close_all(parts: Sequence[Processor], works: dict[Task, str]) -> None:
    """Close parts, and wait for their tasks, which have been cancelled already."""
    closing = [part for part in parts if type(part).close is not Processor.close]
    tasks = works | {asyncio.create_task(_close(part)): part.name for part in closing}
    if tasks:
        await asyncio.wait(tasks, timeout=PATIENCE)
    await _stop(tasks)


def release_all(parts: Sequence[Processor], session: SessionPort) -> None:
    """Stop parts from keeping alive a session that is over.

    It is then freed when its last user forgets it. Collecting it later would hold up the calls that go on.
    """
    for part in parts:
        part.leave(weakref.proxy(session))


async def _close(part: Processor) -> None:
    await part.close()


async def _stop(tasks: dict[Task, str]) -> None:
    """Cancel tasks, twice if need be, and log those that fail or do not stop."""
    for _ in range(2):
        if running := [task for task in tasks if not task.done() and task.cancel()]:
            await asyncio.wait(running, timeout=PATIENCE / 2)
    for task, name in tasks.items():
        if not task.done():
            logger.warning("%s does not stop, though it was cancelled, and is left behind", name)
        elif not task.cancelled() and task.exception() is not None:
            logger.warning("%s failed while closing: %r", name, task.exception())
