"""Replies: what the agent says for a turn, one at a time, each with a number."""

import asyncio
from collections import deque
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, Literal

from .frames import Interrupted, ReplyCommitted, ReplyEnded, ReplyStarted

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
        replies: "Replies",
        begin: Callable[["Reply"], object],
        interruptible: bool,
        speculative: bool = False,
        voiced: bool = True,
    ) -> None:
        self.number = 0
        self.text = ""
        self.heard = ""
        self.interruptible = interruptible
        self.speculative = speculative
        self.voiced = voiced
        """False if it is text to be read: nobody speaks it, and it ends when it is written."""
        self.not_before = 0.0
        self.interrupted = False
        self.state: Literal["waiting", "active", "ended"] = "waiting"
        self.begin = begin
        self._replies = replies
        replies.owed[self] = None
        self._waiters: list[asyncio.Future[None]] = []

    def write(self, text: str) -> int:
        """Add to the text; gives the offset at which this piece stands."""
        at = len(self.text)
        self.text += text
        return at

    def interrupt(self, reason: str = "asked to") -> None:
        """Stop it, even where a user could not; what was heard stays said."""
        if self.state != "ended":
            self._replies.drop(self, reason)

    def end(self, heard: int, interrupted: bool) -> None:
        """Whoever awaits it goes on."""
        self.state, self.heard, self.interrupted = "ended", self.text[:heard], interrupted
        self._replies.owed.pop(self, None)
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
    """The reply that is being made, and those that wait for it to end.

    For the parts, while they handle an input; a program asks the session, whose calls are in the journal.
    """

    def __init__(self, session: "Session") -> None:
        self.current: Reply | None = None
        self.waiting: deque[Reply] = deque()
        self.owed: dict[Reply, None] = {}
        """All that have been made and have not ended."""
        self._session = session
        self._count = 0

    def add(self, reply: Reply) -> None:
        """Its turn comes when those before it have ended."""
        self.waiting.append(reply)
        self._next()

    def commit(self, reply: Reply, saved: float = 0.0) -> None:
        """The speculative reply that is being made is the answer; it had a lead of `saved` seconds."""
        reply.speculative = False
        self._session.signals.tell(ReplyCommitted(reply.number, saved))
        if self._session.playout is not None:
            self._session.playout.play()

    def drop(self, reply: Reply, reason: str) -> None:
        """Stop one reply, or see that it never begins."""
        inputs = self._session.inputs
        inputs.take(self._drop, not inputs.busy, reply, reason)

    def interrupt(self, reason: str, force: bool) -> None:
        """Stop the reply that is being made and those that wait, where they may be interrupted."""
        reply = self.current
        if reply is not None and not (reply.interruptible or force):
            return
        self._forget(*(waiting for waiting in self.waiting if force or waiting.interruptible))
        if reply is not None:
            self.stop(reply, reason)

    def stop(self, reply: Reply, reason: str) -> None:
        """Stop the reply that is being made, now: for a part that is handling something."""
        playout = self._session.playout
        heard = playout.stop(reply) if playout is not None else 0
        if not reply.speculative:
            self._session.signals.tell(Interrupted(reply.number, heard, reason))
        self._end(heard, interrupted=True, reason=reason)

    def finish(self, number: int, heard: int, reason: str = "") -> None:
        """Playout says that the reply is over; `heard` characters of it were heard."""
        if self.current is not None and self.current.number == number:
            self._end(heard, interrupted=False, reason=reason)

    def _next(self) -> None:
        if self.current is not None or not self.waiting:
            return
        reply = self.current = self.waiting.popleft()
        self._count += 1
        reply.number, reply.state = self._count, "active"
        self._session.signals.tell(ReplyStarted(reply.number, reply.speculative))
        self._session.inputs.take(self._begin, reply)

    def _begin(self, reply: Reply) -> None:
        if reply.state != "active":
            return
        try:
            reply.begin(reply)
        except Exception as error:  # noqa: BLE001  a reply that cannot begin must not hold up the next
            self._session.failed(self._session.door, error, reply.number)
            self._end(0, interrupted=True, reason="it could not begin")

    def _drop(self, is_input: bool, reply: Reply, reason: str) -> None:
        standing = [self.current, *self.waiting]
        if reply not in standing:
            return
        if is_input:
            place = standing.index(reply)
            self._session.observers.tell(self._session.now, "call", ("drop", (place, reason)))
        if reply is self.current:
            self.stop(reply, reason)
        else:
            self._forget(reply)

    def _forget(self, *replies: Reply) -> None:
        """Drop replies that have not begun."""
        for reply in replies:
            self.waiting.remove(reply)
            reply.end(0, interrupted=True)

    def _end(self, heard: int, interrupted: bool, reason: str) -> None:
        reply, self.current = self.current, None
        assert reply is not None
        reply.end(heard, interrupted)
        session, number = self._session, reply.number
        session.works.cancel(lambda work: work.reply == number and not work.outlives)
        ended = ReplyEnded(
            number, reply.text, reply.heard, interrupted, reason, speculative=reply.speculative
        )
        session.signals.tell(ended)
        session.inputs.take(self._next)
