"""Replies: what the agent says for a turn, one at a time, each with a number."""

import asyncio
from collections import deque
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from .session import Session

__all__ = ["Replies", "Reply"]


class Reply:
    """One reply: hold it, await its end, interrupt it.

    `text` is what has been written for it so far; `heard`, once it has ended, how much of that was heard.
    `number` is 0 until it begins. Nothing is heard of one that is `speculative` until it is committed, and
    of none before the session's time is `not_before`.
    """

    def __init__(
        self,
        session: "Session",
        begin: Callable[["Reply"], object],
        interruptible: bool,
        speculative: bool = False,
    ) -> None:
        self.number = 0
        self.text = ""
        self.heard = ""
        self.interruptible = interruptible
        self.speculative = speculative
        self.not_before = 0.0
        self.interrupted = False
        self.state: Literal["waiting", "active", "ended"] = "waiting"
        self.begin = begin
        self._session = session
        session.replies.owed[self] = None
        self._waiters: list[asyncio.Future[None]] = []

    def write(self, text: str) -> int:
        """Add to the text; gives the offset at which this piece stands."""
        at = len(self.text)
        self.text += text
        return at

    def interrupt(self, reason: str = "asked to") -> None:
        """Stop it, even where a user could not; what was heard stays said."""
        if self.state != "ended":
            self._session.drop(self, reason)

    def end(self, heard: int, interrupted: bool) -> None:
        """Whoever awaits it goes on."""
        self.state, self.heard, self.interrupted = "ended", self.text[:heard], interrupted
        self._session.replies.owed.pop(self, None)
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    def __await__(self) -> Generator[Any, None, "Reply"]:
        if self.state != "ended":
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            yield from waiter
        return self


class Replies:
    """The reply that is being made, and those that wait for it to end."""

    def __init__(self) -> None:
        self.current: Reply | None = None
        self.waiting: deque[Reply] = deque()
        self.owed: dict[Reply, None] = {}
        """All that have been made and have not ended."""
        self.count = 0

    def next(self) -> Reply | None:
        """Make the next waiting reply the current one and number it, if there is none now."""
        if self.current is not None or not self.waiting:
            return None
        reply = self.current = self.waiting.popleft()
        self.count += 1
        reply.number, reply.state = self.count, "active"
        return reply

    def end(self, heard: int, interrupted: bool) -> Reply:
        """End the current one."""
        reply = self.current
        assert reply is not None
        self.current = None
        reply.end(heard, interrupted)
        return reply

    def forget(self, *replies: Reply) -> None:
        """Drop replies that have not begun."""
        for reply in replies:
            if reply in self.waiting:
                self.waiting.remove(reply)
                reply.end(0, interrupted=True)
