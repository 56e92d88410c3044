"""The turn engine: facts in, each with its time; decisions out, with the next deadline and the reason.

It knows neither clock nor event loop. Every transition stands in `TABLE`: what happens in a state, what is
done about it, and the state that follows.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from ..errors import ConfigurationError
from ..frames import SpeechPaused, SpeechResumed, SpeechStarted, SpeechStopped, Transcript, TurnScored

__all__ = ["TABLE", "Decision", "EndTurn", "Interrupt", "StartTurn", "State", "TurnEngine", "TurnSettings"]


@dataclass(frozen=True, slots=True)
class TurnSettings:
    """Durations in seconds of quiet, probabilities from 0 to 1."""

    done_above: float = 0.5
    """The end-of-turn model's probability from which the turn is over as soon as the speech is."""
    patience: float = 1.5
    """How long quiet lasts before the turn is over whatever the model says."""
    patience_without_model: float = 0.8
    """The same where no end-of-turn model is asked."""
    words_within: float = 2.0
    """How long after the end of the turn its last words are waited for."""

    def __post_init__(self) -> None:
        if not 0 <= self.done_above <= 1:
            raise ConfigurationError("turns: done_above is a probability, from 0 to 1")
        if min(self.patience, self.patience_without_model, self.words_within) < 0:
            raise ConfigurationError("turns: durations are seconds, 0 or more")


class State(Enum):
    """Where the user's turn stands."""

    LISTENING = auto()
    """The user has not begun."""
    SPEAKING = auto()
    """The user speaks."""
    ENDING = auto()
    """The user is quiet; the turn may be over."""


@dataclass(frozen=True, slots=True)
class StartTurn:
    """The user has taken the floor."""

    at: float


@dataclass(frozen=True, slots=True)
class Interrupt:
    """The user speaks over the agent: the reply must stop."""

    reason: str


@dataclass(frozen=True, slots=True)
class EndTurn:
    """The user's turn is over; `text` is "" where there were no words in it."""

    text: str
    started: float
    ended: float
    reason: str


@dataclass(frozen=True, slots=True)
class Deadline:
    """The time that was asked for has come."""


@dataclass(frozen=True, slots=True)
class ReplyBegan:
    """The agent makes or speaks a reply."""


@dataclass(frozen=True, slots=True)
class ReplyOver:
    """The agent has finished."""


Decision = StartTurn | Interrupt | EndTurn
Fact = (
    SpeechStarted | SpeechPaused | SpeechResumed | SpeechStopped
    | Transcript | TurnScored | Deadline | ReplyBegan | ReplyOver
)  # fmt: skip


