"""Google's own clients."""

from typing import Any

import pytest
from google import genai
from google.api_core.client_options import ClientOptions
from google.cloud import texttospeech
from google.genai import errors, types

from antiphon.testing.loopback import KEY, Fault
from antiphon.testing.loopback.google import GeminiServer
from antiphon.testing.loopback.google_voices import GoogleCloudVoices, GoogleGeminiVoices
from antiphon.testing.loopback.http import HttpVendorServer
from parts import TEXT, audio_bytes

TOOL = types.Tool(
    function_declarations=[
        types.FunctionDeclaration(
            name="hours",
            description="Opening hours",
            parameters_json_schema={"type": "object", "properties": {"day": {"type": "string"}}},
        )
    ]
)


def client(server: HttpVendorServer) -> Any:
    return genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=server.url)).aio


@pytest.mark.client(GeminiServer, "google-genai")
async def test_words() -> None:
    async with GeminiServer() as server:
        config = types.GenerateContentConfig(system_instruction="Be brief.")
        stream = await client(server).models.generate_content_stream(
            model="gemini-2.5-flash", contents="Hello?", config=config
        )
        told = [chunk async for chunk in stream]
        assert "".join(chunk.text or "" for chunk in told) == TEXT
        assert told[-1].usage_metadata.candidates_token_count == 3
        assert told[-1].candidates[0].finish_reason.name == "STOP"


@pytest.mark.client(GeminiServer, "google-genai")
async def test_a_tool_is_called_and_answered() -> None:
    async with GeminiServer() as server:
        config = types.GenerateContentConfig(tools=[TOOL])
        asked = types.Content(role="user", parts=[types.Part(text="When are you open?")])
        stream = await client(server).models.generate_content_stream(
            model="gemini-2.5-flash", contents=[asked], config=config
        )
        told = [chunk async for chunk in stream]
        answer = told[0].candidates[0].content
        call = answer.parts[0].function_call
        assert (call.name, call.args) == ("hours", {"day": "Monday"})
        result = types.Part.from_function_response(name="hours", response={"result": "from nine to five"})
        stream = await client(server).models.generate_content_stream(
            model="gemini-2.5-flash",
            contents=[asked, answer, types.Content(role="user", parts=[result])],
            config=config,
        )
        assert "".join([chunk.text or "" async for chunk in stream]) == TEXT


@pytest.mark.client(GoogleGeminiVoices, "google-genai")
async def test_gemini_speaks() -> None:
    async with GoogleGeminiVoices() as server:
        voice = types.VoiceConfig(prebuilt_voice_config=types.PrebuiltVoiceConfig(voice_name="Kore"))
        config = types.GenerateContentConfig(
            response_modalities=["AUDIO"], speech_config=types.SpeechConfig(voice_config=voice)
        )
        stream = await client(server).models.generate_content_stream(
            model="gemini-3.1-flash-tts-preview", contents=f'Say "{TEXT}"', config=config
        )
        audio = b""
        async for chunk in stream:
            for part in chunk.parts or ():
                audio += part.inline_data.data
        assert len(audio) == audio_bytes(TEXT, 24000)


@pytest.mark.client(GoogleCloudVoices, "google-cloud-texttospeech")
async def test_cloud_speaks() -> None:
    async with GoogleCloudVoices() as server:
        import asyncio

        # Its client for REST writes "https://" unless the address says otherwise; it is not asynchronous.
        speaker = texttospeech.TextToSpeechClient(
            transport="rest", client_options=ClientOptions(api_key=KEY, api_endpoint=server.url)
        )
        asked: Any = {
            "input": {"text": TEXT},
            "voice": {"language_code": "en-US", "name": "en-US-Chirp3-HD-Kore"},
            "audio_config": {"audio_encoding": "LINEAR16", "sample_rate_hertz": 24000},
        }
        answer = await asyncio.to_thread(speaker.synthesize_speech, asked)
        assert answer.audio_content[:4] == b"RIFF"
        assert len(answer.audio_content) == 44 + audio_bytes(TEXT, 24000)


@pytest.mark.client(GeminiServer, "google-genai")
async def test_a_refused_key() -> None:
    async with GeminiServer(Fault.REFUSED) as server:
        with pytest.raises(errors.ClientError) as refused:
            stream = await client(server).models.generate_content_stream(
                model="gemini-2.5-flash", contents="Hello?"
            )
            await anext(stream)
        assert refused.value.code == 401
