"""Who has answered a call: rules over what is heard in its first seconds.

Pure functions without a clock: timed facts go in, a verdict comes out. The first rule of RULES that applies
decides.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from ..audio.beep import Beep
from .phrases import ASSISTANT, MENU, QUESTION, UNAVAILABLE, VOICEMAIL, WAITING, find_phrase, plain

Who = Literal["person", "assistant", "voicemail", "menu"]

BRIDGED = 0.8  # the longest pause in seconds within one stretch of speech
QUIET = 0.6  # seconds of quiet after which a person is waiting for an answer
GREETINGS = ((3, QUIET), (6, 1.2))  # the most words of a person's greeting, and the quiet after it in seconds
LONG_STRETCH = 6.0  # seconds; a person who answers a call does not speak for so long without a pause
MACHINE_QUIET = 2.0  # seconds of quiet in which a person would have asked something
QUESTION_LENGTH = 60  # the number of last characters in which a question is looked for
SPEECH_BEFORE_BEEP = 0.5  # seconds; a beep after less speech is a tone of the line


class Facts(NamedTuple):
    """What is known about a call at one moment."""

    elapsed: float
    """Seconds since it was answered, or since a key was pressed."""
    words: str = ""
    """Everything that was said, normalised by `plain`."""
    spoken: float = 0.0
    """Seconds of speech."""
    stretch: float = 0.0
    """Seconds of the longest stretch of speech without a pause."""
    quiet: float = 0.0
    """Seconds since the last speech; 0 while somebody speaks."""
    beep: Beep | None = None
    """A beep that followed speech, if there was one."""


class ScreeningVerdict(NamedTuple):
    who: Who
    reason: str


@dataclass(frozen=True)
class ScreeningRule:
    """A rule for one verdict.

    `why` returns the reason for the verdict, or "" if the rule does not apply.
    """

    who: Who
    why: Callable[[Facts], str]


def _quoted(what: str, phrase: str) -> str:
    return f'{what}: "{phrase}"' if phrase else ""


def _beep(facts: Facts) -> str:
    return f"a beep of {facts.beep.hz:.0f} Hz after speech" if facts.beep else ""


def _messages(facts: Facts) -> str:
    return _quoted("speaks of messages", find_phrase(VOICEMAIL, facts.words))


def _greeting(facts: Facts) -> str:
    count = len(facts.words.replace("?", "").split())
    quiet = next((quiet for most, quiet in GREETINGS if count <= most), None)
    fits = count and quiet is not None and facts.quiet >= quiet and not find_phrase(WAITING, facts.words)
    return _quoted("a short greeting, then quiet", facts.words) if fits else ""


def _question(facts: Facts) -> str:
    if facts.quiet < QUIET:
        return ""
    asked = find_phrase(QUESTION, facts.words[-QUESTION_LENGTH:])
    if not asked and facts.words.endswith("?") and not find_phrase(WAITING, facts.words):
        asked = facts.words[-QUESTION_LENGTH:]
    return _quoted("a question, then quiet", asked)


def _unavailable(facts: Facts) -> str:
    return _quoted(
        "speaks for somebody", find_phrase(UNAVAILABLE, facts.words) if facts.quiet >= MACHINE_QUIET else ""
    )


def _stretch(facts: Facts) -> str:
    return f"spoke for {facts.stretch:.1f} s without a pause" if facts.stretch >= LONG_STRETCH else ""


RULES: tuple[ScreeningRule, ...] = (
    ScreeningRule(
        "assistant", lambda facts: _quoted("asks who is calling", find_phrase(ASSISTANT, facts.words))
    ),
    ScreeningRule("voicemail", _beep),
    ScreeningRule("voicemail", _messages),
    ScreeningRule("menu", lambda facts: _quoted("wants a key", find_phrase(MENU, facts.words))),
    ScreeningRule("person", _greeting),
    ScreeningRule("person", _question),
    ScreeningRule("voicemail", _unavailable),
    ScreeningRule("voicemail", _stretch),
)


def judge(facts: Facts, within: float) -> ScreeningVerdict | None:
    """Return who answered, or None if that is not clear yet.

    After `within` seconds a person is assumed.
    """
    for rule in RULES:
        if why := rule.why(facts):
            return ScreeningVerdict(rule.who, why)
    if facts.elapsed >= within:
        return ScreeningVerdict("person", f"nothing spoke for a machine in {within:g} s")
    return None


REVISIONS = (RULES[1], RULES[2])
"""The rules that can still revise the verdict that it is a person."""


def reconsider(facts: Facts) -> ScreeningVerdict | None:
    """Return a verdict if what seemed to be a person is a machine after all."""
    return next((ScreeningVerdict(rule.who, why) for rule in REVISIONS if (why := rule.why(facts))), None)


class FactGatherer:
    """The facts of one call, gathered from the time `begun` on."""

    def __init__(self, begun: float) -> None:
        self.begun = begun
        self.beep: Beep | None = None
        self._finals: list[str] = []
        self._interim = ""
        self._spoken = 0.0
        self._longest = 0.0
        self._stretch_from: float | None = None
        self._speaking_since: float | None = None  # None while nobody speaks
        self._spoke_until: float | None = None  # the end of the last speech

    def heard(self, text: str, final: bool) -> None:
        """Add a transcript: interim ones replace each other, final ones are kept."""
        if final:
            self._finals.append(text)
            self._interim = ""
        else:
            self._interim = text

    def speech_started(self, at: float) -> None:
        """Record that somebody has been speaking since `at`."""
        if self._speaking_since is not None:
            return
        if self._spoke_until is None or self._stretch_from is None or at - self._spoke_until > BRIDGED:
            self._stretch_from = at
        self._speaking_since = max(at, self.begun)

    def speech_stopped(self, at: float) -> None:
        """Record that nobody has been speaking since `at`."""
        if self._speaking_since is not None:
            self._spoken += max(0.0, at - self._speaking_since)
            self._speaking_since, self._spoke_until = None, at

    def beeped(self, beep: Beep, now: float) -> None:
        """Add a beep that has ended, unless there was hardly any speech before it."""
        if self.facts(now).spoken >= SPEECH_BEFORE_BEEP:
            self.beep = beep

    def facts(self, now: float) -> Facts:
        """Return the facts as of `now`."""
        running = 0.0 if self._speaking_since is None else now - self._speaking_since
        end = self._spoke_until if self._speaking_since is None else now
        if end is not None and self._stretch_from is not None:
            self._longest = max(self._longest, end - self._stretch_from)
        quiet = (
            0.0 if self._speaking_since is not None or self._spoke_until is None else now - self._spoke_until
        )
        return Facts(
            now - self.begun,
            plain(" ".join([*self._finals, self._interim])),
            self._spoken + running,
            self._longest,
            quiet,
            self.beep,
        )
