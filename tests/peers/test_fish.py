"""Fish Audio's own client, which asks for no times; else the socket with times speaks the same."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from fishaudio import AsyncFishAudio
from fishaudio.resources import tts
from fishaudio.types import FlushEvent, TTSConfig

from antiphon.testing.loopback import KEY, Fault
from antiphon.testing.loopback.fish import FishVoices
from parts import TEXT, audio_bytes

CONFIG = TTSConfig(format="pcm", sample_rate=24000, reference_id="a-voice")


async def text() -> AsyncIterator[Any]:
    yield TEXT
    yield FlushEvent()
    yield TEXT


@pytest.fixture(autouse=True)
def with_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the client connect where times are told."""
    connect = tts.aconnect_ws
    monkeypatch.setattr(
        tts, "aconnect_ws", lambda path, **options: connect(f"{path}/with-timestamp", **options)
    )


@pytest.mark.client(FishVoices, "fish-audio-sdk")
async def test_voices() -> None:
    async with FishVoices() as server:
        client = AsyncFishAudio(api_key=KEY, base_url=server.url.replace("ws", "http", 1))
        said = client.tts.stream_websocket(text(), config=CONFIG, model="s2-pro")
        assert len(b"".join([audio async for audio in said])) == 2 * audio_bytes(TEXT, 24000)


@pytest.mark.client(FishVoices, "fish-audio-sdk")
async def test_a_refused_key() -> None:
    async with FishVoices(Fault.REFUSED) as server:
        client = AsyncFishAudio(api_key=KEY, base_url=server.url.replace("ws", "http", 1))
        with pytest.raises(Exception, match="Rejected|401"):
            async for _ in client.tts.stream_websocket(text(), config=CONFIG, model="s2-pro"):
                pass
