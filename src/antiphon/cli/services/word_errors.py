"""Words lost, wrong and added: what was heard, compared with what was said."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["WordErrors", "count_errors", "plain_words"]

UNITS = tuple(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "  # noqa: SIM905
    "seventeen eighteen nineteen".split()
)
TENS = ("", "", *"twenty thirty forty fifty sixty seventy eighty ninety".split())  # noqa: SIM905
LONGEST = 6  # digits of a number that is read as one; a longer one is read digit by digit
SAME: dict[str, str] = {"mr": "mister", "mrs": "missus", "dr": "doctor", "ok": "okay"}
WORD = re.compile(r"[\w']+")
NUMBER = re.compile(r"\d{1,3}(?:,\d{3})+(?!\d)|\d+")
SIGNS = {"%": " percent ", "&": " and ", "’": "'"}


@dataclass(frozen=True, slots=True)
class WordErrors:
    """How many words were said, and how many of them were lost or wrong, or added."""

    said: int = 0
    lost: int = 0
    wrong: int = 0
    added: int = 0

    @property
    def rate(self) -> float | None:
        """The word error rate; None if nothing was said."""
        return (self.lost + self.wrong + self.added) / self.said if self.said else None

    def __add__(self, other: "WordErrors") -> "WordErrors":
        return WordErrors(
            self.said + other.said,
            self.lost + other.lost,
            self.wrong + other.wrong,
            self.added + other.added,
        )


def plain_words(text: str) -> list[str]:
    """Return the words of a text without case, punctuation and hyphens.

    Numbers are written as English words.
    """
    text = unicodedata.normalize("NFKC", text).casefold()
    for sign, words in SIGNS.items():
        text = text.replace(sign, words)
    text = NUMBER.sub(lambda number: f" {_number(number[0].replace(',', ''))} ", text)
    plain = (word[0].strip("'") for word in WORD.finditer(text.replace("_", " ")))
    return [SAME.get(word, word) for word in plain if word]


def _number(digits: str) -> str:
    value = int(digits) if len(digits) <= LONGEST else 0
    if len(digits) > LONGEST or (digits.startswith("0") and len(digits) > 1):
        return " ".join(UNITS[unicodedata.digit(digit)] for digit in digits)
    return _spelled(value)


def _spelled(value: int) -> str:
    for size, name in ((1000, "thousand"), (100, "hundred")):
        if value >= size:
            rest = f" {_spelled(value % size)}" if value % size else ""
            return f"{_spelled(value // size)} {name}{rest}"
    if value < len(UNITS):
        return UNITS[value]
    return TENS[value // 10] + (f" {UNITS[value % 10]}" if value % 10 else "")


def count_errors(said: str, heard: str) -> WordErrors:
    """Compare two texts by the alignment of their words that has the fewest errors."""
    return _aligned(plain_words(said), plain_words(heard))


def _aligned(said: Sequence[str], heard: Sequence[str]) -> WordErrors:
    # each row: errors, lost, wrong, added for the words of `said` so far and each beginning of `heard`
    row = [(added, 0, 0, added) for added in range(len(heard) + 1)]
    for word in said:
        errors, lost, wrong, added = row[0]
        new = [(errors + 1, lost + 1, wrong, added)]
        for place, other in enumerate(heard):
            errors, lost, wrong, added = row[place]
            miss = word != other
            best = (errors + miss, lost, wrong + miss, added)
            errors, lost, wrong, added = row[place + 1]
            best = min(best, (errors + 1, lost + 1, wrong, added))
            errors, lost, wrong, added = new[place]
            new.append(min(best, (errors + 1, lost, wrong, added + 1)))
        row = new
    _, lost, wrong, added = row[-1]
    return WordErrors(len(said), lost, wrong, added)
