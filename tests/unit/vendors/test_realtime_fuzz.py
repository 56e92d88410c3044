"""Realtime vendors that send anything: known errors are raised, and the events keep their grammar."""

import json
from base64 import b64encode
from collections.abc import Callable
from importlib.util import find_spec
from random import Random
from typing import Any, cast

import pytest

from antiphon.context import Context
from antiphon.errors import TheyErred
from antiphon.services.realtime_codec import MessagesToSend, RealtimeCodec
from antiphon.services.realtime_vocabulary import (
    AgentWords,
    CutShort,
    Respond,
    ResponseBegan,
    ResponseOver,
    Say,
    UserHeard,
    UserSpeaks,
    UserWords,
    Voice,
)
from antiphon.services.socket_realtime import SocketRealtime
from antiphon.signals import ToolCall
from antiphon.testing.loopback.aws_realtime import sonic_event
from antiphon.vendors.aws.realtime import Realtime as NovaSonic
from antiphon.vendors.azure.realtime import Realtime as VoiceLive
from antiphon.vendors.google.realtime import Realtime as GeminiLive
from antiphon.vendors.hume.realtime import Realtime as HumeEVI
from antiphon.vendors.inworld.realtime import Realtime as InworldRealtime
from antiphon.vendors.kyutai.realtime import Realtime as Kyutai
from antiphon.vendors.openai.realtime import Realtime as OpenAIRealtime
from antiphon.vendors.openai_live.realtime import Realtime as OpenAILive
from antiphon.vendors.qwen.realtime import Realtime as QwenRealtime
from antiphon.vendors.ultravox.realtime import Realtime as Ultravox
from antiphon.vendors.xai.realtime import Realtime as XaiRealtime

SOUND = b64encode(b"\1\x40" * 99 + b"\1").decode()
CALL = {"type": "function_call", "id": "i2", "call_id": "c", "name": "weather", "arguments": "{}"}
NASTY: list[Any] = [
    None,
    -1,
    1e308,
    10**400,
    True,
    "",
    "\ud800",
    "%%%",
    [],
    [[]],
    {},
    {"a": 1},
    "A" * 3000,
    ["x", None],
]
PLACE = {"response_id": "r", "item_id": "i"}
USER = "conversation.item.input_audio_transcription."
USAGE = {"input_tokens": 1, "output_tokens": 2, "input_token_details": {"cached_tokens": 1}, "seconds": 1.5}
RESPONSE = {"id": "r", "status": "completed", "status_details": {"reason": "x"}, "output": [CALL],
            "usage": USAGE}  # fmt: skip
