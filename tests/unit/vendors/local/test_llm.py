"""The local language model, with llama.cpp's server replaced by one that does as it is told."""

import asyncio
import json
import threading
from collections.abc import AsyncGenerator, Callable
from functools import partial
from itertools import accumulate
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from antiphon.context import AgentSaid, Context, ToolAnswered, ToolSpec, UserSaid
from antiphon.errors import BadResponseError, ConfigurationError
from antiphon.frames import ToolCall
from antiphon.models import Store
from antiphon.services.ports import TextDelta, TokenUsage
from antiphon.testing import run_virtual
from antiphon.vendors.local import engine, llm
from antiphon.vendors.local.llm import Llama
from antiphon.vendors.local.resident import Resident
from antiphon.vendors.local.speed import FILE, remembered

from .word_model import WordModel

HELLO = Context("Be brief.", (UserSaid("Hello?"),))
DAY: dict[str, Any] = {"type": "object", "properties": {"day": {"type": "string"}}, "required": ["day"]}
TOOL = ToolSpec("hours", "The hours on a day.", DAY)
MONDAY = ToolCall("c1", "hours", '{"day": "Monday"}')
ANSWERED = (UserSaid("What are the hours on Monday?"), AgentSaid("", (MONDAY,)), ToolAnswered(MONDAY, "nine"))
END: dict[str, Any] = {"choices": [], "timings": {"cache_n": 5, "prompt_n": 7, "predicted_n": 2}}

Take = Callable[[dict[str, Any]], bool]
Item = TextDelta | ToolCall | TokenUsage


def piece(text: str) -> dict[str, Any]:
    return {"choices": [{"delta": {"content": text}}]}


