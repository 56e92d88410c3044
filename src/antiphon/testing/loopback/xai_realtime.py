"""xAI's speech to speech.

https://docs.x.ai/docs/guides/voice/agent
"""

from collections.abc import Mapping
from typing import Any

from .openai_realtime import OpenAIRealtimeServer, ServedConversation, SessionRules
from .server import KEY

__all__ = ["XaiRealtimeServer"]

SETTINGS = {"voice", "turn_detection", "audio", "instructions", "tools", "reasoning", "resumption"}


class XaiRules(SessionRules):
    """Voice and detection stand at the top."""

    def check_session(self, session: dict[str, Any]) -> None:
        assert set(session) <= SETTINGS, set(session) - SETTINGS
        assert session["turn_detection"] in (None, {"type": "server_vad"}), session
        for side in ("input", "output"):
            assert session["audio"][side]["format"] == {"type": "audio/pcm", "rate": 24000}, session

    def check_update(self, session: dict[str, Any]) -> None:
        assert set(session) == {"instructions", "tools"}, session

    @property
    def detects(self) -> bool:
        return self.session["turn_detection"] is not None

    @property
    def speaks(self) -> bool:
        return True


class XaiConversation(ServedConversation):
    """A commit of speech is answered by itself; sound during a response is a mistake."""

    speech = False

    async def handle(self, message: dict[str, Any]) -> None:
        match message:
            case {"type": "conversation.item.create", "item": {"type": "force_message", **item}}:
                assert item["role"] == "assistant", item
                (content,) = item["content"]
                self.answer(content["text"])
            case {"type": "conversation.item.truncate" | "conversation.item.delete"}:
                raise AssertionError("what was heard is not told")
            case {"type": "input_audio_buffer.append"} if not self.rules.detects and self.busy:
                raise AssertionError("sound during a response silences it")
            case _:
                await super().handle(message)

    async def send(self, kind: str, **values: Any) -> None:
        """Send a message; that an item begins is told twice."""
        await super().send(kind, **values)
        if kind in ("response.output_item.added", "conversation.item.added"):
            await super().send(kind, **values)

    @property
    def busy(self) -> bool:
        """Whether a response is being made."""
        return self.response is not None and not self.response.done()

    async def listen(self, pcm: bytes) -> None:
        loud = self.heard.loud
        await super().listen(pcm)
        if self.heard.loud and not loud and not self.rules.detects:
            self.speech = True
            await self.tell("input_audio_buffer.speech_started", item_id="item_unknown")

    async def commit(self) -> None:
        await super().commit()
        if self.speech and not self.rules.detects:
            self.speech = False
            self.answer("")

    async def transcribe(self, item: str, words: str) -> None:
        transcription = "conversation.item.input_audio_transcription."
        for text in (words[:7], words):
            await self.tell(transcription + "updated", item_id=item, transcript=text)
        for status in ("in_progress", "completed"):
            await self.tell(transcription + "completed", item_id=item, transcript=words, status=status)


class XaiRealtimeServer(OpenAIRealtimeServer):
    """Grok Voice."""

    rules = XaiRules
    conversation = XaiConversation

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check path, model and key."""
        assert path == "/v1/realtime", path
        assert query == {"model": "grok-voice-latest"}, "without a model the vendor takes another"
        assert headers["authorization"] == f"Bearer {KEY}"
