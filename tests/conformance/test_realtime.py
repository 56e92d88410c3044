"""Models that hear and speak, against servers of their protocols on loopback."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import wraps
from importlib.util import find_spec
from typing import Any, NamedTuple

import pytest

from antiphon.clock import LoopClock
from antiphon.context import AgentSaid, Context, ToolAnswered, ToolCall, ToolSpec, UserSaid
from antiphon.errors import AuthenticationError, RateLimitError, TheyErred, UnavailableError
from antiphon.services.openai_realtime import OpenAIRealtimeCodec
from antiphon.services.ports import RealtimeModel
from antiphon.services.realtime_fallback import Fallback
from antiphon.services.realtime_vocabulary import (
    CutShort,
    Faulted,
    Remember,
    Respond,
    ResponseBegan,
    Say,
    ToolOutput,
    UserHeard,
    UserWords,
    Voice,
)
from antiphon.testing.conformance.realtime import TalkWithModel, check_realtime, words_of
from antiphon.testing.loopback.aws_realtime import SECRET, NovaSonicServer
from antiphon.testing.loopback.azure_realtime import AzureOpenAIServer, VoiceLiveServer
from antiphon.testing.loopback.gemini_live import GeminiLiveServer
from antiphon.testing.loopback.hume_evi import HumeEVIServer
from antiphon.testing.loopback.inworld_realtime import InworldRealtimeServer
from antiphon.testing.loopback.kyutai_realtime import MoshiTalkServer, UnmuteServer
from antiphon.testing.loopback.openai_live_realtime import GPTLiveServer
from antiphon.testing.loopback.openai_realtime import OpenAIRealtimeServer
from antiphon.testing.loopback.qwen_realtime import QwenRealtimeServer
from antiphon.testing.loopback.server import KEY, WORDS, Fault, VendorServer
from antiphon.testing.loopback.ultravox_realtime import UltravoxServer
from antiphon.testing.loopback.xai_realtime import XaiRealtimeServer
from antiphon.vendors.aws.realtime import Realtime as NovaSonic
from antiphon.vendors.azure.realtime import Realtime as VoiceLive
from antiphon.vendors.azure_openai.realtime import Realtime as AzureOpenAIRealtime
from antiphon.vendors.google.realtime import Realtime as GeminiLive
from antiphon.vendors.hume.realtime import Realtime as HumeEVI
from antiphon.vendors.inworld.realtime import Realtime as InworldRealtime
from antiphon.vendors.kyutai.realtime import Realtime as Kyutai
from antiphon.vendors.openai.realtime import Realtime as OpenAIRealtime
from antiphon.vendors.openai_live.realtime import Realtime as OpenAILive
from antiphon.vendors.qwen.realtime import Realtime as QwenRealtime
from antiphon.vendors.ultravox.realtime import Realtime as Ultravox
from antiphon.vendors.xai.realtime import Realtime as XaiRealtime


class Pair(NamedTuple):
    """A vendor's model, and the server that speaks its protocol."""

    model: Callable[[str], RealtimeModel]
    server: Callable[..., VendorServer]


def openai(url: str) -> RealtimeModel:
    return OpenAIRealtime(key=KEY, base_url=url)


class Down(RealtimeModel):
    """A model whose vendor is down."""

    input_rate = output_rate = 16000

    async def converse(
        self, context: Context, inputs: AsyncIterator[Any], *, detects: bool = False
    ) -> AsyncIterator[Any]:
        raise UnavailableError("the vendor is down")
        yield


def spare(url: str) -> RealtimeModel:
    return Fallback(Down(), openai(url))


def gemini(url: str) -> RealtimeModel:
    return GeminiLive(key=KEY, base_url=url)


def vertex(url: str) -> RealtimeModel:
    return GeminiLive(project="a-project", key=KEY, base_url=url)


def ultravox(url: str) -> RealtimeModel:
    return Ultravox(key=KEY, base_url=url)


def hume(url: str) -> RealtimeModel:
    return HumeEVI(key=KEY, base_url=url)


def azure_openai(url: str) -> RealtimeModel:
    return AzureOpenAIRealtime("my-deployment", key=KEY, base_url=f"{url}/openai/v1")


def voice_live(url: str) -> RealtimeModel:
    return VoiceLive(key=KEY, base_url=url)


def xai(url: str) -> RealtimeModel:
    return XaiRealtime(key=KEY, base_url=f"{url}/v1")


def inworld(url: str) -> RealtimeModel:
    return InworldRealtime(key=KEY, base_url=url)


def qwen(url: str) -> RealtimeModel:
    return QwenRealtime(key=KEY, base_url=f"{url}/api-ws/v1")


def openai_live(url: str) -> RealtimeModel:
    return OpenAILive(key=KEY, base_url=url)


def nova(url: str) -> RealtimeModel:
    return NovaSonic(region="us-east-1", key=KEY, secret=SECRET, base_url=url)


def unmute(url: str) -> RealtimeModel:
    return Kyutai("unmute", url=f"{url}/v1/realtime")


def moshi(url: str) -> RealtimeModel:
    return Kyutai("moshi", url=f"{url}/api/chat")


