"""The agent as a listener: its "mhm", its patience with somebody who is silent, or who never stops.

Each rule takes facts with their times and says what is `due` next, if anything. No clock: whoever asks calls
`done` when it has come and was done.
"""

import re
from dataclasses import dataclass
from math import inf

from ..errors import ConfigurationError
from ..frames import (
    SessionStarted,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    SpeechStopped,
    TalkButton,
    Transcript,
    TurnScored,
    UserKey,
    UserText,
)
from .decisions import EndTurn, ReplyBegan, ReplyOver

__all__ = ["BackchannelSettings", "Backchannels", "Due", "Idle", "IdleSettings", "TurnLimit"]

_CLAUSE = re.compile(r"[,;:、，–—-]\s*$")
_MARK = re.compile(r"[.,;:?!。、，？！…–—]")


@dataclass(frozen=True, slots=True)
class Due:
    """What is to be done at a time, unless something happens before."""

    at: float
    action: str
    """"backchannel", "prompt", "away" or "end"."""
    text: str = ""
    """What is said."""


@dataclass(frozen=True, slots=True)
class BackchannelSettings:
    """When the agent shows that it listens. Durations in seconds."""

    frequency: float = 0.0
    """0 is never, 1 is as often as `least_gap` allows, 0.5 is half as often."""
    words: tuple[str, ...] = ("mhm", "uh-huh", "I see")
    """Said in turn."""
    least_gap: float = 6.0
    """Between two of them."""
    after: float = 3.0
    """Of the user's speech before the first one."""
    wait: float = 0.2
    """Of quiet, before it is said."""
    goes_on_below: float = 0.3
    """Nothing is said where the probability that the turn is over is not below this."""

    def __post_init__(self) -> None:
        if not 0 <= self.frequency <= 1:
            raise ConfigurationError("backchannels: frequency is from 0 (off) to 1")
        if not self.words or not all(map(str.strip, self.words)):
            raise ConfigurationError("backchannels: words says what is said, such as ('mhm',)")
        if not 0 <= self.goes_on_below <= 1:
            raise ConfigurationError("backchannels: goes_on_below is a probability, from 0 to 1")
        if not min(self.least_gap, self.after, self.wait) >= 0:
            raise ConfigurationError("backchannels: durations are seconds, 0 or more")


class Backchannels:
    """At a short pause in a long turn, between clauses, when the turn is not over; never at random.

    That it is not over is what the end-of-turn model says; where none is asked, words that end in a comma.
    """

    def __init__(self, settings: BackchannelSettings | None = None) -> None:
        self.settings = settings or BackchannelSettings()
        self._count = 0
        self._last: float | None = None
        self._agent = False
        self._begin_turn()

    def _begin_turn(self) -> None:
        self._spoken = 0.0
        self._since: float | None = None  # speech goes on since
        self._paused: float | None = None
        self._score: float | None = None
        self._words = ""

    def take(self, fact: object, now: float) -> None:
        """Take in a fact of the conversation; those that do not matter here change nothing."""
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
                self._agent = True
                self._begin_turn()
            case ReplyOver():
                self._agent = False
            case EndTurn():
                self._begin_turn()
            case _:
                pass

    @property
    def due(self) -> Due | None:
        """The next one. What would change the mind of a listener takes it back."""
        rules = self.settings
        if not rules.frequency or self._agent or self._paused is None or self._spoken < rules.after:
            return None
        if not self._goes_on() or self._within_clause():
            return None
        at = self._paused + rules.wait
        if self._last is not None and at < self._last + rules.least_gap / rules.frequency:
            return None
        return Due(at, "backchannel", rules.words[self._count % len(rules.words)])

    def done(self, now: float) -> None:
        """It is said."""
        self._last, self._paused = now, None
        self._count += 1

    def _goes_on(self) -> bool:
        if self._score is None:
            return bool(_CLAUSE.search(self._words))
        return self._score < self.settings.goes_on_below

    def _within_clause(self) -> bool:
        words = self._words.rstrip()
        return bool(_MARK.search(words)) and not _MARK.match(words[-1:])


@dataclass(frozen=True, slots=True)
class IdleSettings:
    """What becomes of a call in which nobody speaks. Durations in seconds; None is never."""

    prompt_after: float | None = None
    """Of quiet until the next of `prompts`; after the last, until the end."""
    prompts: tuple[str, ...] = ("Are you still there?",)
    """Said in turn, until the user is heard again."""
    then_end: bool = True
    """When the last prompt was in vain too, the call ends."""
    away_after: float | None = None
    """Without a sign of the user, prompts or not, until it is said that the user is away."""

    def __post_init__(self) -> None:
        for name, seconds in (("prompt_after", self.prompt_after), ("away_after", self.away_after)):
            if seconds is not None and not 0 < seconds < inf:
                raise ConfigurationError(f"idle: {name} is a number of seconds above 0, or None for never")


class Idle:
    """Counts the quiet of both sides."""

    def __init__(self, settings: IdleSettings | None = None) -> None:
        self.settings = settings or IdleSettings()
        self._quiet: float | None = None  # nobody has spoken since
        self._alone = 0.0  # no sign of the user since then, but for what the agent said
        self._user = self._agent = False
        self._away = self._over = False
        self._prompts = 0

    def take(self, fact: object, now: float) -> None:
        """Take in a fact of the conversation; those that do not matter here change nothing."""
        match fact:
            case SpeechStarted() | TalkButton(pressed=True):
                self._user = True
            case SpeechStopped() | TalkButton():
                self._user = False
            case ReplyBegan():
                self._agent = True
                return
            case ReplyOver():
                self._agent = False
                self._quiet = now
                if not self._prompts:
                    self._alone = now
                return
            case SessionStarted() | UserText() | UserKey():
                pass
            case Transcript(text=text) if text:
                pass
            case _:
                return
        self._quiet = self._alone = now
        self._prompts, self._away = 0, False

    @property
    def due(self) -> Due | None:
        """What follows if it stays quiet; None while somebody speaks, and before the call."""
        rules = self.settings
        if self._quiet is None or self._user or self._agent or self._over:
            return None
        steps: list[Due] = []
        if rules.away_after is not None and not self._away:
            steps.append(Due(self._alone + rules.away_after, "away"))
        if rules.prompt_after is not None:
            at = self._quiet + rules.prompt_after
            if self._prompts < len(rules.prompts):
                steps.append(Due(at, "prompt", rules.prompts[self._prompts]))
            elif rules.then_end:
                steps.append(Due(at, "end"))
        return min(steps, key=lambda due: due.at, default=None)

    def done(self, now: float) -> None:
        """What was due is done."""
        due = self.due
        if due is None:
            return
        if due.action == "away":
            self._away = True
        else:
            self._quiet = now
            self._prompts += 1
            self._over = due.action == "end"


@dataclass(frozen=True, slots=True)
class TurnLimit:
    """How long a turn of the user may be; None is as long as it likes."""

    seconds: float | None = None
    words: int | None = None

    def __post_init__(self) -> None:
        if not (self.seconds is None or self.seconds > 0) or not (self.words is None or self.words > 0):
            raise ConfigurationError("turn limit: seconds and words are above 0, or None for no limit")

    def deadline(self, started: float) -> float | None:
        """When a turn that began then is closed."""
        return None if self.seconds is None else started + self.seconds

    def reached(self, started: float, now: float, text: str = "") -> str | None:
        """Why the turn is closed now, or None."""
        if self.seconds is not None and now >= started + self.seconds - 1e-6:
            return f"spoke for {self.seconds:g} s"
        if self.words is not None and len(text.split()) >= self.words:
            return f"said {self.words} words"
        return None
