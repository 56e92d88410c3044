"""The servers on loopback complain of what they are sent, also where they stumble over it."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from antiphon.testing.loopback import KEY, VendorServer
from antiphon.testing.loopback.anthropic import AnthropicMessages
from antiphon.testing.loopback.elevenlabs import ElevenLabsDialogue
from antiphon.testing.loopback.http import HttpVendorServer
from antiphon.testing.loopback.openai import OpenAIChat

DIALOGUE = "/v1/text-to-dialogue/multi-stream-input?model_id=eleven_v3&output_format=pcm_24000"
UNKNOWN = {"context_id": "1", "inputs": [{"text": "Hello.", "voice_id": "a-voice"}]}
ASKED: dict[str, Any] = {"model": "m", "max_tokens": 9, "stream": True}


async def talk(server: VendorServer, headers: dict[str, str], *messages: dict[str, Any]) -> None:
    with suppress(WebSocketException):
        async with connect(server.url + DIALOGUE, additional_headers=headers) as socket:
            for message in messages:
                await socket.send(json.dumps(message))
            await socket.wait_closed()


async def post(server: HttpVendorServer, path: str, headers: dict[str, str], asked: Any) -> None:
    async with httpx.AsyncClient() as client:
        with suppress(httpx.TransportError):
            answer = await client.post(server.url + path, headers=headers, json=asked)
            assert answer.status_code == 400
            assert answer.json()["error"]["message"]


async def without_key(server: Any) -> None:
    await talk(server, {})


async def unknown_context(server: Any) -> None:
    await talk(server, {"xi-api-key": KEY}, UNKNOWN)


async def two_mistakes(server: Any) -> None:
    await without_key(server)
    await unknown_context(server)


async def without_version(server: Any) -> None:
    await post(server, "/v1/messages", {"x-api-key": KEY}, ASKED)


async def removed_field(server: Any) -> None:
    headers = {"authorization": f"Bearer {KEY}", "anthropic-version": "2026-10-21"}
    await post(server, "/v1/messages", headers, ASKED | {"temperature": 0, "messages": []})


async def odd_content(server: Any) -> None:
    headers = {"authorization": f"Bearer {KEY}"}
    messages = [{"role": "user", "content": 7}]
    await post(server, "/chat/completions", headers, {"model": "m", "stream": True, "messages": messages})


@pytest.mark.parametrize(
    ("server", "act", "told"),
    [
        (ElevenLabsDialogue, without_key, "xi-api-key"),
        (ElevenLabsDialogue, unknown_context, "'1'"),
        (ElevenLabsDialogue, two_mistakes, "xi-api-key"),
        (AnthropicMessages, without_version, "anthropic-version"),
        (AnthropicMessages, removed_field, "removed in this version"),
        (OpenAIChat, odd_content, "not as the protocol says"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_server_complains(
    server: Callable[[], Any], act: Callable[[Any], Awaitable[None]], told: str
) -> None:
    async def run() -> None:
        async with server() as vendor:
            await act(vendor)

    with pytest.raises(AssertionError, match=told):
        asyncio.run(run())