OPENAI: list[dict[str, Any]] = [
    {"type": "session.updated"},
    {"type": "response.created", "response": {"id": "r"}},
    {"type": "response.output_item.added", "response_id": "r", "item": CALL},
    {"type": "response.function_call_arguments.done", "response_id": "r", "item_id": "i2", "arguments": "{}"},
    {"type": "response.output_item.done", "response_id": "r", "item": CALL},
    {"type": "response.done", "response": RESPONSE},
    {"type": "input_audio_buffer.speech_started", "item_id": "u"},
    {"type": "input_audio_buffer.speech_stopped", "item_id": "u"},
    {"type": "input_audio_buffer.timeout_triggered", "item_id": "u"},
    {"type": "input_audio_buffer.committed", "item_id": "u"},
    {"type": USER + "delta", "item_id": "u", "delta": "hi"},
    {"type": USER + "updated", "item_id": "u", "transcript": "hi"},
    {"type": USER + "completed", "item_id": "u", "transcript": "hi", "status": "completed", "usage": USAGE},
    {"type": USER + "failed", "item_id": "u", "error": {"code": "c", "message": "m"}},
    {"type": "error", "error": {"code": "c", "message": "m", "event_id": "create-1"}},
    *(
        {"type": f"response.{kind}.delta", **PLACE, "delta": SOUND}
        for kind in ("output_audio", "audio", "output_audio_transcript", "audio_transcript", "text")
    ),
    {"type": "response.audio_transcript.done", **PLACE, "transcript": "hi there"},
    {"type": "response.audio_timestamp.delta", **PLACE, "text": "A", "audio_offset_ms": 1},
]
LIVE: list[dict[str, Any]] = [
    {"type": "session.started"},
    {"type": "session.output_audio.delta", "delta": SOUND},
    {"type": "session.output_audio.delta", "delta": b64encode(bytes(24001)).decode()},
    *(
        {"type": f"session.{side}_transcript.delta", "delta": "hi ", "start_ms": 1, "end_ms": 2}
        for side in ("input", "output")
    ),
    {"type": "response.event", "event": {"type": "response.output_item.done", "item": CALL}},
    {"type": "response.event", "event": {"type": "response.completed", "response": {"usage": USAGE}}},
    {"type": "response.event", "event": {"type": "response.failed", "response": {"error": {"code": "c"}}}},
    {"type": "session.usage.updated", "usage": USAGE},
    {"type": "error", "error": {"code": "c", "message": "m", "client_event_id": "ask-1"}},
]
GEMINI: list[dict[str, Any]] = [
    {"setupComplete": {}},
    {"serverContent": {"modelTurn": {"parts": [{"inlineData": {"data": SOUND}}, {"text": "hi"}]}}},
    {"serverContent": {"outputTranscription": {"text": "hi"}, "interimInputTranscription": {"text": "h"}}},
    {"serverContent": {"inputTranscription": {"text": "hi"}, "turnComplete": True}},
    {"serverContent": {"interrupted": True, "generationComplete": True}},
    {"serverContent": {"interactionStatus": "IDLE", "turnCompleteReason": "x"}},
    {"toolCall": {"functionCalls": [{"id": "c", "name": "weather", "args": {"city": "Rome"}}]}},
    {"toolCallCancellation": {"ids": ["c"]}},
    {
        "usageMetadata": {
            "promptTokenCount": 1,
            "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 1}],
        }
    },
    {"goAway": {"timeLeft": "10s"}, "sessionResumptionUpdate": {"newHandle": "h", "resumable": True}},
    {"voiceActivity": {"voiceActivityType": "ACTIVITY_START"}},
]
SONIC: list[dict[str, Any]] = [
    {"contentStart": {"contentId": "1", "type": "AUDIO", "role": role,
                      "additionalModelFields": '{"generationStage": "FINAL"}'}}
    for role in ("USER", "ASSISTANT", "TOOL")
] + [
    {"textOutput": {"contentId": "1", "content": "hi"}},
    {"textOutput": {"contentId": "1", "content": '{ "interrupted" : true }'}},
    {"audioOutput": {"contentId": "1", "content": SOUND}},
    {"toolUse": {"contentId": "1", "toolUseId": "c", "toolName": "weather", "content": "{}"}},
    {"contentEnd": {"contentId": "1", "stopReason": "END_TURN", "type": "TEXT"}},
    {"contentEnd": {"contentId": "1", "stopReason": "INTERRUPTED", "type": "TEXT"}},
    {"usageEvent": {"details": {"delta": {"input": {"speechTokens": 1, "textTokens": 1}}}}},
    {"completionEnd": {}},
]  # fmt: skip
HUME: list[dict[str, Any]] = [
    {"type": "chat_metadata", "chat_group_id": "g"},
    {"type": "user_message", "interim": False, "message": {"content": "hi"}},
    {"type": "user_interruption", "time": 1},
    {"type": "assistant_message", "message": {"content": "hi"}},
    {"type": "audio_output", "id": "a", "index": 0, "data": SOUND},
    {"type": "tool_call", "tool_call_id": "c", "name": "weather", "parameters": "{}"},
    {"type": "assistant_end"},
    {"type": "error", "code": "E1", "slug": "s", "message": "m"},
]
ULTRAVOX: list[dict[str, Any]] = [
    {"type": "call_started", "callId": "c"},
    *({"type": "state", "state": state} for state in ("listening", "thinking", "speaking")),
    *({"type": "transcript", "role": role, "medium": "voice", "text": "hi", "final": True, "ordinal": 1}
      for role in ("user", "agent")),
    {"type": "transcript", "role": "agent", "medium": "voice", "delta": "hi", "final": False, "ordinal": 2},
    {"type": "client_tool_invocation", "toolName": "weather", "invocationId": "c", "parameters": {"a": 1}},
    {"type": "playback_clear_buffer"},
    {"type": "pong"},
]  # fmt: skip
UNMUTE = [*OPENAI, {"type": "response.audio.done"}, {"type": "unmute.interrupted_by_vad"}]


def as_json(told: object) -> str:
    return json.dumps(told)