class Llamacpp:
    """Answers each request by `script`; room is for `most` messages."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.pieces = ["Good", " day."]
        self.most = 1000
        self.hold: threading.Event | None = None
        self.stopped = threading.Event()
        self.loads = 0

    def CommonParams(self) -> SimpleNamespace:  # noqa: N802
        return SimpleNamespace(
            model=SimpleNamespace(), cpuparams=SimpleNamespace(), cpuparams_batch=SimpleNamespace()
        )

    def Server(self, params: SimpleNamespace) -> "Llamacpp":  # noqa: N802
        if "broken" in params.model.path:
            raise RuntimeError("Failed to init server")
        self.loads += 1
        return self

    def handle_chat_completions(self, request: dict[str, Any], take: Take) -> None:
        if "stream" not in request:
            return
        self.requests.append(request)
        if len(request["messages"]) > self.most:
            take({"error": {"type": "exceed_context_size_error", "message": "9 tokens of 5"}})
            return
        for text in self.pieces:
            if take(piece(text)):
                self.stopped.set()
                return
        if self.hold is not None:
            self.hold.wait(5)
            if take(piece("late")):
                self.stopped.set()
                return
        take(END)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Llamacpp:
    fake = Llamacpp()
    monkeypatch.setattr(engine, "library", lambda name: fake)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    monkeypatch.setattr(llm, "MEANING", Resident("test", WordModel))
    llm._resident.cache_clear()  # pyright: ignore[reportPrivateUsage]
    return fake


@pytest.fixture
def file(tmp_path: Path) -> str:
    (tmp_path / "small.gguf").touch()
    return str(tmp_path / "small.gguf")


async def items(model: Llama, context: Context = HELLO) -> list[Item]:
    return [item async for item in model.generate(context)]


@pytest.mark.parametrize("run", [asyncio.run, run_virtual])
def test_words_and_usage_in_real_and_virtual_time(
    server: Llamacpp, file: str, run: Callable[..., list[Item]]
) -> None:
    assert run(items(Llama(file))) == [TextDelta("Good"), TextDelta(" day."), TokenUsage(12, 2, 5)]


def test_one_model_for_all_who_ask(server: Llamacpp, file: str) -> None:
    async def ask() -> None:
        await asyncio.gather(*(Llama(file).load() for _ in range(3)))

    asyncio.run(ask())
    asyncio.run(ask())
    assert server.loads == 1


def test_small_talk_is_one_generation_of_plain_speech(server: Llamacpp, file: str) -> None:
    context = Context("Be brief.", HELLO.entries, (TOOL,))
    assert run_virtual(items(Llama(file), context))[0] == TextDelta("Good")
    (request,) = server.requests
    assert [message["content"] for message in request["messages"]] == ["Be brief.", "Hello?"]


def test_a_call(server: Llamacpp, file: str) -> None:
    server.pieces = [' "Mon', 'day"}']
    call, usage = run_virtual(items(Llama(file), Context("", ANSWERED[:1], (TOOL,))))
    assert call == ToolCall("call-1", "hours", '{"day": "Monday"}')
    assert usage == TokenUsage(12, 2, 5)
    (request,) = server.requests
    assert request["messages"][-1] == {"role": "assistant", "content": 'hours {"day":'}
    assert "Monday" in request["grammar"]


def test_a_tool_without_arguments_is_called_at_once(server: Llamacpp, file: str) -> None:
    now = ToolSpec("hours", "The hours now.", {"type": "object", "properties": {}})
    assert run_virtual(items(Llama(file), Context("", ANSWERED[:1], (now,)))) == [
        ToolCall("call-1", "hours", "{}")
    ]
    assert not server.requests


def test_what_was_not_said_is_asked_for(server: Llamacpp, file: str) -> None:
    said = run_virtual(items(Llama(file), Context("", (UserSaid("What are the hours?"),), (TOOL,))))
    assert said[0] == TextDelta("Good")
    assert "Ask me for the day" in server.requests[0]["messages"][-1]["content"]


def test_a_call_that_breaks_off_is_an_error(server: Llamacpp, file: str) -> None:
    server.pieces = [' "Mon']
    with pytest.raises(BadResponseError, match="incomplete call"):
        run_virtual(items(Llama(file), Context("", ANSWERED[:1], (TOOL,))))


def test_after_a_tool_the_model_speaks(server: Llamacpp, file: str) -> None:
    """A turn never calls twice: with the result there, the answer tells it."""
    said = run_virtual(items(Llama(file), Context("", ANSWERED, (TOOL,))))
    assert said[0] == TextDelta("Good")
    assert "Result: nine" in server.requests[0]["messages"][-1]["content"]


def test_leaving_the_answer_stops_the_model(server: Llamacpp, file: str) -> None:
    server.hold = threading.Event()

    async def leave() -> None:
        answer = cast(AsyncGenerator[Item, None], Llama(file).generate(HELLO))
        assert await anext(answer) == TextDelta("Good")
        await answer.aclose()

    asyncio.run(leave())
    server.hold.set()
    assert server.stopped.wait(5)


def test_an_answer_that_goes_round_ends(server: Llamacpp, file: str) -> None:
    server.pieces = [" Once more."] * 100
    said = run_virtual(items(Llama(file)))
    assert 3 < len(said) < 8


def test_each_conversation_keeps_its_slot(server: Llamacpp, file: str) -> None:
    def turn(name: str, count: int) -> Context:
        said = [entry for n in range(count) for entry in (UserSaid(f"{name} {n}"), AgentSaid("Yes."))]
        return Context("Be brief.", (*said, UserSaid(f"{name} {count}")))

    async def talk() -> None:
        model = Llama(file)
        await model.warm(Context("Be brief."))
        for count in range(3):
            await items(model, turn("Anna", count))
            await items(model, turn("Bert", count))
        await items(model, turn("Carl", 0))  # takes the place of the one who was silent for longest
        await items(model, turn("Bert", 3))

    run_virtual(talk())
    assert [request["id_slot"] for request in server.requests] == [0, 0, 1, 0, 1, 0, 1, 0, 1]


def test_a_turn_that_was_guessed_wrongly_stays_in_its_slot(server: Llamacpp, file: str) -> None:
    def turn(said: str) -> Context:
        return Context("Be brief.", (UserSaid("Hello."), AgentSaid("Hi."), UserSaid(said)))

    async def talk() -> None:
        for said in ("How do I?", "How do I choose", "How do I choose a bicycle?", "how do you?"):
            await items(Llama(file), turn(said))

    run_virtual(talk())
    assert [request["id_slot"] for request in server.requests] == [0] * 4


def test_a_stopped_answer_keeps_the_slot_of_its_conversation(server: Llamacpp, file: str) -> None:
    """An early reply that is dropped leaves what was read; the real turn goes on there, whatever it is."""

    async def talk() -> None:
        model = Llama(file)
        await model.warm(Context("Be brief."))
        for said in ("Sorry, wait", "How do I", "And on Sunday?"):
            answer = cast(AsyncGenerator[Item, None], model.generate(Context("Be brief.", (UserSaid(said),))))
            await anext(answer)
            await answer.aclose()

    run_virtual(talk())
    assert {request["id_slot"] for request in server.requests} == {0}


def test_a_finished_guess_of_a_later_turn_keeps_the_slot(server: Llamacpp, file: str) -> None:
    async def talk() -> None:
        for said in ("Sorry, wait.", "And on Sunday?"):
            await items(Llama(file), Context("", (UserSaid("Hello."), AgentSaid("Hi."), UserSaid(said))))

    run_virtual(talk())
    assert {request["id_slot"] for request in server.requests} == {0}


def test_a_conversation_keeps_its_slot_when_turns_are_left_out(server: Llamacpp, file: str) -> None:
    async def talk() -> None:
        model = Llama(file, max_tokens=40, context_tokens=300)
        entries = HELLO.entries
        for _ in range(30):
            await items(model, Context("Be brief.", entries))
            entries = (*entries, AgentSaid("A good day to you."), UserSaid("What is new?"))

    run_virtual(talk())
    assert {request["id_slot"] for request in server.requests} == {0}
    assert max(len(request["messages"]) for request in server.requests) < 40


def test_a_warming_gives_way(server: Llamacpp, file: str) -> None:
    server.hold = threading.Event()

    async def talk() -> list[Item]:
        model = Llama(file)
        await model.load()
        warming = asyncio.create_task(model.warm(Context("Be brief.")))
        while not server.requests:
            await asyncio.sleep(0)
        answer = asyncio.create_task(items(model))
        await asyncio.sleep(0)
        assert server.hold is not None
        server.hold.set()
        await warming
        return await answer

    assert asyncio.run(talk())[0] == TextDelta("Good")
    assert server.stopped.is_set()


def test_what_does_not_fit_is_tried_with_less(server: Llamacpp, file: str) -> None:
    server.most = 8
    entries = (UserSaid("What is it that you can tell me?"), AgentSaid("All there is.")) * 60
    said = run_virtual(items(Llama(file), Context("Be brief.", (*entries, UserSaid("Well?")))))
    assert said[0] == TextDelta("Good")
    assert len(server.requests) > 1


def test_what_never_fits_is_said(server: Llamacpp, file: str) -> None:
    server.most = 0
    with pytest.raises(ConfigurationError, match="9 tokens of 5"):
        run_virtual(items(Llama(file)))


def test_a_refusal(server: Llamacpp, file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(request: dict[str, Any], take: Take) -> None:
        take({"error": {"type": "server_error", "message": "no memory"}})

    model = Llama(file)
    run_virtual(model.load())
    monkeypatch.setattr(server, "handle_chat_completions", refuse)
    with pytest.raises(BadResponseError, match="no memory"):
        run_virtual(items(model))


def test_the_better_model_if_it_is_here_and_quick(
    server: Llamacpp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []
    ready, speed = "absent", 20.0

    def made(file: Path, *_: int) -> SimpleNamespace:
        loaded.append(str(file))
        return SimpleNamespace(tokens_a_second=lambda: speed)

    monkeypatch.setenv("ANTIPHON_MODELS", str(tmp_path))
    monkeypatch.delenv("ANTIPHON_OFFLINE", raising=False)
    monkeypatch.setattr(Store, "state", lambda self, name: ready)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    monkeypatch.setattr(llm, "LlamaEngine", made)
    monkeypatch.setattr(llm, "_file", Path)

    def choose() -> list[str]:
        loaded.clear()
        llm._load("", 2, 2, 4096)  # pyright: ignore[reportPrivateUsage]
        return loaded[:]

    assert choose() == [llm.SMALL]
    assert not (tmp_path / FILE).exists(), "there was nothing to measure for"
    ready = "ready"
    assert choose() == [llm.SMALL], "too slow to load the better one"
    speed = 60.0
    assert choose() == [llm.SMALL], "the first measurement holds"
    (tmp_path / FILE).unlink()
    assert choose() == [llm.SMALL, llm.BETTER]
    assert choose() == [llm.BETTER]
    known = json.loads((tmp_path / FILE).read_text())
    (tmp_path / FILE).write_text(
        json.dumps({key: one | {"tokens_a_second": 9} for key, one in known.items()})
    )
    assert choose() == [llm.SMALL]


def test_a_measured_speed_is_remembered(
    server: Llamacpp, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTIPHON_MODELS", str(tmp_path))
    monkeypatch.delenv("ANTIPHON_OFFLINE", raising=False)
    model = Llama(file, threads=2)
    assert run_virtual(model.measure()) > 0
    assert remembered(tmp_path, file, 2)


@pytest.mark.parametrize("busy", [0.0, 0.3])
def test_the_speed_is_that_of_the_quicker_tokens(
    server: Llamacpp, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, busy: float
) -> None:
    """Other programs that hold up most of the tokens change nothing, and it does not take long."""
    monkeypatch.setenv("ANTIPHON_MODELS", str(tmp_path))
    monkeypatch.delenv("ANTIPHON_OFFLINE", raising=False)
    wall = accumulate([0.0, 0.05, busy + 0.05, 0.05, *[busy + 0.05] * 100])
    processor = accumulate([0.0, *[0.4] * 100])
    server.pieces = ["One,"] * 9
    model = Llama(file, threads=2)
    run_virtual(model.load())
    monkeypatch.setattr(engine.time, "perf_counter", partial(next, wall))
    monkeypatch.setattr(engine.time, "process_time", partial(next, processor))
    assert run_virtual(model.measure()) == pytest.approx(20)
    assert server.stopped.is_set() == (busy > 0)


def test_nobody_reasons_aloud(server: Llamacpp, file: str) -> None:
    run_virtual(items(Llama(file)))
    assert server.requests[0]["chat_template_kwargs"] == {"enable_thinking": False}


def test_wrong_models(server: Llamacpp, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"qwen2\.5-coder-0\.5b"):
        Llama("nothing")
    with pytest.raises(ConfigurationError, match="there is no file"):
        run_virtual(Llama(str(tmp_path / "absent.gguf")).load())
    (tmp_path / "broken.gguf").touch()
    with pytest.raises(ConfigurationError, match="whole GGUF"):
        run_virtual(Llama(str(tmp_path / "broken.gguf")).load())
    with pytest.raises(ConfigurationError, match="max_tokens"):
        Llama(max_tokens=5000)
