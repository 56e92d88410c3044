"""The turn engine: facts in, each with its time; decisions out, with the next deadline and the reason.

It knows neither clock nor event loop. Every transition stands in `TABLE`: what happens in a state, what is
done about it, and the state that follows. What is done stands in `ending` (the user's turn) and `overlap`
(both are heard).
"""

from collections.abc import Callable

from ..frames import (
    SoundHeard,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    SpeechStopped,
    TalkButton,
    Transcript,
    TurnHinted,
    TurnScored,
    UserKey,
)
from . import ending, overlap
from .decisions import (
    BeIdle,
    Deadline,
    Decision,
    EndTurn,
    Fact,
    ReplyBegan,
    ReplyOver,
    SayBackchannel,
    SpeculationDropped,
    VoiceAt,
)
from .floor import Floor, State
from .interruption import InterruptionClassifier
from .listening import Backchannels, Idle
from .settings import TurnSettings

__all__ = ["TABLE", "State", "TurnEngine"]

Act = Callable[[Floor, "Fact", float], list[Decision]]
_L, _S, _E, _R = State.LISTENING, State.SPEAKING, State.ENDING, State.REPLYING
_P, _O, _J = State.SUSPECTING, State.OVERLAPPING, State.JUDGING

TABLE: dict[tuple[State, type], tuple[Callable[..., list[Decision]], State]] = {
    # state, fact          what is done         then
    (_L, SpeechStarted):  (ending.begin,        _S),
    (_L, SpeechResumed):  (ending.begin,        _S),
    (_L, Transcript):     (ending.unasked,      _L),
    (_L, ReplyBegan):     (overlap.begins,      _R),

    (_S, SpeechStarted):  (ending.more,         _S),
    (_S, SpeechResumed):  (ending.more,         _S),
    (_S, SpeechPaused):   (ending.stop,         _E),
    (_S, SpeechStopped):  (ending.stop,         _E),
    (_S, Transcript):     (ending.words,        _S),
    (_S, TurnScored):     (ending.score,        _S),
    (_S, TurnHinted):     (ending.hint,         _S),
    (_S, Deadline):       (ending.too_long,     _S),
    (_S, ReplyBegan):     (overlap.begins_too,  _S),
    (_S, ReplyOver):      (overlap.over,        _S),

    (_E, SoundHeard):     (ending.sound,        _E),
    (_E, SpeechStarted):  (ending.go_on,        _S),
    (_E, SpeechResumed):  (ending.go_on,        _S),
    (_E, SpeechPaused):   (ending.stop,         _E),
    (_E, SpeechStopped):  (ending.stop,         _E),
    (_E, Transcript):     (ending.words,        _E),
    (_E, TurnScored):     (ending.score,        _E),
    (_E, TurnHinted):     (ending.hint,         _E),
    (_E, Deadline):       (ending.weigh,        _E),
    (_E, ReplyBegan):     (overlap.begins_too,  _E),
    (_E, ReplyOver):      (overlap.over,        _E),

    (_R, SoundHeard):     (overlap.suspect,     _P),
    (_R, SpeechStarted):  (overlap.speaks,      _O),
    (_R, SpeechResumed):  (overlap.speaks,      _O),
    (_R, Transcript):     (overlap.unasked,     _R),
    (_R, Deadline):       (overlap.unfounded,   _R),
    (_R, ReplyBegan):     (overlap.begins,      _R),
    (_R, ReplyOver):      (overlap.over,        _L),

    (_P, SoundHeard):     (overlap.suspect,     _P),
    (_P, SpeechStarted):  (overlap.speaks,      _O),
    (_P, SpeechResumed):  (overlap.speaks,      _O),
    (_P, Transcript):     (overlap.unasked,     _P),
    (_P, Deadline):       (overlap.unfounded,   _R),
    (_P, ReplyOver):      (overlap.over,        _L),

    (_O, SpeechPaused):   (overlap.quiet,       _J),
    (_O, SpeechStopped):  (overlap.quiet,       _J),
    (_O, Transcript):     (overlap.words,       _O),
    (_O, TurnHinted):     (overlap.hint,        _O),
    (_O, Deadline):       (overlap.due,         _O),
    (_O, ReplyOver):      (overlap.alone,       _S),

    (_J, SpeechStarted):  (overlap.speaks_on,   _O),
    (_J, SpeechResumed):  (overlap.speaks_on,   _O),
    (_J, SpeechPaused):   (overlap.quiet,       _J),
    (_J, SpeechStopped):  (overlap.quiet,       _J),
    (_J, Transcript):     (overlap.words,       _J),
    (_J, TurnScored):     (ending.score,        _J),
    (_J, TurnHinted):     (overlap.hint,        _J),
    (_J, Deadline):       (overlap.due,         _J),
    (_J, ReplyOver):      (overlap.alone,       _E),

    # whoever has the floor:
    **{(state, TalkButton): (ending.button, state) for state in State},
    **{(state, UserKey): (ending.key, state) for state in State},
    **{(state, VoiceAt): (overlap.voice_at, state) for state in State},
    **{(state, SpeculationDropped): (overlap.wasted, state) for state in State},
}  # fmt: skip
"""Every transition. A fact that is not listed for a state changes nothing. What is decided on the way leads
elsewhere: see `diagram.DECIDED`."""


SPEECH: dict[type, bool] = {
    SpeechStarted: True,
    SpeechResumed: True,
    SpeechPaused: False,
    SpeechStopped: False,
}


class TurnEngine:
    """The floor of one conversation, and the agent's patience with it.

    `classifier` decides what a sound over the agent's voice is; None is the rules of the policy.
    """

    def __init__(
        self, settings: TurnSettings | None = None, *, classifier: InterruptionClassifier | None = None
    ) -> None:
        self.settings = settings or TurnSettings()
        self.floor = Floor(self.settings, classifier)
        self._listeners = (Backchannels(self.settings.backchannels), Idle(self.settings.idle))

    @property
    def state(self) -> State:
        return self.floor.state

    @property
    def deadline(self) -> float | None:
        """When to call `decide(Deadline(), now)`, if nothing else happens."""
        times = [due.at for listener in self._listeners if (due := listener.due) is not None]
        if self.floor.deadline is not None:
            times.append(self.floor.deadline)
        return min(times, default=None)

    def decide(self, fact: Fact, now: float) -> list[Decision]:
        """Take a fact; gives what must be done about it, and sets `deadline`."""
        floor, decisions = self.floor, list[Decision]()
        floor.speaking = SPEECH.get(type(fact), floor.speaking)
        if not isinstance(fact, Deadline) or (floor.deadline is not None and floor.deadline <= now + 1e-6):
            rule = TABLE.get((floor.state, type(fact)))
            if rule is not None:
                act, floor.state = rule
                decisions = act(floor, fact, now)
            elif isinstance(fact, Deadline):
                floor.deadline = None
        for listener in self._listeners:
            listener.take(fact, now)
            for decision in decisions:
                if isinstance(decision, EndTurn):
                    listener.take(decision, now)
        return decisions + self._listen(now) if isinstance(fact, Deadline) else decisions

    def _listen(self, now: float) -> list[Decision]:
        """What the agent does as a listener, if its time has come."""
        decisions: list[Decision] = []
        for listener in self._listeners:
            due = listener.due
            if due is None or due.at > now + 1e-6:
                continue
            listener.done(now)
            if due.action == "backchannel":
                decisions.append(SayBackchannel(due.text))
            else:
                decisions.append(BeIdle(due.action, due.text))
        return decisions
