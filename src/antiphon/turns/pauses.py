"""The usual pause of a speaker within a turn, learned as the user goes on."""

from collections import deque
from statistics import median

__all__ = ["Pauses"]

REMEMBERED = 12
"""The newest pauses, which are the ones that count: a speaker may become more fluent."""
NEEDED = 4
"""With fewer pauses than this, nothing is known."""
SHORTEST, LONGEST = 0.15, 2.5
"""Seconds: a shorter pause may be a consonant, in a longer one the user did something else."""


class Pauses:
    """The pauses of one speaker within turns.

    The median of the newest ones ignores outliers.
    """

    def __init__(self) -> None:
        self._last = deque[float](maxlen=REMEMBERED)

    def learn(self, seconds: float) -> None:
        """Note that the user was quiet for so long and then went on in the same turn."""
        if SHORTEST <= seconds <= LONGEST:
            self._last.append(seconds)

    @property
    def floor(self) -> float | None:
        """The usual pause within this speaker's turns, in seconds.

        None while too few pauses are known.
        """
        return median(self._last) if len(self._last) >= NEEDED else None
