"""Traps of the vendors of speech to text, and what their codecs make of nonsense."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from random import Random

import pytest

from antiphon.errors import (
    AuthenticationError,
    BadResponseError,
    RateLimitError,
    TheyErred,
    UnavailableError,
)
from antiphon.services.aws_event_stream import encode_event
from antiphon.services.ports import AudioChunk, Flush, Recognized, TurnHint
from antiphon.services.recognition_codec import (
    Drained,
    Flushed,
    RecognitionCodec,
    RecognitionEvent,
    Settled,
    Tentative,
    UtteranceEnded,
)
from antiphon.services.socket_stt import SocketSTT
from antiphon.services.websocket_client import Message
from antiphon.testing.loopback import KEY, LOUD, WORDS, VendorServer
from antiphon.testing.loopback.gladia import GladiaLive
from antiphon.testing.loopback.server import Connection
from antiphon.testing.loopback.soniox import SonioxTokens
from antiphon.vendors import assemblyai, create, fireworks, gladia
from antiphon.vendors.azure.wire import text_message
from antiphon.vendors.mistral import stt as voxtral
from antiphon.vendors.openai import stt as openai
from antiphon.vendors.sarvam import stt as sarvam
from antiphon.vendors.soniox import stt as soniox
from antiphon.vendors.speechmatics import stt as speechmatics
from antiphon.vendors.xai import stt as xai


def read(codec: RecognitionCodec, *messages: Mapping[str, object]) -> list[RecognitionEvent]:
    return [event for message in messages for event in codec.read(json.dumps(message))]


def test_assemblyai_ends_a_turn_twice_and_only_the_second_end_counts() -> None:
    codec = assemblyai.STT(key=KEY, turns=True).codec()
    turn: dict[str, object] = {"type": "Turn", "end_of_turn": True, "transcript": "good day"}
    assert read(codec, turn) == [Tentative("good day")]
    formatted = turn | {"transcript": "Good day.", "turn_is_formatted": True}
    assert read(codec, formatted) == [UtteranceEnded("Good day."), TurnHint(1.0, final=True)]


def test_assemblyai_tells_interim_words_apart_from_final_ones() -> None:
    words = [{"text": "good"}, {"text": "day"}]
    turn: dict[str, object] = {"type": "Turn", "end_of_turn": False, "transcript": "good", "words": words}
    assert read(assemblyai.STT(key=KEY).codec(), turn) == [Tentative("good day")]


@pytest.mark.parametrize(
    ("service", "code", "reason", "error"),
    [
        (assemblyai.STT(key=KEY), 1008, "Not authorized", AuthenticationError),
        (assemblyai.STT(key=KEY), 3009, "Too many concurrent sessions", RateLimitError),
        (assemblyai.STT(key=KEY), 3007, "Input duration violation", BadResponseError),
        (speechmatics.STT(key=KEY), 4001, "no such key", AuthenticationError),
        (speechmatics.STT(key=KEY), 4005, "quota exceeded", RateLimitError),
        (speechmatics.STT(key=KEY), 4013, "job error", UnavailableError),
        (sarvam.STT(key=KEY), 1003, "rate limit exceeded", RateLimitError),
        (sarvam.STT(key=KEY), 1003, "invalid subscription key", AuthenticationError),
        (sarvam.STT(key=KEY), 4000, "invalid model", BadResponseError),
    ],
)
def test_close_codes_of_a_vendor(service: SocketSTT, code: int, reason: str, error: type[TheyErred]) -> None:
    assert type(service.codec().closed(code, reason)) is error


def test_soniox_may_end_a_turn_and_begin_the_next_in_one_message() -> None:
    tokens = [
        {"text": "Good", "is_final": True},
        {"text": " day.", "is_final": True},
        {"text": "<end>", "is_final": True},
        {"text": "Who", "is_final": False},
    ]
    assert read(soniox.STT(key=KEY, turns=True).codec(), {"tokens": tokens}) == [
        Settled("Good", joint=""),
        Settled(" day.", joint=""),
        UtteranceEnded(),
        TurnHint(1.0, final=True),
        Tentative("Who", joint=""),
    ]


def test_speechmatics_attaches_marks_to_the_word_before() -> None:
    def told(*results: Mapping[str, object]) -> dict[str, object]:
        return {"message": "AddTranscript", "results": [*results], "metadata": {"transcript": "?"}}

    good, day = ({"type": "word", "alternatives": [{"content": word}]} for word in ("Good", "day"))
    stop = {"type": "punctuation", "attaches_to": "previous", "alternatives": [{"content": "."}]}
    codec = speechmatics.STT(key=KEY).codec()
    assert read(codec, told(good, day), told(stop), told(good, stop)) == [
        Settled("Good day"),
        Settled(".", joint=""),
        Settled("Good."),
    ]


def test_openai_tells_items_in_the_order_in_which_they_were_committed() -> None:
    def told(what: str, item: str, **more: str) -> dict[str, object]:
        return {"type": f"conversation.item.input_audio_transcription.{what}", "item_id": item, **more}

    def committed(item: str) -> dict[str, object]:
        return {"type": "input_audio_buffer.committed", "item_id": item}

    codec = openai.RealtimeTranscription(key=KEY).codec()
    assert read(codec, committed("a"), committed("b"), told("delta", "b", delta="Two")) == []
    assert read(codec, told("completed", "b", transcript="Two.")) == []
    assert read(codec, told("delta", "a", delta="One")) == [Settled("One", joint="")]
    assert read(codec, told("failed", "a")) == [Flushed(None), Settled("Two", joint=""), Flushed("Two.")]


@pytest.mark.parametrize("last", ["good day, who is this?", "Good day, who is this?", "who is this?"])
def test_xai_may_repeat_final_chunks_at_the_end_or_not(last: str) -> None:
    def told(text: str, final: bool, ended: bool = False) -> dict[str, object]:
        return {"type": "transcript.partial", "text": text, "is_final": final, "speech_final": ended}

    codec = xai.STT(key=KEY).codec()
    read(codec, told("good", False), told("Good day,", True))
    ended = read(codec, told(last, True, ended=True))
    assert [str(event.text).lower() for event in ended if isinstance(event, UtteranceEnded)] == [
        "good day, who is this?"
    ]


def test_mistral_answers_the_end_too() -> None:
    codec = voxtral.STT(key=KEY).codec()
    done: dict[str, object] = {"type": "transcription.done", "text": "Good day."}
    list(codec.flush())
    list(codec.end())
    assert read(codec, done, done) == [Flushed("Good day."), Drained()]


def test_fireworks_goes_on_with_a_segment_that_was_answered() -> None:
    def told(*texts: str) -> dict[str, object]:
        return {"segments": [{"id": str(at), "text": text} for at, text in enumerate(texts)]}

    codec = fireworks.STT(key=KEY).codec()
    assert read(codec, told("Good day."), {"checkpoint_id": "1"})[-1] == Flushed("Good day.")
    assert read(codec, told("Good day. Who is", "this?")) == [Tentative("Who is this?")]


# The driver ------------------------------------------------------------------------------------------


class LateGladia(GladiaLive):
    """Tells interim words, and final ones, spelt better, only when the conversation ends."""

    def __init__(self) -> None:
        super().__init__()
        self.lengths: list[int] = []

    async def talk(self, connection: Connection) -> None:
        def told(text: str, final: bool) -> dict[str, object]:
            return {"type": "transcript", "data": {"is_final": final, "utterance": {"text": text}}}

        async for message in connection:
            if isinstance(message, bytes):
                self.lengths.append(len(message))
                if len(self.lengths) == 10:
                    await connection.send(told(WORDS, False))
            else:
                await connection.send(told(f"{WORDS.capitalize()}. And more.", True))
                await connection.send({"type": "end_session"})


class LateSoniox(SonioxTokens):
    """Settles words, spelt better, only when the conversation ends."""

    async def talk(self, connection: Connection) -> None:
        chunks = 0
        async for message in connection:
            if isinstance(message, bytes):
                chunks += 1
                if chunks == 10:
                    await connection.send({"tokens": [{"text": WORDS, "is_final": False}]})
            elif message == "":
                for text in (WORDS[:6].capitalize(), f"{WORDS[6:]}.", "<fin>", " And more."):
                    await connection.send({"tokens": [{"text": text, "is_final": True}]})
                await connection.send({"finished": True})


@pytest.mark.parametrize(("kind", "server"), [(gladia.STT, LateGladia), (soniox.STT, LateSoniox)])
def test_words_that_were_answered_are_not_told_again(
    kind: Callable[..., SocketSTT], server: type[VendorServer]
) -> None:
    answered = asyncio.Event()

    async def audio() -> AsyncIterator[AudioChunk | Flush]:
        for at in range(0, 20000, 700):
            yield AudioChunk(LOUD[at : at + 700])
        yield Flush(True)
        await answered.wait()

    async def run() -> None:
        async with server() as vendor:
            service = kind(key=KEY, base_url=vendor.url)
            heard: list[str] = []
            async for item in service.transcribe(audio()):
                if isinstance(item, Recognized) and item.final:
                    heard.append(item.text)
                    answered.set()
            await service.close()
        assert heard == [WORDS, "And more."]
        if not isinstance(vendor, LateGladia):
            return
        assert set(vendor.lengths[:-1]) == {1600}, "messages have one length"
        assert sum(vendor.lengths) == 20300 + 9600, "0.3 s of silence end the utterance"

    asyncio.run(run())


# Nonsense --------------------------------------------------------------------------------------------

KINDS = (
    "type", "event", "message", "Turn", "Begin", "Error", "Termination", "RecognitionStarted",
    "AddTranscript", "AddPartialTranscript", "EndOfUtterance", "transcript", "end_session", "error",
    "session.updated", "transcription.done", "transcription.text.delta", "transcript.partial",
    "transcript.final", "transcript.created", "session.begin", "ready", "text", "flushed", "step",
    "end_of_stream", "conversation.item.input_audio_transcription.delta",
    "conversation.item.input_audio_transcription.completed", "input_audio_buffer.committed",
    "session_started", "partial_transcript", "committed_transcript", "Results", "TurnInfo",
)  # fmt: skip
NAMES = (
    "type", "event", "message", "message_type", "text", "transcript", "tokens", "segments", "results",
    "words", "alternatives", "data", "utterance", "error", "code", "error_code", "item_id", "delta",
    "result", "transcription", "isFinal", "is_final", "speech_final", "end_of_turn", "checkpoint_id",
    "id", "metadata", "language_pack_info", "attaches_to", "RecognitionStatus", "DisplayText", "Text",
    "NBest", "Transcript", "Results", "Alternatives", "channel", "is_fatal", "status_code",
    "finished", "turn_is_formatted", "end_of_turn_confidence",
)  # fmt: skip


def nonsense(random: Random, depth: int = 0) -> object:
    plain = (None, True, -1, 1e308, 401, "", "\ud800", "Success", "<fin>", random.choice(KINDS))
    match random.randrange(4 if depth < 4 else 1):
        case 1:
            return [nonsense(random, depth + 1) for _ in range(random.randrange(4))]
        case 2 | 3:
            return {random.choice(NAMES): nonsense(random, depth + 1) for _ in range(random.randrange(7))}
        case _:
            return random.choice(plain)


def azure_message(told: str, random: Random) -> Message:
    return text_message(random.choice(["speech.phrase", "speech.hypothesis", "turn.end"]), "1", told)


def aws_message(told: str, random: Random) -> Message:
    kind = random.choice(["event", "event", "exception"])
    return encode_event(told.encode(), message_type=kind, event_type="TranscriptEvent")


FRAMES: Mapping[str, Callable[[str, Random], Message]] = {"azure": azure_message, "aws": aws_message}
VENDORS = (
    "assemblyai", "aws", "azure", "cartesia", "deepgram", "elevenlabs", "fireworks", "gladia", "gradium",
    "inworld", "mistral", "openai", "sarvam", "soniox", "speechmatics", "together", "xai",
)  # fmt: skip


@pytest.mark.parametrize("vendor", VENDORS)
def test_nonsense_is_an_error_of_theirs_or_passed_over(vendor: str) -> None:
    random = Random(vendor)
    service: SocketSTT = create("stt", vendor)
    codec = service.codec()
    for _ in range(300):
        told: dict[str, object] = {name: nonsense(random) for name in random.sample(NAMES, 12)}
        told |= {name: random.choice(KINDS) for name in ("type", "message", "event", "message_type")}
        frame = FRAMES.get(vendor, lambda text, _: text)
        try:
            list(codec.read(frame(json.dumps(told), random)))
        except TheyErred:
            codec = service.codec()
