"""Models that hear and speak, against servers of their protocols on loopback."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from importlib.util import find_spec
from typing import Any, NamedTuple

import pytest

from antiphon.clock import LoopClock
from antiphon.context import AgentSaid, Context, ToolAnswered, ToolCall, ToolSpec, UserSaid
from antiphon.errors import AuthenticationError, RateLimitError, TheyErred
from antiphon.services.openai_realtime import OpenAIRealtimeCodec
from antiphon.services.ports import RealtimeModel
from antiphon.services.realtime_vocabulary import (
    CutShort,
    Remember,
    Respond,
    ResponseBegan,
    UserHeard,
    UserWords,
    Voice,
)
from antiphon.testing.conformance.realtime import TalkWithModel, check_realtime, words_of
from antiphon.testing.loopback.aws_realtime import SECRET, NovaSonicServer
from antiphon.testing.loopback.kyutai_realtime import MoshiTalkServer, UnmuteServer
from antiphon.testing.loopback.openai_realtime import OpenAIRealtimeServer
from antiphon.testing.loopback.server import KEY, WORDS, Fault, VendorServer
from antiphon.vendors.aws.realtime import Realtime as NovaSonic
from antiphon.vendors.kyutai.realtime import Realtime as Kyutai
from antiphon.vendors.openai.realtime import Realtime as OpenAIRealtime


class Pair(NamedTuple):
    """A vendor's model, and the server that speaks its protocol."""

    model: Callable[[str], RealtimeModel]
    server: Callable[..., VendorServer]


def openai(url: str) -> RealtimeModel:
    return OpenAIRealtime(key=KEY, base_url=url)


def nova(url: str) -> RealtimeModel:
    return NovaSonic(region="us-east-1", key=KEY, secret=SECRET, base_url=url)


def unmute(url: str) -> RealtimeModel:
    return Kyutai("unmute", url=f"{url}/v1/realtime")


def moshi(url: str) -> RealtimeModel:
    return Kyutai("moshi", url=f"{url}/api/chat")


PAIRS: dict[str, Pair] = {
    "openai": Pair(openai, OpenAIRealtimeServer),
    **(
        {"unmute": Pair(unmute, UnmuteServer), "moshi": Pair(moshi, MoshiTalkServer)}
        if find_spec("av")
        else {}
    ),
    **({"nova": Pair(nova, NovaSonicServer)} if find_spec("h2") else {}),
}
CONTEXT = Context("Be kind.")


def loud(model: RealtimeModel, seconds: float = 0.6) -> bytes:
    return b"\x00\x40" * round(seconds * model.input_rate)


