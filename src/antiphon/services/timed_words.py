"""Words and their times, in the forms in which vendors send them."""

from collections.abc import Iterator, Mapping
from typing import Any

from .vendor_values import fields, items, number, string
from .voice_codec import SpokenWord

__all__ = ["TimedCharacters", "spoken_words"]


def spoken_words(
    words: object, starts: object, ends: object, context: str | None = None
) -> Iterator[SpokenWord]:
    """Yield words that stand in one list, and their times, in seconds, in two others."""
    for word, start, end in zip(items(words), items(starts), items(ends), strict=False):
        yield SpokenWord(string(word), number(start) or 0.0, number(end), context)


class TimedCharacters:
    """Characters in, words out; a word may begin in one message and end in the next."""

    def __init__(self, context: str | None = None) -> None:
        self._context = context
        self._word = ""
        self._begun = self._ended = 0.0

    def add(self, char: str, start: float, end: float) -> Iterator[SpokenWord]:
        """Yield the word that a character completes, which a space does."""
        if char.isspace():
            yield from self.end()
            return
        self._begun = self._begun if self._word else start
        self._word += char
        self._ended = end

    def graph(self, told: object) -> Iterator[SpokenWord]:
        """Yield the words of `graph_chars`, whose `graph_times` are pairs of seconds."""
        graph = fields(told)
        for char, times in zip(
            items(graph.get("graph_chars")), items(graph.get("graph_times")), strict=False
        ):
            start, end = (*map(number, items(times)), None, None)[:2]
            yield from self.add(string(char), start or 0.0, end or start or 0.0)

    def spelled(self, told: Mapping[str, Any]) -> Iterator[SpokenWord]:
        """Yield the words of `characters`, whose times stand in lists beside it."""
        starts, ends = (items(told.get(f"character_{what}_times_seconds")) for what in ("start", "end"))
        for char, start, end in zip(items(told.get("characters")), starts, ends, strict=False):
            begun = number(start) or 0.0
            yield from self.add(string(char), begun, number(end) or begun)

    def end(self) -> Iterator[SpokenWord]:
        """Yield the word that was begun."""
        if self._word:
            yield SpokenWord(self._word, self._begun, self._ended, self._context)
            self._word = ""
