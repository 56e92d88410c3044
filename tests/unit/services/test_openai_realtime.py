"""OpenAI's Realtime protocol: what its messages mean, also if they are out of order or incomplete."""

import json
from base64 import b64encode
from typing import Any

import pytest

from antiphon.context import Context
from antiphon.errors import AuthenticationError, BadResponseError, TheyErred
from antiphon.services.openai_realtime import OpenAIRealtimeCodec
from antiphon.services.realtime_codec import RealtimeReady
from antiphon.services.realtime_vocabulary import (
    AgentWords,
    CutShort,
    Faulted,
    Respond,
    ResponseBegan,
    ResponseOver,
    ToolOutput,
    UserCutIn,
    UserHeard,
    UserSpeaks,
    Voice,
)
from antiphon.services.vendor_values import number
from antiphon.signals import ToolCall
from antiphon.vendors.azure.realtime import VoiceLiveCodec
from antiphon.vendors.openai_live.codec import GPTLiveCodec
from antiphon.vendors.qwen.realtime import QwenRealtimeCodec

TRANSCRIPTION = "conversation.item.input_audio_transcription."
CREATED = {"type": "response.created", "response": {"id": "r1"}}
DONE = {"type": "response.done", "response": {"id": "r1", "status": "completed"}}
UPDATED = {"type": "session.updated"}


def new(**settings: Any) -> OpenAIRealtimeCodec:
    codec = OpenAIRealtimeCodec("openai", settings)
    list(codec.begin(Context("Be kind.")))
    return codec


def read(codec: Any, *messages: dict[str, Any]) -> list[Any]:
    return [event for message in messages for event in codec.read(json.dumps(message))]


def sound(pcm: bytes, response: str = "r1", item: str = "i1") -> dict[str, Any]:
    delta = b64encode(pcm).decode()
    return {"type": "response.output_audio.delta", "response_id": response, "item_id": item, "delta": delta}


def user(kind: str, item: str, **values: Any) -> dict[str, Any]:
    return {"type": f"input_audio_buffer.{kind}", "item_id": item, **values}


def transcript(item: str, text: str) -> dict[str, Any]:
    return {"type": TRANSCRIPTION + "completed", "item_id": item, "transcript": text}


# Responses -------------------------------------------------------------------------------------------


def test_samples_that_are_cut_in_the_middle_are_put_together() -> None:
    voice = [Voice(b"\1\2"), Voice(b"\3\4\5\6")]
    assert read(new(), CREATED, sound(b"\1\2\3"), sound(b"\4\5\6"))[1:] == voice
    live = GPTLiveCodec({}, {})
    delta = {"type": "session.output_audio.delta", "delta": b64encode(b"\1\x40" * 200 + b"\1").decode()}
    rest = {"type": "session.output_audio.delta", "delta": b64encode(b"\x40\1\x40").decode()}
    assert read(live, delta, rest)[1:] == [Voice(b"\1\x40" * 200), Voice(b"\1\x40" * 2)]


def test_half_a_sample_of_one_item_is_not_put_before_the_next() -> None:
    assert read(new(), CREATED, sound(b"\1\2\3"), sound(b"\4\5", item="i2"))[1:] == [
        Voice(b"\1\2"),
        Voice(b"\4\5"),
    ]


def test_each_response_begins_and_ends_once() -> None:
    assert read(new(), CREATED, CREATED, DONE, DONE) == [ResponseBegan(), ResponseOver()]
    assert read(new(), DONE) == []


def test_only_what_belongs_to_the_response_in_progress_is_heard() -> None:
    codec = new()
    assert read(codec, sound(b"\1\2"), CREATED, sound(b"\1\2", response="r0")) == [ResponseBegan()]
    late = {"type": "response.done", "response": {"id": "r0", "status": "cancelled"}}
    assert read(codec, late, DONE, sound(b"\1\2")) == [ResponseOver()]


def test_response_that_begins_within_another_ends_that() -> None:
    second = {"type": "response.created", "response": {"id": "r2"}}
    assert read(new(), CREATED, second, DONE, sound(b"\1\2", response="r2")) == [
        ResponseBegan(),
        ResponseOver("incomplete", "another response has begun"),
        ResponseBegan(),
        Voice(b"\1\2"),
    ]


def test_words_that_come_only_at_the_end_are_told() -> None:
    kind = "response.output_audio_transcript."
    whole = {"type": kind + "done", "item_id": "i1", "transcript": "Hello."}
    assert read(new(), CREATED, whole)[1:] == [AgentWords("Hello.")]
    piece = {"type": kind + "delta", "item_id": "i1", "delta": "Hel"}
    assert read(new(), CREATED, piece, whole)[1:] == [AgentWords("Hel")], "they are not told twice"
    written = {"type": "response.text.done", "item_id": "i1", "text": "Hello."}
    assert read(new(), CREATED, written)[1:] == [AgentWords("Hello.")]


def test_name_of_a_function_is_known_from_the_beginning_of_its_item() -> None:
    item = {"type": "function_call", "id": "i1", "call_id": "c1", "name": "weather"}
    added = {"type": "response.output_item.added", "item": item}
    for known in ({"call_id": "c1"}, {"item_id": "i1"}):
        arguments = {"type": "response.function_call_arguments.done", "arguments": "{}", **known}
        done = {"type": "response.output_item.done", "item": item | {"arguments": "{}"}}
        assert read(new(), CREATED, added, arguments, done, DONE)[1:-1] == [ToolCall("c1", "weather", "{}")]


