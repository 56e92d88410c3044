"""The floor of one conversation: who has it, and who should have it."""

import re
from enum import Enum, auto
from math import inf

from ..frames import Transcript
from .decisions import Decision, DropSpeculation, Interrupt, PauseVoice, ResumeVoice, VoiceAt
from .interruption import InterruptionClassifier, InterruptionRules, Judgement, Overlap
from .pauses import Pauses
from .settings import TurnSettings
from .utterance import Utterances, alike, begins_with

__all__ = ["Floor", "State"]


SAYING = 200  # characters on either side of the playout position that are searched for the agent's echo
HELD = 8.0  # seconds: the longest that the voice is held for a user who does not stop speaking


class State(Enum):
    """Who has the floor, and what is still undecided."""

    __hash__ = object.__hash__  # that of Enum is written in Python, and every decision looks a state up

    LISTENING = auto()
    """Nobody speaks."""
    SPEAKING = auto()
    """The user speaks."""
    ENDING = auto()
    """The user is quiet; the turn may be over."""
    REPLYING = auto()
    """The agent thinks or speaks."""
    SUSPECTING = auto()
    """There is a sound over the agent's voice, which is held: it may be speech."""
    OVERLAPPING = auto()
    """The user speaks over the agent, whose voice is held: the user may want the floor."""
    JUDGING = auto()
    """The user is quiet again, and it is undecided what that was."""


class Floor:
    """What the acts of the engine read and write; only the engine writes `state`."""

    def __init__(self, settings: TurnSettings, classifier: InterruptionClassifier | None) -> None:
        self.settings = settings
        self.state = State.LISTENING
        self.heard = 0.0
        """Up to when it is known whether the user spoke: now, unless the machine is late."""
        self.deadline: float | None = None
        """When the engine must decide again if nothing else happens first."""
        self.classifier = classifier or InterruptionRules(settings.interruption)
        self.wake = re.compile(settings.wake_phrase, re.IGNORECASE) if settings.wake_phrase else None
        self.awake_until = 0.0
        # The user
        self.pauses = Pauses()
        self.turn = Utterances(0.0)
        """The user's current turn, or the last one."""
        self.sound: float | None = None
        """When a sound began that may still turn out to be speech."""
        self.speaking = False
        """True while the VAD hears speech."""
        self.ends_because = ""
        """If not empty: the turn ends as soon as its words are there, for this reason."""
        self.guess: str | None = None
        """The words for which a speculative reply is being made."""
        self.guesses = 0
        self.wasted = 0
        """Characters that were generated for speculative replies and then discarded."""
        self.interrupted_by_sound = False
        """True if a sound without words has interrupted the agent."""
        self.back_off = 0.0
        self.assumed_final: tuple[str, float] | None = None
        """Interim words that were used as final ones, and when they ended; the final ones may still come."""
        # The agent
        self.replying = False
        """True while there is a reply, in whatever state; the state is REPLYING only if the user is quiet."""
        self.interruptible = True
        self.paused = False
        self.held_until = 0.0
        self.voice = VoiceAt()
        self.voiced = 0.0
        """Seconds of the reply that had been heard when the user began to speak over it."""
        self.asked = ""
        """The end of the agent's last reply."""

    def begin_turn(self, at: float) -> None:
        """Begin a turn of the user, forgetting the evidence of the previous one."""
        self.turn = Utterances(at)
        self.sound, self.ends_because, self.interrupted_by_sound = None, "", False
        self.guess, self.guesses, self.back_off = None, 0, 0.0

    @property
    def resting(self) -> State:
        """The state while the user is quiet."""
        return State.REPLYING if self.replying else State.LISTENING

    @property
    def limit(self) -> float | None:
        """When this turn becomes too long, or has held the agent's voice for too long."""
        limit = self.settings.limit.deadline(self.turn.started)
        held = self.held_until if self.paused else None
        settled = self.turn.settled
        noise = None if settled is None else settled + self.settings.endpointing.ceiling
        return min((time for time in (limit, held, noise) if time is not None), default=None)

    @property
    def yields(self) -> bool:
        """True if speech can interrupt the agent now."""
        rules, left = self.settings, self.voice.left
        may = self.interruptible and rules.starts_by == "speech"
        return may and (left is None or left > rules.interruption.near_end)

    # Interim words used as final ones ----------------------------------------------------------------

    def assume_final(self) -> None:
        """Accept the words that are there as final.

        If final ones are still due, remember these, to recognise the final ones when they come.
        """
        turn = self.turn
        self.assumed_final = (turn.interim, turn.ended) if turn.words_due else None

    def is_known(self, words: Transcript, *, spoken_since: bool) -> bool:
        """Return True if these words only repeat interim ones that ended a turn before.

        A transcript without times is taken for new words if there has been speech since then. A recogniser
        that hears it all once more tells its first words first.
        """
        if self.assumed_final is None:
            return False
        assumed, ended = self.assumed_final
        early = words.started < ended if words.ended else not spoken_since
        if words.final:
            self.assumed_final = None
        again = not words.final and begins_with(assumed, words.text)
        return early and bool(assumed) and (again or alike(assumed, words.text))

    def is_late(self, words: Transcript) -> bool:
        """Return True if words belong to a turn that was over without them."""
        over = self.state in (State.LISTENING, State.REPLYING, State.SUSPECTING)
        return self.settings.wordless and (over or words.ended < self.turn.started)

    def is_addressed(self, text: str, now: float) -> bool:
        """Return True if a turn with these words is meant for the agent.

        That is so if no wake phrase is needed, or if the words contain it.
        """
        return self.wake is None or now <= self.awake_until or self.wake.search(text) is not None

    def judge(self, *, over: bool, last: bool = False) -> Judgement:
        """Ask the classifier what the user's sound is.

        `last` means that no more evidence will come.
        """
        turn, voice = self.turn, self.voice
        return self.classifier.judge(
            Overlap(
                seconds=(turn.ended if over else self.heard) - turn.started + 1e-6,
                words=turn.text,
                final=not turn.words_due,
                over=over,
                voiced=self.voiced,
                left=voice.left,
                saying=voice.said,
                says_next=voice.says_next,
                quiet=0.0 if not over else inf if last else self.heard - turn.ended,
            )
        )

    # Decisions that also change the floor ------------------------------------------------------------

    def interrupt(self, reason: str) -> Interrupt:
        """Return the decision to interrupt the reply."""
        self.paused = False
        return Interrupt(reason)

    def pause(self, reason: str, now: float) -> list[Decision]:
        """Hold the voice, unless it is held already or the policy lets it play on."""
        if self.paused or self.settings.interruption.first == "play on":
            return []
        self.paused, self.held_until = True, now + HELD
        return [PauseVoice(reason)]

    def resume(self) -> list[Decision]:
        """Let the voice go on, if it was held."""
        paused, self.paused = self.paused, False
        return [ResumeVoice()] if paused else []

    def drop_guess(self, reason: str) -> list[Decision]:
        """Drop the speculative reply, if there is one."""
        dropped, self.guess = self.guess, None
        return [] if dropped is None else [DropSpeculation(reason)]
