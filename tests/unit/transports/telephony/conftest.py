"""The far ends of telephone calls: what each provider sends, and how it reads what we send, by its page."""

import asyncio
import json
import struct
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from antiphon import Playout, Session, Tap
from antiphon.audio.g711 import decode_mulaw, encode_mulaw
from antiphon.frames import AgentAudio, AudioEnded, Failed, PlayoutReached, SessionEnded, UserAudio, UserKey
from antiphon.processor import Processor
from antiphon.reply import Reply
from antiphon.transports.telephony.port import AudioFormat, CallDetails, Document
from antiphon.transports.telephony.providers import provider
from antiphon.transports.telephony.rest import Rest
from antiphon.transports.telephony.transport import Telephone, greet

Sent = tuple[str, Any]
"""What we sent, as the far end reads it: ("audio", pcm), ("clear", None), ("mark", name), ("keys", keys)."""


@dataclass(frozen=True)
class Far:
    """One provider's side of the socket."""

    name: str
    hello: tuple[bytes | str, ...]
    says: Callable[[bytes, int], bytes | str]
    """A piece of the caller's voice (PCM), with its number."""
    reads: Callable[[bytes | str], Sent]
    call: CallDetails
    rate: int = 8000
    clears: bool = True
    presses: Callable[[str], bytes | str] | None = None
    plays: Callable[[str], bytes | str] | None = None
    """A mark that was reached."""
    leaves: bytes | str | None = None
    """None: the socket is closed."""
    goodbye: str = ""
    """What we say to hang up."""
    pressing: bool = False
    """Whether keys go as such."""


def mulaw64(pcm: bytes) -> str:
    return b64encode(encode_mulaw(pcm)).decode()


def dump(**message: Any) -> str:
    return json.dumps(message)


# Twilio and SignalWire -------------------------------------------------------------------------------


def twilio(name: str) -> Far:
    start = {
        "streamSid": "MZ18ad3ab5a668481ce02b83e7395059f0",
        "accountSid": "AC123",
        "callSid": "CA123",
        "tracks": ["inbound"],
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        "customParameters": {"from": "+49301", "to": "+49302", "Remote": 'Bob "the" <b>'},
    }
    stream = "MZ18ad3ab5a668481ce02b83e7395059f0"

    def reads(message: bytes | str) -> Sent:
        said = json.loads(message)
        assert said.pop("streamSid") == stream
        match said:
            case {"event": "media", "media": {"payload": payload}}:
                return "audio", decode_mulaw(b64decode(payload, validate=True))
            case {"event": "clear"}:
                return "clear", None
            case {"event": "mark", "mark": {"name": mark}}:
                return "mark", mark
            case _:
                raise AssertionError(message)

    def media(pcm: bytes, number: int) -> str:
        payload = {"track": "inbound", "chunk": str(number), "timestamp": str(20 * number)}
        payload["payload"] = mulaw64(pcm)
        return dump(event="media", sequenceNumber=str(number), streamSid=stream, media=payload)

    return Far(
        name,
        hello=(
            dump(event="connected", protocol="Call", version="1.0.0"),
            dump(event="start", sequenceNumber="1", start=start, streamSid=stream),
        ),
        says=media,
        reads=reads,
        call=CallDetails(
            name,
            "CA123",
            stream,
            "AC123",
            "+49301",
            "+49302",
            parameters={"from": "+49301", "to": "+49302", "Remote": 'Bob "the" <b>'},
        ),
        presses=lambda key: dump(event="dtmf", dtmf={"track": "inbound_track", "digit": key}),
        plays=lambda mark: dump(event="mark", streamSid=stream, mark={"name": mark}),
        leaves=dump(event="stop", streamSid=stream, stop={"accountSid": "AC123", "callSid": "CA123"}),
    )


