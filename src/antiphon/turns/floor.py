"""The floor of one conversation: who has it, and all that is known about who should."""

import re
from enum import Enum, auto
from math import inf

from ..frames import Transcript
from .decisions import Decision, DropSpeculation, Interrupt, PauseVoice, ResumeVoice, VoiceAt
from .interruption import InterruptionClassifier, InterruptionRules, Judgement, Overlap
from .pauses import Pauses
from .settings import TurnSettings
from .utterance import Utterances, alike

__all__ = ["Floor", "State"]


SAYING = 200  # characters of what the agent has said and says next, in which its echo is looked for
HELD = 8.0  # seconds that the voice is held, at most, for a user who may never stop


class State(Enum):
    """Who has the floor, and what is still to be decided."""

    LISTENING = auto()
    """Nobody speaks."""
    SPEAKING = auto()
    """The user speaks."""
    ENDING = auto()
    """The user is quiet; the turn may be over."""
    REPLYING = auto()
    """The agent thinks or speaks."""
    SUSPECTING = auto()
    """A sound over the agent's voice, which is held: speech, perhaps."""
    OVERLAPPING = auto()
    """The user speaks over the agent, whose voice is held: for the floor, perhaps."""
    JUDGING = auto()
    """The user is quiet again, and it is still to be decided what that was."""


class Floor:
    """What the acts of the engine read and write."""

    def __init__(self, settings: TurnSettings, classifier: InterruptionClassifier | None) -> None:
        self.settings = settings
        self.state = State.LISTENING
        self.deadline: float | None = None
        """When something is to be decided, if nothing else happens."""
        self.classifier = classifier or InterruptionRules(settings.interruption)
        self.wake = re.compile(settings.wake_phrase, re.IGNORECASE) if settings.wake_phrase else None
        self.awake_until = 0.0
        # The user
        self.pauses = Pauses()
        self.turn = Utterances(0.0)
        """What the user is saying, or has said last."""
        self.sound: float | None = None
        """Since when there has been a sound that may become speech."""
        self.speaking = False
        """Whether the user speaks now, as the VAD hears it."""
        self.certain = ""
        """Why the turn is over as soon as its words are there, whatever they are."""
        self.guess: str | None = None
        """The words for which a reply has been begun, unheard."""
        self.guesses = 0
        self.wasted = 0
        """Characters that were written for guesses that were wrong."""
        self.cut = False
        """Whether a sound without words has interrupted the agent."""
        self.back_off = 0.0
        self.taken: tuple[str, float] | None = None
        """Interim words that were taken for final ones, which are still to come; and when they ended."""
        # The agent
        self.replying = False
        """Whether there is a reply; the state says so only while the user is quiet."""
        self.interruptible = True
        self.paused = False
        self.held_until = 0.0
        self.voice = VoiceAt()
        self.voiced = 0.0
        """Seconds of it that had been heard when the user began to speak over it."""
        self.asked = ""
        """What the agent has said last."""

    def take(self, at: float) -> None:
        """The user has the floor."""
        self.turn = Utterances(at)
        self.sound, self.certain, self.cut = None, "", False
        self.guess, self.guesses, self.back_off = None, 0, 0.0

    @property
    def resting(self) -> State:
        """The state while the user is quiet."""
        return State.REPLYING if self.replying else State.LISTENING

    @property
    def limit(self) -> float | None:
        """When this turn has been going on for too long, or has held the agent's voice for too long."""
        limit = self.settings.limit.deadline(self.turn.started)
        held = self.held_until if self.paused else None
        settled = self.turn.settled
        noise = None if settled is None else settled + self.settings.endpointing.ceiling
        return min((time for time in (limit, held, noise) if time is not None), default=None)

    @property
    def yields(self) -> bool:
        """Whether speech can interrupt the agent now."""
        rules, left = self.settings, self.voice.left
        may = self.interruptible and rules.starts_by == "speech"
        return may and (left is None or left > rules.interruption.near_end)

    # Interim words that had to do ------------------------------------------------------------------

    def settle(self) -> None:
        """The words that there are must do, be they final or not."""
        turn = self.turn
        self.taken = (turn.interim, turn.ended) if turn.words_due else None

    def knows(self, words: Transcript, *, spoken_since: bool) -> bool:
        """Whether these are the final words of interim ones that had to do.

        Where they do not say when they were spoken, they are not if there has been speech since.
        """
        if self.taken is None:
            return False
        taken, ended = self.taken
        early = words.started < ended if words.ended else not spoken_since
        if words.final:
            self.taken = None
        return early and bool(taken) and alike(taken, words.text)

    def heeds(self, text: str, now: float) -> bool:
        """Whether a turn of these words is meant for the agent."""
        return self.wake is None or now <= self.awake_until or self.wake.search(text) is not None

    def judge(self, now: float, *, over: bool, last: bool = False) -> Judgement:
        """What the user's sound over the agent's voice is; `last`: as far as it will ever be known."""
        turn, voice = self.turn, self.voice
        return self.classifier.judge(
            Overlap(
                seconds=(turn.ended if over else now) - turn.started + 1e-6,
                words=turn.text,
                final=not turn.words_due,
                over=over,
                voiced=self.voiced,
                left=voice.left,
                saying=voice.said,
                says_next=voice.says_next,
                quiet=0.0 if not over else inf if last else now - turn.ended,
            )
        )

    # Decisions that change what is known -----------------------------------------------------------

    def interrupt(self, reason: str) -> Interrupt:
        """The reply is over."""
        self.paused = False
        return Interrupt(reason)

    def pause(self, reason: str, now: float) -> list[Decision]:
        """Hold the voice, if it is not held already and the policy wants it."""
        if self.paused or self.settings.interruption.first == "play on":
            return []
        self.paused, self.held_until = True, now + HELD
        return [PauseVoice(reason)]

    def resume(self) -> list[Decision]:
        """Let the voice go on, if it was held."""
        paused, self.paused = self.paused, False
        return [ResumeVoice()] if paused else []

    def drop(self, reason: str) -> list[Decision]:
        """What was begun for the guess is of no use."""
        dropped, self.guess = self.guess, None
        return [] if dropped is None else [DropSpeculation(reason)]
