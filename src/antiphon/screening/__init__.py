"""Answering machine detection: did a person answer, a voicemail, or a menu?

    [..., STT(...), EOT(...), Screening(ScreeningSettings(message="...")), TurnTaking(...), ...]

The stage stands before turn taking. It holds back speech and transcripts until it is known who answered. If
that is a person, or an assistant that asks who is calling, it releases them, and the agent answers as usual.
On a voicemail it leaves a message after the beep and hangs up. In a menu it presses the key for what is
wanted, and listens again.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

from ..audio.beep import Beep, BeepDetector
from ..errors import ConfigurationError
from ..frames import (
    AgentKeys,
    CallAnswered,
    Frame,
    ReplyStarted,
    SessionStarted,
    Signal,
    SoundHeard,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    SpeechStopped,
    Transcript,
    TurnHinted,
    TurnScored,
    UserAudio,
)
from ..processor import on
from ..stage import Stage, Work
from .menu import choose
from .phrases import MENU, find_phrase
from .rules import FactGatherer, Facts, ScreeningVerdict, judge, reconsider

__all__ = ["Screening", "ScreeningSettings"]

LAG = 1.0  # seconds that audio may arrive late
TICK = 0.1  # seconds between two evaluations of the rules
QUIET_BEFORE_KEY = 0.7  # seconds of quiet in a menu after which a wanted key is pressed
QUIET_BEFORE_FALLBACK = 3.0  # the same if nothing that is wanted was offered, and the fallback is pressed
MOST_KEYS = 6  # keys after which a menu is given up
ON_HOLD = 180.0  # seconds on hold behind a menu after which a person is assumed
AFTER_BEEP = 0.3  # seconds between the beep and our message
NO_BEEP = 4.0  # seconds of quiet after which the message is left without a beep
LONGEST_GREETING = 60.0  # seconds after which the message is left while the voicemail still speaks


@dataclass(frozen=True)
class ScreeningSettings:
    """What to do with machines.

    After `within` seconds without evidence a person is assumed. `message` is left on a voicemail; without one
    the call ends there. `wanted` lists words to look for in a menu's options, best first; `fallback` is the
    key to press if none is offered. Without `wanted` a menu is passed to the agent, as if it were a person.
    """

    message: str = ""
    wanted: tuple[str, ...] = ()
    fallback: str = "0"
    within: float = 15.0

    def __post_init__(self) -> None:
        if (
            self.within <= 0
            or not set(self.fallback) <= set("0123456789*#ABCD")
            or isinstance(self.wanted, str)
        ):
            raise ConfigurationError(
                "screening: within must be over 0 s, fallback telephone keys, and wanted a tuple of words; "
                f"not {self.within:g}, {self.fallback!r} and {self.wanted!r}"
            )


class Screening(Stage):
    """The stage that decides who answered an outgoing call, and handles machines.

    It stands before TurnTaking.
    """

    def __init__(self, settings: ScreeningSettings | None = None) -> None:
        self.settings = settings or ScreeningSettings()
        self.answered: CallAnswered | None = None
        """The latest verdict."""
        self._released = False
        """True while facts go on to turn taking; False while they are held back."""
        self._gatherer = FactGatherer(0.0)
        self._held: list[Frame] = []
        self._beeps: BeepDetector | None = None
        self._rate = 0
        self._audio_from = 0.0
        self._heard_to = 0.0
        self._keys_pressed = 0
        self._final_at = 0.0  # when the verdict that it is a person becomes final
        self._leaving_message = False

    @on(SessionStarted)
    def started(self, signal: SessionStarted) -> None:
        self._tick()

    @on(UserAudio)
    def audio(self, frame: UserAudio) -> None:
        self.push(frame)
        if not self._undecided:
            return
        self._heard_to = frame.at / frame.sample_rate + len(frame.pcm) / 2 / frame.sample_rate
        if self._beeps is None or frame.sample_rate != self._rate:
            self._beeps, self._rate = BeepDetector(frame.sample_rate), frame.sample_rate
            self._audio_from = frame.at / frame.sample_rate
        for beep in self._beeps(frame.pcm):
            ended = self._audio_from + beep.ended
            self._gatherer.beeped(Beep(self._audio_from + beep.begun, ended, beep.hz), self._now)
            self._evaluate()

    @on(
        SoundHeard, SpeechStarted, SpeechPaused, SpeechResumed, SpeechStopped, Transcript, TurnScored,
        TurnHinted,
    )  # fmt: skip
    def fact(self, fact: Any) -> None:
        if self._released:
            self.push(fact)
        elif self.answered is None or self.answered.who == "menu":
            self._held.append(fact)
        if not self._undecided:
            return
        match fact:
            case SpeechStarted(at) | SpeechResumed(at):
                self._gatherer.speech_started(at)
            case SpeechPaused(at) | SpeechStopped(at):
                self._gatherer.speech_stopped(at)
            case Transcript(text, final):
                self._gatherer.heard(text, final)
            case _:
                return
        self._evaluate()

    @on(ReplyStarted)
    def reply_started(self, signal: ReplyStarted) -> None:
        """Interrupt replies to a machine, except our own message."""
        reply, known = self.session.reply, self.answered is not None
        if known and not self._released and not self._leaving_message and reply is not None:
            reply.interrupt("a machine has answered")

    def _tick(self) -> None:
        if self._undecided:
            self._evaluate()
            self.after(TICK, self._tick)

    @property
    def _now(self) -> float:
        """The time up to which all audio was heard.

        Audio may be late, and missing audio is not silence.
        """
        return max(self._heard_to, self.session.now - LAG)

    @property
    def _undecided(self) -> bool:
        """True while the verdict may still change."""
        return not self._leaving_message and not (self._released and self.session.now >= self._final_at)

    def _evaluate(self) -> None:
        """Apply the rules to the facts, and act on the verdict."""
        if not self._undecided:
            return
        now = self._now
        facts, who = self._gatherer.facts(now), self.answered.who if self.answered else None
        if self._released:
            self._decide(reconsider(facts), now)
        elif who != "voicemail":
            self._decide(judge(facts, ON_HOLD if who == "menu" else self.settings.within), now)
        match self.answered:
            case CallAnswered(who="voicemail"):
                self._wait_for_beep(facts, now)
            case CallAnswered(who="menu") if not self._released:
                self._find_key(facts, now)
            case _:
                pass

    def _decide(self, verdict: ScreeningVerdict | None, now: float) -> None:
        if verdict is None or (self.answered is not None and self.answered.who == verdict.who):
            return
        self.answered = CallAnswered(verdict.who, verdict.reason, self.session.now)
        self.push(self.answered)
        if verdict.who in ("person", "assistant") or (verdict.who == "menu" and not self.settings.wanted):
            self._release(now)
            return
        self.session.interrupt("a machine has answered", force=True)
        if self._released:
            self.push(SpeechStopped(now))  # turn taking gets no more facts
        self._released, self._held = False, []

    def _release(self, now: float) -> None:
        """Pass on the facts that were held back, and those that follow."""
        self._released, self._final_at = True, now + self.settings.within
        held, self._held = self._held, []
        for fact in held:
            self.push(fact)

    def _wait_for_beep(self, facts: Facts, now: float) -> None:
        beeped = facts.beep is not None and facts.quiet > 0 and now >= facts.beep.ended + AFTER_BEEP
        if self.settings.message and not (
            beeped or facts.quiet >= NO_BEEP or facts.elapsed >= LONGEST_GREETING
        ):
            return
        self._leaving_message = True
        self.run(Work(self), self._leave_message())

    async def _leave_message(self) -> AsyncGenerator[Frame | Signal, None]:
        if self.settings.message:
            self.session.say(self.settings.message, interruptible=False)
        await self.session.end("voicemail")
        return
        yield  # makes this the generator that `run` expects

    def _find_key(self, facts: Facts, now: float) -> None:
        if facts.quiet < QUIET_BEFORE_KEY:
            return
        offer = choose(facts.words, self.settings.wanted)
        if offer is None and not (find_phrase(MENU, facts.words) and facts.quiet >= QUIET_BEFORE_FALLBACK):
            return
        if self._keys_pressed == MOST_KEYS:
            self.answered = CallAnswered("menu", f"{MOST_KEYS} keys led to nobody", now)
            self.push(self.answered)
            self._release(now)
            return
        self._keys_pressed += 1
        self.push(AgentKeys(offer[1] if offer else self.settings.fallback))
        self._held, self._gatherer = [], FactGatherer(now)
