"""The user's turn so far: when it was spoken, its words, and what is known of its end."""

import re

from ..frames import Transcript
from .endpointing import Evidence

__all__ = ["Utterances", "same_words"]

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


def same_words(one: str, other: str) -> bool:
    """Whether two texts are the same but for case, punctuation and spaces."""
    return one == other or _WORD.findall(one.casefold()) == _WORD.findall(other.casefold())


class Utterances:
    """What the user says in one turn, be it in one utterance or several."""

    def __init__(self, started: float) -> None:
        self.started = started
        self.ended = started
        """When the last sound of it was heard."""
        self.words_due = False
        """Whether speech has been heard whose final words have not come."""
        self.score: float | None = None
        self.hint: float | None = None
        self.keys = ""
        self._final: list[str] = []
        self._interim = ""

    @property
    def text(self) -> str:
        """All words so far, those that may yet change at the end, and keys."""
        return " ".join(filter(None, (*self._final, self._interim, " ".join(self.keys))))

    def hear(self, words: Transcript) -> None:
        """Take in words: final ones are added, others stand until better ones come."""
        if not words.final:
            self._interim = words.text
            self.words_due = True
            return
        self.words_due = False
        self._interim = ""
        if words.text:
            self._final.append(words.text)

    def go_on(self) -> None:
        """There is more speech: what was known of its end counts no more."""
        self.words_due = True
        self.score = self.hint = None

    def evidence(self, asked: str, pause: float | None) -> Evidence:
        """What there is to tell whether the turn is over."""
        return Evidence(
            sound=self.score,
            words=self.text,
            final=not self.words_due,
            asked=asked,
            spoken=self.ended - self.started,
            hint=self.hint,
            pause=pause,
        )
