"""How LiveKit's plugins are driven, with a stand-in for LiveKit's package."""

import asyncio
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from antiphon.context import AgentSaid, Context, Image, ToolAnswered, ToolCall, ToolSpec, UserSaid
from antiphon.errors import (
    AntiphonError,
    AuthenticationError,
    BadResponseError,
    ConfigurationError,
    NothingSaidError,
    RateLimitError,
    UnavailableError,
)
from antiphon.services.ports import AudioChunk, Flush, Recognized, Speech, TextDelta, TokenUsage, Word
from antiphon.vendors import create
from antiphon.vendors.livekit import plugin as plugins
from antiphon.vendors.livekit.llm import LLM
from antiphon.vendors.livekit.stt import STT
from antiphon.vendors.livekit.tts import TTS

SESSION: ContextVar[str | None] = ContextVar("session", default=None)
TOOL = ToolSpec("hang_up", "End the call.", {"type": "object", "properties": {}})


class APIStatusError(Exception):
    """As LiveKit's plugins raise it."""

    def __init__(self, status_code: int) -> None:
        super().__init__("no, because")
        self.status_code = status_code


class APIError(Exception):
    """As LiveKit's plugins raise it."""

    retryable = True


class Stream:
    """What a plugin's stream yields and is told. An item that is an error is raised, None never comes."""

    def __init__(self, made: "Made", items: list[Any]) -> None:
        self.items = items
        self.told: list[Any] = []
        self.closed = 0
        made.streams.append(self)
        made.sessions.append(SESSION.get())

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        await asyncio.sleep(0)
        if not self.items:
            raise StopAsyncIteration
        item = self.items.pop(0)
        if isinstance(item, Exception):
            raise item
        if item is None:
            await asyncio.get_running_loop().create_future()
        return item

    async def aclose(self) -> None:
        self.closed += 1

    def push_frame(self, frame: Any) -> None:
        self.told.append(len(frame.data))

    def push_text(self, text: str) -> None:
        self.told.append(text)

    def flush(self) -> None:
        self.told.append("flush")

    def end_input(self) -> None:
        self.told.append("end")


class Made:
    """A plugin's object, whose streams yield these items."""

    sample_rate = 24000
    num_channels = 1

    def __init__(self, model: str = "its own", streaming: bool = True, **options: Any) -> None:
        if options.pop("fails", False):
            raise ValueError("the key is missing: set FAKE_API_KEY")
        self.model = model
        self.options = options
        self.items: list[list[Any]] = []
        self.asked: list[dict[str, Any]] = []
        self.streams: list[Stream] = []
        self.sessions: list[str | None] = []
        self.warmed: list[str | None] = []
        self.closed = False
        self.capabilities = SimpleNamespace(streaming=streaming, manual_flush=True)
        MADE.append(self)

    def prewarm(self) -> None:
        self.warmed.append(SESSION.get())

    async def aclose(self) -> None:
        self.closed = True

    def _stream(self, **asked: Any) -> Stream:
        self.asked.append(asked)
        return Stream(self, self.items.pop(0))

    stream = chat = synthesize = _stream

    async def recognize(self, **asked: Any) -> Any:
        self.asked.append(asked)
        self.sessions.append(SESSION.get())
        (item,) = self.items.pop(0)
        if isinstance(item, Exception):
            raise item
        return item


MADE: list[Made] = []


def given(make: Callable[[], Stream]) -> Any:
    """Return a method that makes a stream, whatever it is asked."""

    def stream(**_: Any) -> Stream:
        return make()

    return stream


