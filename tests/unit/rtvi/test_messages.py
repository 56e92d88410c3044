"""Messages of clients: the good ones are read, all others are refused or ignored, and none raises."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.rtvi.messages import (
    LARGEST,
    TYPES,
    BadMessage,
    ClientReady,
    ClientRequest,
    Dtmf,
    RawAudio,
    Received,
    SendText,
    decode,
    encode,
    major,
)

GOOD: dict[str, Any] = {
    "client-ready": {"version": "2.1.0", "about": {"library": "x"}},
    "client-message": {"t": "cart", "d": [1, 2]},
    "send-text": {"content": "hello", "options": {"run_immediately": True, "audio_response": None}},
    "send-file": {"content": "look", "file": {"format": "png", "source": {"type": "bytes", "bytes": ""}}},
    "raw-audio": {"base64Audio": "AAA=", "sampleRate": 16000, "numChannels": 1},
    "raw-audio-batch": {"base64AudioBatch": ["AAA="], "sampleRate": 16000, "numChannels": 1},
    "dtmf": {"buttons": ["1", "#"]},
    "llm-function-call-result": {"function_name": "f", "tool_call_id": "c", "arguments": {}, "result": {}},
    "disconnect-bot": {},
    "ui-event": {"event": "click", "payload": {"x": 1}},
    "ui-snapshot": {"tree": {"root": {"ref": "e1", "role": "main"}, "captured_at": 1}},
    "ui-cancel-job-group": {"job_id": "j", "reason": "enough"},
    "append-to-context": {"role": "user", "content": "hello"},
}


def message(kind: Any, data: Any = None, number: Any = "7", label: Any = "rtvi-ai") -> str:
    return json.dumps({"label": label, "type": kind, "id": number, "data": data})


@pytest.mark.parametrize("kind", TYPES)
def test_every_message_is_read(kind: str) -> None:
    read = decode(message(kind, GOOD[kind]))
    assert isinstance(read, Received)
    assert read.id == "7"
    assert type(read.body) is TYPES[kind]


def test_what_is_in_them() -> None:
    read = [
        decode(message(kind, GOOD[kind])) for kind in ("client-message", "dtmf", "raw-audio", "send-text")
    ]
    bodies = [item.body for item in read if isinstance(item, Received)]
    assert isinstance(bodies[0], ClientRequest) and (bodies[0].t, bodies[0].d) == ("cart", [1, 2])
    assert isinstance(bodies[1], Dtmf) and bodies[1].buttons == ["1", "#"]
    assert isinstance(bodies[2], RawAudio) and (bodies[2].audio, bodies[2].sample_rate) == ("AAA=", 16000)
    assert isinstance(bodies[3], SendText) and bodies[3].options is not None
    assert bodies[3].options.audio_response is None


def test_a_message_needs_no_data_and_no_id() -> None:
    assert isinstance(decode('{"label":"rtvi-ai","type":"disconnect-bot"}'), Received)
    read = decode('{"label":"rtvi-ai","type":"client-ready","data":null}')
    assert isinstance(read, Received) and isinstance(read.body, ClientReady) and read.id == ""


@pytest.mark.parametrize(
    "text",
    [
        *("", "ping: 12", "[]", "null", "{}", '"rtvi-ai"', "{", '{"label":"rtvi-ai"'),
        *("[" * 100_000, '{"a":' * 50_000),
        *(message("send-text", label=label) for label in ("other", None, ["rtvi-ai"])),
    ],
)
def test_what_is_none_of_ours_is_ignored(text: str) -> None:
    assert decode(text) is None


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("no-such-type", {}),
        (None, {}),
        (5, {}),
        ({"a": 1}, {}),
        ("send-text", None),
        ("send-text", {"content": 5}),
        ("send-text", {"content": ""}),
        ("send-text", {"content": "x" * 20_001}),
        ("send-text", {"content": "x", "options": {"run_immediately": "yes"}}),
        ("send-text", [1]),
        ("dtmf", {"buttons": ["x"]}),
        ("dtmf", {"buttons": ["12"]}),
        ("dtmf", {"buttons": []}),
        ("dtmf", {"buttons": ["1"] * 65}),
        ("dtmf", {"button": "1\n"}),
        ("client-message", {"d": 1}),
        ("client-message", {"t": ""}),
        ("client-message", {"t": "x" * 300}),
        ("llm-function-call-result", {"result": 1}),
        ("llm-function-call-result", {"tool_call_id": 7}),
        ("raw-audio", {"base64Audio": 7}),
        ("raw-audio", {}),
        ("raw-audio-batch", {"base64AudioBatch": "AAA="}),
        ("ui-event", {}),
        ("ui-snapshot", {"tree": "x"}),
        ("ui-cancel-job-group", {"job_id": None}),
    ],
)
def test_what_is_wrong_is_refused_with_its_id(kind: Any, data: Any) -> None:
    read = decode(message(kind, data))
    assert isinstance(read, BadMessage)
    assert read.id == "7"
    assert 0 < len(read.why) < 300


def test_an_id_is_a_short_text() -> None:
    for number in (5, ["x"], {"a": 1}, "x" * 300):
        read = decode(message("disconnect-bot", {}, number))
        assert isinstance(read, BadMessage) and read.id == ""


def test_what_is_too_long_is_not_read() -> None:
    assert isinstance(decode(message("send-text", {"content": "x" * LARGEST})), BadMessage)


def test_data_as_deep_as_the_sea_is_refused() -> None:
    text = (
        '{"label":"rtvi-ai","type":"client-message","id":"1","data":{"t":"x","d":'
        + "[" * 90_000
        + "]" * 90_000
        + "}}"
    )
    assert not isinstance(decode(text), Received)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(st.text(max_size=200))
def test_no_text_raises(text: str) -> None:
    decode(text)
    decode(text.encode("utf-8", "replace").decode() + "\ud800")


@given(st.sampled_from(sorted(TYPES)), ANYTHING, ANYTHING)
def test_no_data_raises(kind: str, data: Any, number: Any) -> None:
    read = decode(message(kind, data, number))
    assert read is None or isinstance(read, Received | BadMessage)


@given(st.sampled_from(sorted(TYPES)), st.data())
def test_no_field_raises(kind: str, data: st.DataObject) -> None:
    changed = dict(GOOD[kind])
    for name in list(changed):
        if data.draw(st.booleans()):
            changed[name] = data.draw(ANYTHING)
    read = decode(message(kind, changed))
    assert read is None or isinstance(read, Received | BadMessage)


@given(st.text(max_size=20))
def test_no_version_raises(text: str) -> None:
    assert major(text) is None or isinstance(major(text), int)


def test_versions() -> None:
    assert [major(text) for text in ("2.1.0", "1.4.2", "0.3", "10.0.0")] == [2, 1, 0, 10]
    assert {major(text) for text in ("2", "", "x.y", "²·1.0", "12345.0", "-1.0", " 2.0")} == {None}


def test_what_goes_out() -> None:
    assert encode("bot-llm-started", None, "s1") == '{"label":"rtvi-ai","type":"bot-llm-started","id":"s1"}'
    assert json.loads(encode("server-message", {"a": float("nan")}, "s2"))["data"] == {"a": None}
    with pytest.raises(TypeError):
        encode("server-message", object(), "s3")


@pytest.mark.parametrize("many", ["[" + "[]," * 300_000 + "[]]", "[" + "{}," * 30_000 + "{}]"])
def test_a_message_of_countless_parts_is_not_read(many: str) -> None:
    told = decode(f'{{"label":"rtvi-ai","type":"client-message","id":"1","data":{{"t":"x","d":{many}}}}}')
    assert isinstance(told, BadMessage)
    assert "too many" in told.why


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("hi \\ud83d", "hi \ufffd"),
        ("\\udE00 hi", "\ufffd hi"),
        ("\\uD83D\\uDE00", "\U0001f600"),
        ("\\\\ud83d", "\\ud83d"),
        ("\ud83d", "\ufffd"),
    ],
)
def test_half_an_emoji_is_mended(written: str, read: str) -> None:
    text = '{"label": "rtvi-ai", "type": "send-text", "id": "7", "data": {"content": "%s"}}' % written  # noqa: UP031
    assert decode(text) == Received("7", SendText(read))


def test_half_an_emoji_is_sent_to_no_client() -> None:
    assert json.loads(encode("server-message", {"a": ["\ud83d"]}, "1"))["data"] == {"a": ["\ufffd"]}