def telnyx() -> Far:
    def reads(message: bytes | str) -> Sent:
        match json.loads(message):
            case {"event": "media", "media": {"payload": payload}}:
                return "audio", decode_mulaw(b64decode(payload, validate=True))
            case {"event": "clear"}:
                return "clear", None
            case {"event": "mark", "mark": {"name": mark}}:
                return "mark", mark
            case _:
                raise AssertionError(message)

    start = {
        "user_id": "U1",
        "call_control_id": "v2:T02llQxIyaRkhfRKxgAP8nY511EhFLizdvdUKJiSw8d6A9BborherQ",
        "call_session_id": "S1",
        "from": "+49301",
        "to": "+49302",
        "client_state": "aGF2ZSBhIG5pY2UgZGF5ID1d",
        "custom_parameters": {"first": "1"},
        "media_format": {"encoding": "PCMU", "sample_rate": 8000, "channels": 1},
    }

    def media(pcm: bytes, number: int) -> str:
        payload = {"track": "inbound", "chunk": str(number), "timestamp": str(20 * number)}
        return dump(
            event="media",
            stream_id="32DE",
            sequence_number=str(number + 1),
            media=payload | {"payload": mulaw64(pcm)},
        )

    return Far(
        "telnyx",
        hello=(
            dump(event="connected", version="1.0.0"),
            dump(event="start", sequence_number="1", stream_id="32DE", start=start),
        ),
        says=media,
        reads=reads,
        call=CallDetails(
            "telnyx",
            str(start["call_control_id"]),
            "32DE",
            "U1",
            "+49301",
            "+49302",
            parameters={"first": "1"},
        ),
        presses=lambda key: dump(event="dtmf", stream_id="32DE", occurred_at="2026", dtmf={"digit": key}),
        plays=lambda mark: dump(event="mark", stream_id="32DE", mark={"name": mark}),
        leaves=dump(event="stop", stream_id="32DE", stop={"reason": "hangup"}),
    )


def plivo() -> Far:
    stream = "20170ada-f610-433b-8758-c02a2aab3662"
    start = {
        "callId": "C1",
        "streamId": stream,
        "accountId": "A1",
        "tracks": ["inbound"],
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000},
    }

    def reads(message: bytes | str) -> Sent:
        match json.loads(message):
            case {
                "event": "playAudio",
                "media": {"contentType": "audio/x-mulaw", "sampleRate": 8000, "payload": payload},
            }:
                return "audio", decode_mulaw(b64decode(payload, validate=True))
            case {"event": "clearAudio", "streamId": str(named)} if named == stream:
                return "clear", None
            case {"event": "checkpoint", "streamId": str(named), "name": mark} if named == stream:
                return "mark", mark
            case {"event": "sendDTMF", "dtmf": keys}:
                return "keys", keys
            case _:
                raise AssertionError(message)

    return Far(
        "plivo",
        hello=(
            dump(event="start", sequenceNumber=0, start=start, extra_headers="from=%2B49301;to=%2B49302"),
        ),
        says=lambda pcm, number: dump(
            event="media",
            sequenceNumber=number,
            streamId=stream,
            extra_headers="{}",
            media={"track": "inbound", "timestamp": "1", "chunk": number, "payload": mulaw64(pcm)},
        ),
        reads=reads,
        call=CallDetails(
            "plivo", "C1", stream, "A1", "+49301", "+49302", parameters={"from": "+49301", "to": "+49302"}
        ),
        presses=lambda key: dump(event="dtmf", streamId=stream, dtmf={"digit": key, "track": "inbound"}),
        plays=lambda mark: dump(event="playedStream", streamId=stream, name=mark),
        leaves=dump(event="stop", streamId=stream),
        pressing=True,
    )


def exotel() -> Far:
    start = {
        "stream_sid": "MZ9",
        "call_sid": "C9",
        "account_sid": "A9",
        "from": "+919876543210",
        "to": "+918047491899",
        "custom_parameters": {"key1": "value1"},
        "media_format": {"encoding": "audio/x-raw", "sample_rate": "8000", "bit_rate": "16"},
    }

    def reads(message: bytes | str) -> Sent:
        said = json.loads(message)
        assert said.pop("stream_sid") == "MZ9"
        match said:
            case {"event": "media", "media": {"payload": payload}}:
                pcm = b64decode(payload, validate=True)
                assert 3200 <= len(pcm) <= 100_000
                assert len(pcm) % 320 == 0
                return "audio", pcm
            case {"event": "clear"}:
                return "clear", None
            case {"event": "mark", "mark": {"name": mark}}:
                return "mark", mark
            case _:
                raise AssertionError(message)

    def said(event: str, **more: Any) -> str:
        return dump(event=event, sequence_number="3", stream_sid="MZ9", **more)

    return Far(
        "exotel",
        hello=(dump(event="connected"), said("start", start=start)),
        says=lambda pcm, number: said(
            "media", media={"chunk": str(number), "timestamp": "20", "payload": b64encode(pcm).decode()}
        ),
        reads=reads,
        call=provider_call(
            "exotel", "C9", "MZ9", "A9", "+919876543210", "+918047491899", parameters={"key1": "value1"}
        ),
        presses=lambda key: said("dtmf", dtmf={"digit": key, "duration": "100"}),
        plays=lambda mark: said("mark", mark={"name": mark}),
        leaves=said("stop", stop={"call_sid": "C9", "account_sid": "A9", "reason": "callended"}),
    )