PAIRS: dict[str, Pair] = {
    "openai": Pair(openai, OpenAIRealtimeServer),
    "gemini": Pair(gemini, GeminiLiveServer),
    "vertex": Pair(vertex, GeminiLiveServer),
    "hume": Pair(hume, HumeEVIServer),
    "ultravox": Pair(ultravox, UltravoxServer),
    "azure_openai": Pair(azure_openai, AzureOpenAIServer),
    "azure": Pair(voice_live, VoiceLiveServer),
    "xai": Pair(xai, XaiRealtimeServer),
    "inworld": Pair(inworld, InworldRealtimeServer),
    "qwen": Pair(qwen, QwenRealtimeServer),
    "openai_live": Pair(openai_live, GPTLiveServer),
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


@in_real_time
async def test_conformance_of_a_spare() -> None:
    async with OpenAIRealtimeServer() as server:
        await check_realtime(lambda: spare(server.url), loud(spare("")))


async def talk_once(pair: Pair, server: VendorServer, *, detects: bool = False) -> list[Any]:
    model = pair.model(server.url)
    try:
        async with TalkWithModel(model, CONTEXT, detects=detects or model.detection == "theirs") as talk:
            talk.take_turn(loud(model))
            return await talk.response()
    finally:
        await model.close()


@pytest.mark.parametrize(
    ("fault", "error"), [(Fault.REFUSED, AuthenticationError), (Fault.LIMITED, RateLimitError)]
)
@in_real_time
async def test_refused(pair: Pair, fault: Fault, error: type[TheyErred]) -> None:
    async with pair.server(fault) as server:
        with pytest.raises(error):
            await talk_once(pair, server)
    assert server.connections == 1, "a refusal is not repeated"


@pytest.mark.parametrize("detects", [False, True], ids=["our turns", "their turns"])
@pytest.mark.parametrize("fault", [Fault.CUT, Fault.CLOSED])
@in_real_time
async def test_lost_connection_is_replaced_and_the_turn_heard_again(
    pair: Pair, fault: Fault, detects: bool
) -> None:
    if detects and pair.model("").detection == "ours":
        return
    async with pair.server(fault, faulty=1) as server:
        response = await talk_once(pair, server, detects=detects)
        if response[-1].status == "failed":  # it broke off in the middle of the response
            assert ResponseBegan() in response
        else:
            assert words_of(response) == f"You said {WORDS}."
        assert server.connections == 2


@in_real_time
async def test_response_that_was_cut_short_stays_so_over_a_new_connection() -> None:
    async with OpenAIRealtimeServer(Fault.CUT, faulty=1) as server:
        model = openai(server.url)
        async with TalkWithModel(model, CONTEXT) as talk:
            talk.take_turn(loud(model))
            talk.give(CutShort(0.0))
            assert await talk.status() == "cancelled"
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
            talk.give(CutShort(99.0))  # heard to its end
            talk.take_turn(loud(model))
            await talk.response()
        assert [ms for _, ms in server.truncated] == [250], "what was heard to its end stays as it is"
        assert server.cancelled == 1, "a response that is complete is not cancelled"


@in_real_time
async def test_each_item_of_a_response_is_cut_where_it_was_heard() -> None:
    async with OpenAIRealtimeServer() as server:
        model = openai(server.url)
        async with TalkWithModel(model, CONTEXT) as talk:
            talk.give(Say("It rains. It snows."))  # two items, of 0.45 and 0.5 s
            assert words_of(await talk.response()) == "It rains. It snows."
            talk.give(CutShort(0.6))
            talk.take_turn(loud(model))
            await talk.response()
        assert [ms for _, ms in server.truncated] == [150], "the first was heard to its end"


@in_real_time
async def test_words_of_the_user_that_come_after_the_response_are_told() -> None:
    async with OpenAIRealtimeServer(late_words=True) as server:
        model = openai(server.url)
        async with TalkWithModel(model, CONTEXT) as talk:
            talk.take_turn(loud(model))
            assert not any(isinstance(event, UserHeard) for event in await talk.response())
            while not (heard := [e for e in talk.events if isinstance(e, UserHeard) and e.final]):
                await LoopClock().sleep(0.01)
        assert heard == [UserHeard(0, WORDS, True)]


@in_real_time
async def test_nothing_stays_of_a_voice_that_nobody_heard() -> None:
    async with OpenAIRealtimeServer() as server:
        model = openai(server.url)
        async with TalkWithModel(model, CONTEXT) as talk:
            talk.take_turn(loud(model))
            await talk.until(Voice)
            talk.give(CutShort(0.0))
            assert await talk.status() == "cancelled"
        assert [ms for _, ms in server.truncated] == [0], "the vendor refuses to cut at 0: it is deleted"


@in_real_time
async def test_results_are_told_under_the_id_that_the_connection_knows() -> None:
    call = ToolCall("12-call_9", "weather", "{}")
    entries = (UserSaid("Weather?"), AgentSaid("", (call,)))
    async with OpenAIRealtimeServer() as server:
        model = openai(server.url)
        async with TalkWithModel(model, Context("Be kind.", entries)) as talk:
            talk.give(ToolOutput("call_9", "weather", "sunny"), Respond())
            assert words_of(await talk.response()) == "You said sunny."
        async with TalkWithModel(model, CONTEXT) as talk:
            talk.give(ToolOutput("call_9", "weather", "rainy"), Respond())
            assert words_of(await talk.response()) == "You said rainy.", "a call that it has not made"


def test_words_that_could_not_be_written_down_are_final() -> None:
    codec = OpenAIRealtimeCodec("openai", {})
    kind = "conversation.item.input_audio_transcription.failed"
    error = {"code": "DeploymentNotFound", "message": "there is no such deployment"}
    failed = json.dumps({"type": kind, "item_id": "1", "error": error})
    heard, fault = codec.read(failed)
    assert heard == UserHeard(0, "", True)
    assert isinstance(fault, Faulted)


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
