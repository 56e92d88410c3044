"""Inputs: what a session handles, one after the other, each wholly before the next.

An input is a frame from outside (a transport, a stage's task, `Session.send`), a call of the session's
methods, or a timer. It has one time, `Session.now`. Frames go from part to part by direct calls; signals, and
inputs that come meanwhile, wait in one queue.
"""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .errors import UsageError
from .frames import Frame, Signal, Text
from .observers import failure
from .processor import Processor

if TYPE_CHECKING:
    from .session import Session

__all__ = ["Inputs"]

logger = logging.getLogger("antiphon.session")

OFTEN = 8  # slow calls after which a part is named in the log: one can be the machine's doing


class Inputs:
    """A session's: those that come before `begin` wait for it, those that come after `close` are dropped."""

    def __init__(self, session: "Session") -> None:
        self.origin = 0.0
        """What the clock showed at the beginning."""
        self.busy = False
        """Whether an input is being handled."""
        self.slow_calls: Counter[str] = Counter()
        """How often each part took more than a millisecond."""
        self._session = session
        self._observers = session.observers
        self._clock = session.clock
        self._begun = self._closed = False
        self._queue: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._blamed: list[tuple[float, float]] = []

    def begin(self, call: Callable[[], object]) -> None:
        """Time begins: handle this call, then what came early."""
        self._begun, self.origin = True, self._clock.now()
        early, self._queue = self._queue, deque()
        self.call("started", None, call)
        for waiting, arguments in early:
            self.take(waiting, *arguments)

    def close(self) -> None:
        """Forget what waits, and take no more."""
        self._closed = True
        self._queue.clear()

    def enter(self, part: Processor, frame: Frame | Signal) -> None:
        """Take a frame as an input that a part makes at its place."""
        self.take(self._push, part, frame)

    def call(self, name: str, argument: Any, call: Callable[[], object]) -> None:
        """Handle a call as an input; one made by a part while it handles something belongs to that."""
        self.take(self._call, not self.busy, name, argument, call)

    def take(self, call: Callable[..., object], *arguments: Any) -> None:
        """Make a call once what came before it has been handled: now, if that is nothing."""
        if self._closed:
            return
        self._queue.append((call, arguments))
        if self._begun and not self.busy:
            self._drain()

    def fire(self, part: Processor, number: int, call: Callable[[], object]) -> None:
        """Make the call of a timer that is handled now; a failure is that of the part."""
        if self._observers.media:
            self._observers.tell(self._session.now, part.name, ("timer", number))
        try:
            call()
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  one part must not end it all
            self._session.failed(part, error)

    def slow(self, part: Processor, begun: float, ended: float) -> None:
        """Count a call that held up the session, unless it waited for one that was counted already."""
        own = ended - begun - sum(took for at, took in self._blamed if at >= begun)
        if own > 0.001:
            self._blamed.append((begun, own))
            self.slow_calls[part.name] += 1
            count = self.slow_calls[part.name]
            if count >= OFTEN and count & (count - 1) == 0:
                logger.warning("%s took %.1f ms (%d slow calls): what waits or computes is a Stage",
                               part.name, own * 1000, count)  # fmt: skip

    def _drain(self) -> None:
        self.busy = True
        session = self._session
        now = round(self._clock.now() - self.origin, 6)
        if now < session.now:  # the clock was set back: time goes on from where it was
            self.origin -= session.now - now
        else:
            session.now = now
        if self._blamed:
            self._blamed.clear()
        try:
            while self._queue:
                call, arguments = self._queue.popleft()
                try:
                    call(*arguments)
                except Exception as error:  # noqa: BLE001  what waits behind it must be handled all the same
                    session.failed(session.door, error)
        finally:
            self.busy = False

    def _push(self, part: Processor, frame: Frame | Signal) -> None:
        if type(frame) is Text and (reply := self._session.reply) is not None and reply.number == frame.reply:
            reply.text = reply.text[: frame.at] + frame.text
        self._observers.entering = self._observers.sees(type(frame))
        try:
            part.push(frame)
        except UsageError as error:
            self._session.signals.recover(part, failure(part, error), True)
        finally:
            self._observers.entering = False

    def _call(self, is_input: bool, name: str, argument: Any, call: Callable[[], object]) -> None:
        if is_input:
            self._observers.tell(self._session.now, "call", (name, argument))
        call()
