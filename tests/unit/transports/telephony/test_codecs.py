"""Codecs: what they negotiate, what they leave alone, and that nothing that comes in can break them."""

import json
from base64 import b64encode, encodebytes, urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from antiphon.audio import g722, opus
from antiphon.audio.g711 import decode_alaw, encode_alaw
from antiphon.errors import BadResponseError
from antiphon.testing import virtual
from antiphon.transports.telephony.encoding import decoder, encoder
from antiphon.transports.telephony.messages import LONGEST, audio_format, decode_base64
from antiphon.transports.telephony.port import (
    AudioFormat,
    CallDetails,
    CallerAudio,
    CallEvent,
    CallStarted,
    Codec,
    SendBack,
)
from antiphon.transports.telephony.providers import available, provider

NAMES = [one.name for one in available()]
PCM = b"".join(round(3000 * (i % 40 - 20) / 20).to_bytes(2, "little", signed=True) for i in range(1600))


def started(name: str, *hello: Any) -> tuple[Codec, CallDetails]:
    codec = provider(name).codec()
    for message in hello:
        for event in codec.feed(json.dumps(message) if isinstance(message, dict) else message):
            if isinstance(event, CallStarted):
                return codec, event.call
    raise AssertionError("it did not start")


# What is negotiated ----------------------------------------------------------------------------------


def telnyx(encoding: str, rate: int, **more: str) -> tuple[Codec, CallDetails]:
    form = {"encoding": encoding, "sample_rate": rate, "channels": 1}
    start = {"call_control_id": "c", "media_format": form, "custom_parameters": more}
    return started("telnyx", {"event": "start", "stream_id": "s", "start": start})


@pytest.mark.parametrize(
    ("encoding", "rate", "wanted"),
    [
        ("PCMU", 8000, AudioFormat("mulaw", 8000)),
        ("PCMA", 8000, AudioFormat("alaw", 8000)),
        ("G722", 8000, AudioFormat("g722", 16000)),
        ("OPUS", 16000, AudioFormat("opus", 16000)),
        ("L16", 16000, AudioFormat("l16", 16000)),
    ],
)
def test_telnyx_speaks_as_it_was_agreed(encoding: str, rate: int, wanted: AudioFormat) -> None:
    _, call = telnyx(encoding, rate)
    assert (call.heard, call.spoken) == (wanted, wanted)
    _, call = telnyx(encoding, rate, spoken="PCMU", mine="yes")
    assert (call.heard, call.spoken) == (wanted, AudioFormat("mulaw", 8000))
    assert call.parameters == {"mine": "yes"}


@pytest.mark.parametrize(
    ("name", "hello", "wanted"),
    [
        (
            "plivo",
            {
                "event": "start",
                "start": {
                    "callId": "1",
                    "streamId": "2",
                    "mediaFormat": {"encoding": "audio/x-l16", "sampleRate": 16000},
                },
            },
            AudioFormat("l16", 16000),
        ),
        (
            "exotel",
            {"event": "start", "start": {"stream_sid": "1", "media_format": {"sample_rate": "24000"}}},
            AudioFormat("l16", 24000),
        ),
        (
            "exotel",
            {"event": "start", "start": {"media_format": {"encoding": "audio/x-mulaw"}}},
            AudioFormat("mulaw", 8000),
        ),
        (
            "vonage",
            {"event": "websocket:connected", "content-type": "audio/l16;rate=8000"},
            AudioFormat("l16", 8000),
        ),
        ("asterisk", {"event": "MEDIA_START", "format": "slin16"}, AudioFormat("l16", 16000)),
        ("asterisk", {"event": "MEDIA_START", "format": "alaw"}, AudioFormat("alaw", 8000)),
        (
            "asterisk",
            "MEDIA_START connection_id:1 channel:x format:g722 optimal_frame_size:160",
            AudioFormat("g722", 16000),
        ),
        (
            "signalwire",
            {"event": "start", "start": {"mediaFormat": {"encoding": "L16@24000h"}}},
            AudioFormat("l16", 24000),
        ),
        ("freeswitch", b"\\0\\0", AudioFormat("l16", 8000)),
    ],
)
def test_others_do_too(name: str, hello: Any, wanted: AudioFormat) -> None:
    _, call = started(name, hello)
    assert (call.heard, call.spoken) == (wanted, wanted)


