"""Azure: what Voice Live tells of its words, and a token in place of a key."""

import asyncio

from antiphon.context import Context
from antiphon.services.realtime_vocabulary import AgentWords, Say
from antiphon.testing.conformance.realtime import TalkWithModel, words_of
from antiphon.testing.loopback.azure_realtime import VoiceLiveServer
from antiphon.testing.loopback.server import KEY
from antiphon.vendors.azure.realtime import Realtime as VoiceLive
from antiphon.vendors.azure.realtime import VoiceLiveCodec
from antiphon.vendors.azure_openai.realtime import Realtime as AzureOpenAIRealtime


def said_by(**settings: object) -> list[AgentWords]:
    async def run() -> list[AgentWords]:
        async with VoiceLiveServer() as server:
            model = VoiceLive(key=KEY, base_url=server.url, **settings)  # type: ignore[arg-type]
            async with TalkWithModel(model, Context("Be kind.")) as talk:
                talk.give(Say("Good morning. How are you?"))
                return [event for event in await talk.response() if isinstance(event, AgentWords)]

    return asyncio.run(run())


def test_words_have_times_with_a_voice_of_azure() -> None:
    words = said_by()
    assert words_of([*words]) == "Good morning. How are you?"
    assert [word.text for word in words] == ["Good", " morning.", " How", " are", " you?"]
    assert [word.ends_at for word in words] == sorted(word.ends_at or 0.0 for word in words)


def test_words_come_at_once_with_a_voice_of_the_model() -> None:
    assert {word.ends_at for word in said_by(voice="alloy")} == {None}


def test_times_of_unknown_words_lose_no_text() -> None:
    codec = VoiceLiveCodec("azure", {"output_audio_timestamp_types": ["word"]})
    events = [
        event
        for message in (
            '{"type": "response.created", "response": {"id": "r"}}',
            '{"type": "response.audio_transcript.delta", "delta": "It is 5 o\'clock."}',
            '{"type": "response.audio_timestamp.delta", "text": "five", "audio_offset_ms": 10}',
            '{"type": "response.done", "response": {"status": "completed"}}',
        )
        for event in codec.read(message)
    ]
    assert words_of(events) == "It is 5 o'clock."  # type: ignore[arg-type]


def test_token_is_sent_as_one() -> None:
    model = AzureOpenAIRealtime("mine", key="eyJtoken", base_url="ws://localhost")
    assert asyncio.run(model.handshake(None)).headers == {"Authorization": "Bearer eyJtoken"}
