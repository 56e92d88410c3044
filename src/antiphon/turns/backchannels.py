"""The agent's backchannels: the "mhm" with which it shows that it listens.

There is no clock here: `due` says what follows and when, and the engine calls `done` once it has happened.
"""

import re
from dataclasses import dataclass

from ..errors import ConfigurationError
from ..frames import SpeechPaused, SpeechResumed, SpeechStarted, SpeechStopped, Transcript, TurnScored
from .decisions import Due, EndTurn, ReplyBegan, ReplyOver, SayBackchannel

__all__ = ["BackchannelSettings", "Backchannels"]

_CLAUSE = re.compile(r"[,;:、，–—-]\s*$")
_MARK = re.compile(r"[.,;:?!。、，？！…–—]")


@dataclass(frozen=True, slots=True)
class BackchannelSettings:
    """When the agent says a backchannel. Durations in seconds."""

    frequency: float = 0.0
    """0 is never, 1 is as often as `least_gap` allows, 0.5 is half as often."""
    words: tuple[str, ...] = ("mhm", "uh-huh", "I see")
    """The backchannels, used one after the other."""
    least_gap: float = 6.0
    """The least time between two of them."""
    after: float = 3.0
    """How long the user must have spoken before the first one."""
    wait: float = 0.2
    """How long the user must be quiet before one is said."""
    goes_on_below: float = 0.3
    """A backchannel is said only if the probability that the turn is over is below this."""

    def __post_init__(self) -> None:
        if not 0 <= self.frequency <= 1:
            raise ConfigurationError("backchannels: frequency must be from 0 (off) to 1")
        if not self.words or not all(map(str.strip, self.words)):
            raise ConfigurationError("backchannels: words must hold at least one text, such as ('mhm',)")
        if not 0 <= self.goes_on_below <= 1:
            raise ConfigurationError("backchannels: goes_on_below must be a probability, from 0 to 1")
        if not min(self.least_gap, self.after, self.wait) >= 0:
            raise ConfigurationError("backchannels: durations must be 0 seconds or more")


class Backchannels:
    """The rules for when the agent says "mhm".

    A backchannel fits into a short pause of a long turn, between clauses, if the turn goes on. The
    end-of-turn model says whether it goes on; without one, words that end with a comma do.
    """

    def __init__(self, settings: BackchannelSettings | None = None) -> None:
        self.settings = settings or BackchannelSettings()
        self._count = 0
        self._last: float | None = None  # when the last one was said
        self._agent_speaks = False
        self._begin_turn()

    def _begin_turn(self) -> None:
        self._spoken = 0.0  # seconds of speech in this turn, without the current stretch
        self._since: float | None = None  # when the current stretch of speech began
        self._paused: float | None = None  # when the user became quiet, if a backchannel may follow
        self._score: float | None = None
        self._words = ""

    def observe(self, fact: object, now: float) -> None:
        """Note a fact of the conversation; most change nothing here."""
        match fact:
            case SpeechStarted(at) | SpeechResumed(at):
                self._since, self._paused, self._score = at, None, None
            case SpeechPaused(at) | SpeechStopped(at):
                if self._since is not None:
                    self._spoken += at - self._since
                    self._since, self._paused = None, at
            case TurnScored(probability=probability):
                self._score = probability
            case Transcript(text=text):
                self._words = text
            case ReplyBegan():
                self._agent_speaks = True
                self._begin_turn()
            case ReplyOver():
                self._agent_speaks = False
            case EndTurn():
                self._begin_turn()
            case _:
                pass

    @property
    def due(self) -> Due | None:
        """The next backchannel; None if none fits now."""
        rules = self.settings
        if not rules.frequency or self._agent_speaks or self._paused is None or self._spoken < rules.after:
            return None
        if not self._goes_on() or self._within_clause():
            return None
        at = self._paused + rules.wait
        if self._last is not None and at < self._last + rules.least_gap / rules.frequency:
            return None
        return Due(at, SayBackchannel(rules.words[self._count % len(rules.words)]))

    def done(self, now: float) -> None:
        """Note that the backchannel that was due has been said."""
        self._last, self._paused = now, None
        self._count += 1

    def _goes_on(self) -> bool:
        if self._score is None:
            return bool(_CLAUSE.search(self._words))
        return self._score < self.settings.goes_on_below

    def _within_clause(self) -> bool:
        words = self._words.rstrip()
        return bool(_MARK.search(words)) and not _MARK.match(words[-1:])