def test_plivo_says_how_its_audio_is_written() -> None:
    codec, _ = started(
        "plivo",
        {
            "event": "start",
            "start": {"streamId": "2", "mediaFormat": {"encoding": "audio/x-l16", "sampleRate": 16000}},
        },
    )
    media = json.loads(codec.media(b"\x01\x02"))["media"]
    assert media == {"contentType": "audio/x-l16", "sampleRate": 16000, "payload": "AQI="}


@pytest.mark.parametrize(
    ("encoding", "rate", "wanted"),
    [
        ("", "", AudioFormat("l16", 8000)),
        ("base64", "8000", AudioFormat("l16", 8000)),
        ("base64", 16000, AudioFormat("l16", 16000)),
        ("x" * 1000, "none", AudioFormat("l16", 8000)),
        ("pcm", "16 kHz", AudioFormat("l16", 16000)),
        ("audio/x-mulaw", "8", AudioFormat("mulaw", 8000)),
        ("opus ", "48000.0", AudioFormat("opus", 48000)),
        ("L16@24k", "8000", AudioFormat("l16", 24000)),
    ],
)
def test_a_name_that_is_no_codec_means_the_own_format_of_the_protocol(
    encoding: str, rate: str | int, wanted: AudioFormat, caplog: pytest.LogCaptureFixture
) -> None:
    assert audio_format(encoding, rate, default="l16") == wanted
    assert len(caplog.records) == (encoding[:1] in ("b", "x"))


def test_exotel_says_base64_and_means_samples() -> None:
    start = {"stream_sid": "s", "media_format": {"encoding": "base64", "sample_rate": "16000"}}
    _, call = started("exotel", {"event": "start", "start": start})
    assert call.heard == call.spoken == AudioFormat("l16", 16000)


AUDIO = bytes(range(256))[90:250]


@pytest.mark.parametrize(
    "written",
    [
        b64encode(AUDIO),
        b64encode(AUDIO).rstrip(b"="),
        encodebytes(AUDIO),
        encodebytes(AUDIO).replace(b"\n", b"\r\n"),
        urlsafe_b64encode(AUDIO),
        urlsafe_b64encode(AUDIO).rstrip(b"="),
    ],
)
def test_base64_is_read_as_others_write_it(written: bytes) -> None:
    assert decode_base64(written.decode()) == AUDIO


@pytest.mark.parametrize("written", ["AAAAA", "AA$A", "AA=A", "\ud800AAA", "ÄAAA"])
def test_what_is_no_base64_is_refused(written: str) -> None:
    with pytest.raises(BadResponseError, match="base64"):
        decode_base64(written)


@pytest.mark.parametrize("encoding", ["audio/mpeg", "AMR-WB", "G729", "l16;rate=44100"])
def test_what_is_not_spoken_here_is_refused(encoding: str) -> None:
    with pytest.raises(BadResponseError, match="is not supported"):
        audio_format(encoding)


@pytest.mark.parametrize(
    "written",
    [
        AudioFormat("mulaw"),
        AudioFormat("alaw"),
        AudioFormat("l16"),
        AudioFormat("l16be", 16000),
        AudioFormat("g722", 16000),
        AudioFormat("opus", 16000),
    ],
    ids=lambda written: written.encoding,
)
def test_what_is_written_can_be_read(written: AudioFormat) -> None:
    encode, decode = encoder(written), decoder(written)
    size = written.sample_rate // 50 * 2
    coded = [encode(PCM[at : at + size]) for at in range(0, len(PCM), size)]
    heard = b"".join(decode(piece) for piece in coded if piece)
    assert abs(len(heard) - len(PCM)) <= 2 * size
    if written.encoding.startswith("l16"):
        assert heard == PCM


