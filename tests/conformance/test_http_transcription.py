"""Every recogniser over HTTP against its vendor's protocol on loopback, with what goes wrong."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from antiphon.errors import AuthenticationError, BadResponseError, RateLimitError, UnavailableError
from antiphon.services import http_stt
from antiphon.services.http_stt import HttpSTT, TranscriptionEndpoint
from antiphon.services.ports import AudioChunk, Flush, Recognized
from antiphon.testing import check_stt
from antiphon.testing.loopback import KEY, LOUD, WORDS, Fault
from antiphon.testing.loopback.http import HttpVendorServer
from antiphon.testing.loopback.whisper import (
    CloudflareWhisper,
    FalWizper,
    HuggingFaceWhisper,
    WhisperTranscriptions,
)
from antiphon.vendors import cloudflare, fal, huggingface
from antiphon.vendors.openai import stt as openai


def whisper(url: str) -> HttpSTT:
    return HttpSTT("", TranscriptionEndpoint("groq", url, "GROQ_API_KEY", "whisper-large-v3"), key=KEY)


def wizper(url: str) -> HttpSTT:
    return fal.STT(key=KEY, base_url=url)


def openai_requests(url: str) -> HttpSTT:
    service = openai.STT("gpt-4o-transcribe", realtime=False, language="en", key=KEY, base_url=url)
    assert isinstance(service, HttpSTT)
    return service


def workers_ai(url: str) -> HttpSTT:
    return cloudflare.STT(key=KEY, base_url=url)


def hub(url: str) -> HttpSTT:
    return huggingface.STT(key=KEY, base_url=url)


RECOGNISERS: list[tuple[Callable[[str], HttpSTT], type[HttpVendorServer]]] = [
    (whisper, WhisperTranscriptions),
    (wizper, FalWizper),
    (openai_requests, WhisperTranscriptions),
    (workers_ai, CloudflareWhisper),
    (hub, HuggingFaceWhisper),
]
recognisers = pytest.mark.parametrize(("make", "server"), RECOGNISERS, ids=lambda made: made.__name__)


async def hear(service: HttpSTT, *items: AudioChunk | Flush) -> list[Recognized]:
    async def audio() -> AsyncIterator[AudioChunk | Flush]:
        for item in items:
            yield item

    return [heard async for heard in service.transcribe(audio())]


@recognisers
def test_a_recogniser_does_what_all_must(
    make: Callable[[str], HttpSTT], server: type[HttpVendorServer]
) -> None:
    async def run() -> None:
        async with server() as vendor:
            await check_stt(lambda: make(vendor.url), LOUD, WORDS)

    asyncio.run(run())


@recognisers
def test_what_was_asked_at_a_pause_is_not_asked_again(
    make: Callable[[str], HttpSTT], server: type[HttpVendorServer]
) -> None:
    async def run() -> None:
        async with server() as vendor:
            service = make(vendor.url)
            heard = await hear(service, AudioChunk(LOUD), Flush(False), Flush(True))
            assert [(item.text, item.final) for item in heard] == [(WORDS, False), (WORDS, True)]
            assert len(vendor.requests) == 1
            await service.close()

    asyncio.run(run())


def test_speech_of_any_length_is_asked_about_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_stt, "LONGEST", 1.0)

    async def run() -> None:
        async with WhisperTranscriptions() as vendor:
            service = whisper(vendor.url)
            quiet = AudioChunk(bytes(32000))
            heard = await hear(service, quiet, Flush(False), AudioChunk(LOUD), Flush(True))
            assert [item.text for item in heard] == ["", WORDS]
            await service.close()

    asyncio.run(run())


REFUSALS = {
    Fault.REFUSED: AuthenticationError,
    Fault.LIMITED: RateLimitError,
    Fault.MALFORMED: BadResponseError,
    Fault.CUT: UnavailableError,
}


@pytest.mark.parametrize("fault", REFUSALS)
@recognisers
def test_a_recogniser_names_what_went_wrong(
    make: Callable[[str], HttpSTT], server: type[HttpVendorServer], fault: Fault
) -> None:
    async def run() -> None:
        async with server(fault) as vendor:
            service = make(vendor.url)
            with pytest.raises(REFUSALS[fault]):
                await hear(service, AudioChunk(LOUD), Flush(True))
            await service.close()

    asyncio.run(run())


def test_whisper_of_openai_is_asked_over_http() -> None:
    assert isinstance(openai.STT("whisper-1", key=KEY), HttpSTT)
    assert not isinstance(openai.STT("gpt-4o-transcribe", key=KEY), HttpSTT)
