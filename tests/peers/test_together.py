"""Together's own client."""

from base64 import b64decode

import pytest
from together import AsyncTogether

from antiphon.testing.loopback import KEY, WORDS, Fault
from antiphon.testing.loopback.openai import TogetherSpeechServer
from antiphon.testing.loopback.realtime_transcription import TogetherTranscription
from parts import TEXT, audio_bytes, loud_parts

MODEL = "openai/whisper-large-v3"


@pytest.mark.client(TogetherTranscription, "together")
async def test_realtime_transcription() -> None:
    async with TogetherTranscription() as server:
        client = AsyncTogether(api_key=KEY, base_url=server.url.replace("ws", "http", 1))
        opened = client.beta.realtime.connect(model=MODEL, turn_detection={"type": "none"})
        async with opened as connection:
            for part in loud_parts():
                await connection.input_audio_buffer.append(part)
            await connection.input_audio_buffer.commit()
            told = []
            async for event in connection:
                told.append(event)
                if event.type.endswith(".completed"):
                    break
        assert told[0].type == "session.created"
        assert told[-1].transcript == WORDS


@pytest.mark.client(TogetherSpeechServer, "together")
async def test_speech() -> None:
    async with TogetherSpeechServer() as server:
        client = AsyncTogether(api_key=KEY, base_url=server.url)
        whole = client._prepare_url  # it writes a part of the path that our row has in its address
        client._prepare_url = lambda url: whole(url[url.index("/audio/") :])
        stream = await client.audio.speech.create(
            model="hexgrad/Kokoro-82M",
            input=TEXT,
            voice="af_heart",
            response_format="raw",
            response_encoding="pcm_s16le",
            sample_rate=24000,
            stream=True,
        )
        deltas = [event.delta async for event in stream]
        assert sum(len(b64decode(delta)) for delta in deltas) == audio_bytes(TEXT, 24000)


@pytest.mark.client(TogetherTranscription, "together")
async def test_a_refused_key() -> None:
    async with TogetherTranscription(Fault.REFUSED) as server:
        client = AsyncTogether(api_key=KEY, base_url=server.url.replace("ws", "http", 1))
        with pytest.raises(Exception, match="401"):
            async with client.beta.realtime.connect(model=MODEL, turn_detection={"type": "none"}):
                pass
