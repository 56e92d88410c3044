"""Turn taking in a pipeline: tells the engine what happens, and does what it decides."""

from typing import Any

from ..clock import Timer
from ..frames import (
    ReplyEnded,
    ReplyStarted,
    SpeechResumed,
    SpeechStarted,
    SpeechStopped,
    Transcript,
    TurnScored,
    UserTurn,
    UserTurnStarted,
)
from ..processor import Processor, on
from .engine import Deadline, EndTurn, Interrupt, ReplyBegan, ReplyOver, StartTurn, TurnEngine, TurnSettings

__all__ = ["TurnTaking"]


class TurnTaking(Processor):
    """Makes the user's turns out of speech, words and end-of-turn scores, and interrupts the agent.

    `model`: whether an end-of-turn model stands before it; without one, quiet alone decides.
    """

    def __init__(self, settings: TurnSettings | None = None, *, model: bool = True) -> None:
        self.engine = TurnEngine(settings, model=model)
        self._timer: Timer | None = None

    @on(SpeechStarted, SpeechResumed, SpeechStopped, Transcript, TurnScored)
    def fact(self, fact: Any) -> None:
        self.push(fact)
        self._decide(fact)

    @on(ReplyStarted)
    def reply_started(self, signal: ReplyStarted) -> None:
        self._decide(ReplyBegan())

    @on(ReplyEnded)
    def reply_ended(self, signal: ReplyEnded) -> None:
        self._decide(ReplyOver())

    def _decide(self, fact: Any) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for decision in self.engine.decide(fact, self.session.now):
            match decision:
                case StartTurn(at):
                    self.push(UserTurnStarted(at))
                case Interrupt(reason):
                    self.session.interrupt(reason)
                case EndTurn(text, started, ended, reason) if text:
                    self.push(UserTurn(text, started, ended, reason))
                case EndTurn():
                    pass  # a noise: nothing was said
        if self.engine.deadline is not None:
            self._timer = self.session.timer(self, self.engine.deadline, self._due)

    def _due(self) -> None:
        self._timer = None
        self._decide(Deadline())
