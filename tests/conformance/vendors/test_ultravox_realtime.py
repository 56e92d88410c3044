"""Ultravox: calls that are created first, tools that freeze it, turns without a beginning."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import wraps
from typing import Any

import pytest

from antiphon.clock import LoopClock
from antiphon.context import AgentSaid, Context, ToolAnswered, ToolCall, ToolSpec, UserSaid
from antiphon.errors import BadResponseError
from antiphon.services.realtime_codec import RealtimeCodec, RealtimeReady
from antiphon.services.realtime_vocabulary import (
    AgentWords,
    Consumed,
    CutShort,
    Remember,
    Respond,
    ResponseBegan,
    ResponseOver,
    Say,
    ToolOutput,
    UserCutIn,
    UserHeard,
    UserSpeaks,
    UserWords,
    Voice,
)
from antiphon.testing.conformance.realtime import TalkWithModel, voice_of, words_of
from antiphon.testing.loopback.server import KEY, LOUD, WORDS
from antiphon.testing.loopback.ultravox_realtime import UltravoxServer
from antiphon.vendors.ultravox.realtime import Realtime

SPEECH = LOUD[:16000]
HEARD = f"You said {WORDS}."
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = tuple(ToolSpec(name, "", SCHEMA) for name in ("weather", "time"))


def in_real_time(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test in an event loop of its own."""

    @wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


@asynccontextmanager
async def talk(server: UltravoxServer, context: Context) -> AsyncGenerator[TalkWithModel]:
    model = Realtime(key=KEY, base_url=server.url)
    try:
        async with TalkWithModel(model, context, detects=True) as call:
            yield call
    finally:
        await model.close()


@in_real_time
async def test_a_call_begins_with_the_conversation() -> None:
    tool = ToolCall("1", "weather", '{"city": "Paris"}')
    entries = (UserSaid("Weather?"), AgentSaid("", (tool,)), ToolAnswered(tool, "sunny"), AgentSaid("Sunny."))
    async with UltravoxServer() as server, talk(server, Context("Be kind.", entries, TOOLS[:1])) as call:
        call.give(Say("Hello."))
        assert words_of(await call.response()) == "Hello."
        (created,) = server.calls
        assert created["systemPrompt"] == "Be kind."
        assert created["initialMessages"] == [
            {"role": "MESSAGE_ROLE_USER", "text": "Weather?"},
            {"role": "MESSAGE_ROLE_TOOL_CALL", "text": '{"city": "Paris"}', "toolName": "weather",
             "invocationId": "1"},
            {"role": "MESSAGE_ROLE_TOOL_RESULT", "text": "sunny", "toolName": "weather", "invocationId": "1"},
            {"role": "MESSAGE_ROLE_AGENT", "text": "Sunny."},
        ]  # fmt: skip
        assert created["selectedTools"][0]["temporaryTool"]["dynamicParameters"] == [
            {"name": "city", "location": "PARAMETER_LOCATION_BODY", "schema": {"type": "string"},
             "required": True},
        ]  # fmt: skip


@in_real_time
async def test_parallel_tools_are_one_response() -> None:
    async with UltravoxServer() as server, talk(server, Context("", (), TOOLS)) as call:
        call.take_turn(SPEECH)
        calls = [event for event in await call.response() if isinstance(event, ToolCall)]
        assert [tool.name for tool in calls] == ["weather", "time"]
        call.give(*(ToolOutput(tool.id, tool.name, f"{tool.name} is fine") for tool in calls))
        assert words_of(await call.response()) == "You said time is fine."


@in_real_time
async def test_turns_words_and_interruptions_of_the_user() -> None:
    async with UltravoxServer() as server, talk(server, Context("")) as call:
        call.take_turn(SPEECH)
        await call.until(Voice, 3)
        call.take_turn(SPEECH)
        assert await call.status() == "cancelled"
        assert call.events[call.events.index(UserCutIn()) - 1] == UserSpeaks(True)
        second = await call.response()
        assert words_of(second) == HEARD
        spoken = [event.speaking for event in call.events if isinstance(event, UserSpeaks)]
        assert spoken == [True, False, True, False]
        heard = [event for event in call.events if isinstance(event, UserHeard)]
        assert heard == [UserHeard(0, WORDS, True), UserHeard(1, WORDS, True)]


@in_real_time
async def test_typed_words_after_the_app_has_stopped_the_agent() -> None:
    async with UltravoxServer() as server, talk(server, Context("")) as call:
        call.take_turn(SPEECH)
        await call.until(Voice, 3)
        call.give(CutShort(0.2))
        assert await call.status() == "cancelled"
        call.give(UserWords("Shorter."), Respond())
        typed = await call.response()
        assert words_of(typed) == "You said Shorter.."
        assert voice_of(typed)
        assert UserCutIn() not in call.events
        assert UserSpeaks(True) not in typed, "what was typed was not spoken"


