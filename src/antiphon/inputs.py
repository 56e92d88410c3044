"""The inputs of a session: one is handled completely before the next.

An input is a frame from outside (a transport, a stage's task, `Session.send`), a call of one of the session's
methods, or a timer. It has one time, `now`. Frames go from part to part by direct calls; signals, and inputs
that arrive meanwhile, wait in one queue.

    enter(part, frame)   a frame starts at a part's place in the pipeline
    call(name, ...)      a call that the journal records, so that `replay` can make it again
    defer(call, ...)     runs after what is being handled, as part of that input; the journal has no line
"""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

from .clock import Clock
from .flow import Frame, Signal
from .observers import Observers
from .ports import PartPort

__all__ = ["Inputs"]

logger = logging.getLogger("antiphon.session")

OFTEN = 8  # slow calls after which a part is named in the log: a single one may be the machine's fault


class Inputs:
    """The input queue of a session.

    Inputs before `begin` wait for it; those after `close` are dropped. `put` pushes a frame at a part's
    place, `failed` is called with exceptions, and `door` is the part that stands for the session itself in
    them.
    """

    def __init__(
        self,
        clock: Clock,
        observers: Observers,
        door: PartPort,
        put: Callable[[PartPort, Frame | Signal], object],
        failed: Callable[[PartPort, BaseException], object],
    ) -> None:
        self.now = 0.0
        """Seconds since the start, as of the input at hand."""
        self.origin = 0.0
        """What the clock showed at the start."""
        self.busy = False
        """Whether an input is being handled."""
        self.closed = False
        """Whether the session is over."""
        self.slow_calls: Counter[str] = Counter()
        """How often each part took more than a millisecond."""
        self._clock = clock
        self._observers = observers
        self._door = door
        self._put = put
        self._failed = failed
        self._begun = False
        self._queue: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._slow_spans: list[tuple[float, float]] = []  # begin and duration, in the input at hand

    def begin(self, call: Callable[[], object]) -> None:
        """Start the session's time: handle this call, then what arrived early."""
        self._begun, self.origin = True, self._clock.now()
        early, self._queue = self._queue, deque()
        self.call("started", None, call)
        for waiting, arguments in early:
            self.defer(waiting, *arguments)

    def close(self) -> None:
        """Drop what waits, and accept no more."""
        self.closed = True
        self._queue.clear()

    def release(self) -> None:
        """Forget the session, which is over and keeps this alive."""
        self._put = self._failed = _ignored

    def elapsed(self) -> float:
        """Return the seconds since the start, by the clock; 0 before the start."""
        return self._clock.now() - self.origin if self._begun else 0.0

    def enter(self, part: PartPort, frame: Frame | Signal) -> None:
        """Handle a frame as an input that starts at a part's place.

        Captured media that comes before the session's time begins has no place in it, and is dropped.
        """
        if not self._begun and frame.media and isinstance(frame, Frame) and frame.late == "drop oldest":
            return
        self.defer(self._put, part, frame)

    def call(self, name: str, argument: Any, call: Callable[[], object]) -> None:
        """Handle a call as an input, which the journal records.

        A call that a part makes while it handles an input belongs to that input.
        """
        self.defer(self._call, not self.busy, name, argument, call)

    def defer(self, call: Callable[..., object], *arguments: Any) -> None:
        """Queue a call; if nothing is being handled, make it at once."""
        if self.closed:
            return
        self._queue.append((call, arguments))
        if self._begun and not self.busy:
            self._drain()

    def fire(self, part: PartPort, number: int, call: Callable[[], object]) -> None:
        """Make the call of a timer; an exception is reported as a failure of the part."""
        if self._observers.media:
            self._observers.timer(self.now, part.name, number)
        try:
            call()
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  one part must not end the session
            self._failed(part, error)

    def slow(self, part: PartPort, begun: float, ended: float) -> None:
        """Count a slow call of a part, without the time of slow calls within it.

        The log names the user's own parts only: about those of Antiphon he can do nothing.
        """
        own = ended - begun - sum(took for at, took in self._slow_spans if at >= begun)
        if own > 0.001:
            self._slow_spans.append((begun, own))
            self.slow_calls[part.name] += 1
            count = self.slow_calls[part.name]
            own_code = type(part).__module__.partition(".")[0] != __package__
            if own_code and count >= OFTEN and count & (count - 1) == 0:
                logger.warning(
                    "%s took %.1f ms (%d slow calls): work that waits or computes belongs in a Stage",
                    part.name,
                    own * 1000,
                    count,
                )

    def _drain(self) -> None:
        self.busy = True
        now = round(self._clock.now() - self.origin, 6)
        if now < self.now:  # the clock was set back: time goes on from where it was
            self.origin -= self.now - now
        else:
            self.now = now
        if self._slow_spans:
            self._slow_spans.clear()
        try:
            while self._queue:
                call, arguments = self._queue.popleft()
                try:
                    call(*arguments)
                except Exception as error:  # noqa: BLE001  later calls must still be handled
                    self._failed(self._door, error)
        finally:
            self.busy = False

    def _call(self, is_input: bool, name: str, argument: Any, call: Callable[[], object]) -> None:
        if is_input:
            self._observers.call(self.now, name, argument)
        call()


def _ignored(*_: object) -> None:
    """Take the place of the session's methods when it is over."""
