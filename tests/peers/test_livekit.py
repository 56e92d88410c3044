"""LiveKit's plugins, for vendors that have no client of their own for these sockets."""

from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from livekit.agents import APIError
from livekit.plugins import fireworksai, inworld, minimax, murf, rime, xai
from livekit.plugins.xai import stt as xai_stt
from livekit.plugins.xai import tts as xai_tts

from antiphon.testing.loopback import KEY, WORDS, Fault, VendorServer
from antiphon.testing.loopback.fireworks import FireworksSegments
from antiphon.testing.loopback.inworld import InworldTranscription, InworldVoices
from antiphon.testing.loopback.minimax import MiniMaxVoices
from antiphon.testing.loopback.murf import MurfVoices
from antiphon.testing.loopback.rime import RimeVoices
from antiphon.testing.loopback.xai import XaiTranscripts, XaiVoices
from parts import TEXT, audio_bytes, hear_with_livekit, say_with_livekit

Make = Callable[..., Any]
"""Makes a service from an address, with the key and the session that go into each."""


@pytest.fixture(autouse=True)
def addresses(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return what sets the addresses of plugins that have constants for them."""

    def set_them(url: str) -> None:
        monkeypatch.setattr(xai_tts, "XAI_WEBSOCKET_URL", f"{url}/v1/tts")
        monkeypatch.setattr(xai_stt, "XAI_WEBSOCKET_URL", f"{url}/v1/stt")

    return set_them


def over_http(url: str) -> str:
    return url.replace("ws", "http", 1)


def rime_voice(url: str, **more: Any) -> Any:
    options = {"model": "coda", "speaker": "astra", "sample_rate": 24000, "segment": "never"}
    return rime.TTS(base_url=url, allow_custom_endpoint=True, **options, **more)


def inworld_voice(url: str, **more: Any) -> Any:
    options = {"voice": "Ashley", "model": "inworld-tts-2", "encoding": "PCM", "sample_rate": 24000}
    return inworld.TTS(ws_url=url, timestamp_type="WORD", **options, **more)


def minimax_voice(url: str, **more: Any) -> Any:
    return minimax.TTS(base_url=over_http(url), audio_format="pcm", sample_rate=24000, **more)


def murf_voice(url: str, **more: Any) -> Any:
    return murf.TTS(base_url=over_http(url), **more)


def xai_voice(url: str, **more: Any) -> Any:
    return xai.TTS(voice="eve", language="en", **more)


def inworld_ears(url: str, **more: Any) -> Any:
    return inworld.STT(base_url=over_http(url), **more)


def xai_ears(url: str, **more: Any) -> Any:
    return xai.STT(endpointing=300, **more)


def fireworks_ears(url: str, **more: Any) -> Any:
    return fireworksai.STT(base_url=f"{url}/v1", **more)


VOICES: list[tuple[type[VendorServer], str, Make, str]] = [
    (RimeVoices, "livekit-plugins-rime", rime_voice, TEXT),
    (InworldVoices, "livekit-plugins-inworld", inworld_voice, TEXT),
    (MiniMaxVoices, "livekit-plugins-minimax-ai", minimax_voice, ""),
    (MurfVoices, "livekit-plugins-murf", murf_voice, ""),
    (XaiVoices, "livekit-plugins-xai", xai_voice, ""),
]
"""Each with the words that its plugin has times for."""
EARS: list[tuple[type[VendorServer], str, Make, list[str]]] = [
    (InworldTranscription, "livekit-plugins-inworld", inworld_ears, [WORDS]),
    (XaiTranscripts, "livekit-plugins-xai", xai_ears, [WORDS[:9], WORDS[10:]]),
    (FireworksSegments, "livekit-plugins-fireworksai", fireworks_ears, [WORDS]),
]


def each(table: list[tuple[type[VendorServer], str, Make, Any]]) -> Any:
    return pytest.mark.parametrize(
        ("server", "make", "told"),
        [
            pytest.param(server, make, told, marks=pytest.mark.client(server, package), id=server.__name__)
            for server, package, make, told in table
        ],
    )


@each(VOICES)
async def test_a_voice(server: Make, make: Make, told: str, addresses: Callable[[str], None]) -> None:
    async with server() as vendor, aiohttp.ClientSession() as session:
        addresses(vendor.url)
        audio, words = await say_with_livekit(make(vendor.url, api_key=KEY, http_session=session))
        # xAI's plugin sends word by word, without the blank.
        assert len(audio) >= audio_bytes(TEXT.replace(" ", ""), 24000)
        assert words == told


@each(EARS)
async def test_ears(server: Make, make: Make, told: list[str], addresses: Callable[[str], None]) -> None:
    async with server() as vendor, aiohttp.ClientSession() as session:
        addresses(vendor.url)
        assert await hear_with_livekit(make(vendor.url, api_key=KEY, http_session=session)) == told


@each(VOICES)
async def test_a_refused_key(server: Make, make: Make, told: str, addresses: Callable[[str], None]) -> None:
    async with server(Fault.REFUSED) as vendor, aiohttp.ClientSession() as session:
        addresses(vendor.url)
        with pytest.raises(APIError):
            await say_with_livekit(make(vendor.url, api_key=KEY, http_session=session))
