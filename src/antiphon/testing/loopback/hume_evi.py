"""Hume's EVI: https://dev.hume.ai/reference/speech-to-speech-evi/chat"""

import asyncio
import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from ...services.wav import wav
from .server import KEY, Connection, Fault, HeardAudio, VendorServer, paced, spoken, you_said

__all__ = ["HumeEVIServer"]

RATE = 48000
TOOL = '{"city": "Paris"}'
SETTINGS = {
    "type", "system_prompt", "tools", "audio", "context", "variables", "voice_id", "custom_session_id",
    "builtin_tools", "language_model_api_key", "event_limit", "metadata",
}  # fmt: skip


class HumeEVIServer(VendorServer):
    """Conversations by rule.

    It answers each turn with what it heard, and calls its first tool first. Quiet of 0.3 s ends a turn.
    """

    def __init__(self, fault: Fault | None = None, *, faulty: int = 1000) -> None:
        super().__init__(fault, faulty=faulty)
        self.settings: list[dict[str, Any]] = []
        """The settings that clients sent."""
        self.resumed: list[str] = []
        """Groups of chats that were gone on with."""
        self.expires_after: int | None = None
        """Answers after which the first chat reaches its longest duration."""

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check path, parameters and key."""
        assert path == "/v0/evi/chat", path
        assert query["api_key"] == KEY, query
        assert query["verbose_transcription"] == "true", query
        if group := query.get("resumed_chat_group_id"):
            assert group == "a-group", query
            assert not self.open, "the chat is still open"
            self.resumed.append(group)

    async def talk(self, connection: Connection) -> None:
        """Hold one chat."""
        begun = {"chat_id": "a-chat", "chat_group_id": "a-group", "request_id": "a-request"}
        await connection.greet({"type": "chat_metadata", **begun})
        await _Chat(self, connection).hold()


class _Chat:
    """The state of one chat."""

    def __init__(self, server: HumeEVIServer, connection: Connection) -> None:
        self.server = server
        self.connection = connection
        self.tools: list[dict[str, Any]] = []
        self.rate = 0
        self.heard = HeardAudio()
        self.speaking = False
        self.answers = 0
        self.calling: set[str] = set()
        self.called = 0
        self.response: asyncio.Task[None] | None = None

    async def hold(self) -> None:
        try:
            async for message in self.connection:
                await self._handle(message)
        finally:
            if self.response is not None:
                self.response.cancel()

    async def _handle(self, message: dict[str, Any]) -> None:
        match message:
            case {"type": "session_settings", "system_prompt": str(), "tools": [*tools]}:
                assert set(message) <= SETTINGS, set(message) - SETTINGS
                for tool in tools:
                    assert set(tool) == {"type", "name", "description", "parameters"}, tool
                    assert tool["type"] == "function", tool
                    assert json.loads(tool["parameters"])["type"] == "object", tool
                if "audio" in message:
                    assert set(message["audio"]) == {"encoding", "sample_rate", "channels"}, message
                    assert (message["audio"]["encoding"], message["audio"]["channels"]) == ("linear16", 1)
                    self.rate = message["audio"]["sample_rate"]
                self.tools = tools
                self.server.settings.append(message)
            case {"type": "audio_input", "data": str(data), **more}:
                assert not more, more
                assert self.rate, "linear16 needs a declared rate"
                await self._listen(b64decode(data, validate=True))
            case {"type": "user_input", "text": str(text)}:
                told = {"role": "user", "content": text}
                await self.connection.send({"type": "user_message", "message": told, "from_text": True})
                self._answer(you_said(text))
            case {"type": "assistant_input", "text": str(text)}:
                self._answer(text)
            case {
                "type": "tool_response",
                "tool_call_id": str(call),
                "tool_name": str(),
                "content": str(said),
            }:
                assert call in self.calling, message
                self.calling.discard(call)
                if self.response is None or self.response.done():
                    self._answer(you_said(said))
            case _:
                raise AssertionError(f"not a message of the protocol: {message}")

    async def _listen(self, pcm: bytes) -> None:
        loud, quiet = self.heard.loud, self.heard.quiet
        self.heard.feed(pcm, self.rate)
        if self.heard.loud and not loud:
            self.speaking = True
            await self._interrupt()
        elif self.speaking and quiet < 0.3 <= self.heard.quiet:
            self.speaking = False
            words = self.heard.answer()
            await self._user(words[:7], interim=True)
            await self._user(words, interim=False)
            self._answer(you_said(words), calls=bool(self.tools))

    async def _user(self, words: str, *, interim: bool) -> None:
        told = {"message": {"role": "user", "content": words}, "interim": interim, "from_text": False}
        await self.connection.greet({"type": "user_message", **told})

    async def _interrupt(self) -> None:
        if self.response is not None and not self.response.done():
            self.response.cancel()
            await asyncio.wait([self.response])
            self.server.cancelled += 1
            await self.connection.send({"type": "user_interruption", "time": 1})

    def _answer(self, text: str, *, calls: bool = False) -> None:
        if self.response is not None and self.connection.fault is Fault.SILENT:
            self.response.cancel()
        else:
            assert self.response is None or self.response.done(), "a response is in progress"
        self.response = asyncio.create_task(self._respond(text, calls))

    async def _respond(self, text: str, calls: bool) -> None:
        from websockets.exceptions import ConnectionClosed

        send = self.connection.send
        with suppress(ConnectionClosed):
            if calls:
                self.called += 1
                self.calling.add(call_id := f"call-{self.called}")
                call = {"tool_call_id": call_id, "name": self.tools[0]["name"], "parameters": TOOL}
                await send({"type": "tool_call", **call, "response_required": True})
                return
            told = {"role": "assistant", "content": text}
            await send({"type": "assistant_message", "id": "m", "message": told})
            sound = list(enumerate(spoken(text, RATE)))
            sound[1:3] = reversed(sound[1:3])  # they may overtake each other
            async for index, pcm in paced(self.server, sound):
                data = b64encode(wav(pcm, RATE)).decode()
                await send({"type": "audio_output", "id": "m", "index": index, "data": data})
            await send({"type": "assistant_end"})
            self.answers += 1
            if self.answers == self.server.expires_after and self.server.connections == 1:
                expired = {"code": "E0719", "slug": "max_duration_timeout", "message": "the chat is too long"}
                await send({"type": "error", **expired})