def provider_call(*texts: str, rate: int = 8000, **more: Any) -> CallDetails:
    """Details of a call whose audio is plain samples."""
    return CallDetails(*texts, heard=AudioFormat("l16", rate), spoken=AudioFormat("l16", rate), **more)


def vonage() -> Far:
    def reads(message: bytes | str) -> Sent:
        if isinstance(message, bytes):
            assert len(message) % 640 == 0
            return "audio", message
        match json.loads(message):
            case {"action": "clear"}:
                return "clear", None
            case {"action": "notify", "payload": {"name": mark}}:
                return "mark", mark
            case _:
                raise AssertionError(message)

    given = {"from": "49301", "to": "49302", "call": "aaaa-bbbb"}
    hello = {"event": "websocket:connected", "content-type": "audio/l16;rate=16000"} | given
    return Far(
        "vonage",
        hello=(json.dumps(hello),),
        says=lambda pcm, number: pcm,
        reads=reads,
        call=provider_call("vonage", "aaaa-bbbb", "", "", "49301", "49302", rate=16000, parameters=given),
        rate=16000,
        presses=lambda key: dump(event="websocket:dtmf", digit=key, duration=260),
        plays=lambda mark: dump(event="websocket:notify", payload={"name": mark}),
    )


def bandwidth() -> Far:
    about = {
        "accountId": "A1",
        "callId": "c-1",
        "streamId": "s-1",
        "streamName": "x",
        "tracks": [{"name": "inbound"}],
    }

    def reads(message: bytes | str) -> Sent:
        match json.loads(message):
            case {"eventType": "playAudio", "media": {"contentType": "audio/pcmu", "payload": payload}}:
                return "audio", decode_mulaw(b64decode(payload, validate=True))
            case {"eventType": "clear"}:
                return "clear", None
            case _:
                raise AssertionError(message)

    return Far(
        "bandwidth",
        hello=(dump(eventType="start", metadata=about, streamParams={"from": "+49301", "to": "+49302"}),),
        says=lambda pcm, number: dump(
            eventType="media", track="inbound", sequenceNumber=str(number), payload=mulaw64(pcm)
        ),
        reads=reads,
        call=CallDetails(
            "bandwidth", "c-1", "s-1", "A1", "+49301", "+49302", parameters={"from": "+49301", "to": "+49302"}
        ),
        leaves=dump(eventType="stop", metadata=about),
    )


def genesys() -> Far:
    session = "e160e428-53e2-487c-977d-96989bf5c99d"
    seen = {"seq": 0}
    media = [
        {"type": "audio", "format": "PCMU", "channels": ["external", "internal"], "rate": 8000},
        {"type": "audio", "format": "PCMU", "channels": ["external"], "rate": 8000},
    ]
    opening = {
        "organizationId": "O1",
        "conversationId": "090eaa2f-72fa-480a-83e0-8667ff89c0ec",
        "participant": {"id": "P1", "ani": "tel:+49301", "aniName": "", "dnis": "tel:+49302"},
        "media": media,
        "inputVariables": {"language": "de"},
    }

    def says(kind: str, **parameters: Any) -> str:
        seen["seq"] += 1
        return dump(
            version="2",
            type=kind,
            seq=seen["seq"],
            serverseq=0,
            id=session,
            position="PT1.0S",
            parameters=parameters,
        )

    def reads(message: bytes | str) -> Sent:
        if isinstance(message, bytes):
            assert len(message) == 1600
            return "audio", decode_mulaw(message)
        said = json.loads(message)
        assert (said["version"], said["id"]) == ("2", session)
        assert said["seq"] >= 1
        assert said["clientseq"] >= 1
        match said["type"], said["parameters"]:
            case "opened", {"startPaused": False, "media": chosen}:
                assert chosen == media[1:]
                return "opened", None
            case "event", {"entities": [{"type": "barge_in", "data": {}}]}:
                return "clear", None
            case "disconnect", {"reason": "completed", "outputVariables": variables}:
                if variables["action"] == "transfer":
                    return "transfer", variables["transfer_to"]
                return "goodbye", None
            case kind, _:
                return kind, None

    def hello() -> tuple[str, ...]:
        return (says("open", **opening),)

    return Far(
        "genesys",
        hello=hello(),
        says=lambda pcm, number: encode_mulaw(pcm),
        reads=reads,
        call=CallDetails(
            "genesys",
            str(opening["conversationId"]),
            session,
            "O1",
            "+49301",
            "+49302",
            parameters={"language": "de"},
        ),
        presses=lambda key: says("dtmf", digit=key),
        leaves=says("close", reason="end"),
        goodbye="goodbye",
    )


