"""What a transport must offer."""

from collections.abc import Sequence
from typing import Protocol

from ..observers import Observer
from ..processor import Processor

__all__ = ["Transport"]


class Transport(Protocol):
    """Carries media of one session. Made for one conversation, like the parts that it gives."""

    @property
    def input(self) -> Processor:
        """The first part: pushes UserAudio whose `at` counts samples since the session's start."""
        ...

    @property
    def output(self) -> Processor:
        """The last part: takes AgentAudio, in time; Interrupted and PlayoutPaused empty its buffer."""
        ...

    @property
    def sample_rate(self) -> int:
        """The rate at which the output wants audio."""
        ...

    @property
    def lead(self) -> float:
        """Seconds ahead of its time at which the output wants audio, to keep its own buffer filled."""
        ...

    @property
    def observers(self) -> Sequence[Observer]:
        """Who watches the session for the other side: a client protocol that tells it what happens."""
        ...
