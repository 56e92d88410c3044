"""Models behind a socket: the same answers, the same errors, and what is cancelled here stops there."""

import asyncio
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import aclosing
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from antiphon import Agent
from antiphon.context import AgentSaid, Context, Image, ToolAnswered, ToolSpec, UserSaid
from antiphon.errors import AuthenticationError, BadResponseError, UnavailableError
from antiphon.frames import ToolCall
from antiphon.server.port import Opening, WebsocketOpening
from antiphon.server.workers.model_client import (
    ModelConnection,
    RemoteLanguageModel,
    RemoteSpeechToText,
    with_remote_models,
)
from antiphon.server.workers.model_server import ModelKey, is_ours, key_of, packed, serving, unpacked
from antiphon.services.composite import Composite
from antiphon.services.ports import (
    AudioChunk,
    Flush,
    LanguageModel,
    Recognized,
    TextDelta,
    TokenUsage,
    TurnHint,
)
from antiphon.testing.scripted import ScriptedLLM, ScriptedSTT, ScriptedTTS

CALL = ToolCall("call-1", "hours", '{"day": "Monday"}')
CONTEXT = Context(
    "Be brief.",
    (UserSaid("When?"), AgentSaid("", (CALL,), interrupted=True), ToolAnswered(CALL, "nine to five")),
    (ToolSpec("hours", "When it is open", {"type": "object", "properties": {"day": {"type": "string"}}}),),
)


class Ears(ScriptedSTT):
    """Speech to text that cannot be forked."""

    resident = True
    chunk = 0.08
    interim_every = 0.25
    loaded = 0

    async def load(self) -> None:
        self.loaded += 1


class Mind(LanguageModel):
    """A language model that cannot be forked, and shows what becomes of its work."""

    resident = True

    def __init__(self, *answers: Any) -> None:
        self.answers = answers
        self.contexts: list[Context] = []
        self.stopped = asyncio.Event()

    async def warm(self, context: Context) -> None:
        self.contexts.append(context)

    async def generate(self, context: Context) -> AsyncIterator[Any]:
        self.contexts.append(context)
        try:
            for answer in self.answers:
                if isinstance(answer, Exception):
                    raise answer
                yield answer
                await turn()
        except (asyncio.CancelledError, GeneratorExit):
            self.stopped.set()
            raise


async def turn() -> None:
    """Let the event loop do what else there is."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()
    loop.call_soon(done.set_result, None)
    await done


def agent(stt: Any = None, llm: Any = None) -> Agent:
    return Agent("Be brief.", stt=stt or Ears(["hello"], delay=0), llm=llm or Mind(), tts=ScriptedTTS())


def served(
    agents: dict[str, Any], test: Callable[[ModelConnection], Coroutine[Any, Any, None]], path: Path
) -> None:
    """Run a test with a connection to a loop that serves these agents' models."""

    async def timed() -> None:
        listener = socket.socket(socket.AF_UNIX)
        with listener:
            listener.bind(str(path / "models"))
            listener.listen()
            service = asyncio.create_task(serving(agents, listener))
            connection = ModelConnection(str(path / "models"))
            try:
                await asyncio.wait_for(test(connection), 10)
            finally:
                connection.close()
                service.cancel()
                await asyncio.wait([service])

    asyncio.run(timed())


def test_a_context_survives_the_way() -> None:
    seen = Context("Be brief.", (UserSaid("What is this?", (Image(b"abc", "image/png"),)),))
    for context in (CONTEXT, seen):
        assert unpacked(msgspec.msgpack.decode(msgspec.msgpack.encode(packed(context)))) == context


def test_a_language_model_answers_from_there(tmp_path: Path) -> None:
    mind = Mind(TextDelta("From nine"), TextDelta(" to five."), CALL, TokenUsage(10, 5, 2))

    async def test(connection: ModelConnection) -> None:
        model = RemoteLanguageModel(ScriptedLLM([]), ModelKey("llm", agent="shop"), connection)
        await model.warm(CONTEXT)
        assert [item async for item in model.generate(CONTEXT)] == list(mind.answers)
        assert mind.contexts[-2:] == [CONTEXT, CONTEXT]

    served({"shop": agent(llm=mind)}, test, tmp_path)


@pytest.mark.parametrize(
    ("raised", "here"),
    [
        (UnavailableError("not there"), UnavailableError),
        (AuthenticationError("the key is wrong"), AuthenticationError),
        (ZeroDivisionError("by zero"), BadResponseError),
    ],
)
def test_errors_are_the_same_here(raised: Exception, here: type[Exception], tmp_path: Path) -> None:
    async def test(connection: ModelConnection) -> None:
        model = RemoteLanguageModel(ScriptedLLM([]), ModelKey("llm", agent="shop"), connection)
        with pytest.raises(here, match=str(raised)):
            _ = [item async for item in model.generate(CONTEXT)]
        with pytest.raises(here):
            _ = [item async for item in model.generate(CONTEXT)]

    served({"shop": agent(llm=Mind(TextDelta("well"), raised))}, test, tmp_path)


def test_what_nobody_wants_stops_there(tmp_path: Path) -> None:
    mind = Mind(*[TextDelta("on and on")] * 100_000)

    async def test(connection: ModelConnection) -> None:
        model = RemoteLanguageModel(ScriptedLLM([]), ModelKey("llm", agent="shop"), connection)
        async with aclosing(cast(AsyncGenerator[Any, None], model.generate(CONTEXT))) as answer:
            assert await anext(answer) == TextDelta("on and on")
        await mind.stopped.wait()

    served({"shop": agent(llm=mind)}, test, tmp_path)


