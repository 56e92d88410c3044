"""GPT-Live: turns and responses are found in a sound that never ends."""

import asyncio
import json
from base64 import b64encode
from collections.abc import Iterable
from typing import Any

import pytest

from antiphon.context import AgentSaid, Context, ToolAnswered, ToolCall, ToolSpec, UserSaid
from antiphon.errors import BadResponseError, ConfigurationError, UnavailableError
from antiphon.services.realtime_codec import MessagesToSend
from antiphon.services.realtime_vocabulary import (
    AgentWords,
    Consumed,
    CutShort,
    Remember,
    ResponseBegan,
    ResponseOver,
    Say,
    ToolOutput,
    UserCutIn,
    UserHeard,
    UserSpeaks,
    Voice,
)
from antiphon.testing.conformance.realtime import TalkWithModel, words_of
from antiphon.testing.loopback.openai_live_realtime import GPTLiveServer
from antiphon.testing.loopback.server import KEY, WORDS
from antiphon.vendors import create
from antiphon.vendors.openai_live.codec import GPTLiveCodec
from antiphon.vendors.openai_live.realtime import Realtime


def new() -> GPTLiveCodec:
    return GPTLiveCodec({"model": "gpt-live-1"}, {"model": "thinker"})


def read(codec: GPTLiveCodec, kind: str, **values: Any) -> list[Any]:
    return list(codec.read(json.dumps({"type": kind, **values})))


def sound(codec: GPTLiveCodec, seconds: float, sample: bytes) -> list[Any]:
    pieces = round(seconds / 0.1)
    delta = b64encode(sample * 2400).decode()
    return [event for _ in range(pieces) for event in read(codec, "session.output_audio.delta", delta=delta)]


def loud(codec: GPTLiveCodec, seconds: float) -> list[Any]:
    return sound(codec, seconds, b"\x00\x20")


def quiet(codec: GPTLiveCodec, seconds: float) -> list[Any]:
    return sound(codec, seconds, b"\x14\x00")


def transcript(codec: GPTLiveCodec, side: str, text: str, start: int, end: int) -> list[Any]:
    return read(codec, f"session.{side}_transcript.delta", delta=text, start_ms=start, end_ms=end)


def voiced(events: Iterable[Any]) -> float:
    return sum(len(event.pcm) for event in events if isinstance(event, Voice)) / 48000


def sent(messages: Iterable[Any]) -> list[dict[str, Any]]:
    return [json.loads(one) for one in messages]


def thought(codec: GPTLiveCodec, *calls: str) -> list[Any]:
    events: list[Any] = []
    for call in calls:
        item = {"type": "function_call", "call_id": call, "name": "weather", "arguments": "{}"}
        event = {"type": "response.output_item.done", "item": item}
        events += read(codec, "response.event", event=event)
    return events + read(codec, "response.event", event={"type": "response.completed", "response": {}})


def test_response_is_over_after_a_gap_and_has_no_long_silence() -> None:
    codec = new()
    assert quiet(codec, 3.0) == []
    events = loud(codec, 1.0) + quiet(codec, 0.6) + loud(codec, 0.5)
    assert events[0] == ResponseBegan()
    assert voiced(events) == pytest.approx(1.8), "a pause is as long as playout has heard it already"
    events = quiet(codec, 1.0)
    assert events[-1] == ResponseOver()


def test_words_have_times_in_the_voice() -> None:
    codec = new()
    quiet(codec, 5.0)
    assert transcript(codec, "output", "One ", 5000, 5400) == [], "they wait for their voice"
    assert AgentWords("One ", 0.4) in loud(codec, 1.0)
    quiet(codec, 0.6)
    assert transcript(codec, "output", "two.", 6600, 7000) == [], "the voice pauses"
    (words,) = [event for event in loud(codec, 0.1) if isinstance(event, AgentWords)]
    assert words.ends_at == pytest.approx(1.7), "less the silence that was left out"
    quiet(codec, 1.0)
    assert transcript(codec, "output", "late", 6900, 7100) == [], "outside of a response there are no words"


def test_user_turn_is_over_when_the_agent_answers_and_late_words_mend_it() -> None:
    codec = new()
    assert transcript(codec, "input", "Hello", 0, 400) == [UserSpeaks(True), UserHeard(0, "Hello", False)]
    events = loud(codec, 0.1)
    assert events[:3] == [UserSpeaks(False), UserHeard(0, "Hello", True), ResponseBegan()]
    assert transcript(codec, "input", " there.", 400, 500) == [UserHeard(0, "Hello there.", True)]
    assert transcript(codec, "input", "Stop", 3000, 3200)[0] == UserSpeaks(True)
    assert UserCutIn() not in loud(codec, 0.5), "the voice goes on: it was no interruption"
    assert [event for event in quiet(codec, 1.0) if not isinstance(event, Voice)] == [
        UserCutIn(),
        ResponseOver("cancelled"),
        UserSpeaks(False),
        UserHeard(1, "Stop", True),
    ]


