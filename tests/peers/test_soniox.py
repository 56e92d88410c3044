"""Soniox' own client."""

import pytest
from soniox import AsyncSonioxClient
from soniox.errors import SonioxRealtimeError
from soniox.types.realtime import RealtimeSTTConfig, RealtimeTTSConfig

from antiphon.testing.loopback import KEY, WORDS, Fault
from antiphon.testing.loopback.soniox import SonioxStreams, SonioxTokens
from parts import TEXT, audio_bytes, loud_parts

CONFIG = RealtimeSTTConfig(
    model="stt-rt-v5", audio_format="pcm_s16le", sample_rate=16000, num_channels=1, language_hints=["en"]
)


def client(server: SonioxTokens) -> AsyncSonioxClient:
    return AsyncSonioxClient(api_key=KEY, websocket_base_url=f"{server.url}/transcribe-websocket")


@pytest.mark.client(SonioxTokens, "soniox")
async def test_tokens() -> None:
    async with SonioxTokens() as server, client(server).realtime.stt.connect(config=CONFIG) as session:
        for part in loud_parts():
            await session.send_byte_chunk(part)
        await session.keep_alive()
        await session.finalize()
        text = ""
        while "<fin>" not in text:
            event = await session.receive_event()
            text += "".join(token.text for token in event.tokens if token.is_final)
        assert text == f"{WORDS}<fin>"
        await session.finish()
        assert [event.finished async for event in session.receive_events()][-1]


@pytest.mark.client(SonioxStreams, "soniox")
async def test_voices() -> None:
    config = RealtimeTTSConfig(
        stream_id="1",
        model="tts-rt-v2",
        language="en",
        voice="Maya",
        audio_format="pcm_s16le",
        sample_rate=24000,
        return_timestamps=True,
    )
    async with SonioxStreams() as server:
        client = AsyncSonioxClient(api_key=KEY, tts_websocket_base_url=f"{server.url}/tts-websocket")
        async with client.realtime.tts.connect(config=config) as stream:
            await stream.keep_alive()
            await stream.send_text_chunk(TEXT, text_end=True)
            told = [event async for event in stream.receive_events()]
        assert sum(len(event.audio_bytes() or b"") for event in told) == audio_bytes(TEXT, 24000)
        assert told[0].timestamps.characters == list(TEXT)
        assert told[-1].terminated


@pytest.mark.client(SonioxTokens, "soniox")
async def test_a_refused_key() -> None:
    async with SonioxTokens(Fault.REFUSED) as server:
        with pytest.raises(SonioxRealtimeError):
            async with client(server).realtime.stt.connect(config=CONFIG):
                pass
