"""A reply: what the agent says for a turn."""

import asyncio
from collections.abc import Callable, Generator
from typing import Any, Literal

from .encodable import encodable

__all__ = ["Reply"]


class Reply:
    """A reply that a program may hold, await or interrupt.

    `Session.say` and `Session.new_reply` return it. `text` is what has been written for it so far; `heard` is
    the part of it that was heard, once it has ended. `number` is 0 until it begins. A `speculative`
    one is not heard until it is committed, and none before the session's time `not_before`.
    """

    def __init__(
        self,
        begin: Callable[["Reply"], object],
        drop: Callable[["Reply", str], object],
        interruptible: bool = True,
        speculative: bool = False,
        voiced: bool = True,
    ) -> None:
        self.number = 0
        self.text = ""
        self.heard = ""
        self.interruptible = interruptible
        self.speculative = speculative
        self.voiced = voiced
        """False if it is text to be read: it is not spoken, and ends when it is written."""
        self.not_before = 0.0
        self.played = 0.0
        """Seconds of its voice that were heard, once it has ended."""
        self.interrupted = False
        self.state: Literal["waiting", "active", "ended"] = "waiting"
        self.begin = begin
        self._drop = drop
        self._waiters: list[asyncio.Future[None]] = []

    def write(self, text: str) -> int:
        """Add to the text; returns the offset of this piece."""
        at = len(self.text)
        self.text += encodable(text)
        return at

    def interrupt(self, reason: str = "asked to") -> None:
        """Stop it, even if the user may not interrupt it."""
        if self.state != "ended":
            self._drop(self, reason)

    def end(self, heard: int, interrupted: bool) -> None:
        """Mark it as ended, with `heard` characters heard, and wake its waiters."""
        self.state, self.heard, self.interrupted = "ended", self.text[:heard], interrupted
        self.begin = self._drop = _nothing  # a reply that is over keeps no part alive
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    def __await__(self) -> Generator[Any, None, "Reply"]:
        if self.state != "ended":
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            yield from waiter
        return self


def _nothing(*_: object) -> None:
    """Take the place of what an ended reply calls no more."""