@pytest.fixture(autouse=True)
def package(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:  # pyright: ignore[reportUnusedFunction]
    """LiveKit's package as it is documented."""

    @asynccontextmanager
    async def opened() -> AsyncGenerator[None]:
        SESSION.set("open")
        yield
        SESSION.set(None)

    def function_tool(function: Any, *, raw_schema: Any) -> Any:
        return raw_schema

    def frame(data: bytes, rate: int, channels: int, samples: int) -> Any:
        assert (rate, channels, samples) == (16000, 1, len(data) // 2)
        return SimpleNamespace(data=data)

    def named(name: str) -> Callable[..., Any]:
        def make(**values: Any) -> tuple[str, dict[str, Any]]:
            return name, values

        return make

    chat = ("ChatMessage", "ImageContent", "FunctionCall", "FunctionCallOutput")
    modules: dict[str, dict[str, Any]] = {
        "livekit.agents": {"APIConnectOptions": SimpleNamespace},
        "livekit.agents.utils.http_context": {"open": opened},
        "livekit.agents.llm": {
            "ChatContext": list[Any],
            "function_tool": function_tool,
            **{name: named(name) for name in chat},
        },
        "livekit.rtc": {"AudioFrame": frame},
        "livekit.plugins.fake": {"STT": Made, "LLM": Made, "TTS": Made, "Other": Made},
        "livekit.plugins.other_fake": {"STT": Made},
    }
    for name, values in modules.items():
        module: Any = ModuleType(name)
        module.__dict__.update(values)
        monkeypatch.setitem(sys.modules, name, module)
    MADE.clear()
    yield


async def collect(stream: AsyncIterator[Any]) -> list[Any]:
    return [item async for item in stream]


# Finding and making ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("port", "name", "model", "options"),
    [
        ("stt", "livekit/fake", "its own", {}),
        ("llm", "livekit/fake/openai/some-model", "openai/some-model", {}),
        ("tts", "livekit/fake/sonic-3:VOICE", "sonic-3", {"voice": "VOICE"}),
        ("stt", "livekit/fake/nova-3:de", "nova-3", {"language": "de"}),
        ("stt", "livekit/fake.Other/flux", "flux", {}),
        ("stt", "livekit/other-fake", "its own", {}),
    ],
)
def test_a_name_finds_the_plugin(port: str, name: str, model: str, options: dict[str, str]) -> None:
    service = create(port, name)
    assert MADE == [], "made before it is used"
    asyncio.run(service.load())
    assert (MADE[0].model, MADE[0].options) == (model, options)


def test_what_is_missing_is_named() -> None:
    for name, message in (
        ("nothing", "pip install .*livekit-plugins-nothing"),
        ("fake.Nobody", "has no Nobody"),
        ("other_fake", "has no LLM"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            asyncio.run(LLM(name).load())
    with pytest.raises(ConfigurationError, match="FAKE_API_KEY"):
        asyncio.run(STT("fake", fails=True).load())
    with pytest.raises(ConfigurationError, match="parameters language"):
        STT(Made(), language="de")


def test_local_models_of_livekit_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "livekit.agents")
    monkeypatch.delitem(sys.modules, plugins.LOCAL_MODELS, raising=False)
    asyncio.run(LLM("fake").load())
    absent: Any = sys.modules.pop(plugins.LOCAL_MODELS)
    with pytest.raises(ConfigurationError, match="left out"):
        absent.VAD()


def test_streams_find_the_connections_which_live_as_long_as_the_service() -> None:
    async def run() -> None:
        service = LLM("fake")
        await asyncio.gather(service.open(), service.open())
        first = MADE[0]
        first.items = [[delta("Hello.")], [delta("Hello.")]]
        await asyncio.gather(*(collect(service.generate(Context("x"))) for _ in range(2)))
        assert (first.sessions, first.warmed) == (["open", "open"], ["open"])
        assert SESSION.get() is None, "the caller's context is not touched"
        for _ in range(2):
            await service.close()
        assert first.closed
        await service.open()
        assert MADE[1:], "a closed plugin is made anew"
        await service.close()

    asyncio.run(run())


def test_an_object_is_its_owners_to_close() -> None:
    async def run() -> None:
        made: Any = Made()
        made._session = SimpleNamespace(closed=True)
        service = LLM(made)
        await service.open()
        assert made._session is None
        await service.close()
        assert not made.closed

    asyncio.run(run())


# Language models -------------------------------------------------------------------------------------


def delta(text: str = "", *calls: Any) -> Any:
    return SimpleNamespace(usage=None, delta=SimpleNamespace(content=text, tool_calls=calls))


def generate(made: Made, context: Context) -> list[Any]:
    return asyncio.run(collect(LLM(made).generate(context)))


def test_text_calls_and_usage() -> None:
    usage = SimpleNamespace(prompt_tokens=12, completion_tokens=3, prompt_cached_tokens=8)
    call = SimpleNamespace(call_id="1", name="hang_up", arguments="", extra=None)
    made = Made()
    made.items = [[delta("Bye."), delta("", call), SimpleNamespace(usage=usage, delta=None)]]
    assert generate(made, Context("x", (), (TOOL,))) == [
        TextDelta("Bye."),
        ToolCall("1", "hang_up", "{}"),
        TokenUsage(12, 3, 8),
    ]
    assert made.streams[0].closed
    asked = made.asked[0]
    assert asked["tools"] == [
        {"name": "hang_up", "description": "End the call.", "parameters": TOOL.parameters}
    ]
    assert asked["conn_options"].max_retry == 0


def test_the_conversation_is_passed_with_what_the_vendor_said_of_a_call() -> None:
    call = ToolCall("1", "hang_up", '{"day": 1}')
    said = (
        UserSaid("What is this?", (Image(b"\xff"),)),
        AgentSaid("One", (call,), interrupted=True),
        ToolAnswered(call, "done"),
    )
    made = Made()
    service = LLM(made)
    signed = SimpleNamespace(
        call_id="1", name="hang_up", arguments='{"day": 1}', extra={"google": "signature"}
    )
    made.items = [[delta("", signed)], [delta("Well.")]]

    async def run() -> None:
        for entries in ((), said):
            await collect(service.generate(Context("Be brief.", entries)))

    asyncio.run(run())
    assert made.asked[1]["chat_ctx"] == [
        ("ChatMessage", {"role": "system", "content": ["Be brief."]}),
        (
            "ChatMessage",
            {
                "role": "user",
                "content": ["What is this?", ("ImageContent", {"image": "data:image/jpeg;base64,/w=="})],
            },
        ),
        ("ChatMessage", {"role": "assistant", "content": ["One […]"]}),
        (
            "FunctionCall",
            {
                "call_id": "1",
                "name": "hang_up",
                "arguments": '{"day": 1}',
                "extra": {"google": "signature"},
            },
        ),
        ("FunctionCallOutput", {"call_id": "1", "name": "hang_up", "output": "done", "is_error": False}),
    ]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (APIStatusError(401), AuthenticationError),
        (APIStatusError(429), RateLimitError),
        (APIStatusError(-1), BadResponseError),
        (APIError("gone"), UnavailableError),
        (ValueError("odd"), BadResponseError),
    ],
)
def test_errors_have_names(error: Exception, kind: type[AntiphonError]) -> None:
    made = Made()
    made.items = [[error], [error]]
    with pytest.raises(kind):
        generate(made, Context("x"))
    made.capabilities.streaming = False
    with pytest.raises(kind):
        asyncio.run(collect(TTS(made).speak(texts("Hello."))))
    made.items = [[error]]
    with pytest.raises(kind):
        asyncio.run(collect(STT(made).transcribe(chunks(AudioChunk(bytes(320)), Flush(True)))))


