"""OpenAI's own client, for its endpoints and for those that speak like them."""

from base64 import b64encode
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from cerebras.cloud.sdk import AsyncCerebras
from fireworks import AsyncFireworks
from groq import AsyncGroq
from openai import AsyncOpenAI, AuthenticationError
from together import AsyncTogether

from antiphon.services.wav import wav
from antiphon.testing.loopback import KEY, LOUD, WORDS, Fault
from antiphon.testing.loopback.openai import GroqSpeechServer, OpenAIChat, OpenAIResponses, OpenAISpeechServer
from antiphon.testing.loopback.realtime_transcription import OpenAITranscription
from antiphon.testing.loopback.whisper import WhisperTranscriptions
from parts import TEXT, audio_bytes, complete

PARAMETERS: dict[str, Any] = {
    "type": "object",
    "properties": {"day": {"type": "string"}},
    "required": ["day"],
}
FUNCTION: dict[str, Any] = {"name": "hours", "description": "Opening hours", "parameters": PARAMETERS}
HELLO: Any = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello?"}]


@pytest.mark.client(OpenAIChat, "openai")
async def test_chat() -> None:
    async with OpenAIChat() as server, AsyncOpenAI(api_key=KEY, base_url=server.url) as client:
        stream = await client.chat.completions.create(
            model="gpt-4.1-mini", messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
        told = [complete(chunk) async for chunk in stream]
        assert "".join(one.choices[0].delta.content or "" for one in told if one.choices) == TEXT
        assert told[-1].usage.completion_tokens == 3


@pytest.mark.client(OpenAIChat, "openai")
async def test_chat_calls_a_tool() -> None:
    async with OpenAIChat() as server, AsyncOpenAI(api_key=KEY, base_url=server.url) as client:
        messages: list[Any] = [{"role": "user", "content": "When are you open?"}]
        tools: Any = [{"type": "function", "function": FUNCTION}]
        async with client.chat.completions.stream(model="m", messages=messages, tools=tools) as stream:
            async for _ in stream:
                pass
            answer = (await stream.get_final_completion()).choices[0]
        assert answer.finish_reason == "tool_calls"
        [call] = answer.message.tool_calls or []
        assert (call.function.name, call.function.arguments) == ("hours", '{"day": "Monday"}')
        messages += [
            answer.message.model_dump(include={"role", "content", "tool_calls"}, exclude_none=True),
            {"role": "tool", "tool_call_id": call.id, "content": "from nine to five"},
        ]
        stream = await client.chat.completions.create(model="m", messages=messages, tools=tools, stream=True)
        assert "".join([one.choices[0].delta.content or "" async for one in stream if one.choices]) == TEXT


ROWS: list[tuple[str, Callable[[str], Any]]] = [
    ("groq", lambda url: AsyncGroq(api_key=KEY, base_url=url)),
    ("cerebras-cloud-sdk", lambda url: AsyncCerebras(api_key=KEY, base_url=url, warm_tcp_connection=False)),
    ("together", lambda url: AsyncTogether(api_key=KEY, base_url=url)),
    ("fireworks-ai", lambda url: AsyncFireworks(api_key=KEY, base_url=url)),
]


@pytest.mark.parametrize(
    "make", [pytest.param(make, marks=pytest.mark.client(OpenAIChat, name), id=name) for name, make in ROWS]
)
async def test_chat_as_others_speak_it(make: Callable[[str], Any]) -> None:
    async with OpenAIChat() as server, make(server.url) as client:
        # These write a part of the path that our rows have in their addresses.
        whole = client._prepare_url
        client._prepare_url = lambda url: whole(url[url.index("/chat/") :])
        stream = await client.chat.completions.create(model="a-model", messages=HELLO, stream=True)
        told = [chunk async for chunk in stream]
        assert "".join(one.choices[0].delta.content or "" for one in told if one.choices) == TEXT


@pytest.mark.client(OpenAIResponses, "openai")
async def test_responses() -> None:
    async with OpenAIResponses() as server, AsyncOpenAI(api_key=KEY, base_url=server.url) as client:
        asked: Any = [{"type": "message", "role": "user", "content": "Hello?"}]
        stream = await client.responses.create(model="gpt-5.2", input=asked, stream=True)
        told = [complete(event) async for event in stream]
        assert "".join(one.delta for one in told if one.type == "response.output_text.delta") == TEXT
        assert told[-1].type == "response.completed"
        assert told[-1].response.usage.output_tokens == 3


@pytest.mark.client(OpenAIResponses, "openai")
async def test_responses_call_a_tool() -> None:
    async with OpenAIResponses() as server, AsyncOpenAI(api_key=KEY, base_url=server.url) as client:
        text = [{"type": "input_text", "text": "When are you open?"}]
        asked: Any = [{"type": "message", "role": "user", "content": text}]
        tools: Any = [{"type": "function", "strict": False, **FUNCTION}]
        stream = await client.responses.create(model="gpt-5.2", input=asked, tools=tools, stream=True)
        told = [complete(event) async for event in stream]
        [call] = [one.item for one in told if one.type == "response.output_item.done"]
        assert (call.name, call.arguments) == ("hours", '{"day":"Monday"}')


@pytest.mark.client(OpenAISpeechServer, "openai")
async def test_speech() -> None:
    async with OpenAISpeechServer() as server, AsyncOpenAI(api_key=KEY, base_url=server.url) as client:
        asked = client.audio.speech.with_streaming_response.create(
            model="gpt-4o-mini-tts", voice="alloy", input=TEXT, response_format="pcm"
        )
        async with asked as response:
            audio = await response.read()
        assert len(audio) == audio_bytes(TEXT, 24000)


@pytest.mark.client(WhisperTranscriptions, "openai")
async def test_transcription() -> None:
    async with WhisperTranscriptions() as server, AsyncOpenAI(api_key=KEY, base_url=server.url) as client:
        file = ("speech.wav", BytesIO(wav(LOUD, 16000)))
        told = await client.audio.transcriptions.create(model="whisper-1", file=file)
        assert told.text.strip() == WORDS


@pytest.mark.client(WhisperTranscriptions, "groq")
async def test_groq_transcribes() -> None:
    async with WhisperTranscriptions() as server, AsyncGroq(api_key=KEY, base_url=server.url) as client:
        # Groq's client writes the part of the path that our row has in its address.
        whole = client._prepare_url
        client._prepare_url = lambda url: whole(url.removeprefix("/openai/v1"))
        file = ("speech.wav", wav(LOUD, 16000))
        told = await client.audio.transcriptions.create(model="whisper-large-v3-turbo", file=file)
        assert told.text.strip() == WORDS


@pytest.mark.client(GroqSpeechServer, "groq")
async def test_groq_speaks() -> None:
    async with GroqSpeechServer() as server, AsyncGroq(api_key=KEY, base_url=server.url) as client:
        whole = client._prepare_url
        client._prepare_url = lambda url: whole(url.removeprefix("/openai/v1"))
        answer = await client.audio.speech.create(
            model="canopylabs/orpheus-v1-english", voice="hannah", input=TEXT, response_format="wav"
        )
        assert len(await answer.read()) == 44 + audio_bytes(TEXT, 48000)


@pytest.mark.client(OpenAITranscription, "openai")
async def test_realtime_transcription() -> None:
    session: Any = {
        "type": "transcription",
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": 24000},
                "turn_detection": None,
                "transcription": {"model": "gpt-live-transcribe", "language": "en"},
            }
        },
    }
    async with OpenAITranscription() as server:
        client = AsyncOpenAI(api_key=KEY, websocket_base_url=server.url)
        async with client.realtime.connect(extra_query={"intent": "transcription"}) as connection:
            await connection.session.update(session=session)
            for at in range(0, len(LOUD), 4800):
                audio = b64encode(LOUD[at : at + 4800]).decode()
                await connection.input_audio_buffer.append(audio=audio)
            await connection.input_audio_buffer.commit()
            told: list[Any] = []
            async for event in connection:
                told.append(complete(event))
                if event.type == "conversation.item.input_audio_transcription.completed":
                    break
        assert told[-1].transcript == WORDS
        kinds = [event.type for event in told]
        assert kinds[:2] == ["session.created", "session.updated"]
        assert "conversation.item.input_audio_transcription.delta" in kinds
        assert "input_audio_buffer.committed" in kinds


@pytest.mark.client(OpenAIChat, "openai")
async def test_a_refused_key() -> None:
    async with OpenAIChat(Fault.REFUSED) as server, AsyncOpenAI(api_key=KEY, base_url=server.url) as client:
        with pytest.raises(AuthenticationError):
            await client.chat.completions.create(model="m", messages=HELLO, stream=True)
