"""The replies of a session: one is being made, the others wait for it to end."""

from collections import deque

from .delivery import Signals
from .frames import Interrupted, ReplyCommitted, ReplyEnded, ReplyStarted, Text
from .inputs import Inputs
from .observers import Observers
from .ports import PartPort, PlayoutPort
from .reply import Reply
from .work import Works

__all__ = ["Replies"]


class Replies:
    """The current reply of a session, and those that wait.

    Its methods are for parts, while they handle an input; a program calls the session, whose calls the
    journal records. `door` is the part that stands for the session in failures; `playout` is the part that
    plays, if there is one.
    """

    def __init__(
        self,
        inputs: Inputs,
        signals: Signals,
        works: Works,
        observers: Observers,
        door: PartPort,
    ) -> None:
        self.playout: PlayoutPort | None = None
        self.current: Reply | None = None
        self.waiting: deque[Reply] = deque()
        self.owed: dict[Reply, None] = {}
        """Replies that were promised and have not ended, in order."""
        self._inputs = inputs
        self._signals = signals
        self._works = works
        self._observers = observers
        self._door = door
        self._count = 0

    def promise(self, reply: Reply) -> None:
        """Note that this reply will be made, so that the end of the session waits for it."""
        self.owed[reply] = None

    def add(self, reply: Reply) -> None:
        """Queue a reply; it begins when those before it have ended."""
        self.waiting.append(reply)
        self._next()

    def record(self, text: Text) -> None:
        """Add text that a stage wrote to its reply, if that is the current one."""
        reply = self.current
        if reply is not None and reply.number == text.reply:
            reply.text = reply.text[: text.at] + text.text

    def commit(self, reply: Reply, saved: float = 0.0) -> None:
        """Let the current, speculative reply be heard; it began `saved` seconds early."""
        reply.speculative = False
        self._signals.tell(ReplyCommitted(reply.number, saved))
        if self.playout is not None:
            self.playout.play()

    def drop(self, reply: Reply, reason: str) -> None:
        """Stop one reply, or prevent it from beginning."""
        self._inputs.defer(self._drop, not self._inputs.busy, reply, reason)

    def interrupt(self, reason: str, force: bool) -> None:
        """Stop the current reply and drop the waiting ones.

        Without `force`, those that may not be interrupted stay, and all stay if the current one does.
        """
        reply = self.current
        if reply is not None and not (reply.interruptible or force):
            return
        self._forget(*(waiting for waiting in self.waiting if force or waiting.interruptible))
        if reply is not None:
            self.stop(reply, reason)

    def stop(self, reply: Reply, reason: str) -> None:
        """Stop the current reply now."""
        heard = self.playout.stop(reply) if self.playout is not None else 0
        if not reply.speculative:
            self._signals.tell(Interrupted(reply.number, heard, reason))
        self._end(heard, interrupted=True, reason=reason)

    def finish(self, number: int, heard: int, reason: str = "") -> None:
        """End the reply of this number, if current, with `heard` characters heard."""
        if self.current is not None and self.current.number == number:
            self._end(heard, interrupted=False, reason=reason)

    def abandon(self) -> None:
        """Mark all replies as ended, which wakes their waiters: the session is over."""
        for reply in list(self.owed):
            self._settle(reply, 0, interrupted=True)

    def _next(self) -> None:
        if self.current is not None or not self.waiting:
            return
        reply = self.current = self.waiting.popleft()
        self._count += 1
        reply.number, reply.state = self._count, "active"
        self._signals.tell(ReplyStarted(reply.number, reply.speculative))
        self._inputs.defer(self._begin, reply)

    def _begin(self, reply: Reply) -> None:
        if reply.state != "active":
            return
        try:
            reply.begin(reply)
        except Exception as error:  # noqa: BLE001  a reply that cannot begin must not hold up the next
            self._signals.failed(self._door, error, reply.number)
            self._end(0, interrupted=True, reason="it could not begin")

    def _drop(self, is_input: bool, reply: Reply, reason: str) -> None:
        standing = [self.current, *self.waiting]
        if reply not in standing:
            return
        if is_input:
            place = standing.index(reply)
            self._observers.call(self._inputs.now, "drop", (place, reason))
        if reply is self.current:
            self.stop(reply, reason)
        else:
            self._forget(reply)

    def _forget(self, *replies: Reply) -> None:
        """Drop replies that have not begun."""
        for reply in replies:
            self.waiting.remove(reply)
            self._settle(reply, 0, interrupted=True)

    def _end(self, heard: int, interrupted: bool, reason: str) -> None:
        reply, self.current = self.current, None
        assert reply is not None
        self._settle(reply, heard, interrupted)
        number = reply.number
        self._works.cancel(lambda work: work.reply == number and not work.outlives)
        ended = ReplyEnded(
            number, reply.text, reply.heard, interrupted, reason, speculative=reply.speculative
        )
        self._signals.tell(ended)
        self._inputs.defer(self._next)

    def _settle(self, reply: Reply, heard: int, interrupted: bool) -> None:
        self.owed.pop(reply, None)
        reply.end(heard, interrupted)