def test_an_answer_without_words_is_one() -> None:
    made = Made()
    made.items = [[delta(" ")]]
    with pytest.raises(NothingSaidError):
        generate(made, Context("x"))


def test_a_stream_that_swallows_its_cancellation_is_closed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stubborn(Stream):
        async def aclose(self) -> None:
            await super().aclose()
            if self.closed < 3:
                await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(plugins, "CLOSED_WITHIN", 0.01)
    made = Made()
    made.chat = given(lambda: Stubborn(made, [delta("Hello.")]))
    assert generate(made, Context("x")) == [TextDelta("Hello.")]
    assert made.streams[0].closed == 3


# Voices ----------------------------------------------------------------------------------------------


async def texts(*pieces: str) -> AsyncIterator[str]:
    for piece in pieces:
        yield piece


def sound(seconds: float, *words: tuple[str, Any, Any]) -> Any:
    timed = [TimedWord(*word) for word in words]
    pcm = bytes(round(24000 * seconds) * 2)
    userdata = {"lk.timed_transcripts": timed} if timed else {}
    return SimpleNamespace(frame=SimpleNamespace(userdata=userdata, data=memoryview(pcm)))


class TimedWord(str):
    """A text that knows its times, as LiveKit's does."""

    start_time: Any
    end_time: Any

    def __new__(cls, text: str, start: Any, end: Any) -> "TimedWord":
        made = super().__new__(cls, text)
        made.start_time, made.end_time = start, end
        return made


def test_each_piece_is_a_stream_and_words_have_their_times() -> None:
    made = Made()
    made.items = [
        [sound(0.5, ("Good ", 0.0, 0.2), ("day.", 0.2, 0.5))],
        [sound(0.3), sound(0.2, ("Bye.", object(), 0.1))],
    ]
    spoken = asyncio.run(collect(TTS(made).speak(texts("Good day.", "…", "Bye."))))
    assert [stream.told for stream in made.streams] == [["Good day.", "end"], ["Bye.", "end"]]
    assert all(stream.closed for stream in made.streams)
    words = [item for item in spoken if isinstance(item, Word)]
    assert [(word.piece, word.end, round(word.seconds, 2)) for word in words] == [(0, 4, 0.2), (0, 8, 0.5)]
    seconds = [0.0, 0.0, 0.0]
    for item in spoken:
        if isinstance(item, Speech):
            seconds[item.piece] += len(item.pcm) / 48000
    assert seconds == pytest.approx([0.5, 0.0, 0.5])


def test_a_voice_that_does_not_stream_gets_the_whole_text() -> None:
    made = Made(streaming=False)
    made.items = [[sound(0.5)]]
    asyncio.run(collect(TTS(made).speak(texts("Good day."))))
    assert made.asked[0]["text"] == "Good day."
    assert made.streams[0].told == []


