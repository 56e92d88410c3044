"""Cutting a stream of text into pieces to speak.

A short phrase comes first, for early audio, then sentences: while the first pieces are spoken the model goes
on writing, so waiting for whole sentences then costs no time.
"""

import re
from collections.abc import Iterator
from unicodedata import category

from ..frames import frame
from .sentences import sentence_ends

__all__ = ["Cutter", "Piece", "bounded"]

SPOKEN = 14.0  # characters that a voice speaks per second, roughly
LONGEST = 240  # characters of a piece, at most: a longer sentence is cut at a clause, or at a space
EARLY = (2, 6)  # least words of the first and the second piece if they end before a new phrase
AT_ONCE = 3  # least words of the first piece if it ends anywhere else, but never after a word of _LEANS

_CLAUSE = re.compile(r"[,;:—–，、；：](?=\s)|[，、；：]")
_FIRST_CLAUSE = re.compile(r"(?<=[^\W\d_]),\Z")  # certain before the next token comes: "Yes," is no number
_PHRASE = re.compile(
    r"\s(?=(?:about|after|and|at|because|before|but|by|for|from|if|in|into|of|on|or|so|than|that|to|until|when|"
    r"where|which|while|who|with|without)\b)",
    re.IGNORECASE,
)
_SPACE = re.compile(r"(?<=[^\W\d])\s+|(?<=\d)\s+(?=[^\s\d(.–-])")  # none within a number such as 555 123
_BREAK = re.compile(r"\s+(?=\S)|(?<=[-–—/])(?=\w)")
_LEANS = re.compile(
    r"\b(?:a|an|the|my|your|our|his|her|its|their|this|that|these|those|very|no|not|is|are|was|were|be|am|has|"
    r"have|had|do|does|did|can|could|will|would|should|may|might|must|i|we|you|he|she|it|they|mr|mrs|ms|dr)$",
    re.IGNORECASE,
)


@frame
class Piece:
    """Text to be spoken in one go: characters `start` to `end` of the reply's text."""

    text: str
    start: int
    end: int
    begins_line: bool = True
    ends_line: bool = False

    @property
    def seconds(self) -> float:
        """An estimate of how long it takes to speak."""
        return len(self.text) / SPOKEN


class Cutter:
    """Cuts the text of one reply: feed it as it comes, then flush.

    With `early` the first two pieces may end before their sentence does, the first not before it lasts for
    `covers` seconds: so long it takes until the second can be heard.
    """

    def __init__(self, *, early: bool = True, covers: float = 0.0) -> None:
        self._least = round(covers * SPOKEN)
        self._text = ""
        self._start = 0
        self._count = 0 if early else len(EARLY)
        self._begins_line = True  # the text that waits begins at a line's start

    def feed(self, text: str, at: int) -> Iterator[Piece]:
        """Add the reply's text from offset `at` on; yields the pieces that are ready."""
        if not self._text:
            self._start = at
        for begin in range(0, len(text), LONGEST):  # so that little is searched, however long the text is
            self._text += text[begin : begin + LONGEST]
            while (end := self._cut()) is not None:
                yield from self._piece(end)

    def flush(self) -> Iterator[Piece]:
        """Yield the rest: the sentence is complete."""
        while self._text:
            yield from self._piece(len(self._text) if len(self._text) <= LONGEST else self._limit())

    def _cut(self) -> int | None:
        """Return where the next piece ends; None if more text is needed to tell."""
        end = self._sentence_end()
        if end is None or end > LONGEST:
            end = self._early_end()
        if end is None or end > LONGEST:
            return self._limit() if len(self._text) > LONGEST else None
        return end

    def _sentence_end(self) -> int | None:
        return next(sentence_ends(self._text, self._begins_line), None)

    def _early_end(self) -> int | None:
        """Return where the first piece or the second may end before its sentence does."""
        if self._count < len(EARLY):
            least, shortest = EARLY[self._count], self._least if self._count == 0 else 0
            for clause in _CLAUSE.finditer(self._text):
                if clause.end() >= shortest:
                    return clause.end()
            if self._count == 0 and _FIRST_CLAUSE.search(self._text) and len(self._text) >= shortest:
                return len(self._text)
            for match in _PHRASE.finditer(self._text):
                if match.end() >= shortest and len(self._text[: match.start()].split()) >= least:
                    return match.end()
        if self._count == 0:
            for count, match in enumerate(_SPACE.finditer(self._text.lstrip()), 1):
                if count < AT_ONCE or match.end() < self._least:
                    continue
                if not _LEANS.search(self._text.lstrip()[: match.start()]):
                    return match.end() + len(self._text) - len(self._text.lstrip())
        return None

    def _limit(self) -> int:
        """Return the best place to end a piece within the length limit.

        The end of a sentence is preferred to that of a clause, then a space, then a place between two
        characters.
        """
        text = self._text[: LONGEST + 1]
        sentences = sentence_ends(text, self._begins_line)
        for found in (sentences, _ends(_CLAUSE, text), _ends(_BREAK, text)):
            if (end := max((end for end in found if end <= LONGEST), default=0)) > LONGEST // 4:
                return end
        end = LONGEST
        while end > LONGEST // 2 and (_belongs_to_last(text[end]) or text[end - 1] == "\u200d"):
            end -= 1
        return end

    def _piece(self, end: int) -> Iterator[Piece]:
        cut, self._text = self._text[:end], self._text[end:]
        start, self._start = self._start, self._start + end
        text, blanks = cut.strip(), len(cut) - len(cut.lstrip())
        begins = self._begins_line or "\n" in cut[:blanks]
        if text:
            self._count += 1
            ends = "\n" in cut[len(cut.rstrip()) :] or self._text[:1] == "\n"
            yield Piece(text, start + blanks, start + end, begins, ends)
            begins = False
        self._begins_line = begins or "\n" in cut[len(cut.rstrip()) :]


def bounded(text: str) -> Iterator[Piece]:
    """Yield a text in pieces of bounded length.

    A text that is short enough is a single piece.
    """
    if len(text) <= LONGEST:
        yield Piece(text, 0, len(text))
    else:
        cutter = Cutter(early=False)
        yield from cutter.feed(text, 0)
        yield from cutter.flush()


def _ends(pattern: re.Pattern[str], text: str) -> Iterator[int]:
    """Yield where a pattern ends, behind something."""
    return (match.end() for match in pattern.finditer(text) if text[: match.end()].strip())


def _belongs_to_last(character: str) -> bool:
    """Return True if a character is drawn together with the one before it.

    Such characters are vowel signs and parts of an emoji, for example.
    """
    return (
        category(character)[0] == "M"
        or character in "\u200d\ufe0f"
        or "\U0001f3fb" <= character <= "\U0001f3ff"
    )
