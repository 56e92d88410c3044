"""One turn of a conversation with a realtime model, measured."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

from ...audio.resample import Resampler
from ...clock import Clock, LoopClock
from ...context import Context
from ...errors import TheyErred, UnavailableError
from ...frames import ToolCall
from ...services.ports import RealtimeModel
from ...services.realtime_vocabulary import (
    AgentWords,
    Consumed,
    Faulted,
    RealtimeEvent,
    RealtimeInput,
    Respond,
    ResponseOver,
    SpeechBegan,
    SpeechOver,
    UserHeard,
    UserSound,
    Voice,
)
from ...services.streams import closing
from .recordings import Recording

__all__ = ["TurnTrial", "converse"]

PIECE = 0.02  # seconds of sound that are given at once, in real time
ServiceUsed = tuple[str, str]


@dataclass(slots=True)
class TurnTrial:
    """A question and its answer.

    `first` is the seconds from the end of the question to the first sound of the answer, or to its first word
    if the model does not speak. `usage` is by service (vendor and model), then unit.
    """

    heard: str = ""
    said: str = ""
    first: float | None = None
    spoken: float = 0.0
    usage: dict[ServiceUsed, dict[str, float]] = field(default_factory=dict[ServiceUsed, dict[str, float]])

    def use(self, event: Consumed, model: RealtimeModel) -> None:
        """Count what was consumed."""
        by = (event.vendor, event.model) if event.vendor else (model.vendor, model.model)
        used = self.usage.setdefault(by, {})
        used[event.unit] = used.get(event.unit, 0.0) + event.amount


async def converse(model: RealtimeModel, question: Recording, instructions: str) -> TurnTrial:
    """Ask a spoken question, and hear the answer out.

    Raises TheyErred if there is none.
    """
    turn = _Turn(model, question)
    stream = model.converse(Context(instructions), turn.inputs(), detects=turn.detects)
    async with closing(stream) as events:
        async for event in events:
            if turn.over(event):
                break
    if turn.trial.first is None:
        raise UnavailableError("no answer came")
    return turn.trial


class _Turn:
    """What goes in, and what is noted of what comes out."""

    def __init__(self, model: RealtimeModel, question: Recording) -> None:
        self.trial = TurnTrial()
        self.detects = model.detection == "theirs"
        self._model = model
        self._clock: Clock = LoopClock()
        self._pcm = Resampler(question.sample_rate, model.input_rate)(question.pcm)
        self._last = max(end for _, end in question.speech) / question.sample_rate
        self._begun = 0.0

    async def inputs(self) -> AsyncGenerator[RealtimeInput]:
        """Yield the question in real time, then silence until it is answered."""
        size = round(PIECE * self._model.input_rate) * 2
        self._begun, sent = self._clock.now(), 0
        end = round(self._last * self._model.input_rate) * 2
        question = self._pcm[:end]
        if not self.detects:
            yield SpeechBegan()
        while self.detects or sent < end:
            piece = question[sent : sent + size] or bytes(size)
            yield UserSound(piece)
            sent += len(piece)
            at = self._begun + sent / 2 / self._model.input_rate
            await self._clock.sleep(max(0.0, at - self._clock.now()))
        yield SpeechOver()
        yield Respond()
        await asyncio.Event().wait()  # the conversation goes on until the caller leaves it

    def over(self, event: RealtimeEvent) -> bool:
        """Note an event; returns whether the turn is over."""
        trial = self.trial
        match event:
            case Voice(pcm) if pcm:
                self._first()
                trial.spoken += len(pcm) / 2 / self._model.output_rate
            case AgentWords(text):
                trial.said += text
                if not self._model.speaks:
                    self._first()
            case UserHeard(_, text):
                trial.heard = text
            case Consumed():
                trial.use(event, self._model)
            case Faulted(error):
                raise error
            case ToolCall():
                raise UnavailableError("it called a tool that it was not given")
            case ResponseOver(status, reason):
                if status == "failed":
                    raise TheyErred(reason or "the response failed")
                return trial.first is not None
            case _:
                pass
        return False

    def _first(self) -> None:
        if self.trial.first is None:
            self.trial.first = max(0.0, self._clock.now() - self._begun - self._last)
