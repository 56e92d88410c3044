"""Every language model over HTTP against its vendor's protocol on loopback, with what goes wrong."""

import asyncio
from typing import Any

import pytest

from antiphon.context import AgentSaid, Context, Image, ToolAnswered, UserSaid
from antiphon.errors import AuthenticationError, BadResponseError, RateLimitError, UnavailableError
from antiphon.frames import ToolCall
from antiphon.services.http_llm import HttpLLM
from antiphon.services.ports import TextDelta, TokenUsage
from antiphon.testing import check_llm
from antiphon.testing.conformance.llm import TOOL
from antiphon.testing.loopback import KEY, Fault
from antiphon.testing.loopback.anthropic import AnthropicMessages
from antiphon.testing.loopback.bedrock import BedrockServer
from antiphon.testing.loopback.google import GeminiServer
from antiphon.testing.loopback.http import HttpVendorServer
from antiphon.testing.loopback.openai import OpenAIChat, OpenAIResponses
from antiphon.vendors import anthropic, openai_responses
from antiphon.vendors.aws import llm as bedrock
from antiphon.vendors.google import llm as gemini
from antiphon.vendors.openai import llm as chat

MODELS: list[tuple[type[HttpLLM], type[HttpVendorServer]]] = [
    (anthropic.LLM, AnthropicMessages),
    (gemini.LLM, GeminiServer),
    (chat.LLM, OpenAIChat),
    (openai_responses.LLM, OpenAIResponses),
    (bedrock.LLM, BedrockServer),
]
models = pytest.mark.parametrize(("kind", "server"), MODELS, ids=[server.__name__ for _, server in MODELS])

PLAIN = Context("Be brief.", (UserSaid("Hello?"),))


def client(kind: Any, server: HttpVendorServer) -> Any:
    more: dict[str, Any] = {"secret": "a secret", "region": "eu-west-1"} if kind is bedrock.LLM else {}
    return kind(key=KEY, base_url=server.url, **more)


def answer(
    kind: type[HttpLLM], server: HttpVendorServer, context: Context = PLAIN
) -> list[TextDelta | ToolCall | TokenUsage]:
    async def ask() -> list[TextDelta | ToolCall | TokenUsage]:
        async with server:
            service = client(kind, server)
            try:
                return [item async for item in service.generate(context)]
            finally:
                await service.close()

    return asyncio.run(ask())


@models
def test_a_model_does_what_all_must(kind: type[HttpLLM], server: type[HttpVendorServer]) -> None:
    async def run() -> None:
        async with server() as vendor:
            await check_llm(lambda: client(kind, vendor))

    asyncio.run(run())


@models
def test_words_and_usage(kind: type[HttpLLM], server: type[HttpVendorServer]) -> None:
    said = answer(kind, server())
    assert said[:2] == [TextDelta("Good "), TextDelta("day.")]
    assert isinstance(said[2], TokenUsage)
    read, stored = (12, 0) if server in (GeminiServer, OpenAIChat) else (14, 2)
    assert said[2] == TokenUsage(read, 3, 8, stored), "what was read includes what was cached and stored"


@models
def test_a_conversation_with_everything_in_it(kind: type[HttpLLM], server: type[HttpVendorServer]) -> None:
    """The server checks what it is sent."""
    call = ToolCall("call-1|signature|c2ln", TOOL.name, '{"day": "Monday"}')
    entries = (
        AgentSaid("Good morning."),
        UserSaid("What is this, and when", (Image(b"\xff\xd8", "image/jpeg"),)),
        UserSaid("are you there?"),
        AgentSaid("One moment.", (call,)),
        ToolAnswered(call, "nine to five"),
        AgentSaid("From nine", interrupted=True),
        UserSaid("Thanks."),
    )
    said = answer(kind, server(), Context("Be brief.", entries, (TOOL,)))
    assert "".join(item.text for item in said if isinstance(item, TextDelta)) == "Good day."


@models
def test_a_conversation_whose_tools_are_gone(kind: type[HttpLLM], server: type[HttpVendorServer]) -> None:
    """An agent may take over that has none of them."""
    call = ToolCall("call-1|signature|c2ln", TOOL.name, "{}")
    entries = (UserSaid("When?"), AgentSaid("", (call,)), ToolAnswered(call, "At nine."), UserSaid("Thanks."))
    said = answer(kind, server(), Context("Be brief.", entries))
    assert "".join(item.text for item in said if isinstance(item, TextDelta)) == "Good day."