def test_the_codes_are_those_of_their_names() -> None:
    assert encoder(AudioFormat("alaw"))(PCM) == encode_alaw(PCM)
    assert decoder(AudioFormat("alaw"))(b"\x55\xd5") == decode_alaw(b"\x55\xd5")
    assert encoder(AudioFormat("l16be", 8000))(b"\x01\x02\x03\x04") == b"\x02\x01\x04\x03"
    assert len(encoder(AudioFormat("g722", 16000))(PCM[:640])) == 160
    assert g722.SAMPLE_RATE == 16000
    assert 16000 in opus.RATES


@pytest.mark.parametrize("written", [AudioFormat("l16"), AudioFormat("l16be")])
def test_half_a_sample_is_refused(written: AudioFormat) -> None:
    with pytest.raises(BadResponseError):
        decoder(written)(b"\x01\x02\x03")


# Order -----------------------------------------------------------------------------------------------


def heard(codec: Codec, *chunks: int) -> list[int]:
    """Which chunks come out, when these come in."""
    events: list[CallEvent] = []
    for chunk in chunks:
        payload = b64encode(bytes([chunk % 256]) * 160).decode()
        message = {"event": "media", "media": {"track": "inbound", "chunk": str(chunk), "payload": payload}}
        events += codec.feed(json.dumps(message))
    return [event.data[0] for event in events if isinstance(event, CallerAudio)]


@pytest.mark.parametrize(
    ("came", "wanted"),
    [
        ([1, 2, 3, 4], [1, 2, 3, 4]),
        ([1, 3, 2, 4], [1, 2, 3, 4]),
        ([5, 8, 7, 6, 9], [5, 6, 7, 8, 9]),
        ([1, 2, 2, 1, 3], [1, 2, 3]),
        ([1, 3, 4, 5, 6, 7, 8], [1, 1, 3, 4, 5, 6, 7, 8]),
        ([1, 2, 200, 201], [1, 2, 200, 201]),
        ([200, 1, 2], [200, 1, 2]),
    ],
)
def test_telnyx_is_put_into_order(came: list[int], wanted: list[int]) -> None:
    codec, _ = telnyx("PCMU", 8000)
    assert heard(codec, *came) == wanted


@given(st.permutations(range(1, 40)).map(list), st.integers(1, 5))
def test_whatever_the_order_nothing_is_lost_that_is_near(shuffled: list[int], window: int) -> None:
    near = sorted(range(1, 40), key=lambda number: number // window * window + shuffled.index(number) / 100)
    codec, _ = telnyx("PCMU", 8000)
    if near[0] == 1:
        assert heard(codec, *near) == list(range(1, 40))


# What they leave alone -------------------------------------------------------------------------------


def test_our_own_voice_is_not_heard() -> None:
    for name, message in [
        ("twilio", {"event": "media", "media": {"track": "outbound", "payload": "AAAA"}}),
        ("bandwidth", {"eventType": "media", "track": "outbound", "payload": "AAAA"}),
    ]:
        assert list(provider(name).codec().feed(json.dumps(message))) == []


def test_words_of_the_call_cannot_break_out_of_our_messages() -> None:
    nasty = '"},"x":"\\\u2028DATA STREAM NAME'
    codec, call = started("twilio", {"event": "start", "start": {"streamSid": nasty, "callSid": "1"}})
    assert call.stream == nasty
    for message in (codec.media(b"\0"), codec.clear(), codec.mark(nasty)):
        assert message is not None
        assert json.loads(message)["streamSid"] == nasty


# Fuzz ------------------------------------------------------------------------------------------------

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
VOCABULARY = """
event eventType type media start dtmf mark stop error name payload track chunk digit streamSid stream_id
stream_sid streamId mediaFormat media_format encoding sampleRate sample_rate custom_parameters parameters
customParameters metadata extra_headers connected open close ping MEDIA_START DTMF_END format content-type
websocket:connected websocket:dtmf websocket:notify playedStream participant ani conversationId inbound
audio/x-mulaw PCMU 8000 QUEUE_DRAINED channel_variables AAAA seq id version client_state
"""
WORDS = st.sampled_from(VOCABULARY.split())
VALUES = st.recursive(
    SCALARS | WORDS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(max_size=5), inner, max_size=6)
    ),
    max_leaves=6,
)
MESSAGES = st.dictionaries(WORDS, VALUES, max_size=6)


