"""Azure's speech to speech: OpenAI's models, and Voice Live.

https://learn.microsoft.com/azure/ai-foundry/openai/how-to/realtime-audio-websockets
https://learn.microsoft.com/azure/ai-services/speech-service/voice-live-how-to
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from .openai_realtime import OpenAIRealtimeServer, ServedConversation, SessionRules
from .server import KEY, word_times

__all__ = ["BETA_NAMES", "AzureOpenAIServer", "VoiceLiveServer"]

BETA_NAMES = {
    "response.output_audio.delta": "response.audio.delta",
    "response.output_audio.done": "response.audio.done",
    "response.output_audio_transcript.delta": "response.audio_transcript.delta",
    "response.output_audio_transcript.done": "response.audio_transcript.done",
    "response.output_text.delta": "response.text.delta",
    "response.output_text.done": "response.text.done",
    "conversation.item.added": "conversation.item.created",
    "conversation.item.done": "",
}
"""The names that messages had in the beta."""
VOICE_LIVE = {
    "modalities", "instructions", "voice", "input_audio_format", "output_audio_format", "turn_detection",
    "input_audio_sampling_rate", "input_audio_transcription", "output_audio_timestamp_types", "tools",
    "tool_choice", "temperature", "input_audio_noise_reduction", "input_audio_echo_cancellation",
}  # fmt: skip


class AzureOpenAIServer(OpenAIRealtimeServer):
    """A deployment of OpenAI's model."""

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check path, deployment and key."""
        assert path == "/openai/v1/realtime", path
        assert query == {"model": "my-deployment"}, query
        assert headers["api-key"] == KEY
        assert "authorization" not in headers


class VoiceLiveRules(SessionRules):
    """Settings side by side, as in the beta."""

    said = "text"

    def check_session(self, session: dict[str, Any]) -> None:
        assert set(session) <= VOICE_LIVE, set(session) - VOICE_LIVE
        assert session["modalities"] in (["text", "audio"], ["text"]), session
        assert session["voice"]["type"] in ("azure-standard", "openai"), session
        for side in ("input", "output"):
            assert session[f"{side}_audio_format"] == "pcm16", session
        assert session["input_audio_sampling_rate"] == 24000
        timed = session["voice"]["type"] != "openai" and "audio" in session["modalities"]
        assert (session.get("output_audio_timestamp_types") == ["word"]) == timed, session

    def check_update(self, session: dict[str, Any]) -> None:
        assert set(session) == {"instructions", "tools"}, session

    @property
    def detects(self) -> bool:
        return self.session["turn_detection"] is not None

    @property
    def transcribes(self) -> bool:
        return bool(self.session.get("input_audio_transcription"))

    @property
    def speaks(self) -> bool:
        return "audio" in self.session["modalities"]

    def verbatim(self, response: dict[str, Any]) -> str:
        if not response:
            return ""
        (content,) = response["pre_generated_assistant_message"]["content"]
        assert content["type"] == "text", content
        return content["text"]


class VoiceLiveConversation(ServedConversation):
    """Words have times, and come before their voice."""

    names: ClassVar[dict[str, str]] = BETA_NAMES

    async def time(self, text: str, place: dict[str, Any]) -> None:
        if not self.rules.session.get("output_audio_timestamp_types"):
            return
        for word, begun, ended in zip(*word_times(text), strict=True):
            await self.send("response.audio_timestamp.delta", **place, timestamp_type="word",
                            text=word.strip("."), audio_offset_ms=self.spoken_ms + round(begun * 1000),
                            audio_duration_ms=round((ended - begun) * 1000))  # fmt: skip


class VoiceLiveServer(OpenAIRealtimeServer):
    """Voice Live."""

    rules = VoiceLiveRules
    conversation = VoiceLiveConversation

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check path, version, model and key."""
        assert path == "/voice-live/realtime", path
        assert query == {"api-version": "2026-04-10", "model": "gpt-4.1"}, query
        assert headers["api-key"] == KEY
