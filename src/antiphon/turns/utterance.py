"""The user's turn so far: its times, its words, the evidence for its end."""

import re
from difflib import SequenceMatcher

from ..frames import Transcript
from .endpointing import Evidence

__all__ = ["Utterances", "alike", "begins_with", "same_words"]

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


def same_words(one: str, other: str) -> bool:
    """Return True if two texts have the same words, ignoring case and punctuation."""
    return one == other or _WORD.findall(one.casefold()) == _WORD.findall(other.casefold())


def alike(one: str, other: str) -> bool:
    """Return True if one text may be a recogniser's later version of the other.

    Such texts are similar and have as many words.
    """
    if same_words(one, other):
        return True
    near = SequenceMatcher(None, one.casefold(), other.casefold()).ratio() >= 0.8
    return near and len(one.split()) == len(other.split())


def begins_with(text: str, words: str) -> bool:
    """Return True if a text begins with these words, the last perhaps incomplete."""
    return "".join(_WORD.findall(text.casefold())).startswith("".join(_WORD.findall(words.casefold())))


FRESH = 0.2  # seconds at the end of the speech that the newest transcript may not cover


class Utterances:
    """What the user says in one turn, in one utterance or several."""

    def __init__(self, started: float) -> None:
        self.started = started
        self.ended = started
        """When its last sound was heard, or when the button or key that ended it came."""
        self.spoken_until = started
        """When its last stretch of speech ended."""
        self.words_due = False
        """True while the final words of some speech are missing."""
        self.unheard = False
        """True while there is speech of which no words have come yet."""
        self.lost = False
        """True if the words of some of its speech could not be recognised."""
        self.silent = False
        """True if only words are known: no VAD has heard speech."""
        self.beside = False
        """True if the turn began over an agent that did not yield."""
        self.pressed = False
        """True if the button has been pressed: then its release ends the turn."""
        self.grows = False
        """True once an interim transcript came; such a recogniser would send more if the user still spoke."""
        self.settled: float | None = None
        """When the last words became final although speech goes on; None if more words came since."""
        self.covered = 0.0
        """The time up to which the newest transcript covers the speech; 0 if unknown."""
        self.words_asked = started
        """When the wait for the words that are missing began."""
        self.score: float | None = None
        self.score_asked: float | None = None
        """When the end-of-turn model was asked, while its score is missing."""
        self.hint: float | None = None
        self.keys = ""
        self.interim = ""
        """Words that may yet change."""
        self._final: list[str] = []

    @property
    def text(self) -> str:
        """All words so far, final ones first, and the keys that were pressed."""
        return " ".join(filter(None, (*self._final, self.interim, " ".join(self.keys))))

    def hear(self, words: Transcript) -> None:
        """Add final words, or replace the interim ones."""
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

    def lose(self, ended: float) -> None:
        """Note that the speech that ended then gets no words: the service failed.

        Words that may still change, and that cover only its beginning, are not taken for all of it.
        """
        self.lost = True
        if ended >= self.spoken_until - FRESH:
            self.interim = self.interim if self.fresh else ""
            self.words_due = self.unheard = False
            self.covered = 0.0

    def stop(self, at: float, now: float) -> None:
        """Note that the speech ended, which is known now."""
        self.ended = self.spoken_until = at
        self.words_asked = now

    @property
    def fresh(self) -> bool:
        """True if the words cover all, or nearly all, of what was said."""
        return not self.unheard and not 0 < self.covered < self.spoken_until - FRESH

    def go_on(self) -> None:
        """Note that there is more speech, which makes the evidence for the end invalid."""
        self.words_due = self.unheard = True
        self.silent, self.settled = False, None
        self.score = self.hint = None
        self.score_asked = None

    def evidence(self, asked: str, pause: float | None) -> Evidence:
        """Return the evidence from which `endpointing` judges whether the turn is over."""
        return Evidence(
            sound=self.score,
            words=self.text,
            final=not self.words_due,
            asked=asked,
            spoken=self.ended - self.started,
            hint=self.hint,
            pause=pause,
        )
