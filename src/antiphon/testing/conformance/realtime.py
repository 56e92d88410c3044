"""The conformance suite for models that hear and speak.

    await check_realtime(lambda: MyModel(key), speech)

It raises an AssertionError that says what is wrong, and holds a few short conversations.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Self

from ...context import AgentSaid, Context, ToolSpec, UserSaid
from ...services.ports import RealtimeModel
from ...services.realtime_vocabulary import (
    AgentWords,
    CutShort,
    Discard,
    RealtimeEvent,
    RealtimeInput,
    Remember,
    Respond,
    ResponseBegan,
    ResponseOver,
    Say,
    SpeechBegan,
    SpeechOver,
    ToolOutput,
    UserCutIn,
    UserHeard,
    UserSound,
    UserSpeaks,
    UserWords,
    Voice,
)
from ...signals import ToolCall
from .life import alive

__all__ = ["TalkWithModel", "check_realtime"]

WITHIN = 10.0  # seconds that a model may take for each step
PIECE = 0.04  # seconds of sound that are given at once
INSTRUCTIONS = "Answer in one short sentence."
TOOL = ToolSpec(
    "weather", "The weather in a city.", {"type": "object", "properties": {"city": {"type": "string"}}}
)


class TalkWithModel:
    """One conversation with a model, outside of any session.

    It checks the grammar of the events.

    async with TalkWithModel(model, Context("Be kind.")) as talk:
        talk.say_turn(pcm)
        response = await talk.response()
    """

    def __init__(self, model: RealtimeModel, context: Context, *, detects: bool = False) -> None:
        self.model = model
        self.events: list[RealtimeEvent] = []
        """All events so far."""
        self._context = context
        self._detects = detects
        self._inputs = asyncio.Queue[RealtimeInput]()
        self._came = asyncio.Event()
        self._read = 0
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._reading = asyncio.create_task(self._listen())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._reading is not None
        self._reading.cancel()
        await asyncio.wait([self._reading], timeout=3)
        assert self._reading.done(), "a cancelled conversation continues"

    def give(self, *items: RealtimeInput) -> None:
        """Give the model inputs."""
        for item in items:
            self._inputs.put_nowait(item)

    def sound(self, pcm: bytes) -> None:
        """Let the model hear samples at its `input_rate`."""
        size = round(PIECE * self.model.input_rate) * 2
        self.give(*(UserSound(pcm[at : at + size]) for at in range(0, len(pcm), size)))

    def take_turn(self, pcm: bytes) -> None:
        """Say something, as the model must be told of it."""
        if self._detects:
            self.sound(pcm + bytes(self.model.input_rate * 2))
            return
        self.give(SpeechBegan())
        self.sound(pcm)
        self.give(SpeechOver(), Respond())

    async def until(self, kind: type, count: int = 1) -> list[RealtimeEvent]:
        """Return the events that were not read yet, up to the `count`th of a type."""
        begun = self._read
        try:
            async with asyncio.timeout(WITHIN):
                while True:
                    while self._read < len(self.events):
                        self._read += 1
                        if isinstance(self.events[self._read - 1], kind):
                            count -= 1
                            if not count:
                                return self.events[begun : self._read]
                    self._check()
                    self._came.clear()
                    await self._came.wait()
        except TimeoutError:
            raise AssertionError(
                f"no {kind.__name__} came within {WITHIN:g} s, only {self.events[begun:][-8:]}"
            ) from None

    async def response(self) -> list[RealtimeEvent]:
        """Return the events up to the end of the next response."""
        return await self.until(ResponseOver)

    async def status(self) -> str:
        """Return how the next response ended."""
        over = (await self.response())[-1]
        return over.status if isinstance(over, ResponseOver) else ""

    async def _listen(self) -> None:
        responding = False
        stream = self.model.converse(self._context, self._stream(), detects=self._detects)
        try:
            async for event in stream:
                match event:
                    case ResponseBegan():
                        assert not responding, "a response began before the one before it was over"
                        responding = True
                    case Voice(pcm):
                        assert responding, "there is voice outside of a response"
                        assert len(pcm) % 2 == 0, "audio must be whole 16-bit samples"
                    case AgentWords() | ToolCall():
                        assert responding, f"{event} came outside of a response"
                    case ResponseOver():
                        assert responding, "a response is over that never began"
                        responding = False
                    case _:
                        pass
                self.events.append(event)
                self._came.set()
        finally:
            self._came.set()
            close = getattr(stream, "aclose", None)
            if close is not None:
                await close()

    async def _stream(self) -> AsyncIterator[RealtimeInput]:
        while True:
            yield await self._inputs.get()

    def _check(self) -> None:
        """Raise what ended the conversation."""
        if self._reading is not None and self._reading.done():
            self._reading.result()
            raise AssertionError("the conversation ended by itself")


def voice_of(events: list[RealtimeEvent]) -> bytes:
    """Return the voice among events."""
    return b"".join(event.pcm for event in events if isinstance(event, Voice))


def words_of(events: list[RealtimeEvent]) -> str:
    """Return the agent's words among events."""
    return "".join(event.text for event in events if isinstance(event, AgentWords))


