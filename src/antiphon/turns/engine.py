"""The turn engine: facts with times in, decisions and a deadline out.

It knows neither clock nor event loop. Every transition stands in `table.TABLE`; the acts that it names are
functions in `user_turn` (the user's turn) and `overlap` (both are heard).
"""

from ..frames import SpeechPaused, SpeechResumed, SpeechStarted, SpeechStopped
from .backchannels import Backchannels
from .decisions import Deadline, Decision, EndTurn, Fact
from .floor import Floor, State
from .idle import Idle
from .interruption import InterruptionClassifier
from .settings import TurnSettings
from .table import TABLE

__all__ = ["State", "TurnEngine"]


SPEECH: dict[type, bool] = {
    SpeechStarted: True,
    SpeechResumed: True,
    SpeechPaused: False,
    SpeechStopped: False,
}


class TurnEngine:
    """The engine of one conversation, which decides who has the floor.

    `classifier` decides what a sound over the agent's voice is; None means the rules of the policy.
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
        """When to call `decide(Deadline(), now)` if nothing else happens first."""
        times = [due.at for listener in self._listeners if (due := listener.due) is not None]
        if self.floor.deadline is not None:
            times.append(self.floor.deadline)
        return min(times, default=None)

    def decide(self, fact: Fact, now: float, heard: float | None = None) -> list[Decision]:
        """Return what must be done about a fact, and update `state` and `deadline`.

        `heard` is up to when it is known whether the user spoke; None means up to now. Only that much can
        count as quiet, so a deadline is reached when this reaches it.
        """
        floor, decisions = self.floor, list[Decision]()
        floor.heard = heard = now if heard is None else heard
        floor.speaking = SPEECH.get(type(fact), floor.speaking)
        if not isinstance(fact, Deadline) or (floor.deadline is not None and floor.deadline <= heard + 1e-6):
            row = TABLE.get((floor.state, type(fact)))
            if row is not None:
                try:
                    then, decisions = row.act(floor, fact, now)
                except Exception:
                    floor.state = next(iter(row.then))
                    raise
                assert then in row.then, f"{row.act.__qualname__}: {then} does not follow {floor.state}"
                floor.state = then
            elif isinstance(fact, Deadline):
                floor.deadline = None
        for listener in self._listeners:
            listener.observe(fact, now)
            for decision in decisions:
                if isinstance(decision, EndTurn):
                    listener.observe(decision, now)
        return decisions + self._decide_due(now, heard) if isinstance(fact, Deadline) else decisions

    def _decide_due(self, now: float, heard: float) -> list[Decision]:
        """Return the decisions of the listeners that are due now."""
        decisions: list[Decision] = []
        for listener in self._listeners:
            due = listener.due
            if due is not None and due.at <= heard + 1e-6:
                listener.done(now)
                decisions.append(due.decision)
        return decisions
