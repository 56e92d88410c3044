"""Every voice over HTTP against its vendor's protocol on loopback, with what goes wrong."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from antiphon.errors import (
    AuthenticationError,
    BadResponseError,
    RateLimitError,
    ServiceTimeoutError,
    UnavailableError,
)
from antiphon.services.http_tts import HttpTTS
from antiphon.services.openai_speech import OpenAISpeech
from antiphon.services.ports import Speech, Word
from antiphon.testing import check_tts
from antiphon.testing.loopback import KEY, Fault
from antiphon.testing.loopback.aws_polly import AwsPolly
from antiphon.testing.loopback.google_voices import GoogleCloudVoices, GoogleGeminiVoices
from antiphon.testing.loopback.http import HttpVendorServer
from antiphon.testing.loopback.local_voices import PiperServer, PocketTTSServer
from antiphon.testing.loopback.mistral import MistralVoxtral
from antiphon.testing.loopback.openai import GroqSpeechServer, OpenAISpeechServer, TogetherSpeechServer
from antiphon.testing.loopback.speechify import SpeechifyVoices
from antiphon.testing.loopback.speechmatics import SpeechmaticsVoices
from antiphon.vendors import piper, pocket_tts, record, speechify, together
from antiphon.vendors._speech_endpoints import SPEECH_ENDPOINTS
from antiphon.vendors.aws import tts as aws
from antiphon.vendors.google import tts as google
from antiphon.vendors.mistral import tts as voxtral
from antiphon.vendors.openai import tts as openai
from antiphon.vendors.speechmatics import tts as speechmatics


def polly(key: str, base_url: str) -> HttpTTS:
    return aws.TTS(region="eu-central-1", key=key, secret="a secret", base_url=base_url)


def pocket(key: str, base_url: str) -> HttpTTS:
    return pocket_tts.TTS(base_url=base_url)


def piper_server(key: str, base_url: str) -> HttpTTS:
    return piper.TTS(base_url=base_url)


def groq(key: str, base_url: str) -> HttpTTS:
    return OpenAISpeech("", replace(SPEECH_ENDPOINTS["groq"], base_url=base_url), key=key)


VOICES: list[tuple[Callable[..., HttpTTS], type[HttpVendorServer]]] = [
    (openai.TTS, OpenAISpeechServer),
    (groq, GroqSpeechServer),
    (together.TTS, TogetherSpeechServer),
    (speechmatics.TTS, SpeechmaticsVoices),
    (speechify.TTS, SpeechifyVoices),
    (voxtral.RequestedVoice, MistralVoxtral),
    (google.GeminiVoice, GoogleGeminiVoices),
    (google.CloudVoice, GoogleCloudVoices),
    (polly, AwsPolly),
    (pocket, PocketTTSServer),
    (piper_server, PiperServer),
]
voices = pytest.mark.parametrize(("kind", "server"), VOICES, ids=[server.__name__ for _, server in VOICES])


def client(kind: Callable[..., HttpTTS], server: HttpVendorServer) -> HttpTTS:
    return kind(key=KEY, base_url=server.url)


REFUSALS = {
    Fault.REFUSED: AuthenticationError,
    Fault.LIMITED: RateLimitError,
    Fault.MALFORMED: BadResponseError,
    Fault.CUT: UnavailableError,
    Fault.SILENT: ServiceTimeoutError,
}


async def say(service: HttpTTS, *pieces: str) -> list[Speech | Word]:
    async def text() -> AsyncIterator[str]:
        for piece in pieces:
            yield piece

    return [item async for item in service.speak(text())]


@voices
def test_a_voice_does_what_all_must(kind: Callable[..., HttpTTS], server: type[HttpVendorServer]) -> None:
    async def run() -> None:
        async with server() as vendor:
            await check_tts(lambda: client(kind, vendor))
            service = client(kind, vendor)
            said = await say(service, "Good morning to you.")
            await service.close()
            timed = any(isinstance(item, Word) for item in said)
            assert timed == ("word times" in record(service.vendor).can.get("tts", ()))

    asyncio.run(run())


@pytest.mark.parametrize("fault", REFUSALS)
@voices
def test_a_voice_names_what_went_wrong(
    kind: Callable[..., HttpTTS], server: type[HttpVendorServer], fault: Fault
) -> None:
    async def run() -> None:
        async with server(fault) as vendor:
            service = client(kind, vendor)
            service.silent_for = 0.2 if fault is Fault.SILENT else 20.0
            with pytest.raises(REFUSALS[fault]):
                await say(service, "Good morning.", "Who is this?")
            await service.close()

    asyncio.run(run())


@voices
def test_a_reply_that_is_left_stops_the_vendor(
    kind: Callable[..., HttpTTS], server: type[HttpVendorServer]
) -> None:
    async def run() -> None:
        async with server(Fault.SILENT) as vendor:
            service = client(kind, vendor)
            saying = asyncio.create_task(say(service, "Good morning."))
            async with asyncio.timeout(10):
                while not vendor.requests:
                    await asyncio.sleep(0)
            saying.cancel()
            await asyncio.wait([saying])
            async with asyncio.timeout(10):
                while not vendor.cancelled:
                    await asyncio.sleep(0)
            await service.close()

    asyncio.run(run())


def test_a_text_that_is_too_long_for_a_request_is_asked_for_in_parts() -> None:
    async def run() -> None:
        async with GroqSpeechServer() as vendor:
            service = client(groq, vendor)
            text = "Good morning, and welcome to the exhibition of clocks and bells. " * 5
            told = await say(service, text, "Who is this?")
            heard = b"".join(item.pcm for item in told if isinstance(item, Speech))
            asked = [request.json["input"] for request in vendor.requests]
            assert sorted(map(len, asked)) == [12, 124, 199]
            assert b"RIFF" not in heard
            await service.close()

    asyncio.run(run())
