"""Signals: what is told to all parts that subscribed, wherever they stand, and to a program's functions."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .frames import Failed, Signal, replace
from .pipeline import Branch
from .processor import Hop, Processor

if TYPE_CHECKING:
    from .session import Session

__all__ = ["Signals"]

logger = logging.getLogger("antiphon.session")


class Signals:
    """Those of a session: who is told, and when. A failure is one that a `Switch` sees first."""

    def __init__(self, session: "Session") -> None:
        self._session = session
        self._subscribers: dict[type, list[tuple[Hop, tuple[Branch, ...]]]] = {}
        self._listeners: dict[type, list[Callable[[Any], object]]] = {}

    def subscribe(self, kind: type, hop: Hop, branches: tuple[Branch, ...]) -> None:
        """Add a part's handler before those of the parts behind it, which were linked first."""
        self._subscribers.setdefault(kind, []).insert(0, (hop, branches))

    def listen(self, kind: type, listen: Callable[[Any], object]) -> None:
        """Call a function with each signal of this type, after the parts."""
        self._listeners.setdefault(kind, []).append(listen)

    def tell(self, signal: Signal, source: str = "session") -> None:
        """Tell all subscribers, after what is being handled now."""
        session = self._session
        session.observers.show(session.now, source, signal)
        session.inputs.take(self.deliver, signal)

    def deliver(self, signal: Signal, within: Branch | None = None) -> None:
        """Call all subscribers, or those in one branch; not those in branches that are off."""
        for hop, branches in self._subscribers.get(type(signal), ()):
            if all(branch.on for branch in branches) and (within is None or within in branches):
                hop(signal)
        if within is not None:
            return
        for listen in self._listeners.get(type(signal), ()):
            try:
                listen(signal)
            except Exception:
                logger.exception("a listener of %s failed", type(signal).__name__)

    def report(self, part: Processor, failed: Failed) -> None:
        """Take a failure of a part: a `Switch` around it may recover; everybody is told."""
        inputs = self._session.inputs
        inputs.take(self.recover, part, failed, not inputs.busy)

    def recover(self, part: Processor, failed: Failed, is_input: bool) -> None:
        """Tell of a failure that is being handled, and whether a spare branch makes up for it."""
        spared = None if failed.recovered else next(filter(Branch.spare, reversed(part.branches)), None)
        recovered = failed.recovered or (spared is not None and spared.owner.recovers(failed.reply))
        self._session.observers.entering = is_input
        self.tell(replace(failed, recovered=recovered), part.name)
        if spared is not None:
            spared.owner.replace(spared)
