"""LiveKit's plugins, for vendors that have no client of their own for these sockets."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from livekit.plugins import fireworksai, inworld, minimax, murf, rime, xai
from livekit.plugins.xai import stt as xai_stt
from livekit.plugins.xai import tts as xai_tts

from antiphon.testing.loopback import KEY, WORDS
from antiphon.testing.loopback.fireworks import FireworksSegments
from antiphon.testing.loopback.inworld import InworldTranscription, InworldVoices
from antiphon.testing.loopback.minimax import MiniMaxVoices
from antiphon.testing.loopback.murf import MurfVoices
from antiphon.testing.loopback.rime import RimeVoices
from antiphon.testing.loopback.xai import XaiTranscripts, XaiVoices
from parts import TEXT, audio_bytes, hear_with_livekit, say_with_livekit


@asynccontextmanager
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.mark.client(RimeVoices, "livekit-plugins-rime")
async def test_rime() -> None:
    async with RimeVoices() as server, http() as session:
        voice = rime.TTS(
            base_url=server.url, model="coda", speaker="astra", api_key=KEY, sample_rate=24000,
            segment="never", http_session=session, allow_custom_endpoint=True,
        )  # fmt: skip
        audio, words = await say_with_livekit(voice)
        assert len(audio) >= audio_bytes(TEXT, 24000)
        assert words == TEXT


@pytest.mark.client(InworldVoices, "livekit-plugins-inworld")
async def test_inworld_speaks() -> None:
    async with InworldVoices() as server, http() as session:
        voice = inworld.TTS(
            api_key=KEY, voice="Ashley", model="inworld-tts-2", encoding="PCM", sample_rate=24000,
            ws_url=server.url, timestamp_type="WORD", http_session=session,
        )  # fmt: skip
        audio, words = await say_with_livekit(voice)
        assert len(audio) >= audio_bytes(TEXT, 24000)
        assert words == TEXT


@pytest.mark.client(InworldTranscription, "livekit-plugins-inworld")
async def test_inworld_hears() -> None:
    async with InworldTranscription() as server, http() as session:
        recogniser = inworld.STT(
            api_key=KEY, base_url=server.url.replace("ws", "http", 1), http_session=session
        )
        assert await hear_with_livekit(recogniser) == [WORDS]


@pytest.mark.client(MiniMaxVoices, "livekit-plugins-minimax-ai")
async def test_minimax() -> None:
    async with MiniMaxVoices() as server, http() as session:
        voice = minimax.TTS(
            api_key=KEY, base_url=server.url.replace("ws", "http", 1), audio_format="pcm", sample_rate=24000,
            http_session=session,
        )  # fmt: skip
        audio, _ = await say_with_livekit(voice)
        assert len(audio) >= audio_bytes(TEXT, 24000)


@pytest.mark.client(MurfVoices, "livekit-plugins-murf")
async def test_murf() -> None:
    async with MurfVoices() as server, http() as session:
        voice = murf.TTS(api_key=KEY, base_url=server.url.replace("ws", "http", 1), http_session=session)
        audio, _ = await say_with_livekit(voice)
        assert len(audio) >= audio_bytes(TEXT, 24000)


@pytest.mark.client(XaiVoices, "livekit-plugins-xai")
async def test_xai_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    async with XaiVoices() as server, http() as session:
        monkeypatch.setattr(xai_tts, "XAI_WEBSOCKET_URL", f"{server.url}/v1/tts")
        voice = xai.TTS(api_key=KEY, voice="eve", language="en", http_session=session)
        audio, _ = await say_with_livekit(voice)
        assert len(audio) >= audio_bytes(TEXT.replace(" ", ""), 24000)  # it cuts text into words


@pytest.mark.client(XaiTranscripts, "livekit-plugins-xai")
async def test_xai_hears(monkeypatch: pytest.MonkeyPatch) -> None:
    async with XaiTranscripts() as server, http() as session:
        monkeypatch.setattr(xai_stt, "XAI_WEBSOCKET_URL", f"{server.url}/v1/stt")
        recogniser = xai.STT(api_key=KEY, endpointing=300, http_session=session)
        assert (await hear_with_livekit(recogniser))[0].startswith(WORDS[:9])


@pytest.mark.client(FireworksSegments, "livekit-plugins-fireworksai")
async def test_fireworks() -> None:
    async with FireworksSegments() as server, http() as session:
        recogniser = fireworksai.STT(api_key=KEY, base_url=f"{server.url}/v1", http_session=session)
        assert " ".join(await hear_with_livekit(recogniser)) == WORDS