async def check_realtime(make: Callable[[], RealtimeModel], speech: bytes) -> None:
    """Check a model with `speech`, a question at its `input_rate`."""
    async with alive("realtime", make) as model:
        if model.detection != "theirs":
            await _check_turns(model, speech)
            await _check_interruption(model, speech)
            await _check_discarded(model, speech)
        if model.detection != "ours":
            await _check_detection(model, speech)
        if model.takes_words:
            await _check_words(model)
        if model.calls_tools:
            await _check_tool(model, speech)
        await _check_context(model, speech)


async def _check_turns(model: RealtimeModel, speech: bytes) -> None:
    async with TalkWithModel(model, Context(INSTRUCTIONS)) as talk:
        for _ in range(2):
            talk.take_turn(speech)
            response = await talk.response()
            assert response[-1] == ResponseOver(), response[-1]
            assert voice_of(response) or not model.speaks, "a response has no voice"
            assert words_of(response), "a response has no words"
        heard = [event for event in talk.events if isinstance(event, UserHeard)]
        assert [event.turn for event in heard] == sorted(event.turn for event in heard), (
            "turns are out of order"
        )


async def _check_interruption(model: RealtimeModel, speech: bytes) -> None:
    async with TalkWithModel(model, Context(INSTRUCTIONS)) as talk:
        talk.take_turn(speech)
        await talk.until(Voice if model.speaks else AgentWords)
        talk.give(CutShort(0.1))
        await talk.response()
        talk.take_turn(speech)
        talk.give(CutShort(0.0))  # before it has begun
        assert await talk.status() == "cancelled", "a response must be cancelled at once"
        talk.take_turn(speech)
        assert await talk.status() == "completed", "it must go on after an interruption"


async def _check_discarded(model: RealtimeModel, speech: bytes) -> None:
    async with TalkWithModel(model, Context(INSTRUCTIONS)) as talk:
        talk.give(SpeechBegan())
        talk.sound(speech)
        talk.give(Discard())
        talk.take_turn(speech)
        assert await talk.status() == "completed"
        assert sum(isinstance(event, ResponseBegan) for event in talk.events) == 1, (
            "what was discarded is no turn"
        )


async def _check_detection(model: RealtimeModel, speech: bytes) -> None:
    async with TalkWithModel(model, Context(INSTRUCTIONS), detects=True) as talk:
        talk.take_turn(speech)
        told = [event for event in await talk.response() if isinstance(event, UserSpeaks | ResponseBegan)]
        assert told[:3] == [UserSpeaks(True), UserSpeaks(False), ResponseBegan()], told
        talk.take_turn(speech)
        await talk.response()
        assert UserCutIn() in talk.events or UserSpeaks(True) in talk.events[len(told) :]


async def _check_words(model: RealtimeModel) -> None:
    async with TalkWithModel(model, Context(INSTRUCTIONS), detects=model.detection == "theirs") as talk:
        talk.give(Say("Good morning."))
        said = await talk.response()
        assert voice_of(said) or not model.speaks, "what it must say has no voice"
        talk.give(UserWords("What is the time?"), Respond())
        assert await talk.status() == "completed"


async def _check_tool(model: RealtimeModel, speech: bytes) -> None:
    context = Context(INSTRUCTIONS, (), (TOOL,))
    async with TalkWithModel(model, context, detects=model.detection == "theirs") as talk:
        talk.take_turn(speech)
        calls = [event for event in await talk.response() if isinstance(event, ToolCall)]
        assert [call.name for call in calls] == [TOOL.name], "the tool is not called"
        talk.give(*(ToolOutput(call.id, call.name, "sunny") for call in calls), Respond())
        assert words_of(await talk.response()), "there is no answer with the results of the tools"


async def _check_context(model: RealtimeModel, speech: bytes) -> None:
    said = (UserSaid("My name is Ada."), AgentSaid("Hello Ada."))
    async with TalkWithModel(model, Context(INSTRUCTIONS, said), detects=model.detection == "theirs") as talk:
        talk.give(Remember(Context(INSTRUCTIONS + " Be brief.", said)))
        talk.take_turn(speech)
        assert await talk.status() == "completed"