@models
def test_messages_that_are_not_known_are_passed_over(
    kind: type[HttpLLM], server: type[HttpVendorServer]
) -> None:
    assert answer(kind, server(Fault.STRANGE))[:2] == [TextDelta("Good "), TextDelta("day.")]


REFUSALS = {
    Fault.REFUSED: AuthenticationError,
    Fault.LIMITED: RateLimitError,
    Fault.MALFORMED: BadResponseError,
    Fault.CUT: UnavailableError,
}


@pytest.mark.parametrize("fault", REFUSALS)
@models
def test_a_model_names_what_went_wrong(
    kind: type[HttpLLM], server: type[HttpVendorServer], fault: Fault
) -> None:
    with pytest.raises(REFUSALS[fault]) as raised:
        answer(kind, server(fault))
    if isinstance(raised.value, RateLimitError):
        assert raised.value.retry_after == 7


@models
def test_leaving_an_answer_stops_the_vendor(kind: type[HttpLLM], server: type[HttpVendorServer]) -> None:
    async def run() -> None:
        async with server(Fault.SILENT) as vendor:
            service = client(kind, vendor)
            asking = asyncio.create_task(anext(service.generate(PLAIN)))
            async with asyncio.timeout(10):
                while not vendor.requests:
                    await asyncio.sleep(0)
            asking.cancel()
            await asyncio.wait([asking])
            async with asyncio.timeout(10):
                while not vendor.cancelled:
                    await asyncio.sleep(0)
            await service.close()

    asyncio.run(run())


# What the vendor caches --------------------------------------------------------------------------------


def asked(kind: Any, server: type[HttpVendorServer], *contexts: Context, **options: Any) -> list[Any]:
    """Return the bodies of the requests for these contexts, each of which the server has checked."""

    async def run() -> list[Any]:
        async with server() as vendor:
            more: dict[str, Any] = (
                {"secret": "a secret", "region": "eu-west-1"} if kind is bedrock.LLM else {}
            )
            service = kind(key=KEY, base_url=vendor.url, **more, **options)
            for context in contexts:
                _ = [item async for item in service.generate(context)]
            await service.close()
            return [request.json for request in vendor.requests]

    return asyncio.run(run())


LATER = Context("Be brief.", (*PLAIN.entries, AgentSaid("Good day."), UserSaid("And now?")))


def test_claude_caches_the_instructions_and_the_conversation() -> None:
    (body,) = asked(anthropic.LLM, AnthropicMessages, PLAIN)
    assert body["cache_control"] == {"type": "ephemeral"}
    assert body["system"] == [
        {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}
    ], "other conversations of the agent begin alike"
    (long,) = asked(anthropic.LLM, AnthropicMessages, PLAIN, cache_control={"type": "ephemeral", "ttl": "1h"})
    assert long["system"][0]["cache_control"] == long["cache_control"] == {"type": "ephemeral", "ttl": "1h"}
    (none,) = asked(anthropic.LLM, AnthropicMessages, PLAIN, cache_control=None)
    assert "cache_control" not in none
    assert "cache_control" not in none["system"][0]


def test_bedrock_caches_with_models_that_can() -> None:
    point = {"cachePoint": {"type": "default"}}
    (nova,) = asked(bedrock.LLM, BedrockServer, LATER)
    assert nova["system"] == [{"text": "Be brief."}, point]
    assert [turn["content"][-1] == point for turn in nova["messages"]] == [False, False, True]
    (other,) = asked(bedrock.LLM, BedrockServer, PLAIN, model="meta.llama4-scout-17b-instruct-v1:0")
    assert "cachePoint" not in str(other)
    (made,) = asked(bedrock.LLM, BedrockServer, PLAIN, model="some.model", cached=True)
    assert made["system"][-1] == point


def test_requests_of_one_conversation_share_a_key_at_openai() -> None:
    another = Context("Be brief.", (UserSaid("What time is it?"),))
    keys = [
        body["prompt_cache_key"]
        for body in asked(openai_responses.LLM, OpenAIResponses, PLAIN, LATER, another)
    ]
    assert keys[0] == keys[1] != keys[2]
