"""Mistral's own client."""

from base64 import b64decode
from typing import Any

import pytest
from mistralai.client import Mistral
from mistralai.client.models import AudioFormat
from mistralai.extra.exceptions import RealtimeTranscriptionException
from mistralai.extra.realtime import RealtimeTranscription
from mistralai.extra.realtime.speech import RealtimeSpeech

from antiphon.testing.loopback import KEY, WORDS, Fault
from antiphon.testing.loopback.mistral import MistralGenerations, MistralRealtime, MistralVoxtral
from antiphon.testing.loopback.openai import OpenAIChat
from parts import TEXT, audio_bytes, loud_parts

MODEL = "voxtral-mini-transcribe-realtime-2602"
FORMAT = AudioFormat(encoding="pcm_s16le", sample_rate=16000)


def realtime(url: str) -> RealtimeTranscription:
    return RealtimeTranscription(Mistral(api_key=KEY, server_url=url).sdk_configuration)


@pytest.mark.client(MistralRealtime, "mistralai")
async def test_voxtral_hears() -> None:
    async with MistralRealtime() as server:
        async with await realtime(server.url).connect(MODEL, audio_format=FORMAT) as connection:
            for part in loud_parts():
                await connection.send_audio(part)
            await connection.flush_audio()
            told = []
            async for event in connection.events():
                told.append(event)
                if event.type == "transcription.done":
                    break
            assert [type(event).__name__ for event in told if "Unknown" in type(event).__name__] == []
            assert told[-1].text == WORDS
            deltas = "".join(event.text for event in told if event.type == "transcription.text.delta")
            assert deltas
            assert WORDS.startswith(deltas)
            await connection.end_audio()


@pytest.mark.client(MistralVoxtral, "mistralai")
async def test_voxtral_speaks() -> None:
    async with MistralVoxtral() as server, Mistral(api_key=KEY, server_url=server.url) as client:
        stream = await client.audio.speech.complete_async(
            model="voxtral-mini-tts-3-0", voice_id="a-voice", input=TEXT, response_format="pcm", stream=True
        )
        told = [event async for event in stream]
        audio = b"".join(b64decode(one.data.audio_data) for one in told if one.event == "speech.audio.delta")
        assert len(audio) == 2 * audio_bytes(TEXT, 24000)  # samples are 32-bit floats
        assert told[-1].event == "speech.audio.done"


@pytest.mark.client(MistralGenerations, "mistralai")
async def test_voxtral_speaks_in_real_time() -> None:
    async with MistralGenerations() as server:
        speech = RealtimeSpeech(Mistral(api_key=KEY, server_url=server.url).sdk_configuration)
        opened = await speech.connect("voxtral-mini-tts-3-0", voice_id="a-voice", response_format="pcm")
        async with opened as connection:
            await connection.send_text(TEXT)
            await connection.flush()
            told: list[Any] = []
            async for event in connection.events():
                told.append(event)
                if event.type == "speech.audio.done":
                    break
        deltas = [event.audio_data for event in told if event.type == "speech.audio.delta"]
        assert len(b"".join(map(b64decode, deltas))) == 2 * audio_bytes(TEXT, 24000)


@pytest.mark.client(OpenAIChat, "mistralai")
async def test_chat() -> None:
    async with OpenAIChat() as server:
        async with Mistral(api_key=KEY, server_url=server.url) as client:
            stream = await client.chat.stream_async(
                model="mistral-small-latest", messages=[{"role": "user", "content": "Hello?"}]
            )
            told = [event.data async for event in stream]
        assert "".join(one.choices[0].delta.content or "" for one in told if one.choices) == TEXT


@pytest.mark.client(MistralRealtime, "mistralai")
async def test_a_refused_key() -> None:
    async with MistralRealtime(Fault.REFUSED) as server:
        with pytest.raises(RealtimeTranscriptionException, match="401"):
            await realtime(server.url).connect(MODEL, audio_format=FORMAT)