def asterisk(plain: bool) -> Far:
    def reads(message: bytes | str) -> Sent:
        if isinstance(message, bytes):
            assert len(message) % 160 == 0
            return "audio", decode_mulaw(message)
        said = {"command": message} if plain else json.loads(message)
        match said:
            case {"command": "FLUSH_MEDIA"}:
                return "clear", None
            case {"command": "MARK_MEDIA", "correlation_id": mark}:
                return "mark", mark
            case {"command": "REPORT_QUEUE_DRAINED"}:
                return "mark", "drained"
            case {"command": "HANGUP"}:
                return "goodbye", None
            case _:
                raise AssertionError(message)

    channel = "WebSocket/media_connection1/0x5140001a0040"
    started = (
        f"MEDIA_START connection_id:media1 channel:{channel} channel_id:1761245643.1 format:ulaw "
        "optimal_frame_size:160 ptime:20"
        if plain
        else dump(
            event="MEDIA_START",
            connection_id="media1",
            channel=channel,
            channel_id="1761245643.1",
            format="ulaw",
            optimal_frame_size=160,
            ptime=20,
            channel_variables={"from": "+49301", "caller_channel": "PJSIP/1"},
        )
    )
    given = {} if plain else {"from": "+49301", "caller_channel": "PJSIP/1"}
    return Far(
        "asterisk",
        hello=(started,),
        says=lambda pcm, number: encode_mulaw(pcm),
        reads=reads,
        call=CallDetails(
            "asterisk",
            "1761245643.1",
            "media1",
            caller=given.get("from", ""),
            parameters=given,
            dialect="text" if plain else "json",
        ),
        presses=lambda key: (
            f"DTMF_END channel_id:1761245643.1 digit:{key}"
            if plain
            else dump(event="DTMF_END", channel_id="1761245643.1", digit=key)
        ),
        plays=lambda mark: (
            "QUEUE_DRAINED" if plain else dump(event="MEDIA_MARK_PROCESSED", correlation_id=mark)
        ),
        goodbye="goodbye",
    )


def audiosocket() -> Far:
    def message(kind: int, data: bytes = b"") -> bytes:
        return struct.pack(">BH", kind, len(data)) + data

    def reads(sent: bytes | str) -> Sent:
        assert isinstance(sent, bytes)
        kind, length = struct.unpack(">BH", sent[:3])
        assert length == len(sent) - 3
        if kind == 0x10:
            assert length == 320
            return "audio", sent[3:]
        assert (kind, length) == (0, 0)
        return "goodbye", None

    name = bytes(range(16))
    return Far(
        "audiosocket",
        hello=(message(0x01, name),),
        says=lambda pcm, number: message(0x10, pcm),
        reads=reads,
        call=provider_call("audiosocket", "00010203-0405-0607-0809-0a0b0c0d0e0f"),
        clears=False,
        presses=lambda key: message(0x03, key.encode()),
        leaves=message(0x00),
        goodbye="goodbye",
    )


def freeswitch() -> Far:
    def reads(message: bytes | str) -> Sent:
        said = json.loads(message)
        assert said["type"] == "streamAudio"
        assert (said["data"]["audioDataType"], said["data"]["sampleRate"]) == ("raw", 16000)
        return "audio", b64decode(said["data"]["audioData"], validate=True)

    about = {"call": "f-1", "from": "1001", "to": "1002", "sample_rate": 16000}
    return Far(
        "freeswitch",
        hello=(json.dumps(about),),
        says=lambda pcm, number: pcm,
        reads=reads,
        call=provider_call(
            "freeswitch",
            "f-1",
            "",
            "",
            "1001",
            "1002",
            rate=16000,
            parameters={name: str(value) for name, value in about.items()},
        ),
        rate=16000,
        clears=False,
    )


FARS: dict[str, Callable[[], Far]] = {
    "twilio": lambda: twilio("twilio"),
    "signalwire": lambda: twilio("signalwire"),
    "telnyx": telnyx,
    "plivo": plivo,
    "exotel": exotel,
    "vonage": vonage,
    "bandwidth": bandwidth,
    "genesys": genesys,
    "asterisk": lambda: asterisk(False),
    "asterisk in plain text": lambda: asterisk(True),
    "audiosocket": audiosocket,
    "freeswitch": freeswitch,
}


