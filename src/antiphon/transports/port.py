"""The port for transports."""

from collections.abc import Sequence
from typing import Protocol

from ..observers import Observer
from ..processor import Processor

__all__ = ["Transport"]


class Transport(Protocol):
    """The media connection of one session.

    Like the parts that it holds, it can be used only once.
    """

    @property
    def input(self) -> Processor:
        """The first part, which pushes UserAudio.

        Its `at` counts samples since the session's start. Slow parts never block the capture: if audio must
        be buffered, the buffer is bounded and drops the oldest.
        """
        ...

    @property
    def output(self) -> Processor:
        """The last part, which handles AgentAudio when it is due.

        Interrupted and PlayoutPaused empty its buffer.
        """
        ...

    @property
    def sample_rate(self) -> int:
        """The sample rate of the AgentAudio that the output expects."""
        ...

    @property
    def lead(self) -> float:
        """Seconds ahead of its time that the output needs audio, to fill its buffer."""
        ...

    @property
    def observers(self) -> Sequence[Observer]:
        """Observers of the session, such as a client protocol."""
        ...
