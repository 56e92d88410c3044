"""A model that hears and speaks by a script, with exact timing."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import Literal

from ..context import Context
from ..services.ports import RealtimeModel, Sees
from ..services.realtime_vocabulary import (
    AgentWords,
    CutShort,
    RealtimeEvent,
    RealtimeInput,
    Remember,
    Respond,
    ResponseBegan,
    ResponseOver,
    Say,
    SpeechOver,
    UserCutIn,
    UserHeard,
    UserSound,
    UserSpeaks,
    Voice,
)
from ..signals import ToolCall
from .scripted import Answer

__all__ = ["ScriptedRealtime"]

EACH = 0.02  # seconds between two pieces of voice, each of 0.1 s
QUIET = 0.5  # seconds of quiet after which a turn is over, for a model that detects turns


class ScriptedRealtime(RealtimeModel):
    """A model with these answers in order, and these words of the user.

    An answer is a text, tool calls or an exception. The words of a turn come `words_after` seconds after its
    end, the first voice `first` seconds after it was asked for, at 14 characters a second. With `detects`,
    audio that is not mostly zeros is speech.
    """

    input_rate = 16000
    output_rate = 24000

    def __init__(
        self,
        answers: Sequence[Sequence[Answer] | str],
        heard: Sequence[str] = (),
        *,
        first: float = 0.2,
        words_after: float = 0.5,
        detection: Literal["ours", "theirs", "either"] = "either",
        speaks: bool = True,
        sees: Sees = "nothing",
    ) -> None:
        self.answers = deque[Sequence[Answer]]([one] if isinstance(one, str) else one for one in answers)
        self.heard = deque(heard)
        self.first = first
        self.words_after = words_after
        self.detection = detection
        self.speaks = speaks
        self.sees: Sees = sees
        self.inputs: list[RealtimeInput] = []
        """Everything that came in, without the sound."""
        self.sound = 0.0
        """Seconds of sound that came in."""
        self.open_conversations = 0

    async def converse(
        self, context: Context, inputs: AsyncIterator[RealtimeInput], *, detects: bool = False
    ) -> AsyncIterator[RealtimeEvent]:
        """Hold one conversation by the script."""
        events = asyncio.Queue[RealtimeEvent | Exception]()
        self.inputs.append(Remember(context))
        self.open_conversations += 1
        talk = _Talk(self, events, detects)
        reading = asyncio.create_task(talk.read(inputs))
        try:
            while True:
                event = await events.get()
                if isinstance(event, Exception):
                    raise event
                yield event
        finally:
            self.open_conversations -= 1
            for task in (reading, *talk.tasks):
                task.cancel()
            await asyncio.gather(reading, *talk.tasks, return_exceptions=True)


class _Talk:
    """One conversation."""

    def __init__(
        self, model: ScriptedRealtime, events: "asyncio.Queue[RealtimeEvent | Exception]", detects: bool
    ) -> None:
        self.tasks: set[asyncio.Task[None]] = set()
        self._model = model
        self._events = events
        self._detects = detects
        self._turns = 0
        self._quiet: float | None = None  # seconds since the user's last sound; None if no turn is open
        self._response: asyncio.Task[None] | None = None

    async def read(self, inputs: AsyncIterator[RealtimeInput]) -> None:
        async for item in inputs:
            match item:
                case UserSound(pcm):
                    self._model.sound += len(pcm) / 2 / self._model.input_rate
                    if self._detects:
                        self._detect(pcm)
                    continue
                case SpeechOver():
                    self._begin(self._tell_words(self._turns))
                    self._turns += 1
                case Respond():
                    self._respond(self._answer())
                case Say(text):
                    self._respond([text])
                case CutShort():
                    self._stop()
                case _:
                    pass
            self._model.inputs.append(item)

    def _answer(self) -> Sequence[Answer]:
        return self._model.answers.popleft() if self._model.answers else ["I see."]

    def _detect(self, pcm: bytes) -> None:
        if pcm.count(0) < len(pcm) * 3 // 4:
            if self._quiet is None:
                self._events.put_nowait(UserSpeaks(True))
                if self._response is not None and not self._response.done():
                    self._events.put_nowait(UserCutIn())
                    self._stop()
            self._quiet = 0.0
        elif self._quiet is not None:
            self._quiet += len(pcm) / 2 / self._model.input_rate
            if self._quiet >= QUIET - 1e-6:
                self._quiet = None
                self._events.put_nowait(UserSpeaks(False))
                self._begin(self._tell_words(self._turns))
                self._turns += 1
                self._respond(self._answer())

    def _begin(self, work: Coroutine[object, object, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    def _respond(self, answer: Sequence[Answer]) -> None:
        self._response = self._begin(self._speak(answer, self._response))

    def _stop(self) -> None:
        if self._response is not None and not self._response.done():
            self._response.cancel()

    async def _tell_words(self, turn: int) -> None:
        if not self._model.heard:
            return
        words = self._model.heard.popleft()
        await asyncio.sleep(self._model.words_after)
        self._events.put_nowait(UserHeard(turn, words, True))

    async def _speak(self, answer: Sequence[Answer], before: "asyncio.Task[None] | None") -> None:
        began = False
        try:
            if before is not None:
                await asyncio.wait([before])
            await asyncio.sleep(self._model.first)
            began = True
            self._events.put_nowait(ResponseBegan())
            for item in answer:
                await self._say(item)
            self._events.put_nowait(ResponseOver())
        except asyncio.CancelledError:
            if not began:
                if before is not None:
                    await asyncio.wait([before])
                self._events.put_nowait(ResponseBegan())
            self._events.put_nowait(ResponseOver("cancelled"))

    async def _say(self, item: Answer) -> None:
        if isinstance(item, Exception):
            self._events.put_nowait(item)
            await asyncio.Event().wait()
        if isinstance(item, ToolCall):
            self._events.put_nowait(item)
            return
        assert isinstance(item, str)
        self._events.put_nowait(AgentWords(item))
        seconds = len(item) / 14 if self._model.speaks else 0.0
        while seconds > 1e-6:
            piece = min(0.1, seconds)
            self._events.put_nowait(Voice(b"\x00\x10" * round(piece * self._model.output_rate)))
            seconds -= piece
            await asyncio.sleep(EACH)
