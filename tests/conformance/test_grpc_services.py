"""Every service over gRPC against its vendor's protocol on loopback, with what goes wrong."""

import asyncio
from collections.abc import AsyncIterator, Callable
from importlib import import_module
from typing import Any

import pytest

from antiphon.errors import (
    AuthenticationError,
    BadResponseError,
    ConfigurationError,
    RateLimitError,
    ServiceTimeoutError,
    UnavailableError,
)
from antiphon.services import grpc_stt
from antiphon.services.grpc_stt import GrpcSTT
from antiphon.services.grpc_tts import GrpcTTS
from antiphon.services.ports import AudioChunk, Flush, Recognized, Speech, Word
from antiphon.testing import check_stt, check_tts
from antiphon.testing.loopback import KEY, LOUD, WORDS, Fault
from antiphon.testing.loopback.google_cloud import GoogleRecognition, GoogleStreamingVoices
from antiphon.testing.loopback.grpc import GrpcVendorServer
from antiphon.testing.loopback.riva import RivaRecognition, RivaSynthesis
from antiphon.vendors.google import streaming
from antiphon.vendors.google import stt as google
from antiphon.vendors.nvidia import stt as riva
from antiphon.vendors.nvidia import tts as magpie

pytest.importorskip("grpc")
pytest.importorskip("google.protobuf")


def chirp(key: str, base_url: str) -> GrpcSTT:
    return google.STT(project="p", base_url=base_url)


RECOGNISERS: list[tuple[Callable[..., GrpcSTT], type[GrpcVendorServer]]] = [
    (chirp, GoogleRecognition),
    (riva.STT, RivaRecognition),
]
VOICES: list[tuple[Callable[..., GrpcTTS], type[GrpcVendorServer]]] = [
    (streaming.StreamingVoice, GoogleStreamingVoices),
    (magpie.TTS, RivaSynthesis),
]
recognisers = pytest.mark.parametrize(("kind", "server"), RECOGNISERS)
voices = pytest.mark.parametrize(("kind", "server"), VOICES)
PIECES = ("Good morning to you.", "Who is this?")
REFUSALS = {
    Fault.REFUSED: AuthenticationError,
    Fault.LIMITED: RateLimitError,
    Fault.MALFORMED: BadResponseError,
    Fault.CUT: UnavailableError,
    Fault.SILENT: ServiceTimeoutError,
}


def client(kind: Callable[..., Any], server: GrpcVendorServer) -> Any:
    return kind(key=KEY, base_url=server.url)


async def hear(service: GrpcSTT) -> list[Recognized]:
    async def audio() -> AsyncIterator[AudioChunk | Flush]:
        yield AudioChunk(LOUD)
        yield Flush(False)
        yield Flush(True)

    return [heard async for heard in service.transcribe(audio())]


async def say(service: GrpcTTS, *pieces: str) -> list[Speech | Word]:
    async def text() -> AsyncIterator[str]:
        for piece in pieces:
            yield piece

    return [item async for item in service.speak(text())]


@recognisers
def test_a_recogniser_does_what_all_must(
    kind: Callable[..., GrpcSTT], server: type[GrpcVendorServer]
) -> None:
    async def run() -> None:
        async with server() as vendor:
            await check_stt(lambda: client(kind, vendor), LOUD, WORDS)

    asyncio.run(run())


@voices
def test_a_voice_does_what_all_must(kind: Callable[..., GrpcTTS], server: type[GrpcVendorServer]) -> None:
    async def run() -> None:
        async with server() as vendor:
            await check_tts(lambda: client(kind, vendor))

    asyncio.run(run())


@recognisers
def test_a_pause_ends_a_call_and_the_words_are_joined(
    kind: Callable[..., GrpcSTT], server: type[GrpcVendorServer]
) -> None:
    async def run() -> None:
        async with server(Fault.STRANGE) as vendor:
            service = client(kind, vendor)
            heard = await hear(service)
            assert heard == [Recognized(WORDS, False, "en-US"), Recognized(WORDS, True, "en-US")]
            await service.close()
            await service.close()

    asyncio.run(run())


