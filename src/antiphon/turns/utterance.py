"""The user's turn so far: when it was spoken, its words, and what is known of its end."""

import re
from difflib import SequenceMatcher

from ..frames import Transcript
from .endpointing import Evidence

__all__ = ["Utterances", "alike", "same_words"]

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


def same_words(one: str, other: str) -> bool:
    """Whether two texts are the same but for case, punctuation and spaces."""
    return one == other or _WORD.findall(one.casefold()) == _WORD.findall(other.casefold())


def alike(one: str, other: str) -> bool:
    """Whether one text may be the other, as a recogniser understood it a little later: not one word more."""
    if same_words(one, other):
        return True
    near = SequenceMatcher(None, one.casefold(), other.casefold()).ratio() >= 0.8
    return near and len(one.split()) == len(other.split())


FRESH = 0.2  # seconds at the end of the speech that its words may not have heard


class Utterances:
    """What the user says in one turn, be it in one utterance or several."""

    def __init__(self, started: float) -> None:
        self.started = started
        self.ended = started
        """When the last sound of it was heard."""
        self.words_due = False
        """Whether speech has been heard whose final words have not come."""
        self.unheard = False
        """Whether there is speech of which no words have come yet."""
        self.silent = False
        """Whether it is known by its words alone: no VAD has heard it."""
        self.beside = False
        """Whether it was begun over an agent that did not yield."""
        self.pressed = False
        """Whether the button is held, or was: then its release ends the turn."""
        self.grows = False
        """Whether there have been interim words: then, who says more is known to."""
        self.settled: float | None = None
        """Since when nothing has come behind words that are final, though speech goes on."""
        self.covered = 0.0
        """Up to where the newest words have heard it; 0 if that is not known."""
        self.score: float | None = None
        self.hint: float | None = None
        self.keys = ""
        self.interim = ""
        """Words that may yet change."""
        self._final: list[str] = []

    @property
    def text(self) -> str:
        """All words so far, those that may yet change at the end, and keys."""
        return " ".join(filter(None, (*self._final, self.interim, " ".join(self.keys))))

    def hear(self, words: Transcript) -> None:
        """Take in words: final ones are added, others stand until better ones come."""
        self.unheard = False
        self.covered = words.ended
        self.settled = None
        if not words.final:
            self.grows = True
            self.interim = words.text
            self.words_due = True
            return
        self.words_due = False
        self.interim = ""
        if words.text:
            self._final.append(words.text)

    @property
    def fresh(self) -> bool:
        """Whether the newest words are those of all, or nearly all, that was said."""
        return not self.unheard and not 0 < self.covered < self.ended - FRESH

    def go_on(self) -> None:
        """There is more speech: what was known of its end counts no more."""
        self.words_due = self.unheard = True
        self.silent, self.settled = False, None
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
