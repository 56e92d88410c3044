"""Google's speech to text against a server on loopback that speaks its gRPC service."""

import asyncio
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from antiphon.errors import (
    AuthenticationError,
    BadResponseError,
    ConfigurationError,
    RateLimitError,
    UnavailableError,
)
from antiphon.services.ports import AudioChunk, Flush, Recognized
from antiphon.testing import check_stt
from antiphon.testing.loopback import LOUD, WORDS
from antiphon.testing.loopback.server import HeardAudio
from antiphon.vendors.google.stt import STT

speech: Any = pytest.importorskip("google.cloud.speech_v2")
grpc: Any = pytest.importorskip("grpc")

Handler = Callable[[Iterator[Any], Any], Iterator[Any]]


def recognized(requests: Iterator[Any], context: Any) -> Iterator[Any]:
    """Check the configuration, and tell the words in two results when the audio has ended."""
    heard, first = HeardAudio(), True
    for request in requests:
        if first:
            assert request.recognizer == "projects/p/locations/us/recognizers/_"
            config = request.streaming_config.config
            assert config.explicit_decoding_config.encoding.name == "LINEAR16"
            assert config.explicit_decoding_config.sample_rate_hertz == 16000
            assert list(config.language_codes) == ["en-US"]
            assert config.model == "chirp_3"
            first = False
        else:
            assert 0 < len(request.audio) <= 15000, "messages of at most 15 kB"
            heard.feed(request.audio)
    told = heard.answer().split()
    for words in (told[:2], told[2:]):
        result = {"alternatives": [{"transcript": " " + " ".join(words)}], "is_final": True}
        yield speech.StreamingRecognizeResponse(results=[result] if words else [])


@contextmanager
def served(handler: Handler = recognized) -> Generator[Callable[[], STT]]:
    server = grpc.server(ThreadPoolExecutor(4))
    method = grpc.stream_stream_rpc_method_handler(
        handler,
        request_deserializer=speech.StreamingRecognizeRequest.deserialize,
        response_serializer=speech.StreamingRecognizeResponse.serialize,
    )
    name = "google.cloud.speech.v2.Speech"
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(name, {"StreamingRecognize": method}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield lambda: STT(project="p", base_url=f"http://127.0.0.1:{port}")
    finally:
        server.stop(None).wait()


async def hear(service: STT) -> list[Recognized]:
    async def audio() -> AsyncIterator[AudioChunk | Flush]:
        yield AudioChunk(LOUD)
        yield Flush(False)
        yield Flush(True)

    return [heard async for heard in service.transcribe(audio())]


def test_it_does_what_all_must() -> None:
    async def run() -> None:
        with served() as make:
            await check_stt(make, LOUD, WORDS)

    asyncio.run(run())


def test_a_pause_ends_a_stream_and_the_words_are_joined() -> None:
    async def run() -> None:
        with served() as make:
            service = make()
            assert await hear(service) == [
                Recognized(WORDS, False, "en-US"),
                Recognized(WORDS, True, "en-US"),
            ]
            await service.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ("UNAUTHENTICATED", AuthenticationError),
        ("PERMISSION_DENIED", AuthenticationError),
        ("RESOURCE_EXHAUSTED", RateLimitError),
        ("UNAVAILABLE", UnavailableError),
        ("INVALID_ARGUMENT", BadResponseError),
    ],
)
def test_what_went_wrong_is_named(status: str, error: type[Exception]) -> None:
    def refuse(requests: Iterator[Any], context: Any) -> Iterator[Any]:
        context.abort(grpc.StatusCode[status], "no, because")
        yield None

    async def run() -> None:
        with served(refuse) as make:
            service = make()
            with pytest.raises(error, match="no, because"):
                await hear(service)
            await service.close()

    asyncio.run(run())


def test_a_project_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT", raising=False)
    with pytest.raises(ConfigurationError, match="GOOGLE_CLOUD_PROJECT"):
        asyncio.run(STT().open())