def test_call_without_an_id_gets_one() -> None:
    codec, item = new(), {"type": "function_call", "name": "weather", "arguments": "{}"}
    done = {"type": "response.output_item.done", "item": item}
    whole = {"type": "response.done", "response": {"id": "r1", "status": "completed", "output": [item]}}
    first, second = (read(codec, CREATED, done, whole)[1] for _ in range(2))
    assert isinstance(first, ToolCall)
    assert 0 < len(first.id) <= 32
    assert first.id != second.id
    told = [json.loads(message)["item"] for message in codec.put(ToolOutput(first.id, "weather", "sunny"))]
    assert [one["type"] for one in told] == ["function_call", "function_call_output"]


@pytest.mark.parametrize(
    "response",
    [
        {"status_details": {"error": {"message": "too much"}}},
        {"status_details": {"error": {"code": "too much", "type": "server_error"}}},
        {"status_details": {"error": {"type": "too much"}}},
        {"status_details": {"error": "too much"}},
        {"status_details": {"reason": "too much"}},
        {"error": {"message": "too much"}},
    ],
)
def test_reason_of_a_failure_is_told(response: dict[str, Any]) -> None:
    done = {"type": "response.done", "response": {"id": "r1", "status": "failed", **response}}
    assert read(new(), CREATED, done)[-1] == ResponseOver("failed", "too much")


# The user --------------------------------------------------------------------------------------------


def test_time_in_which_nobody_speaks_is_no_turn() -> None:
    codec = new()
    assert read(codec, user("timeout_triggered", "t"), user("committed", "t"), transcript("t", "")) == []
    assert read(codec, user("speech_started", "u"), user("speech_stopped", "u"), transcript("u", "Hi.")) == [
        UserSpeaks(True),
        UserCutIn(),
        UserSpeaks(False),
        UserHeard(0, "Hi.", True),
    ]


def test_speech_that_begins_twice_is_one_turn() -> None:
    codec = QwenRealtimeCodec("qwen", {})
    began = read(codec, user("speech_started", "a"), user("speech_started", "b"))
    assert began == [UserSpeaks(True), UserCutIn()]
    assert read(codec, user("speech_stopped", "b"), user("committed", "b"), transcript("b", "Hi.")) == [
        UserSpeaks(False),
        UserHeard(0, "Hi.", True),
    ]


def test_turns_that_we_end_are_counted_as_they_are_committed() -> None:
    codec = new(audio={"input": {"turn_detection": None}})
    read(codec, user("committed", "a"), user("committed", "b"))
    assert read(codec, transcript("b", "two"), transcript("a", "one")) == [
        UserHeard(1, "two", True),
        UserHeard(0, "one", True),
    ]


def test_vendor_that_does_not_interrupt_tells_of_no_interruption() -> None:
    codec = new(turn_detection={"type": "server_vad", "interrupt_response": False})
    assert read(codec, user("speech_started", "a")) == [UserSpeaks(True)]


def test_what_is_kept_of_items_is_bounded() -> None:
    codec = new()
    for place in range(1000):
        delta = {"type": TRANSCRIPTION + "delta", "item_id": f"i{place}", "delta": "x"}
        read(codec, user("speech_started", f"i{place}"), user("speech_stopped", ""), delta)
    assert read(codec, user("speech_started", "last"), transcript("last", "Hi."))[-1].turn == 1000
    kept: list[Any] = [value for value in vars(codec.turns).values() if isinstance(value, dict)]
    assert all(len(one) < 100 for one in kept)


# Errors ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"error": {"type": "invalid_request_error", "code": "unknown_parameter"}}, BadResponseError),
        ({"error": {"code": "invalid_model", "message": "no such model"}}, BadResponseError),
        ({"error": {"code": "invalid_api_key", "message": "wrong key"}}, AuthenticationError),
        ({"message": "boom", "code": "x"}, BadResponseError),
        ({"error": "boom"}, BadResponseError),
        ({}, BadResponseError),
    ],
)
def test_refused_settings_end_the_conversation(error: dict[str, Any], kind: type[TheyErred]) -> None:
    with pytest.raises(kind, match=r"openai: \w+"):
        read(new(), {"type": "error", **error})


def test_error_of_a_conversation_that_goes_on_is_told() -> None:
    ready, fault = read(new(), UPDATED, {"type": "error", "error": "boom"})
    assert ready == RealtimeReady()
    assert isinstance(fault, Faulted)


@pytest.mark.parametrize("request_id", ["create-1", None])
def test_request_that_is_refused_has_failed(request_id: str | None) -> None:
    codec = new()
    read(codec, UPDATED)
    list(codec.put(Respond()))
    refused = {"type": "error", "error": {"code": "invalid", "message": "no", "event_id": request_id}}
    assert read(codec, refused) == [ResponseBegan(), ResponseOver("failed", "no")]
    assert isinstance(read(codec, refused | {"error": "no"})[0], Faulted), "it fails once"


def test_nothing_to_cancel_fails_no_request() -> None:
    codec = new()
    read(codec, UPDATED)
    list(codec.put(CutShort(0.0)))
    list(codec.put(Respond()))
    assert read(codec, {"type": "error", "error": {"code": "response_cancel_not_active"}}) == []


def test_number_too_large_for_a_float_is_none() -> None:
    assert number(10**400) is None


def test_words_are_never_spoken_before_the_response_begins() -> None:
    codec = VoiceLiveCodec("azure", {"output_audio_timestamp_types": ["word"]})
    words = {"type": "response.audio_transcript.delta", "delta": "hi"}
    time = {"type": "response.audio_timestamp.delta", "text": "hi", "audio_offset_ms": -9000}
    assert read(codec, CREATED, words, time)[1:] == [AgentWords("hi", 0.0)]