def test_a_voice_on_two_channels_is_refused() -> None:
    made = Made()
    made.num_channels = 2
    with pytest.raises(ConfigurationError, match="2 channels"):
        asyncio.run(collect(TTS(made).speak(texts("Good day."))))


# Recognisers -----------------------------------------------------------------------------------------


async def chunks(*items: AudioChunk | Flush) -> AsyncIterator[AudioChunk | Flush]:
    for item in items:
        yield item


def heard(kind: str, text: str = "", language: str = "en") -> Any:
    alternatives = [SimpleNamespace(text=text, language=language)] if text else []
    return SimpleNamespace(type=SimpleNamespace(value=kind), alternatives=alternatives)


class Hearing(Stream):
    """A stream that answers a flush with these events, and the end of its input with its own end."""

    def __init__(self, made: Made, *answers: list[Any]) -> None:
        super().__init__(made, [])
        self.answers = list(answers)
        self.events = asyncio.Queue[Any]()

    async def __anext__(self) -> Any:
        event = await self.events.get()
        if event is None:
            raise StopAsyncIteration
        return event

    def flush(self) -> None:
        super().flush()
        for event in self.answers.pop(0):
            self.events.put_nowait(event)

    def end_input(self) -> None:
        super().end_input()
        self.events.put_nowait(None)


LOUD = AudioChunk(bytes(3200))


def transcribe(made: Made, *answers: list[Any], items: list[AudioChunk | Flush]) -> list[Any]:
    made.stream = given(lambda: Hearing(made, *answers))
    return asyncio.run(collect(STT(made).transcribe(chunks(*items))))


def test_a_flush_is_answered_by_the_first_final_words() -> None:
    made = Made()
    answers = [
        heard("start_of_speech"),
        heard("interim_transcript", "the"),
        heard("final_transcript", "the words"),
    ]
    said = transcribe(
        made, answers, [heard("final_transcript", "again")], items=[LOUD, Flush(True), LOUD, Flush(True)]
    )
    assert said == [
        Recognized("the", False, None),
        Recognized("the words", False, "en"),
        Recognized("the words", True, "en"),
        Recognized("again", False, "en"),
        Recognized("again", True, "en"),
    ]
    assert made.streams[0].told == [1600, 1600, "flush", 1600, 1600, "flush", "end"]
    assert made.streams[0].closed


def test_an_utterance_that_the_vendor_ends_is_final_and_not_asked_for_again() -> None:
    made = Made()
    ended = [heard("final_transcript", "the words"), heard("end_of_speech")]

    class Ends(Hearing):
        def push_frame(self, frame: Any) -> None:
            super().push_frame(frame)
            while self.answers:
                for event in self.answers.pop(0):
                    self.events.put_nowait(event)

    async def talk() -> AsyncIterator[AudioChunk | Flush]:
        yield LOUD
        await told.wait()
        yield Flush(True)

    told = asyncio.Event()
    made.stream = given(lambda: Ends(made, ended))

    async def run() -> list[Recognized]:
        finals: list[Recognized] = []
        async for item in STT(made).transcribe(talk()):
            if isinstance(item, Recognized) and item.final:
                finals.append(item)
                told.set()
        return finals

    assert [(item.text, item.final) for item in asyncio.run(run())] == [("the words", True), ("", True)]
    assert "flush" not in made.streams[0].told


def test_a_stream_that_ends_is_begun_again_and_hears_the_utterance() -> None:
    made = Made()
    streams = iter([[[None]], [[heard("final_transcript", "the words")]]])
    made.stream = given(lambda: Hearing(made, *next(streams)))
    told = asyncio.Event()

    async def talk() -> AsyncIterator[AudioChunk | Flush]:
        yield LOUD
        yield Flush(True)
        await told.wait()

    async def run() -> None:
        async for item in STT(made).transcribe(talk()):
            if isinstance(item, Recognized) and item.final:
                assert item.text == "the words"
                told.set()

    asyncio.run(run())
    assert [stream.told[:3] for stream in made.streams] == [[1600, 1600, "flush"]] * 2


def test_a_recogniser_that_does_not_stream_gets_the_utterance() -> None:
    made = Made(streaming=False)
    service = STT(made)
    assert service.segmented
    made.items = [[heard("final_transcript", " the words ")], [heard("final_transcript")]]
    items = [LOUD, Flush(False), Flush(True), Flush(True), LOUD, Flush(True)]
    said = asyncio.run(collect(service.transcribe(chunks(*items))))
    assert said == [
        Recognized("the words", False, "en"),
        Recognized("the words", True, "en"),
        Recognized("", True, None),
        Recognized("", True, None),
    ]
    assert [len(asked["buffer"].data) for asked in made.asked] == [3200, 3200]
    assert made.sessions == ["open", "open"]
