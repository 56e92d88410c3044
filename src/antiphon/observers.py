"""Those who watch a session: journals, recordings, the waterfall of latencies."""

import logging
from collections import deque
from collections.abc import Sequence
from typing import Any, Protocol

from .errors import AntiphonError
from .frames import AgentAudio, Failed, Frame, Signal, UserAudio
from .processor import Processor

__all__ = ["Observer", "Observers", "failure"]

logger = logging.getLogger("antiphon.session")

SHOWN = 16  # frames back that one is looked for
MEDIA: frozenset[type] = frozenset({UserAudio, AgentAudio})


class Observer(Protocol):
    """Sees every input and all that is pushed, in order. It must not act on the session.

    One that has a `close` is told when the session is over. One that fails sees no more.
    """

    media: bool
    """Whether it wants audio, and the timers, too: with them a session can be replayed."""

    def saw(self, now: float, source: str, what: Frame | Signal | tuple[str, Any], is_input: bool) -> None:
        """`what` came from the part `source`. A call or a timer is a (name, argument) pair."""
        ...


class Observers:
    """Shows each frame once, however many parts pass it on, and whether it was an input."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self.media = any(observer.media for observer in observers)
        self.entering = False
        """Whether the next frame to be shown is an input."""
        self._observers = list(observers)
        self._shown: deque[Frame | Signal] = deque(maxlen=SHOWN)
        self._ids: deque[int] = deque(maxlen=SHOWN)  # of these: they are compared by identity, at every frame

    def sees(self, kind: type) -> bool:
        """Whether anybody wants frames of this type."""
        return bool(self._observers) and (self.media or kind not in MEDIA)

    def show(self, now: float, source: str, frame: Frame | Signal) -> None:
        """A frame was pushed."""
        if not self._observers:
            return
        is_input, self.entering = self.entering, False
        if not is_input and id(frame) in self._ids:
            return
        self._shown.append(frame)
        self._ids.append(id(frame))
        self.tell(now, source, frame, is_input)

    def tell(
        self, now: float, source: str, what: Frame | Signal | tuple[str, Any], is_input: bool = True
    ) -> None:
        """Something happened."""
        for observer in self._observers:
            try:
                observer.saw(now, source, what, is_input)
            except Exception:
                logger.exception("an observer failed, and sees no more")
                self._observers = [other for other in self._observers if other is not observer]
                _close(observer)

    def close(self) -> None:
        """The session is over."""
        for observer in self._observers:
            _close(observer)


def _close(observer: Observer) -> None:
    try:
        getattr(observer, "close", lambda: None)()
    except Exception:
        logger.exception("an observer could not be closed")


def failure(part: Processor, error: BaseException, reply: int | None = None) -> Failed:
    """What is told of an error of a part; one that nobody expected is logged with its place."""
    if not isinstance(error, AntiphonError):
        logger.error("%s failed", part.name, exc_info=error)
    retryable = isinstance(error, AntiphonError) and error.retryable
    return Failed(part.name, type(error).__name__, str(error) or type(error).__name__, reply, retryable)