def as_event(told: object) -> bytes:
    return sonic_event({"event": told})


def as_moshi(told: object) -> bytes:
    """Return a message of Moshi by the length of what was made."""
    text = json.dumps(told).encode()
    return bytes([(0, 2, 2, 9)[len(text) % 4]]) + text


Vendor = tuple[Callable[[], SocketRealtime], list[dict[str, Any]], Callable[[object], str | bytes]]
VENDORS: dict[str, Vendor] = {
    "openai": (lambda: OpenAIRealtime(key="k"), OPENAI, as_json),
    "azure": (lambda: VoiceLive(key="k"), OPENAI, as_json),
    "xai": (lambda: XaiRealtime(key="k"), OPENAI, as_json),
    "inworld": (lambda: InworldRealtime(key="k"), OPENAI, as_json),
    "qwen": (lambda: QwenRealtime(key="k"), OPENAI, as_json),
    "openai_live": (lambda: OpenAILive(key="k"), LIVE, as_json),
    "google": (lambda: GeminiLive(key="k"), GEMINI, as_json),
    "hume": (lambda: HumeEVI(key="k"), HUME, as_json),
    "ultravox": (lambda: Ultravox(key="k"), ULTRAVOX, as_json),
    "aws": (lambda: NovaSonic(region="us-east-1", key="k", secret="s"), SONIC, as_event),
    **(
        {
            "unmute": (lambda: Kyutai("unmute", url="ws://localhost"), UNMUTE, as_json),
            "moshi": (lambda: Kyutai("moshi", url="ws://localhost"), OPENAI, as_moshi),
        }
        if find_spec("av")
        else {}
    ),
}


def mutated(value: Any, random: Random, rate: float) -> Any:
    """Return a message in which some values are replaced or left out."""
    if random.random() < rate:
        return random.choice(NASTY)
    if isinstance(value, dict):
        return {
            name: one if name == "type" and random.random() < 0.9 else mutated(one, random, rate)
            for name, one in cast(dict[str, Any], value).items()
            if random.random() > rate / 3
        }
    if isinstance(value, list):
        return [mutated(one, random, rate) for one in cast(list[Any], value)]
    return value


class Grammar:
    """Checks that events come in the order of the vocabulary."""

    def __init__(self) -> None:
        self.responding = self.speaking = False

    def check(self, event: object) -> None:
        match event:
            case ResponseBegan():
                assert not self.responding, "a response begins within another"
                self.responding = True
            case ResponseOver():
                assert self.responding, "a response ends twice"
                self.responding = False
            case Voice(pcm):
                assert self.responding, "a voice without a response"
                assert len(pcm) % 2 == 0, "a sample is cut"
            case AgentWords(_, ends_at):
                assert self.responding, "words without a response"
                assert ends_at is None or ends_at >= 0
            case ToolCall():
                assert self.responding, "a call without a response"
                assert event.id, "a call without an id"
            case UserSpeaks(speaking):
                assert speaking != self.speaking, "a turn begins or ends twice"
                self.speaking = speaking
            case UserHeard(turn):
                assert turn >= 0
            case _:
                pass


def inputs(codec: RealtimeCodec, random: Random, grammar: Grammar) -> None:
    """Say something to the vendor now and then, as the driver does."""
    if random.random() < 0.1:
        list(codec.put(random.choice([UserWords("hi"), CutShort(0.1)])))
    if random.random() < 0.1 and not grammar.responding:
        list(codec.put(random.choice([Respond(), Say("hi")])))


@pytest.mark.parametrize("detects", [True, False], ids=["their turns", "our turns"])
@pytest.mark.parametrize("vendor", VENDORS)
def test_anything_may_come(vendor: str, detects: bool) -> None:
    make, messages, encode = VENDORS[vendor]
    service = make()
    detects = detects or service.detection == "theirs"
    for seed in range(40):
        random, codec, grammar = Random(seed), service.codec(detects, None), Grammar()
        list(codec.begin(Context("Be kind.")))
        rate = random.choice([0.0, 0.03, 0.2])
        for _ in range(60):
            message = encode(mutated(random.choice(messages), random, rate))
            try:
                for event in codec.read(message):
                    assert not isinstance(event, MessagesToSend) or event.messages
                    grammar.check(event)
                inputs(codec, random, grammar)
            except TheyErred:
                continue
