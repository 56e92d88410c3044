"""Who answered the call that was made: a person, somebody's voicemail, a menu?

    [..., STT(...), EOT(...), Screening(ScreeningSettings(message="...")), TurnTaking(...), ...]

It hears what turn taking would hear, and holds it back until it knows: a person, or an assistant that asks
who calls, is handed on with all that was said, so that the agent answers as ever. To a voicemail it speaks
its message after the beep, and hangs up. In a menu it presses the key of what is wanted, and listens again.
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
from .phrases import MENU, found
from .rules import Ears, Facts, ScreeningVerdict, judge, reconsider

__all__ = ["Screening", "ScreeningSettings"]

LAG = 1.0  # seconds that audio may come late
TICK = 0.1  # seconds between two looks at the rules, while nobody is known
PRESS = 0.7  # seconds of quiet in a menu after which a key is pressed
AGAIN = 3.0  # the same where nothing that was offered is wanted, and the fallback is pressed
PRESSES = 6  # keys after which a menu is given up
HELD = 180.0  # seconds that one is kept waiting behind a menu, after which it may be a person
AFTER_BEEP = 0.3  # seconds
NO_BEEP = 4.0  # seconds of quiet after which a voicemail is spoken to without a beep
LONGEST = 60.0  # seconds that a voicemail may speak


@dataclass(frozen=True)
class ScreeningSettings:
    """What to do with what answers. `within`: seconds after which whoever it is counts as a person.

    `message` is left on a voicemail; without one the call ends there. `wanted` are words of the menu's offer
    to take, best first; `fallback` is the key where none comes up. Without `wanted` the agent is handed the
    menu, as if it were a person.
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
                "screening: within is over 0 s, fallback is keys of a telephone, wanted is a tuple of words; "
                f"not {self.within:g}, {self.fallback!r} and {self.wanted!r}"
            )


class Screening(Stage):
    """Decides who answered, and deals with machines; stands before TurnTaking. For calls that we make."""

    def __init__(self, settings: ScreeningSettings | None = None) -> None:
        self.settings = settings or ScreeningSettings()
        self.answered: CallAnswered | None = None
        """What is known of who answered."""
        self._open = False
        """Whether what is heard goes on to turn taking."""
        self._ears = Ears(0.0)
        self._held: list[Frame] = []
        self._beeps: BeepDetector | None = None
        self._rate = 0
        self._audio_from = 0.0
        self._heard_to = 0.0
        self._presses = 0
        self._sure_at = 0.0  # when somebody who seems to be a person is one
        self._leaving = False

    @on(SessionStarted)
    def started(self, signal: SessionStarted) -> None:
        self._tick()

    @on(UserAudio)
    def audio(self, frame: UserAudio) -> None:
        self.push(frame)
        if not self._listening:
            return
        self._heard_to = frame.at / frame.sample_rate + len(frame.pcm) / 2 / frame.sample_rate
        if self._beeps is None or frame.sample_rate != self._rate:
            self._beeps, self._rate = BeepDetector(frame.sample_rate), frame.sample_rate
            self._audio_from = frame.at / frame.sample_rate
        for beep in self._beeps(frame.pcm):
            ended = self._audio_from + beep.ended
            self._ears.beeped(Beep(self._audio_from + beep.begun, ended, beep.hz), self._now)
            self._look()

    @on(
        SoundHeard, SpeechStarted, SpeechPaused, SpeechResumed, SpeechStopped, Transcript, TurnScored,
        TurnHinted,
    )  # fmt: skip
    def fact(self, fact: Any) -> None:
        if self._open:
            self.push(fact)
        elif self.answered is None or self.answered.who == "menu":
            self._held.append(fact)
        if not self._listening:
            return
        match fact:
            case SpeechStarted(at) | SpeechResumed(at):
                self._ears.speaks(at)
            case SpeechPaused(at) | SpeechStopped(at):
                self._ears.stops(at)
            case Transcript(text, final):
                self._ears.heard(text, final)
            case _:
                return
        self._look()

    @on(ReplyStarted)
    def reply_started(self, signal: ReplyStarted) -> None:
        """Nothing but our own message is to be spoken to a machine."""
        reply, knows = self.session.reply, self.answered is not None
        if knows and not self._open and not self._leaving and reply is not None:
            reply.interrupt("a machine has answered")

    def _tick(self) -> None:
        if self._listening:
            self._look()
            self.after(TICK, self._tick)

    @property
    def _now(self) -> float:
        """Up to when all was heard: audio may come late, and what has not come is no silence."""
        return max(self._heard_to, self.session.now - LAG)

    @property
    def _listening(self) -> bool:
        """Whether who answered may still be judged."""
        return not self._leaving and not (self._open and self.session.now >= self._sure_at)

    def _look(self) -> None:
        """Judge what is known, and do what it asks for."""
        if not self._listening:
            return
        now = self._now
        facts, who = self._ears.facts(now), self.answered.who if self.answered else None
        if self._open:
            self._decide(reconsider(facts), now)
        elif who != "voicemail":
            self._decide(judge(facts, HELD if who == "menu" else self.settings.within), now)
        match self.answered:
            case CallAnswered(who="voicemail"):
                self._wait_for_beep(facts, now)
            case CallAnswered(who="menu") if not self._open:
                self._find_key(facts, now)
            case _:
                pass

    def _decide(self, verdict: ScreeningVerdict | None, now: float) -> None:
        if verdict is None or (self.answered is not None and self.answered.who == verdict.who):
            return
        self.answered = CallAnswered(verdict.who, verdict.reason, self.session.now)
        self.push(self.answered)
        if verdict.who in ("person", "assistant") or (verdict.who == "menu" and not self.settings.wanted):
            self._hand_on(now)
            return
        self.session.interrupt("a machine has answered", force=True)
        if self._open:
            self.push(SpeechStopped(now))  # turn taking hears no more of it
        self._open, self._held = False, []

    def _hand_on(self, now: float) -> None:
        """Let the agent hear all that was held back, and all that follows."""
        self._open, self._sure_at = True, now + self.settings.within
        held, self._held = self._held, []
        for fact in held:
            self.push(fact)

    def _wait_for_beep(self, facts: Facts, now: float) -> None:
        beeped = facts.beep is not None and facts.quiet > 0 and now >= facts.beep.ended + AFTER_BEEP
        if self.settings.message and not (beeped or facts.quiet >= NO_BEEP or facts.elapsed >= LONGEST):
            return
        self._leaving = True
        self.run(Work(self), self._leave())

    async def _leave(self) -> AsyncGenerator[Frame | Signal, None]:
        if self.settings.message:
            self.session.say(self.settings.message, interruptible=False)
        await self.session.end("voicemail")
        return
        yield

    def _find_key(self, facts: Facts, now: float) -> None:
        if facts.quiet < PRESS:
            return
        offer = choose(facts.words, self.settings.wanted)
        if offer is None and not (found(MENU, facts.words) and facts.quiet >= AGAIN):
            return
        if self._presses == PRESSES:
            self.answered = CallAnswered("menu", f"{PRESSES} keys led to nobody", now)
            self.push(self.answered)
            self._hand_on(now)
            return
        self._presses += 1
        self.push(AgentKeys(offer[1] if offer else self.settings.fallback))
        self._held, self._ears = [], Ears(now)