def test_speech_to_text_hears_from_there(tmp_path: Path) -> None:
    ears = Ears(["hello", "again"], delay=0)

    async def test(connection: ModelConnection) -> None:
        service = RemoteSpeechToText(ears, ModelKey("stt", agent="shop"), connection)
        assert (service.sample_rate, service.segmented) == (16000, True)
        assert (service.chunk, service.interim_every) == (0.08, 0.25)

        async def audio() -> AsyncIterator[AudioChunk | Flush]:
            for _ in range(2):
                yield AudioChunk(bytes(3200))
                yield Flush(True)

        heard: list[Recognized | TurnHint] = [one async for one in service.transcribe(audio())]
        assert heard == [Recognized("hello", True), Recognized("again", True)]
        assert ears.heard_bytes == [3200, 3200]

    served({"shop": agent(stt=ears)}, test, tmp_path)


def test_what_fails_in_the_audio_fails_here(tmp_path: Path) -> None:
    async def test(connection: ModelConnection) -> None:
        service = RemoteSpeechToText(Ears([]), ModelKey("stt", agent="shop"), connection)

        async def audio() -> AsyncIterator[AudioChunk | Flush]:
            yield AudioChunk(bytes(3200))
            raise UnavailableError("the microphone is gone")

        with pytest.raises(UnavailableError, match="the microphone"):
            _ = [one async for one in service.transcribe(audio())]

    served({"shop": agent()}, test, tmp_path)


def test_a_service_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    async def test(connection: ModelConnection) -> None:
        model = RemoteLanguageModel(ScriptedLLM([]), ModelKey("llm", agent="nobody"), connection)
        with pytest.raises(Exception, match="no agent 'nobody'"):
            await model.warm(CONTEXT)

    served({"shop": agent()}, test, tmp_path)


def test_strangers_are_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = socket.socketpair()
    with one, other:
        assert is_ours(one)
        monkeypatch.setattr("os.getuid", lambda: 4711)
        assert not is_ours(one)


def test_nobody_there_is_said(tmp_path: Path) -> None:
    async def test() -> None:
        model = RemoteLanguageModel(
            ScriptedLLM([]), ModelKey("llm", agent="shop"), ModelConnection(str(tmp_path / "nothing"))
        )
        with pytest.raises(UnavailableError, match="cannot be reached"):
            await model.warm(CONTEXT)

    asyncio.run(test())


def test_only_resident_models_are_replaced() -> None:
    connection = ModelConnection("/nowhere")
    plain, loading = ScriptedLLM([]), Mind()
    agents: Any = with_remote_models({"plain": agent(llm=plain), "loading": agent(llm=loading)}, connection)
    assert agents["plain"].llm is plain
    assert isinstance(agents["loading"].llm, RemoteLanguageModel)
    assert isinstance(agents["plain"].stt, RemoteSpeechToText)
    assert agents["plain"].tts is not None


def test_agents_that_are_made_later_share_what_has_a_name() -> None:
    mind = Mind()

    async def make(opening: Opening) -> Agent:
        return Agent(f"Serve {opening.body}.", llm=mind)

    async def test() -> None:
        agents: Any = with_remote_models({"made": make}, ModelConnection("/nowhere"))
        made = await agents["made"](WebsocketOpening("s", "made", "Ann"))
        assert made.instructions == "Serve Ann."
        assert isinstance(made.stt, RemoteSpeechToText)
        assert made.llm is mind, "an object that was made in the worker is there alone"

    asyncio.run(test())


def test_keys_name_what_is_shared() -> None:
    one = agent()
    assert key_of("shop", one, "llm") == ModelKey("llm", agent="shop")
    assert key_of("shop", agent(llm=ScriptedLLM([])), "llm") is None
    assert key_of("shop", Agent("Be brief."), "stt") == ModelKey("stt", name="local")
    assert key_of("shop", Agent("Be brief."), "realtime.stt") is None


def test_a_composite_is_answered_by_the_models_process(tmp_path: Path) -> None:
    ears, mind = Ears(["hello"]), Mind(TextDelta("Hello."))
    talks: dict[str, Any] = {
        "shop": Agent("Be brief.", realtime=Composite(ears, mind, ScriptedTTS()), vad=None, eot=None)
    }

    async def test(connection: ModelConnection) -> None:
        remote: Any = with_remote_models(talks, connection)
        model = remote["shop"].service("realtime")
        assert [one async for one in model.llm.generate(CONTEXT)] == [TextDelta("Hello.")]
        assert mind.contexts[-1] == CONTEXT
        assert mind.contexts[0].instructions == "Be brief.", "it has read them before the first call"
        assert ears.loaded

    served(talks, test, tmp_path)


def test_keys_of_a_composite() -> None:
    talks = Agent("Be brief.", realtime=Composite(Ears([]), ScriptedLLM([]), ScriptedTTS()))
    assert key_of("shop", talks, "realtime.stt") == ModelKey("realtime.stt", agent="shop")
    assert key_of("shop", talks, "realtime.llm") is None
    assert key_of("shop", talks, "stt") is None
