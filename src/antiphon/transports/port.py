"""What a transport must offer."""

from typing import Protocol

from ..processor import Processor

__all__ = ["Transport"]


class Transport(Protocol):
    """Carries media of one session. Made for one conversation, like the parts that it gives."""

    input: Processor
    """The first part: pushes UserAudio whose `at` counts samples since the session's start."""
    output: Processor
    """The last part: takes AgentAudio, in time, and forgets what it holds on Interrupted."""
    sample_rate: int
    """The rate at which the output wants audio."""
    lead: float
    """Seconds ahead of its time at which the output wants audio, to keep its own buffer filled."""