class TurnEngine:
    """The floor of one conversation."""

    def __init__(self, settings: TurnSettings | None = None, *, model: bool = True) -> None:
        self.settings = settings or TurnSettings()
        self.state = State.LISTENING
        self.deadline: float | None = None
        """When to call `decide(Deadline(), now)`, if nothing else happens."""
        self._model = model
        self._agent_busy = False
        self._begin_turn(0.0)

    def _begin_turn(self, at: float) -> None:
        self._started = at
        self._ended = at
        self._words: list[str] = []
        self._words_due = False
        self._score: float | None = None

    def decide(self, fact: Fact, now: float) -> list[Decision]:
        """Take a fact; gives what must be done about it, and sets `deadline`."""
        rule = TABLE.get((self.state, type(fact)))
        if rule is None:
            return []
        act, following = rule
        self.state = following
        return act(self, fact, now)

    # What is done ----------------------------------------------------------------------------------

    def take_floor(self, fact: SpeechStarted, now: float) -> list[Decision]:
        self._begin_turn(fact.at)
        self._words_due = True
        interrupt = [Interrupt("the user spoke")] if self._agent_busy else []
        return [StartTurn(fact.at), *interrupt]

    def go_on(self, fact: SpeechStarted, now: float) -> list[Decision]:
        self.deadline = None
        self._score = None
        self._words_due = True
        return [Interrupt("the user went on")] if self._agent_busy else []

    def stop(self, fact: SpeechStopped, now: float) -> list[Decision]:
        self._ended = fact.at
        return self.weigh(fact, now)

    def score(self, fact: TurnScored, now: float) -> list[Decision]:
        self._score = fact.probability
        return self.weigh(fact, now) if self.state is State.ENDING else []

    def resumed(self, fact: SpeechResumed, now: float) -> list[Decision]:
        self._score = None
        return []

    def words(self, fact: Transcript, now: float) -> list[Decision]:
        if fact.final:
            self._words_due = False
            if fact.text:
                self._words.append(fact.text)
        return self.weigh(fact, now) if self.state is State.ENDING else []

    def late_words(self, fact: Transcript, now: float) -> list[Decision]:
        """Words that come after their turn has ended, or from a service without VAD, are a turn."""
        if not fact.final or not fact.text:
            return []
        self._begin_turn(fact.started)
        self._ended = fact.ended
        self._words.append(fact.text)
        interrupt = [Interrupt("the user's words came late")] if self._agent_busy else []
        return [StartTurn(fact.started), *interrupt, *self._end("late words")]

    def weigh(self, fact: object, now: float) -> list[Decision]:
        """End the turn if it has been quiet for long enough and the words are there."""
        rules = self.settings
        if self._score is not None and self._score >= rules.done_above:
            due, reason = self._ended, f"sounds finished ({self._score:.2f})"
        elif self._model:
            due, reason = self._ended + rules.patience, f"quiet for {rules.patience:g} s"
        else:
            due, reason = (
                self._ended + rules.patience_without_model,
                f"quiet for {rules.patience_without_model:g} s",
            )
        if self._words_due:
            due = max(due, self._ended) + rules.words_within
            reason += ", words missing"
        if now < due - 1e-6:
            self.deadline = due
            return []
        return self._end(reason)

    def agent_busy(self, fact: ReplyBegan, now: float) -> list[Decision]:
        self._agent_busy = True
        return []

    def agent_free(self, fact: ReplyOver, now: float) -> list[Decision]:
        self._agent_busy = False
        return []

    def _end(self, reason: str) -> list[Decision]:
        self.deadline = None
        self.state = State.LISTENING
        return [EndTurn(" ".join(self._words), self._started, self._ended, reason)]


Act = Callable[[TurnEngine, "Fact", float], list[Decision]]
_L, _S, _E = State.LISTENING, State.SPEAKING, State.ENDING
_T = TurnEngine

TABLE: dict[tuple[State, type], tuple[Callable[..., list[Decision]], State]] = {
    # state, fact              what is done       then
    (_L, SpeechStarted):      (_T.take_floor,     _S),
    (_S, SpeechStopped):      (_T.stop,           _E),
    (_E, SpeechStarted):      (_T.go_on,          _S),
    (_S, SpeechResumed):      (_T.resumed,        _S),
    (_S, TurnScored):         (_T.score,          _S),
    (_E, TurnScored):         (_T.score,          _E),
    (_S, Transcript):         (_T.words,          _S),
    (_E, Transcript):         (_T.words,          _E),
    (_L, Transcript):         (_T.late_words,     _L),
    (_E, Deadline):           (_T.weigh,          _E),
    (_L, ReplyBegan):         (_T.agent_busy,     _L),
    (_S, ReplyBegan):         (_T.agent_busy,     _S),
    (_E, ReplyBegan):         (_T.agent_busy,     _E),
    (_L, ReplyOver):          (_T.agent_free,     _L),
    (_S, ReplyOver):          (_T.agent_free,     _S),
    (_E, ReplyOver):          (_T.agent_free,     _E),
}  # fmt: skip
"""Every transition. A fact not listed for a state changes nothing; ENDING ends by itself (`weigh`)."""