@pytest.fixture(params=FARS)
def far(request: pytest.FixtureRequest) -> Far:
    """Each provider's far end."""
    return FARS[request.param]()


@pytest.fixture
def fars() -> dict[str, Callable[[], Far]]:
    """All far ends, by name."""
    return FARS


# The call --------------------------------------------------------------------------------------------


class ScriptedWire:
    """A wire whose far end is the test."""

    def __init__(self) -> None:
        self.sent: list[tuple[float, bytes | str]] = []
        self.closed = False
        self._coming: asyncio.Queue[bytes | str | None] = asyncio.Queue()

    def put(self, message: bytes | str | None) -> None:
        """Let it come in; None is the end."""
        self._coming.put_nowait(message)

    async def receive(self) -> bytes | str | None:
        return await self._coming.get()

    def send(self, message: bytes | str) -> None:
        if not self.closed:
            self.sent.append((asyncio.get_running_loop().time(), message))

    async def close(self, code: int = 1000, reason: str = "") -> None:
        self.closed = True
        self.put(None)


class Speaker(Processor):
    """Gives playout what it is told to."""

    def speak(self, pcm: bytes, rate: int) -> Reply:
        def begin(reply: Reply) -> None:
            self.push(AgentAudio(reply.number, pcm, rate))
            self.push(AudioEnded(reply.number))

        return self.session.new_reply(begin)


@dataclass
class Call:
    """A session over a Telephone, and all that comes through it."""

    far: Far
    wire: ScriptedWire
    telephone: Telephone
    session: Session
    speaker: Speaker
    audio: list[UserAudio] = field(default_factory=list[UserAudio])
    keys: list[str] = field(default_factory=list[str])
    failures: list[Failed] = field(default_factory=list[Failed])
    played: list[int] = field(default_factory=list[int])
    ended: list[str] = field(default_factory=list[str])
    numbers: int = 0

    @property
    def sent(self) -> list[Sent]:
        """What the far end has got, as it reads it."""
        return [self.far.reads(message) for _, message in self.wire.sent]

    def times(self, kind: str) -> list[float]:
        """When it got messages of this kind."""
        return [at for at, message in self.wire.sent if self.far.reads(message)[0] == kind]

    @property
    def heard(self) -> bytes:
        """All that the caller was sent to hear."""
        return b"".join(what for kind, what in self.sent if kind == "audio")

    async def wait(self, seconds: float) -> None:
        await self.session.clock.sleep(seconds)

    async def talk(self, pcm: bytes) -> None:
        """The caller says something, in pieces of 20 ms, each in its time."""
        size = self.far.rate // 50 * 2
        for begun in range(0, len(pcm), size):
            await self.wait(0.02)
            self.numbers += 1
            self.wire.put(self.far.says(pcm[begun : begun + size], self.numbers))
        await self.wait(0)

    def leave(self) -> None:
        """The caller hangs up."""
        self.wire.put(self.far.leaves)


async def answer(
    far: Far,
    *,
    rest: Rest | None = None,
    credentials: dict[str, str] | None = None,
    publish: Callable[[Document], str] | None = None,
    parts: Sequence[Processor] = (),
) -> Call:
    """Greet the far end, and make a session over it with more parts, ready to be entered."""
    wire = ScriptedWire()
    for message in far.hello:
        wire.put(message)
    codec = provider(far.name).codec()
    details = await greet(codec, wire)
    telephone = Telephone(codec, wire, details, credentials=credentials or {}, rest=rest, publish=publish)
    speaker = Speaker()
    call = Call(far, wire, telephone, None, speaker)  # type: ignore[arg-type]
    call.session = Session(
        [
            telephone.input,
            Tap(lambda frame: call.audio.append(frame), UserAudio),
            Tap(lambda frame: call.keys.append(frame.key), UserKey),
            *parts,
            speaker,
            Playout(telephone.sample_rate, lead=telephone.lead),
            telephone.output,
        ]
    )
    call.session.on(Failed, call.failures.append)
    call.session.on(PlayoutReached, lambda signal: call.played.append(signal.at))
    call.session.on(SessionEnded, lambda signal: call.ended.append(signal.reason))
    return call


@pytest.fixture
def answered() -> Callable[..., Any]:
    """`answer`, for the tests of this folder."""
    return answer
