"""Observers of a session, such as journals, recordings and latency reports."""

import logging
from collections import deque
from collections.abc import Sequence
from typing import Any, Protocol

from .errors import AntiphonError, UsageError
from .flow import Frame, Signal
from .frames import Failed

__all__ = ["Observer", "Observers", "failure"]

logger = logging.getLogger("antiphon.session")

RECENT = 16  # newest frames, remembered so that one that several parts pass on is shown once


class Observer(Protocol):
    """A listener that sees every input and every pushed frame, in order.

    It must not act on the session. An observer that raises an exception is closed and sees no more.
    """

    media: bool = False
    """Whether it also wants audio, pictures and timers. With them a session can be replayed."""

    def saw(self, now: float, source: str, what: Frame | Signal | tuple[str, Any], is_input: bool) -> None:
        """Note that `what` came from the part `source`.

        A call or a timer is a (name, argument) pair.
        """
        ...

    def close(self) -> None:
        """Release everything: the session is over. By default, do nothing."""


class Observers:
    """The observers of a session, which see each frame once.

    They see it when it is first pushed, even if several parts pass it on.
    """

    def __init__(self, observers: Sequence[Observer]) -> None:
        for observer in observers:
            if missing := [name for name in ("media", "saw", "close") if not hasattr(observer, name)]:
                raise UsageError(f"{observer!r} lacks {', '.join(missing)}: derive its class from Observer")
        self.media = any(observer.media for observer in observers)
        self.entering = False
        """Whether the next frame to be shown is an input."""
        self._observers = list(observers)
        self._recent: deque[Frame | Signal] = deque(maxlen=RECENT)  # kept alive: ids stay unique
        self._recent_ids: deque[int] = deque(maxlen=RECENT)

    def sees(self, kind: type[Frame] | type[Signal]) -> bool:
        """Return whether any observer wants frames of this type."""
        return bool(self._observers) and (self.media or not kind.media)

    def show(self, now: float, source: str, frame: Frame | Signal) -> None:
        """Show a frame that was pushed, unless it has just been shown."""
        if not self._observers:
            return
        is_input, self.entering = self.entering, False
        if not is_input and id(frame) in self._recent_ids:
            return
        self._recent.append(frame)
        self._recent_ids.append(id(frame))
        self._tell(now, source, frame, is_input, frame.media)

    def call(self, now: float, name: str, argument: Any) -> None:
        """Show a call that is an input."""
        self._tell(now, "call", (name, argument), True, False)

    def timer(self, now: float, source: str, number: int) -> None:
        """Show that a timer of a part has fired, to observers that want media."""
        self._tell(now, source, ("timer", number), True, True)

    def _tell(
        self, now: float, source: str, what: Frame | Signal | tuple[str, Any], is_input: bool, media: bool
    ) -> None:
        for observer in self._observers:
            if media and not observer.media:
                continue
            try:
                observer.saw(now, source, what, is_input)
            except Exception:
                logger.exception("an observer failed, and sees no more")
                self._observers = [other for other in self._observers if other is not observer]
                _close(observer)

    def close(self) -> None:
        """Close all observers: the session is over."""
        observers, self._observers = self._observers, []
        for observer in observers:
            _close(observer)


def _close(observer: Observer) -> None:
    try:
        observer.close()
    except Exception:
        logger.exception("an observer could not be closed")


def failure(part: str, error: BaseException, reply: int | None = None) -> Failed:
    """Return the Failed signal for an error of a part.

    An error that is not an AntiphonError is also logged, with its traceback.
    """
    if not isinstance(error, AntiphonError):
        logger.error("%s failed", part, exc_info=error)
    retryable = isinstance(error, AntiphonError) and error.retryable
    return Failed(part, type(error).__name__, str(error) or type(error).__name__, reply, retryable)