def fed(codec: Codec, message: bytes | str) -> None:
    try:
        for event in codec.feed(message):
            if isinstance(event, CallerAudio):
                assert isinstance(event.data, bytes)
    except BadResponseError:
        pass


QUICK = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize("name", NAMES)
@given(messages=st.lists(st.binary(max_size=60) | st.text(max_size=60), max_size=4))
@QUICK
def test_any_bytes_and_texts(name: str, messages: list[bytes | str]) -> None:
    codec = provider(name).codec()
    for message in messages:
        fed(codec, message)


@pytest.mark.parametrize("name", NAMES)
@given(messages=st.lists(MESSAGES, max_size=3))
@QUICK
def test_any_json(name: str, messages: list[dict[str, Any]]) -> None:
    codec = provider(name).codec()
    for message in messages:
        fed(codec, json.dumps(message))


@pytest.mark.parametrize("name", ["twilio", "telnyx", "plivo", "vonage", "bandwidth", "genesys", "asterisk"])
@given(data=st.data())
@QUICK
def test_good_messages_with_something_changed(name: str, data: st.DataObject) -> None:
    good = data.draw(st.sampled_from(GOOD[name]))
    path = data.draw(st.sampled_from(list(places(good))))
    message = json.loads(json.dumps(good))
    inner = message
    for step in path[:-1]:
        inner = inner[step]
    if data.draw(st.booleans()):
        del inner[path[-1]]
    else:
        inner[path[-1]] = data.draw(VALUES)
    codec = provider(name).codec()
    fed(codec, json.dumps(good))
    fed(codec, json.dumps(message))


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something can be changed in a message."""
    steps: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, dict):
        steps = cast(dict[Any, Any], value).items()
    elif isinstance(value, list):
        steps = enumerate(cast(list[Any], value))
    for step, inner in steps:
        yield (*path, step)
        yield from places(inner, (*path, step))


GOOD: dict[str, list[dict[str, Any]]] = {
    "twilio": [
        {
            "event": "start",
            "start": {
                "streamSid": "s",
                "callSid": "c",
                "customParameters": {"a": "b"},
                "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000},
            },
        },
        {"event": "media", "media": {"track": "inbound", "chunk": "1", "payload": "AAAA"}},
        {"event": "dtmf", "dtmf": {"digit": "1"}},
        {"event": "mark", "mark": {"name": "1"}},
    ],
    "telnyx": [
        {
            "event": "start",
            "stream_id": "s",
            "start": {
                "call_control_id": "c",
                "client_state": "e30=",
                "media_format": {"encoding": "G722", "sample_rate": 8000},
            },
        },
        {"event": "media", "media": {"track": "inbound", "chunk": "1", "payload": "AAAA"}},
        {"event": "error", "payload": {"code": 100, "title": "x", "detail": "y"}},
    ],
    "plivo": [
        {
            "event": "start",
            "extra_headers": "a=b",
            "start": {
                "callId": "1",
                "streamId": "2",
                "mediaFormat": {"encoding": "audio/x-l16", "sampleRate": 8000},
            },
        },
        {"event": "playedStream", "name": "1"},
    ],
    "vonage": [
        {"event": "websocket:connected", "content-type": "audio/l16;rate=16000", "a": "b"},
        {"event": "websocket:dtmf", "digit": "1"},
        {"event": "websocket:notify", "payload": {"name": "1"}},
    ],
    "bandwidth": [
        {"eventType": "start", "metadata": {"callId": "1"}, "streamParams": {"a": "b"}},
        {"eventType": "media", "track": "inbound", "payload": "AAAA"},
    ],
    "genesys": [
        {
            "version": "2",
            "type": "open",
            "seq": 1,
            "id": "1",
            "parameters": {
                "conversationId": "c",
                "participant": {"ani": "tel:1"},
                "inputVariables": {"a": "b"},
                "media": [{"type": "audio", "format": "PCMU", "channels": ["external"], "rate": 8000}],
            },
        },
        {"version": "2", "type": "dtmf", "seq": 2, "id": "1", "parameters": {"digit": "1"}},
        {"version": "2", "type": "close", "seq": 3, "id": "1", "parameters": {"reason": "end"}},
    ],
    "asterisk": [
        {"event": "MEDIA_START", "format": "ulaw", "channel_id": "1", "channel_variables": {"a": "b"}},
        {"event": "DTMF_END", "digit": "1"},
        {"event": "MEDIA_MARK_PROCESSED", "correlation_id": "1"},
    ],
}


@pytest.mark.parametrize("name", NAMES)
def test_giants_and_abysses(name: str) -> None:
    codec = provider(name).codec()
    deep = '{"event":' + "[" * 100_000 + "]" * 100_000 + "}"
    for message in (
        "x" * (LONGEST + 1),
        bytes(LONGEST + 4),
        deep,
        '{"start":' * 20_000,
        "\ud800",
        "9" * 5000,
    ):
        fed(codec, message)
    with pytest.raises(BadResponseError):
        codec.feed(bytes(LONGEST + 4))


@pytest.mark.parametrize("depth", [10, 200, 400, 600, 800, 900, 950, 980, 1000, 1500])
def test_what_is_nested_deeply(depth: int) -> None:
    deep = "[" * depth + "]" * depth
    for name, message in [
        ("telnyx", '{"event":"error","payload":%s}'),
        ("twilio", '{"event":"start","start":{"callSid":%s,"customParameters":{"a":%s}}}'),
        ("vonage", '{"event":"websocket:connected","headers":%s}'),
        ("asterisk", '{"event":"MEDIA_START","format":"ulaw","channel_variables":{"a":%s}}'),
        ("genesys", '{"type":"open","parameters":{"media":[{"type":"audio","format":"PCMU","rate":8000,'
         '"channels":["external"],"x":%s}]}}'),
    ]:  # fmt: skip
        fed(provider(name).codec(), message.replace("%s", deep))


@virtual
async def test_audio_that_is_of_no_encoding_is_reported(answered: Callable[..., Any], fars: Any) -> None:
    call = await answered(fars["vonage"]())
    async with call.session:
        call.wire.put(b"\x01\x02\x03")
        await call.wait(0.05)
        assert [failure.error for failure in call.failures] == ["BadResponseError"]


def test_of_two_channels_the_callers_is_heard(fars: Any) -> None:
    hello = json.loads(fars["genesys"]().hello[0])
    del hello["parameters"]["media"][1]
    codec = provider("genesys").codec()
    opened = codec.feed(json.dumps(hello))[0]
    assert isinstance(opened, SendBack)
    assert json.loads(opened.message)["parameters"]["media"][0]["channels"] == ["external", "internal"]
    assert list(codec.feed(b"\x01\xff\x02\xff")) == [CallerAudio(b"\x01\x02")]


def test_fields_that_we_do_not_read_may_be_anything() -> None:
    for name, field in [("twilio", "callSid"), ("plivo", "callId"), ("telnyx", "call_control_id")]:
        odd = {"name": 5, "extra_headers": {"a": "b"}, "stream_id": None}
        message = odd | {"event": "start", "start": {field: "1"}}
        _, call = started(name, message)
        assert call.call == "1"