@in_real_time
async def test_new_instructions_are_told_by_a_new_call() -> None:
    async with UltravoxServer() as server, talk(server, Context("Be kind.")) as call:
        call.take_turn(SPEECH)
        await call.response()
        call.give(Remember(Context("Be brief.", (UserSaid("hello"),))))
        while server.open != 1 or len(server.calls) < 2:
            await LoopClock().sleep(0.02)
        call.take_turn(SPEECH)
        assert words_of(await call.response()) == HEARD
        assert [created["systemPrompt"] for created in server.calls] == ["Be kind.", "Be brief."]


@in_real_time
async def test_a_call_without_an_address_is_an_error() -> None:
    async with UltravoxServer() as server:
        server.unjoinable = True
        with pytest.raises(BadResponseError, match="without an address"):
            async with talk(server, Context("")) as call:
                await call.response()


@in_real_time
async def test_a_call_is_ended_in_good_order() -> None:
    async with UltravoxServer() as server:
        async with talk(server, Context("")) as call:
            call.give(Say("Hello."))
            await call.response()
        assert server.hung_up == 1


# The codec alone -------------------------------------------------------------------------------------


def read(codec: RealtimeCodec, *told: dict[str, Any] | bytes) -> list[Any]:
    return [
        event
        for message in told
        for event in codec.read(message if isinstance(message, bytes) else json.dumps(message))
        if not isinstance(event, RealtimeReady)
    ]


def state(name: str) -> dict[str, Any]:
    return {"type": "state", "state": name}


def transcript(role: str, ordinal: int, **words: Any) -> dict[str, Any]:
    return {"type": "transcript", "role": role, "medium": "voice", "ordinal": ordinal, "final": False} | words


def codec(**options: Any) -> RealtimeCodec:
    return Realtime(key=KEY, **options).codec(True, None)


def test_words_of_the_user_come_one_after_another() -> None:
    heard = read(
        codec(),
        transcript("user", 1, delta="Good "),
        transcript("user", 1, delta="day."),
        transcript("user", 1, text="Good day.", final=True),
    )
    assert [event for event in heard if isinstance(event, UserHeard)] == [
        UserHeard(0, "Good", False),
        UserHeard(0, "Good day.", False),
        UserHeard(0, "Good day.", True),
    ]


@pytest.mark.parametrize("thinks", [True, False])
@pytest.mark.parametrize("first", [transcript("agent", 2, delta="Hi"), bytes(960)])
def test_an_answer_whose_words_or_voice_come_before_its_state(first: Any, thinks: bool) -> None:
    events = read(
        codec(),
        transcript("user", 1, text="Hello.", final=True),
        *([state("thinking")] if thinks else []),
        first,
        state("speaking"),
        state("listening"),
    )
    begun = events.index(ResponseBegan())
    assert events[begun + 1] in (AgentWords("Hi"), Voice(bytes(960)))
    assert events[begun + 2 :] == [ResponseOver()]


def test_words_that_trail_are_of_no_answer() -> None:
    said = transcript("agent", 2, delta="Hi")
    call = codec()
    read(call, state("thinking"), state("speaking"), said, state("listening"))
    assert read(call, transcript("agent", 2, text="Hi there.", final=True)) == []
    list(call.put(Say("Bye.")))
    assert read(call, transcript("agent", 2, text="Hi there, you.", final=True)) == []
    assert read(call, transcript("agent", 3, delta="Bye.")) == [ResponseBegan(), AgentWords("Bye.")]


def test_a_call_is_renewed_before_its_longest_duration() -> None:
    assert codec().lasts == 3600.0
    assert codec(maxDuration="300s").lasts == 300.0


def test_a_state_says_that_the_call_has_started() -> None:
    assert RealtimeReady() in codec().read(json.dumps(state("listening")))


@in_real_time
async def test_the_time_of_a_conversation_is_counted_once() -> None:
    async with UltravoxServer() as server:
        begun = LoopClock().now()
        async with talk(server, Context("Be kind.")) as call:
            for _ in range(2):
                call.give(Say("Hello."))
                await call.response()
                await call.until(Consumed)
            passed = LoopClock().now() - begun
        used = [event for event in call.events if isinstance(event, Consumed)]
    assert [one.unit for one in used] == ["seconds of conversation"] * 2
    assert 0 < sum(one.amount for one in used) <= passed
