"""ElevenLabs' own client for Scribe; Pipecat's for the voices, for whose sockets the vendor has none."""

import asyncio
from base64 import b64encode
from typing import Any

import pytest
from elevenlabs import AsyncElevenLabs, AudioFormat, CommitStrategy, RealtimeEvents
from pipecat.services.elevenlabs.dialogue.tts import ElevenLabsDialogueTTSService
from pipecat.services.elevenlabs.tts import ElevenLabsTTSService
from websockets.exceptions import InvalidStatus

from antiphon.testing.loopback import KEY, WORDS, Fault
from antiphon.testing.loopback.elevenlabs import ElevenLabsDialogue, ElevenLabsScribe, ElevenLabsVoices
from parts import TEXT, audio_bytes, loud_parts, say_with_pipecat

SCRIBE: Any = {
    "model_id": "scribe_v2_realtime",
    "audio_format": AudioFormat.PCM_16000,
    "sample_rate": 16000,
    "commit_strategy": CommitStrategy.MANUAL,
}


@pytest.mark.client(ElevenLabsScribe, "elevenlabs")
async def test_scribe() -> None:
    async with ElevenLabsScribe() as server:
        client = AsyncElevenLabs(api_key=KEY, base_url=server.url)
        connection = await client.speech_to_text.realtime.connect(SCRIBE)
        told: asyncio.Queue[Any] = asyncio.Queue()
        for event in RealtimeEvents:
            connection.on(event, told.put_nowait)
        for part in loud_parts():
            await connection.send({"audio_base_64": b64encode(part).decode()})
        await connection.commit()
        kinds = []
        while (message := await told.get())["message_type"] != "committed_transcript":
            kinds.append(message["message_type"])
        assert message["text"] == WORDS
        assert kinds[0] == "session_started"
        assert set(kinds[1:]) == {"partial_transcript"}
        await connection.close()


@pytest.mark.client(ElevenLabsScribe, "elevenlabs")
async def test_a_refused_key() -> None:
    async with ElevenLabsScribe(Fault.REFUSED) as server:
        client = AsyncElevenLabs(api_key=KEY, base_url=server.url)
        with pytest.raises(InvalidStatus):
            await client.speech_to_text.realtime.connect(SCRIBE)


@pytest.mark.client(ElevenLabsVoices, "pipecat-ai")
async def test_voices() -> None:
    async with ElevenLabsVoices() as server:
        settings = ElevenLabsTTSService.Settings(voice="voice", model="eleven_flash_v2_5")
        service = ElevenLabsTTSService(api_key=KEY, url=server.url, settings=settings)
        audio, words = await say_with_pipecat(service)
        assert len(audio) >= audio_bytes(TEXT, 24000)
        assert words == TEXT


@pytest.mark.client(ElevenLabsDialogue, "pipecat-ai")
async def test_dialogue() -> None:
    async with ElevenLabsDialogue() as server:
        settings = ElevenLabsDialogueTTSService.Settings(voice="voice", model="eleven_v3_conversational")
        service = ElevenLabsDialogueTTSService(api_key=KEY, url=server.url, settings=settings)
        audio, words = await say_with_pipecat(service)
        assert len(audio) >= audio_bytes(TEXT, 24000)
        assert words == TEXT
