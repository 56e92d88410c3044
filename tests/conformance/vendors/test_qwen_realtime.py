"""Qwen-Omni: the conversation in the instructions, and pictures beside the sound."""

import asyncio
import json
from typing import Any

from antiphon.context import AgentSaid, Context, Image, ToolAnswered, ToolCall, UserSaid
from antiphon.services.realtime_vocabulary import Respond, ToolOutput, UserPicture, UserSound, UserWords
from antiphon.testing.conformance.realtime import TalkWithModel
from antiphon.testing.loopback.qwen_realtime import QwenRealtimeServer
from antiphon.testing.loopback.server import KEY
from antiphon.vendors.qwen.realtime import QwenRealtimeCodec, Realtime

PICTURE = Image(b"\xff\xd8picture")


def sent(messages: object) -> list[dict[str, Any]]:
    return [json.loads(message) for message in messages]  # type: ignore[attr-defined]


def test_conversation_so_far_is_in_the_instructions() -> None:
    call = ToolCall("1-call", "weather", '{"city": "Paris"}')
    entries = (UserSaid("Weather?"), AgentSaid("", (call,)), ToolAnswered(call, "sunny"), AgentSaid("Sunny."))
    (update,) = sent(QwenRealtimeCodec("qwen", {}).begin(Context("Be kind.", entries)))
    assert update["session"]["instructions"].splitlines() == [
        "Be kind.", "", "The conversation so far, which you continue:", "User: Weather?",
        'Result of weather({"city": "Paris"}): sunny', "You: Sunny.",
    ]  # fmt: skip


def test_what_is_new_stands_in_the_request() -> None:
    codec = QwenRealtimeCodec("qwen", {})
    list(codec.begin(Context("Be kind.")))
    assert sent(codec.put(UserWords("Hello?"))) == []
    assert sent(codec.put(ToolOutput("of-another-connection", "weather", "sunny"))) == []
    (request,) = sent(codec.put(Respond()))
    assert request["response"]["instructions"].splitlines()[-2:] == [
        'The user has written: "Hello?"',
        "Result of weather: sunny",
    ]
    (request,) = sent(codec.put(Respond()))
    assert "response" not in request, "once"


def test_picture_waits_for_the_first_sound() -> None:
    codec = QwenRealtimeCodec("qwen", {})
    assert sent(codec.put(UserPicture(PICTURE))) == []
    kinds = [message["type"] for message in sent(codec.put(UserSound(bytes(640))))]
    assert kinds == ["input_audio_buffer.append", "input_image_buffer.append"]
    assert sent(codec.put(UserPicture(Image(b"png", "image/png")))) == []
    assert len(sent(codec.put(UserPicture(PICTURE)))) == 1


def test_picture_is_seen() -> None:
    async def run() -> None:
        async with QwenRealtimeServer() as server:
            model = Realtime(key=KEY, base_url=f"{server.url}/api-ws/v1")
            async with TalkWithModel(model, Context("Be kind.")) as talk:
                talk.give(UserPicture(PICTURE))
                talk.take_turn(b"\x00\x40" * 16000)
                await talk.response()
            assert server.seeded == [{"picture": len(PICTURE.data)}]

    asyncio.run(run())