def test_rest_of_a_response_that_was_cut_off_is_not_passed_on() -> None:
    codec = new()
    loud(codec, 0.5)
    assert sent(codec.put(CutShort(0.2))) == []
    assert loud(codec, 1.0) == []
    assert transcript(codec, "output", "more", 900, 1000) == []
    assert quiet(codec, 1.0) == [ResponseOver("cancelled")]
    assert loud(codec, 0.1)[0] == ResponseBegan()


def test_tools_of_the_thinker() -> None:
    codec = new()
    loud(codec, 0.5)  # "one moment"
    assert thought(codec, "a", "b") == []
    events = quiet(codec, 0.3)
    assert [event.id for event in events if isinstance(event, ToolCall)] == ["a", "b"]
    assert events[-1] == ResponseOver()
    assert loud(codec, 0.5) + quiet(codec, 1.0) == [], "what is said while tools run is left out"
    assert len(sent(codec.put(ToolOutput("a", "weather", "sunny")))) == 1
    told = sent(codec.put(ToolOutput("b", "weather", "rainy")))
    assert [message["type"] for message in told] == ["response.item.create", "response.create"]
    assert loud(codec, 0.1)[0] == ResponseBegan()
    (told,) = sent(codec.put(ToolOutput("old", "weather", "windy")))
    assert told["content"] == "Result of weather: windy"
    assert told["delegation_id"] is None


def test_calls_of_a_response_that_was_cut_off_are_answered() -> None:
    codec = new()
    loud(codec, 0.5)
    list(codec.put(CutShort(0.2)))
    thought(codec, "a")
    *_, over, answer = quiet(codec, 0.3)
    assert over == ResponseOver("cancelled")
    assert isinstance(answer, MessagesToSend)
    assert [message["type"] for message in sent(answer.messages)] == [
        "response.item.create",
        "response.create",
    ]


def test_request_that_nobody_answers_has_failed() -> None:
    codec = new()
    list(codec.put(Say("Good morning.")))
    events = quiet(codec, 7.0)
    assert events == [ResponseBegan(), ResponseOver("failed", "the vendor did not speak")]


def test_texts_are_within_the_limits() -> None:
    codec = new()
    entries = (*(UserSaid("hello " * 200) for _ in range(200)), AgentSaid("Hi."))
    (start,) = sent(codec.begin(Context("Be kind.", entries)))
    said = start["session"]["input"]
    assert said[-1]["content"] == [{"type": "output_text", "text": "Hi."}]
    assert sum(len(item["content"][0]["text"]) for item in said) <= 16_000
    pieces = sent(codec.put(Say("word " * 1000)))
    assert len(pieces) == 5
    tool = ToolSpec("weather", "", {"type": "object", "properties": {}})
    told = sent(codec.put(Remember(Context("Be kind.", (), (tool,)))))
    assert [message["type"] for message in told] == ["session.update"], "the instructions are the same"


def test_results_of_tools_are_in_the_conversation_so_far() -> None:
    call = ToolCall("1-a", "weather", "{}")
    (start,) = sent(new().begin(Context("", (ToolAnswered(call, "sunny"),))))
    assert "instructions" not in start["session"], "without any, the vendor takes its own"
    assert start["session"]["input"][0]["role"] == "developer"


@pytest.mark.parametrize(
    ("reason", "error"),
    [("expired", UnavailableError), ("connection_lost", UnavailableError), ("content", BadResponseError)],
)
def test_end_of_the_session(reason: str, error: type[Exception]) -> None:
    codec, events = new(), list[Any]()
    assert read(codec, "session.usage.updated", usage={"seconds": 7}) == [
        Consumed("seconds of conversation", 7)
    ]
    with pytest.raises(error):
        for event in codec.read(
            json.dumps({"type": "session.closed", "reason": reason, "usage": {"seconds": 9}})
        ):
            events.append(event)
    assert events == [Consumed("seconds of conversation", 2)]


def test_model_of_the_other_protocol_is_pointed_here() -> None:
    with pytest.raises(ConfigurationError, match="write openai_live/gpt-live-1"):
        create("realtime", "openai/gpt-live-1")
    assert isinstance(create("realtime", "openai_live/gpt-live-1:cedar"), Realtime)


def test_barge_in() -> None:
    async def run() -> None:
        async with GPTLiveServer() as server:
            model = Realtime(key=KEY, base_url=server.url)
            async with TalkWithModel(model, Context("Be kind."), detects=True) as talk:
                talk.give(Say("One two three four five six seven eight nine ten."))
                await talk.until(Voice, 3)
                talk.take_turn(b"\x00\x40" * 14400)
                events = await talk.response()
                assert events[-1] == ResponseOver("cancelled")
                assert UserCutIn() in events
                assert words_of(await talk.response()) == f"You said {WORDS}."

    asyncio.run(run())
