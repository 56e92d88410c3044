"""Turns of the user that are over, and whose words are still to come."""

from collections import deque
from typing import Generic, TypeVar

from ..frames import Transcript, UserTurn

__all__ = ["WordlessTurns"]

T = TypeVar("T")

MOST = 16  # turns whose words may still come
NEAR = 0.5  # seconds by which the times of late words may differ from those of their turn


class WordlessTurns(Generic[T]):
    """Finds the turn that late words belong to, by their times."""

    def __init__(self) -> None:
        self._waiting = deque[tuple[float, float, T]](maxlen=MOST)

    def add(self, turn: UserTurn, known_as: T) -> None:
        """Note a turn; its words may come."""
        self._waiting.append((turn.started, turn.ended, known_as))

    def take(self, words: Transcript) -> T | None:
        """Return what the turn of these words is known as; None if there is none."""
        middle = (words.started + words.ended) / 2
        for place, (started, ended, known_as) in enumerate(self._waiting):
            if started - NEAR <= middle <= ended + NEAR:
                del self._waiting[place]
                return known_as
        return None
