"""Reads a wire without letting a flood take the event loop."""

import asyncio
from collections.abc import Callable
from typing import Protocol

__all__ = ["WireReader"]

AT_ONCE = 0.001  # seconds: a message that comes sooner than this was there before it was asked for
BATCH = 8  # messages that are read without letting the event loop do anything else


class MessageSource(Protocol):
    """What messages are read from: a wire, or what parses it."""

    async def receive(self) -> bytes | str | None:
        """Returns the next message; None at the end."""
        ...


class WireReader:
    """A reader that takes messages in bounded batches.

    A flood of messages, or those that wait after a stall, cannot keep the event loop from other work.
    `backlog` is True if the newest message had arrived before it was asked for.
    """

    def __init__(self, source: MessageSource) -> None:
        self.backlog = False
        self._source = source
        self._batch = 0

    async def receive(self, now: Callable[[], float]) -> bytes | str | None:
        """Returns the next message; None at the end. `now` is a clock in seconds."""
        asked = now()
        message = await self._source.receive()
        self.backlog = now() - asked < AT_ONCE
        self._batch = self._batch + 1 if self.backlog else 0
        if self._batch >= BATCH:
            self._batch = 0
            await asyncio.sleep(0)
        return message
