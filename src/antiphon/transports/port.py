"""The port for transports."""

from collections.abc import Sequence
from typing import Protocol

from ..observers import Observer
from ..processor import Processor

__all__ = ["Transport"]


class Transport(Protocol):
    """Carries the media of one session.

    Like the parts that it holds, it is used once.
    """

    @property
    def input(self) -> Processor:
        """The first part: pushes UserAudio whose `at` counts samples since the session's start.

        Capture is never held by slow parts: if anything must wait, its queue is bounded and drops the oldest.
        """
        ...

    @property
    def output(self) -> Processor:
        """The last part: handles AgentAudio as it is due.

        Interrupted and PlayoutPaused empty its buffer.
        """
        ...

    @property
    def sample_rate(self) -> int:
        """The sample rate of the AgentAudio that the output expects."""
        ...

    @property
    def lead(self) -> float:
        """Seconds ahead of its time that the output wants audio, to keep its buffer filled."""
        ...

    @property
    def observers(self) -> Sequence[Observer]:
        """Observers of the session, such as a client protocol that reports events to the client."""
        ...
