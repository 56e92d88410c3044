"""Text that was changed for a voice, mapped back to the written text."""

import re
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Respelled"]


@dataclass(frozen=True, slots=True)
class Respelled:
    """A text that was changed for the voice.

    The character at offset `n` stands at offset `offsets[n]` of the written text.
    """

    text: str
    offsets: tuple[int, ...]

    @classmethod
    def of(cls, written: str) -> "Respelled":
        """The written text, unchanged."""
        return cls(written, tuple(range(len(written) + 1)))

    def written(self, end: int) -> int:
        """Return how many characters of the written text have been spoken.

        `end` is the number of characters of the changed text that have been spoken.
        """
        return self.offsets[min(max(0, end), len(self.text))]

    def sub(self, pattern: re.Pattern[str], by: str | Callable[[re.Match[str]], str]) -> "Respelled":
        """Replace all matches of a pattern, and keep track of the offsets.

        Characters that a replacement keeps, in their order, keep their offsets in the written text.
        """
        parts, offsets, at = list[str](), list[int](), 0
        for match in pattern.finditer(self.text):
            new = match.expand(by) if isinstance(by, str) else by(match)
            if new == match.group():
                continue
            parts += [self.text[at : match.start()], new]
            offsets += self.offsets[at : match.start()]
            offsets += self._places(match.start(), match.end(), new)
            at = match.end()
        if not parts:
            return self
        return Respelled("".join([*parts, self.text[at:]]), (*offsets, *self.offsets[at:]))

    def _places(self, start: int, end: int, new: str) -> list[int]:
        """The offset in the written text before each character of a replacement."""
        places, at = list[int](), start
        for character in new:
            found = self.text.find(character, at, end)
            places.append(self.offsets[at if found < 0 or not character.isalnum() else found])
            if found >= 0 and character.isalnum():
                at = found + 1
        return places
