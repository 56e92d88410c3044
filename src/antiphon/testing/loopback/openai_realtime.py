"""OpenAI's Realtime API.

https://platform.openai.com/docs/api-reference/realtime
"""

import asyncio
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any, ClassVar

from .server import KEY, Connection, Fault, HeardAudio, VendorServer, spoken

__all__ = ["OpenAIRealtimeServer"]

SESSION = {
    "type", "model", "instructions", "output_modalities", "audio", "tools", "tool_choice",
    "max_output_tokens", "parallel_tool_calls", "reasoning", "truncation", "tracing", "include", "prompt",
}  # fmt: skip
FIELDS = {
    "type", "event_id", "session", "audio", "item", "previous_item_id", "item_id", "content_index",
    "audio_end_ms", "response", "response_id",
}  # fmt: skip
TOOL = '{"city": "Paris"}'


class OpenAIRealtimeServer(VendorServer):
    """Conversations by rule.

    It answers each turn with what it heard, and calls a tool first if there is one. With detection, quiet of
    0.3 s ends a turn.
    """

    rate: ClassVar[int] = 24000

    def __init__(self, fault: Fault | None = None, *, faulty: int = 1000) -> None:
        super().__init__(fault, faulty=faulty)
        self.truncated: list[tuple[str, int]] = []
        """Items that the client has cut short, and after how many milliseconds."""
        self.sessions: list[dict[str, Any]] = []
        """The settings that clients sent."""
        self.seeded: list[dict[str, Any]] = []
        """The items that clients created."""

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check path, model and key."""
        assert path == "/realtime", path
        assert query["model"].startswith("gpt-realtime"), query
        assert headers["authorization"] == f"Bearer {KEY}"
        assert "openai-beta" not in headers, "the beta is over"

    async def talk(self, connection: Connection) -> None:
        """Hold one conversation."""
        await connection.greet({"type": "session.created", "event_id": "e1", "session": {"type": "realtime"}})
        await _Conversation(self, connection).hold()


class _Conversation:
    """The state of one session."""

    def __init__(self, server: OpenAIRealtimeServer, connection: Connection) -> None:
        self.server = server
        self.connection = connection
        self.heard = HeardAudio()
        self.session: dict[str, Any] = {}
        self.items = 0
        self.results = 0
        self.last = ""
        self.speaking = False
        self.response: asyncio.Task[None] | None = None
        self.voiced: dict[str, int] = {}  # milliseconds of voice of each item

    async def hold(self) -> None:
        try:
            async for message in self.connection:
                await self._handle(message)
        finally:
            if self.response is not None:
                self.response.cancel()

    async def _handle(self, message: dict[str, Any]) -> None:
        assert set(message) <= FIELDS, message
        match message:
            case {"type": "session.update", "session": {**session}}:
                await self._update(session)
            case {"type": "input_audio_buffer.append", "audio": str(audio)}:
                await self._listen(b64decode(audio, validate=True))
            case {"type": "input_audio_buffer.commit"}:
                await self._commit()
            case {"type": "input_audio_buffer.clear"}:
                self.heard = HeardAudio()
                await self.connection.greet({"type": "input_audio_buffer.cleared"})
            case {"type": "conversation.item.create", "item": {**item}}:
                await self._add(item)
            case {"type": "conversation.item.truncate", "item_id": str(item), "content_index": 0,
                  "audio_end_ms": int(end)}:  # fmt: skip
                assert item in self.voiced, f"there is no item {item!r}"
                assert 0 <= end <= self.voiced[item], f"item {item!r} has {self.voiced[item]} ms, not {end}"
                self.server.truncated.append((item, end))
                await self.connection.greet({"type": "conversation.item.truncated", "item_id": item})
            case {"type": "response.create"}:
                await self._create(message)
            case {"type": "response.cancel"}:
                await self._cancel("client_cancelled")
            case _:
                raise AssertionError(f"not a message of the protocol: {message}")

    async def _update(self, session: dict[str, Any]) -> None:
        assert session["type"] == "realtime", "session.type is required"
        assert set(session) <= SESSION, set(session) - SESSION
        assert session["output_modalities"] in (["audio"], ["text"]), session
        audio = session["audio"]
        for side in ("input", "output"):
            assert audio[side]["format"] == {"type": "audio/pcm", "rate": 24000}, audio
        for tool in session.get("tools", ()):
            assert tool["type"] == "function", tool
            assert tool["name"], tool
            assert tool["parameters"]["type"] == "object", tool
        self.session = session
        self.server.sessions.append(session)
        await self.connection.greet({"type": "session.updated", "session": session})

    @property
    def _detects(self) -> bool:
        return self.session["audio"]["input"].get("turn_detection") is not None

    async def _listen(self, pcm: bytes) -> None:
        loud, quiet = self.heard.loud, self.heard.quiet
        self.heard.feed(pcm, self.server.rate)
        if not self._detects:
            return
        if self.heard.loud and not loud:
            self.speaking = True
            await self.connection.greet({"type": "input_audio_buffer.speech_started", "audio_start_ms": 0,
                                         "item_id": f"item_{self.items}"})  # fmt: skip
            await self._cancel("turn_detected")
        elif self.speaking and quiet < 0.3 <= self.heard.quiet:
            self.speaking = False
            await self.connection.greet({"type": "input_audio_buffer.speech_stopped", "audio_end_ms": 1,
                                         "item_id": f"item_{self.items}"})  # fmt: skip
            await self._commit()
            await self._create({})

    async def _commit(self) -> None:
        if self.heard.seconds < 0.1:
            await self._fail("input_audio_buffer_commit_empty", "the buffer is too small", None)
            return
        words, item = self.heard.answer(), self._item()
        self.heard = HeardAudio()
        self.last = words
        await self.connection.greet({"type": "input_audio_buffer.committed", "item_id": item})
        if self.session["audio"]["input"].get("transcription"):
            transcription = "conversation.item.input_audio_transcription."
            for delta in (words[:7], words[7:]):
                await self.connection.greet(
                    {"type": transcription + "delta", "item_id": item, "delta": delta}
                )
            await self.connection.greet(
                {"type": transcription + "completed", "item_id": item, "transcript": words}
            )

    async def _add(self, item: dict[str, Any]) -> None:
        match item:
            case {"type": "message", "role": "user" | "assistant" as role, "content": [{**content}]}:
                kind = "input_text" if role == "user" else "output_text"
                assert content["type"] in (kind, "input_image"), item
                self.last = content.get("text", "a picture") if role == "user" else self.last
            case {"type": "function_call", "call_id": str(id), "name": str(), "arguments": str()}:
                assert 0 < len(id) <= 32, "a call_id has 32 characters at most"
            case {"type": "function_call_output", "call_id": str(), "output": str(output)}:
                self.results += 1
                self.last = output
            case _:
                raise AssertionError(f"not an item: {item}")
        self.server.seeded.append(item)
        await self.connection.greet({"type": "conversation.item.added", "item": item | {"id": self._item()}})

    def _item(self) -> str:
        self.items += 1
        return f"item_{self.items}"

    async def _create(self, message: dict[str, Any]) -> None:
        if self.response is not None and not self.response.done():
            code = "conversation_already_has_active_response"
            await self._fail(code, "there is an active response", message.get("event_id"))
            return
        said = message.get("response", {}).get("instructions", "")
        self.response = asyncio.create_task(self._respond(said))

    async def _fail(self, code: str, said: str, event: str | None) -> None:
        error = {"type": "invalid_request_error", "code": code, "message": said, "event_id": event}
        await self.connection.greet({"type": "error", "error": error})

    async def _cancel(self, reason: str) -> None:
        if self.response is None or self.response.done():
            if reason == "client_cancelled":
                await self._fail("response_cancel_not_active", "there is no active response", None)
            return
        self.response.cancel()
        await asyncio.wait([self.response])
        self.server.cancelled += 1
        await self._done("cancelled", [], reason)

    async def _respond(self, said: str) -> None:
        from websockets.exceptions import ConnectionClosed

        try:
            send = self.connection.send
            await send({"type": "response.created", "response": {"id": "r", "status": "in_progress"}})
            if not said and self.session.get("tools") and not self.results:
                name = self.session["tools"][0]["name"]
                call = {"type": "function_call", "id": self._item(), "call_id": "call_1", "name": name,
                        "arguments": TOOL, "status": "completed"}  # fmt: skip
                done = {"call_id": "call_1", "arguments": TOOL}
                await send({"type": "response.function_call_arguments.done", **done})
                await send({"type": "response.output_item.done", "item": call})
                await self._done("completed", [call])
                return
            self.results = 0
            await self._speak(said.partition(": ")[2].strip('"') or f"You said {self.last or 'nothing'}.")
            await self._done("completed", [])
        except ConnectionClosed:
            pass

    async def _speak(self, text: str) -> None:
        send, item = self.connection.send, self._item()
        self.voiced[item] = 0
        place = {"response_id": "r", "item_id": item, "output_index": 0, "content_index": 0}
        if self.session["output_modalities"] == ["text"]:
            await send({"type": "response.output_text.delta", **place, "delta": text})
            return
        for delta in (text[:5], text[5:]):
            await send({"type": "response.output_audio_transcript.delta", **place, "delta": delta})
        for pcm in spoken(text, self.server.rate):
            self.voiced[item] += len(pcm) * 1000 // 2 // self.server.rate
            await send({"type": "response.output_audio.delta", **place, "delta": b64encode(pcm).decode()})
            await asyncio.sleep(0.01)
        await send({"type": "response.output_audio.done", **place})

    async def _done(self, status: str, output: list[dict[str, Any]], reason: str = "") -> None:
        details = {"type": status, "reason": reason} if reason else None
        usage = {"input_tokens": 20, "output_tokens": 30, "total_tokens": 50}
        response = {"id": "r", "status": status, "status_details": details, "output": output, "usage": usage}
        await self.connection.send({"type": "response.done", "response": response})
