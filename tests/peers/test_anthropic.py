"""Anthropic's own client."""

from typing import Any

import pytest
from anthropic import AsyncAnthropic, AuthenticationError

from antiphon.testing.loopback import KEY, Fault
from antiphon.testing.loopback.anthropic import AnthropicMessages
from parts import TEXT

TOOL: Any = {
    "name": "hours",
    "description": "Opening hours",
    "input_schema": {"type": "object", "properties": {"day": {"type": "string"}}},
}
MODEL = "claude-haiku-4-5"


@pytest.mark.client(AnthropicMessages, "anthropic")
async def test_words() -> None:
    async with AnthropicMessages() as server, AsyncAnthropic(api_key=KEY, base_url=server.url) as client:
        asked = client.messages.stream(
            model=MODEL, max_tokens=100, system="Be brief.", messages=[{"role": "user", "content": "Hello?"}]
        )
        async with asked as stream:
            assert "".join([text async for text in stream.text_stream]) == TEXT
            message = await stream.get_final_message()
        assert message.stop_reason == "end_turn"
        assert (message.usage.input_tokens, message.usage.output_tokens) == (12, 3)


@pytest.mark.client(AnthropicMessages, "anthropic")
async def test_a_tool_is_called_and_answered() -> None:
    async with AnthropicMessages() as server, AsyncAnthropic(api_key=KEY, base_url=server.url) as client:
        text = [{"type": "text", "text": "When are you open?"}]
        messages: list[Any] = [{"role": "user", "content": text}]
        async with client.messages.stream(
            model=MODEL, max_tokens=100, messages=messages, tools=[TOOL]
        ) as stream:
            answer = await stream.get_final_message()
        assert answer.stop_reason == "tool_use"
        call = answer.content[0]
        assert call.type == "tool_use"
        assert (call.name, call.input) == ("hours", {"day": "Monday"})
        result = {"type": "tool_result", "tool_use_id": call.id, "content": "from nine to five"}
        messages += [
            {"role": "assistant", "content": [call.model_dump(include={"type", "id", "name", "input"})]},
            {"role": "user", "content": [result]},
        ]
        async with client.messages.stream(
            model=MODEL, max_tokens=100, messages=messages, tools=[TOOL]
        ) as stream:
            assert await stream.get_final_text() == TEXT


@pytest.mark.client(AnthropicMessages, "anthropic")
async def test_a_refused_key() -> None:
    async with (
        AnthropicMessages(Fault.REFUSED) as server,
        AsyncAnthropic(api_key=KEY, base_url=server.url) as client,
    ):
        with pytest.raises(AuthenticationError):
            await client.messages.create(
                model=MODEL, max_tokens=9, messages=[{"role": "user", "content": "Hello?"}], stream=True
            )
