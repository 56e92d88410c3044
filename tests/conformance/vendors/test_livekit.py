"""LiveKit's own plugins as services, against the servers on loopback.

Skipped without them: pip install "antiphon[livekit]" livekit-plugins-deepgram livekit-plugins-cartesia
livekit-plugins-openai
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from importlib.util import find_spec
from typing import Any

import pytest

from antiphon.context import Context, UserSaid
from antiphon.errors import AntiphonError, AuthenticationError, TheyErred
from antiphon.services.ports import AudioChunk, Flush, Word
from antiphon.testing import check_llm, check_stt, check_tts
from antiphon.testing.loopback import KEY, LOUD, WORDS, Fault, openai
from antiphon.testing.loopback.cartesia import CartesiaSonic
from antiphon.testing.loopback.deepgram import DeepgramListen, DeepgramSpeak
from antiphon.vendors.livekit.llm import LLM
from antiphon.vendors.livekit.plugin import Plugin
from antiphon.vendors.livekit.stt import STT
from antiphon.vendors.livekit.tts import TTS

PLUGINS = ("deepgram", "cartesia", "openai")
if find_spec("livekit") is None or not all(find_spec(f"livekit.plugins.{name}") for name in PLUGINS):
    pytest.skip("LiveKit's plugins are not installed", allow_module_level=True)

pytestmark = pytest.mark.filterwarnings("default")  # those of LiveKit's packages


class ChatServer(openai.OpenAIChat):
    """Answers the request that warms a connection, as OpenAI's would, with 404."""

    def has(self, path: str) -> bool:
        return path == "/chat/completions"


class SpeechServer(openai.OpenAISpeechServer):
    """The same, for voices."""

    def has(self, path: str) -> bool:
        return path == "/audio/speech"


def http(server: Any) -> str:
    return server.url.replace("ws", "http", 1)


def nova(server: DeepgramListen) -> STT:
    return STT("deepgram/nova-3", api_key=KEY, base_url=f"{http(server)}/v1/listen")


def aura(server: DeepgramSpeak) -> TTS:
    return TTS("deepgram/aura-2-thalia-en", api_key=KEY, base_url=f"{http(server)}/v1/speak")


def sonic(server: CartesiaSonic) -> TTS:
    made = {"api_key": KEY, "base_url": http(server), "api_version": "2026-03-01", "voice": "some-voice"}
    return TTS("cartesia/sonic-3", **made)


def speech(server: SpeechServer) -> TTS:
    return TTS("openai/tts-1", api_key=KEY, base_url=server.url, response_format="pcm")


def chat(server: ChatServer) -> LLM:
    return LLM("openai/gpt-4.1-mini", api_key=KEY, base_url=server.url)


VOICES = [(aura, DeepgramSpeak), (sonic, CartesiaSonic), (speech, SpeechServer)]


def test_a_recogniser_conforms() -> None:
    async def run() -> None:
        async with DeepgramListen() as server:
            await check_stt(lambda: nova(server), LOUD, WORDS)

    asyncio.run(run())


def test_a_model_conforms() -> None:
    async def run() -> None:
        async with ChatServer() as server:
            await check_llm(lambda: chat(server))

    asyncio.run(run())


@pytest.mark.parametrize(("make", "server"), VOICES)
def test_a_voice_conforms(make: Callable[[Any], TTS], server: Any) -> None:
    async def run() -> None:
        async with server() as vendor:
            await check_tts(lambda: make(vendor))

    asyncio.run(run())


def test_an_object_conforms() -> None:
    _ = Plugin("STT", "deepgram", {"api_key": KEY}).object  # without LiveKit's own models
    from livekit.plugins import deepgram  # pyright: ignore

    async def run() -> None:
        async with DeepgramListen() as server:
            made: Any = deepgram.STT(api_key=KEY, base_url=f"{http(server)}/v1/listen")  # pyright: ignore
            await check_stt(lambda: STT(made), LOUD, WORDS)  # pyright: ignore

    asyncio.run(run())


def test_words_have_their_times() -> None:
    async def run() -> list[Any]:
        async with CartesiaSonic() as server:
            service = sonic(server)
            spoken = [item async for item in service.speak(texts("Good day to you.", "Goodbye."))]
            await service.close()
            return spoken

    words = [(item.piece, item.end) for item in asyncio.run(run()) if isinstance(item, Word)]
    assert words == [(0, 4), (0, 8), (0, 11), (0, 15), (1, 7)]


async def texts(*pieces: str) -> AsyncIterator[str]:
    for piece in pieces:
        yield piece


async def chunks() -> AsyncIterator[AudioChunk | Flush]:
    yield AudioChunk(LOUD)
    yield Flush(True)
    await asyncio.get_running_loop().create_future()


def failure(make: Callable[[Any], Any], server: Any) -> AntiphonError:
    async def run() -> AntiphonError:
        async with server as vendor:
            service = make(vendor)
            try:
                match service:
                    case STT():
                        stream: AsyncIterator[Any] = service.transcribe(chunks())
                    case TTS():
                        stream = service.speak(texts("Good day."))
                    case _:
                        stream = service.generate(Context("Be brief.", (UserSaid("Hello?"),)))
                with pytest.raises(AntiphonError) as raised:
                    async for _ in stream:
                        pass
                return raised.value
            finally:
                await service.close()

    return asyncio.run(run())


ALL: list[tuple[Any, Any]] = [(nova, DeepgramListen), (chat, ChatServer), *VOICES]


@pytest.mark.parametrize(("make", "server"), ALL)
def test_a_refused_key_is_told(make: Callable[[Any], Any], server: Any) -> None:
    assert isinstance(failure(make, server(Fault.REFUSED)), AuthenticationError)


@pytest.mark.parametrize(("make", "server"), ALL)
def test_a_lost_connection_is_told(make: Callable[[Any], Any], server: Any) -> None:
    assert isinstance(failure(make, server(Fault.CUT)), TheyErred)