def in_real_time(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test in an event loop of its own."""

    @wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


@pytest.fixture(params=PAIRS)
def pair(request: pytest.FixtureRequest) -> Pair:
    return PAIRS[request.param]


@in_real_time
async def test_conformance(pair: Pair) -> None:
    async with pair.server() as server:
        await check_realtime(lambda: pair.model(server.url), loud(pair.model("")))
    assert server.open == 0


async def talk_once(pair: Pair, server: VendorServer) -> list[Any]:
    model = pair.model(server.url)
    async with TalkWithModel(model, CONTEXT, detects=model.detection == "theirs") as talk:
        talk.take_turn(loud(model))
        return await talk.response()


@pytest.mark.parametrize(
    ("fault", "error"), [(Fault.REFUSED, AuthenticationError), (Fault.LIMITED, RateLimitError)]
)
@in_real_time
async def test_refused(pair: Pair, fault: Fault, error: type[TheyErred]) -> None:
    async with pair.server(fault) as server:
        with pytest.raises(error):
            await talk_once(pair, server)
    assert server.connections == 1, "a refusal is not repeated"


@pytest.mark.parametrize("fault", [Fault.CUT, Fault.CLOSED])
@in_real_time
async def test_lost_connection_is_replaced_and_the_turn_heard_again(pair: Pair, fault: Fault) -> None:
    async with pair.server(fault, faulty=1) as server:
        response = await talk_once(pair, server)
        if response[-1].status == "failed":  # it broke off in the middle of the response
            assert ResponseBegan() in response
        else:
            assert words_of(response) == f"You said {WORDS}."
        assert server.connections == 2


@in_real_time
async def test_strange_messages_are_ignored(pair: Pair) -> None:
    async with pair.server(Fault.STRANGE) as server:
        assert words_of(await talk_once(pair, server)) == f"You said {WORDS}."


@in_real_time
async def test_malformed_messages_end_the_conversation(pair: Pair) -> None:
    async with pair.server(Fault.MALFORMED) as server:
        with pytest.raises(TheyErred):
            await talk_once(pair, server)


# OpenAI ----------------------------------------------------------------------------------------------


@in_real_time
async def test_what_was_heard_is_told_in_milliseconds() -> None:
    async with OpenAIRealtimeServer() as server:
        model = openai(server.url)
        async with TalkWithModel(model, CONTEXT) as talk:
            talk.take_turn(loud(model))
            await talk.until(Voice, 5)
            talk.give(CutShort(0.25))
            assert await talk.status() == "cancelled"
            talk.take_turn(loud(model))
            await talk.response()
            talk.give(CutShort(99.0))  # no more than there was
            talk.take_turn(loud(model))
            await talk.response()
        assert [ms for _, ms in server.truncated] == [250, 1650]
        assert server.cancelled == 1, "a response that is complete is not cancelled"


@in_real_time
async def test_new_connection_begins_from_what_is_known() -> None:
    call = ToolCall("a-call-with-an-id-that-is-longer-than-32-characters", "weather", "{}")
    entries = (UserSaid("Weather?"), AgentSaid("", (call,)), ToolAnswered(call, "sunny"), AgentSaid("Sunny."))
    async with OpenAIRealtimeServer() as server:
        model = openai(server.url)
        async with TalkWithModel(model, Context("Be kind.", entries)) as talk:
            talk.give(UserWords("Thanks."), Respond())
            await talk.response()
        assert [item["type"] for item in server.seeded] == [
            "message", "function_call", "function_call_output", "message", "message",
        ]  # fmt: skip
        assert server.seeded[1]["call_id"] == server.seeded[2]["call_id"]


@in_real_time
async def test_changed_instructions_and_tools_are_told_once() -> None:
    tool = ToolSpec("weather", "", {"type": "object", "properties": {}})
    async with OpenAIRealtimeServer() as server:
        model = openai(server.url)
        async with TalkWithModel(model, CONTEXT) as talk:
            for context in (CONTEXT, Context("Be brief."), Context("Be brief.", (), (tool,))):
                talk.give(Remember(context), Remember(context))
            talk.take_turn(loud(model))
            await talk.response()
        assert [session["instructions"] for session in server.sessions] == [
            "Be kind.",
            "Be brief.",
            "Be brief.",
        ]
        assert server.sessions[-1]["tools"][0]["name"] == "weather"


class HurriedCodec(OpenAIRealtimeCodec):
    lasts = 1.0


class HurriedRealtime(OpenAIRealtime):
    """Its vendor ends every connection after a second."""

    def codec(self, detects: bool, handle: str | None) -> HurriedCodec:
        return HurriedCodec("openai", super().codec(detects, handle).settings)


@in_real_time
async def test_connection_is_renewed_in_a_pause_with_the_context() -> None:
    async with OpenAIRealtimeServer() as server:
        model = HurriedRealtime(key=KEY, base_url=server.url)
        async with TalkWithModel(model, CONTEXT) as talk:
            talk.take_turn(loud(model))
            await talk.response()
            talk.give(Remember(Context("Be kind.", (UserSaid("hello"), AgentSaid("Hello.")))))
            while server.connections < 2 or server.open > 1:
                await LoopClock().sleep(0.05)
            talk.take_turn(loud(model))
            assert words_of(await talk.response()) == f"You said {WORDS}."
        assert [item["role"] for item in server.seeded] == ["user", "assistant"]
        heard = [event.turn for event in talk.events if isinstance(event, UserHeard) and event.final]
        assert heard == [0, 1], "turns are counted on over a new connection"