@pytest.mark.parametrize("fault", REFUSALS)
@recognisers
def test_a_recogniser_names_what_went_wrong(
    kind: Callable[..., GrpcSTT],
    server: type[GrpcVendorServer],
    fault: Fault,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(grpc_stt, "WITHIN", 0.5)

    async def run() -> None:
        async with server(fault) as vendor:
            service = client(kind, vendor)
            with pytest.raises(REFUSALS[fault]):
                await hear(service)
            await service.close()

    asyncio.run(run())


@pytest.mark.parametrize("fault", REFUSALS)
@voices
def test_a_voice_names_what_went_wrong(
    kind: Callable[..., GrpcTTS], server: type[GrpcVendorServer], fault: Fault
) -> None:
    async def run() -> None:
        async with server(fault) as vendor:
            service = client(kind, vendor)
            service.silent_for = 0.5 if fault is Fault.SILENT else 20.0
            with pytest.raises(REFUSALS[fault]):
                await say(service, *PIECES)
            await service.close()

    asyncio.run(run())


@voices
def test_a_reply_that_is_left_stops_the_vendor(
    kind: Callable[..., GrpcTTS], server: type[GrpcVendorServer]
) -> None:
    async def run() -> None:
        async with server(Fault.SILENT) as vendor:
            service = client(kind, vendor)
            saying = asyncio.create_task(say(service, PIECES[0]))
            async with asyncio.timeout(10):
                while not vendor.calls:
                    await asyncio.sleep(0)
                saying.cancel()
                await asyncio.wait([saying])
                while not vendor.cancelled:
                    await asyncio.sleep(0)
            await service.close()

    asyncio.run(run())


def test_words_are_timed_within_their_pieces() -> None:
    async def run() -> None:
        async with RivaSynthesis() as vendor:
            service = client(magpie.TTS, vendor)
            said = await say(service, *PIECES)
            await service.close()
        for piece, text in enumerate(PIECES):
            audio = sum(len(item.pcm) for item in said if isinstance(item, Speech) and item.piece == piece)
            words = [item for item in said if isinstance(item, Word) and item.piece == piece]
            assert words[-1].end >= len(text) - 1, words
            assert abs(words[-1].seconds - audio / 2 / service.sample_rate) < 0.01, words

    asyncio.run(run())


def test_a_long_piece_is_spoken_in_parts() -> None:
    async def run() -> None:
        for kind, server in VOICES:
            async with server() as vendor:
                service = client(kind, vendor)
                assert await say(service, "A long way to go, " * 200)
                await service.close()

    asyncio.run(run())


def test_a_model_of_the_cloud_is_a_function(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NVIDIA_API_KEY", KEY)
    authorization = ("authorization", f"Bearer {KEY}")
    known = asyncio.run(magpie.TTS().metadata())
    assert list(known) == [("function-id", magpie.FUNCTIONS["magpie-tts-multilingual"]), authorization]
    assert list(asyncio.run(riva.STT("an-id").metadata())) == [("function-id", "an-id"), authorization]


def test_a_server_of_ones_own_needs_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NVIDIA_API_KEY", raising=False)
    service = riva.STT("a-model", base_url="http://localhost:50051")
    assert list(asyncio.run(service.metadata())) == []
    assert service.first()["streaming_config"]["config"]["model"] == "a-model"
    with pytest.raises(ConfigurationError, match="NVIDIA_API_KEY"):
        asyncio.run(riva.STT().open())


def test_a_project_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT", raising=False)
    with pytest.raises(ConfigurationError, match="GOOGLE_CLOUD_PROJECT"):
        asyncio.run(google.STT().open())


def test_what_the_vendor_does_not_take_is_named() -> None:
    async def run() -> None:
        async with RivaSynthesis() as vendor:
            service = magpie.TTS(voice="", key=KEY, base_url=vendor.url)
            with pytest.raises(BadResponseError, match="nvidia answered 400"):
                await say(service, "Good morning.")
            vendor.failure = None
            await service.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("definition", "package"),
    [
        (riva.DEFINITION, "riva.client.proto.riva_asr_pb2"),
        (magpie.DEFINITION, "riva.client.proto.riva_tts_pb2"),
        (google.DEFINITION, "google.cloud.speech_v2.types.cloud_speech"),
        (streaming.DEFINITION, "google.cloud.texttospeech_v1.types.cloud_tts"),
    ],
)
def test_excerpts_agree_with_the_vendors_own_packages(definition: str, package: str) -> None:
    pytest.importorskip(package)
    messages = import_module("antiphon.services.proto_messages").proto_messages(definition)
    for name in messages:
        if name.startswith(("Streaming", "Synthesize")) and name.endswith(("Request", "Response")):
            theirs = getattr(import_module(package), name)
            theirs = theirs.pb() if hasattr(theirs, "pb") else theirs
            _agree(messages[name].DESCRIPTOR, theirs.DESCRIPTOR)


def _agree(ours: Any, theirs: Any) -> None:
    for field in ours.fields:
        other = theirs.fields_by_name[field.name]
        enumeration = other.type == other.TYPE_ENUM and field.type == field.TYPE_INT32
        assert field.number == other.number, field.full_name
        assert enumeration or field.type == other.type, field.full_name
        assert field.is_repeated == other.is_repeated, field.full_name
        if field.message_type is not None:
            _agree(field.message_type, other.message_type)
