"""Qwen-Omni in real time.

https://www.alibabacloud.com/help/en/model-studio/client-events
"""

import asyncio
from base64 import b64decode
from collections.abc import Mapping
from typing import Any, ClassVar

from .azure_realtime import BETA_NAMES
from .openai_realtime import OpenAIRealtimeServer, ServedConversation, SessionRules
from .server import KEY

__all__ = ["QwenRealtimeServer"]

SETTINGS = {
    "modalities", "voice", "input_audio_format", "output_audio_format", "instructions", "turn_detection",
    "tools", "enable_search", "search_options", "temperature", "top_p", "top_k", "max_tokens", "seed",
    "repetition_penalty", "presence_penalty", "smooth_output",
}  # fmt: skip


class QwenRules(SessionRules):
    """Settings side by side, tools as in chat completions, results as the only items."""

    def check_session(self, session: dict[str, Any]) -> None:
        assert set(session) <= SETTINGS, set(session) - SETTINGS
        assert session["modalities"] in (["text", "audio"], ["text"]), session
        assert session["input_audio_format"] == session["output_audio_format"] == "pcm", session

    def check_update(self, session: dict[str, Any]) -> None:
        assert set(session) == {"instructions", "tools"}, "detection and voice are fixed"

    def check_tool(self, tool: dict[str, Any]) -> None:
        assert tool["type"] == "function", tool
        assert tool["function"]["parameters"]["type"] == "object", tool

    def check_item(self, item: dict[str, Any]) -> None:
        assert item["type"] == "function_call_output", "the only item that is taken"
        super().check_item(item)

    @property
    def detects(self) -> bool:
        return self.session["turn_detection"] is not None

    @property
    def transcribes(self) -> bool:
        return True

    @property
    def speaks(self) -> bool:
        return "audio" in self.session["modalities"]

    def tool_name(self) -> str:
        return self.session["tools"][0]["function"]["name"]


class QwenConversation(ServedConversation):
    """Sound comes at 16 kHz, and pictures with it."""

    input_rate: ClassVar[int] = 16000
    names: ClassVar[dict[str, str]] = BETA_NAMES
    heard_sound = False
    pictured: float | None = None  # when

    async def handle(self, message: dict[str, Any]) -> None:
        match message:
            case {"type": "input_image_buffer.append", "image": str(image)}:
                assert self.heard_sound, "a picture before any sound"
                picture = b64decode(image, validate=True)
                assert picture.startswith(b"\xff\xd8"), "not a JPEG"
                assert len(picture) <= 500_000, "a picture is too large"
                now, before = asyncio.get_running_loop().time(), self.pictured
                assert before is None or now - before > 0.45, "more than two pictures a second"
                self.pictured = now
                self.server.seeded.append({"picture": len(picture)})
            case {"type": "conversation.item.truncate" | "conversation.item.delete"}:
                raise AssertionError("not a message of the protocol")
            case {"type": "response.cancel", "response_id": _}:
                raise AssertionError("no id belongs here")
            case _:
                self.heard_sound = self.heard_sound or message["type"] == "input_audio_buffer.append"
                await super().handle(message)

    async def listen(self, pcm: bytes) -> None:
        begun = self.speaking
        await super().listen(pcm)
        if self.speaking and not begun:  # it may say so several times
            await self.tell("input_audio_buffer.speech_started", item_id=f"item_{self.items + 1}")

    async def transcribe(self, item: str, words: str) -> None:
        transcription = "conversation.item.input_audio_transcription."
        await self.tell(transcription + "completed", item_id=item, content_index=0, transcript=words)


class QwenRealtimeServer(OpenAIRealtimeServer):
    """Qwen-Omni."""

    rules = QwenRules
    conversation = QwenConversation

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check path, model and key."""
        assert path == "/api-ws/v1/realtime", path
        assert query == {"model": "qwen3.5-omni-flash-realtime"}, query
        assert headers["authorization"] == f"Bearer {KEY}"
