"""A sentence model for tests: texts are near each other if they have words in common."""

import numpy as np

from antiphon.vendors.local.arguments import EMPTY_WORDS, stem, words
from antiphon.vendors.local.mel import FloatArray

SIZE = 256
DAYS = ("monday", "tuesday", "friday", "sunday")


class WordModel:
    """A number for each word that tells something; a day of the week is half a "day"."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}

    def vector(self, text: str) -> FloatArray:
        found = np.zeros(SIZE, np.float32)
        for word in words(text):
            if word in DAYS:
                found[self._place("day")] = 0.5
            if word not in EMPTY_WORDS:
                found[self._place(stem(word))] = 0.87 if word in DAYS else 1
        return found / max(float(np.linalg.norm(found)), 1e-6)

    def _place(self, word: str) -> int:
        return self._places.setdefault(word, len(self._places))

    def vectors(self, texts: tuple[str, ...]) -> FloatArray:
        return np.stack([self.vector(text) for text in texts])
