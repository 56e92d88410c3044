"""Who has answered a call: rules over what is heard in its first seconds.

Knows neither clock nor loop: facts go in with their time, a verdict comes out. The first rule of RULES that
fits decides.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from ..audio.beep import Beep
from .phrases import ASSISTANT, MENU, QUESTION, UNAVAILABLE, VOICEMAIL, WAITING, found, plain

Who = Literal["person", "assistant", "voicemail", "menu"]

BRIDGED = 0.8  # seconds of a pause within one stretch of speech
QUIET = 0.6  # seconds of it after which a person waits for an answer
GREETINGS = ((3, QUIET), (6, 1.2))  # words that a person answers with at most, and the quiet behind them
STRETCH = 6.0  # seconds that a person does not speak for, when called
ALONE = 2.0  # seconds of quiet that a machine leaves, where a person would ask something
LAST = 60  # characters in which a question is looked for
CONTENT = 0.5  # seconds of speech before a beep, at least: else it is the line's


class Facts(NamedTuple):
    """What is known of a call at a moment."""

    elapsed: float
    """Seconds since it was answered, or since a key was pressed."""
    words: str = ""
    """All that was said, plain."""
    spoken: float = 0.0
    """Seconds of speech."""
    stretch: float = 0.0
    """Seconds of the longest stretch of it."""
    quiet: float = 0.0
    """Seconds since the last of it; 0 while somebody speaks."""
    beep: Beep | None = None
    """One that came after speech."""


class ScreeningVerdict(NamedTuple):
    who: Who
    reason: str


@dataclass(frozen=True)
class ScreeningRule:
    """`why` gives the words to explain it with, "" where the rule does not fit."""

    who: Who
    why: Callable[[Facts], str]


def _quoted(what: str, phrase: str) -> str:
    return f'{what}: "{phrase}"' if phrase else ""


def _beep(facts: Facts) -> str:
    return f"a beep of {facts.beep.hz:.0f} Hz after speech" if facts.beep else ""


def _messages(facts: Facts) -> str:
    return _quoted("speaks of messages", found(VOICEMAIL, facts.words))


def _greeting(facts: Facts) -> str:
    count = len(facts.words.replace("?", "").split())
    quiet = next((quiet for most, quiet in GREETINGS if count <= most), None)
    fits = count and quiet is not None and facts.quiet >= quiet and not found(WAITING, facts.words)
    return _quoted("a short greeting, then quiet", facts.words) if fits else ""


def _question(facts: Facts) -> str:
    if facts.quiet < QUIET:
        return ""
    asked = found(QUESTION, facts.words[-LAST:])
    if not asked and facts.words.endswith("?") and not found(WAITING, facts.words):
        asked = facts.words[-LAST:]
    return _quoted("a question, then quiet", asked)


def _unavailable(facts: Facts) -> str:
    return _quoted("speaks for somebody", found(UNAVAILABLE, facts.words) if facts.quiet >= ALONE else "")


def _stretch(facts: Facts) -> str:
    return f"spoke for {facts.stretch:.1f} s without a pause" if facts.stretch >= STRETCH else ""


RULES: tuple[ScreeningRule, ...] = (
    ScreeningRule("assistant", lambda facts: _quoted("asks who is calling", found(ASSISTANT, facts.words))),
    ScreeningRule("voicemail", _beep),
    ScreeningRule("voicemail", _messages),
    ScreeningRule("menu", lambda facts: _quoted("wants a key", found(MENU, facts.words))),
    ScreeningRule("person", _greeting),
    ScreeningRule("person", _question),
    ScreeningRule("voicemail", _unavailable),
    ScreeningRule("voicemail", _stretch),
)


def judge(facts: Facts, within: float) -> ScreeningVerdict | None:
    """Who answered; None where it cannot be said yet. After `within` seconds it is a person."""
    for rule in RULES:
        if why := rule.why(facts):
            return ScreeningVerdict(rule.who, why)
    if facts.elapsed >= within:
        return ScreeningVerdict("person", f"nothing spoke for a machine in {within:g} s")
    return None


AFTER_ALL = (RULES[1], RULES[2])
"""Those that still hold when it seemed to be a person."""


def reconsider(facts: Facts) -> ScreeningVerdict | None:
    """Who seemed to be a person is a machine after all."""
    return next((ScreeningVerdict(rule.who, why) for rule in AFTER_ALL if (why := rule.why(facts))), None)


class Ears:
    """Gathers facts of one call from a moment on."""

    def __init__(self, begun: float) -> None:
        self.begun = begun
        self.beep: Beep | None = None
        self._finals: list[str] = []
        self._interim = ""
        self._spoken = 0.0
        self._longest = 0.0
        self._stretch_from: float | None = None
        self._since: float | None = None  # while somebody speaks
        self._until: float | None = None  # when somebody last spoke

    def heard(self, text: str, final: bool) -> None:
        """Words: those of the current utterance, or the final ones of it."""
        if final:
            self._finals.append(text)
            self._interim = ""
        else:
            self._interim = text

    def speaks(self, at: float) -> None:
        """Somebody speaks since `at`."""
        if self._since is not None:
            return
        if self._until is None or self._stretch_from is None or at - self._until > BRIDGED:
            self._stretch_from = at
        self._since = max(at, self.begun)

    def stops(self, at: float) -> None:
        """Nobody speaks since `at`."""
        if self._since is not None:
            self._spoken += max(0.0, at - self._since)
            self._since, self._until = None, at

    def beeped(self, beep: Beep, now: float) -> None:
        """A beep has ended."""
        if self.facts(now).spoken >= CONTENT:
            self.beep = beep

    def facts(self, now: float) -> Facts:
        """What is known."""
        running = 0.0 if self._since is None else now - self._since
        end = self._until if self._since is None else now
        if end is not None and self._stretch_from is not None:
            self._longest = max(self._longest, end - self._stretch_from)
        quiet = 0.0 if self._since is not None or self._until is None else now - self._until
        return Facts(
            now - self.begun,
            plain(" ".join([*self._finals, self._interim])),
            self._spoken + running,
            self._longest,
            quiet,
            self.beep,
        )
