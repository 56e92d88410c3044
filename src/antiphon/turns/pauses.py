"""How this speaker pauses: what is learned from silences after which the user went on."""

from collections import deque
from statistics import median

__all__ = ["Pauses"]

REMEMBERED = 12
"""Pauses that count: who has become fluent is not held to how the conversation began."""
NEEDED = 4
"""Before this many there is no telling."""
SHORTEST, LONGEST = 0.15, 2.5
"""Seconds; a shorter pause is a consonant, in a longer one somebody looked something up."""


class Pauses:
    """The pauses of one speaker within turns. The median of the last ones forgets outliers and old ones."""

    def __init__(self) -> None:
        self._last = deque[float](maxlen=REMEMBERED)

    def learn(self, seconds: float) -> None:
        """The user was quiet for so long and then went on in the same turn."""
        if SHORTEST <= seconds <= LONGEST:
            self._last.append(seconds)

    @property
    def floor(self) -> float | None:
        """Seconds of quiet that are usual within this speaker's turns; None as long as too few are known."""
        return median(self._last) if len(self._last) >= NEEDED else None
