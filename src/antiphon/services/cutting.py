"""Cutting a stream of text into pieces to speak.

A short phrase comes first, for early audio, then sentences: while the first pieces are spoken the model goes
on writing, so waiting for whole sentences then costs no time.
"""

import re
from collections.abc import Iterator

from ..frames import frame

__all__ = ["Cutter", "Piece"]

SPOKEN = 14.0  # characters that a voice speaks per second, roughly
LONGEST = 240  # characters after which a sentence is cut at a clause, or at a space
EARLY = (2, 6)  # least words of the first and the second piece if they end before a new phrase
AT_ONCE = 3  # least words of the first piece if it ends anywhere else, but never after a word of _LEANS

_ABBREVIATIONS = frozenset(
    "mr mrs ms dr prof st jr sr vs etc e.g i.e approx no inc ltd co dept est fig a.m p.m u.s u.k".split()  # noqa: SIM905
)
_SENTENCE = re.compile(r"[.!?…。！？]+[\"'”’)\]]*(?=\s)|[。！？]|\n+")
_CLAUSE = re.compile(r"[,;:—–，、；：](?=\s)|[，、；：]")
_PHRASE = re.compile(
    r"\s(?=(?:about|after|and|at|because|before|but|by|for|from|if|in|into|of|on|or|so|than|that|to|until|when|"
    r"where|which|while|who|with|without)\b)",
    re.IGNORECASE,
)
_SPACE = re.compile(r"(?<=\w)\s+")
_LEANS = re.compile(
    r"\b(?:a|an|the|my|your|our|his|her|its|their|this|that|these|those|very|no|not|is|are|was|were|be|am|has|"
    r"have|had|do|does|did|can|could|will|would|should|may|might|must|i|we|you|he|she|it|they|mr|mrs|ms|dr)$",
    re.IGNORECASE,
)
_LAST_WORD = re.compile(r"[\w.]+$")


@frame
class Piece:
    """Text to be spoken in one go: characters `start` to `end` of the reply's text."""

    text: str
    start: int
    end: int

    @property
    def seconds(self) -> float:
        """An estimate of how long it takes to speak."""
        return len(self.text) / SPOKEN


class Cutter:
    """A cutter for the text of one reply: feed it as it comes, then flush."""

    def __init__(self) -> None:
        self._text = ""
        self._start = 0
        self._count = 0

    def feed(self, text: str, at: int) -> Iterator[Piece]:
        """Add the reply's text from offset `at` on; yields the pieces that are ready."""
        if not self._text:
            self._start = at
        self._text += text
        while (end := self._cut()) is not None:
            yield from self._piece(end)

    def flush(self) -> Iterator[Piece]:
        """Yield the rest, since the text is complete."""
        yield from self._piece(len(self._text))

    def _cut(self) -> int | None:
        for match in _SENTENCE.finditer(self._text):
            if self._text[: match.end()].strip() and not self._abbreviates(match):
                return match.end()
        if self._count < len(EARLY):
            least = EARLY[self._count]
            if (clause := _CLAUSE.search(self._text)) is not None:
                return clause.end()
            for match in _PHRASE.finditer(self._text):
                if len(self._text[: match.start()].split()) >= least:
                    return match.end()
        if self._count == 0:
            for count, match in enumerate(_SPACE.finditer(self._text.lstrip()), 1):
                if count >= AT_ONCE and not _LEANS.search(self._text.lstrip()[: match.start()]):
                    return match.end() + len(self._text) - len(self._text.lstrip())
        if len(self._text) > LONGEST:
            clauses = [match.end() for match in _CLAUSE.finditer(self._text)]
            return clauses[-1] if clauses else self._text.rfind(" ") + 1 or len(self._text)
        return None

    def _abbreviates(self, match: re.Match[str]) -> bool:
        """Return True if a full stop belongs to its word, as in "Dr.", "p.m." or "J."."""
        if not match.group().startswith("."):
            return False
        word = _LAST_WORD.search(self._text[: match.start()])
        if word is None:
            return False
        text = word.group()
        return text.lower() in _ABBREVIATIONS or (len(text) == 1 and text.isupper() and text != "I")

    def _piece(self, end: int) -> Iterator[Piece]:
        cut, self._text = self._text[:end], self._text[end:]
        start, self._start = self._start, self._start + end
        if text := cut.strip():
            self._count += 1
            yield Piece(text, start + len(cut) - len(cut.lstrip()), start + end)
