"""Delivery of signals to subscribed parts, and to functions of a program."""

import logging
from collections.abc import Callable
from typing import Any

from .flow import Signal
from .frames import Failed, replace
from .inputs import Inputs
from .observers import Observers, failure
from .ports import BranchPort, PartPort

__all__ = ["Signals"]

logger = logging.getLogger("antiphon.session")


class Signals:
    """The signals of a session, and who subscribes to them."""

    def __init__(self, inputs: Inputs, observers: Observers) -> None:
        self._inputs = inputs
        self._observers = observers
        self._subscribers: dict[type, list[tuple[Callable[[Any], object], tuple[BranchPort, ...]]]] = {}
        self._listeners: dict[type, list[Callable[[Any], object]]] = {}

    def subscribe(
        self, kind: type, handler: Callable[[Any], object], branches: tuple[BranchPort, ...]
    ) -> None:
        """Add a part's handler before all others.

        Parts are linked last first, and their handlers are called first to last.
        """
        self._subscribers.setdefault(kind, []).insert(0, (handler, branches))

    def listen(self, kind: type, listen: Callable[[Any], object]) -> None:
        """Call a function with each signal of this type, after the parts."""
        self._listeners.setdefault(kind, []).append(listen)

    def close(self) -> None:
        """Forget all subscribers: the session is over."""
        self._subscribers.clear()
        self._listeners.clear()

    def tell(self, signal: Signal, source: str = "session") -> None:
        """Deliver a signal to all subscribers, after what is being handled now."""
        self._observers.show(self._inputs.now, source, signal)
        self._inputs.defer(self.deliver, signal)

    def deliver(self, signal: Signal, within: BranchPort | None = None) -> None:
        """Call the subscribers now, or only those in the branch `within`.

        Those in branches that are off are skipped.
        """
        for handler, branches in self._subscribers.get(type(signal), ()):
            if all(branch.on for branch in branches) and (within is None or within in branches):
                handler(signal)
        if within is not None:
            return
        for listen in self._listeners.get(type(signal), ()):
            try:
                listen(signal)
            except Exception:
                logger.exception("a listener of %s failed", type(signal).__name__)

    def failed(self, part: PartPort, error: BaseException, reply: int | None = None) -> None:
        """Report an exception as a failure of a part."""
        self.report(part, failure(part.name, error, reply))

    def report(self, part: PartPort, failed: Failed) -> None:
        """Deliver a failure of a part, after what is being handled now."""
        self._inputs.defer(self.recover, part, failed, not self._inputs.busy)

    def recover(self, part: PartPort, failed: Failed, is_input: bool) -> None:
        """Deliver a failure now, then let a `Switch` around the part fail over.

        The delivered signal says whether the `Switch` recovers everything.
        """
        failing: list[BranchPort] = []
        recovered = failed.recovered
        for branch in () if recovered else reversed(part.branches):  # up to the first that has a spare
            failing.append(branch)
            if branch.has_spare():
                recovered = branch.spare_recovers(failed)
                break
        self._observers.entering = is_input
        self.tell(replace(failed, recovered=recovered), part.name)
        for branch in failing:
            branch.fail_over(failed)
