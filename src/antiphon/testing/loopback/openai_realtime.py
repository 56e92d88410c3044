"""OpenAI's Realtime API.

https://platform.openai.com/docs/api-reference/realtime
"""

import asyncio
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from itertools import count
from typing import Any, ClassVar

from .server import KEY, Connection, Fault, HeardAudio, VendorServer, spoken, you_said

__all__ = ["OpenAIRealtimeServer", "ServedConversation", "SessionRules"]

SESSION = {
    "type", "model", "instructions", "output_modalities", "audio", "tools", "tool_choice",
    "max_output_tokens", "parallel_tool_calls", "reasoning", "truncation", "tracing", "include", "prompt",
}  # fmt: skip
FIELDS = {
    "type", "event_id", "session", "audio", "item", "previous_item_id", "item_id", "content_index",
    "audio_end_ms", "response", "response_id",
}  # fmt: skip
TOOL = '{"city": "Paris"}'
USAGE = {"input_tokens": 20, "output_tokens": 30, "total_tokens": 50,
         "input_token_details": {"cached_tokens": 5}}  # fmt: skip


class SessionRules:
    """What a session's settings and items may be. A dialect derives from it."""

    said: ClassVar[str] = "output_text"
    """The type of what the agent said before."""

    def __init__(self) -> None:
        self.session: dict[str, Any] = {}
        self.results = 0
        """Results of tools that were not answered."""
        self.calls: set[str] = set()
        self.last = ""
        """What the user said last."""

    def update(self, session: dict[str, Any]) -> None:
        """Check settings, and take them."""
        self.check_update(session) if self.session else self.check_session(session)
        for tool in session.get("tools", ()):
            self.check_tool(tool)
        self.session = self.session | session

    def check_session(self, session: dict[str, Any]) -> None:
        """Check the settings of a new session."""
        assert session["type"] == "realtime", "session.type is required"
        assert set(session) <= SESSION, set(session) - SESSION
        assert session["output_modalities"] in (["audio"], ["text"]), session
        for side in ("input", "output"):
            assert session["audio"][side]["format"] == {"type": "audio/pcm", "rate": 24000}, session["audio"]

    def check_update(self, session: dict[str, Any]) -> None:
        """Check later settings: a voice is refused, even if it is the same."""
        assert set(session) == {"type", "instructions", "tools"}, session

    def check_tool(self, tool: dict[str, Any]) -> None:
        """Check the description of a tool."""
        assert tool["type"] == "function", tool
        assert tool["name"], tool
        assert tool["parameters"]["type"] == "object", tool

    @property
    def detects(self) -> bool:
        """Whether the server ends turns."""
        return self.session["audio"]["input"].get("turn_detection") is not None

    @property
    def transcribes(self) -> bool:
        """Whether it tells the user's words."""
        return bool(self.session["audio"]["input"].get("transcription"))

    @property
    def speaks(self) -> bool:
        """Whether it answers with a voice."""
        return self.session["output_modalities"] == ["audio"]

    def check_item(self, item: dict[str, Any]) -> None:
        """Check an item, and take it into the conversation."""
        match item:
            case {"type": "message", "role": "user" | "assistant" as role, "content": [{**content}, *_]}:
                kind = "input_text" if role == "user" else self.said
                assert content["type"] in (kind, "input_image"), item
                assert content.get("text", "a picture"), "an item without text"
                self.last = content.get("text", "a picture") if role == "user" else self.last
            case {"type": "function_call", "call_id": str(id), "name": str(), "arguments": str()}:
                assert 0 < len(id) <= 32, "a call_id has 32 characters at most"
                self.calls.add(id)
            case {"type": "function_call_output", "call_id": str(id), "output": str(output)}:
                assert id in self.calls, f"no call has the id {id!r}"
                self.results += 1
                self.last = output
            case _:
                raise AssertionError(f"not an item: {item}")

    def tool_name(self) -> str:
        """Return the name of the first tool."""
        return self.session["tools"][0]["name"]

    def verbatim(self, response: dict[str, Any]) -> str:
        """Return what a response must say; "" if the model finds the words."""
        asked = response.get("instructions", "")
        return you_said(asked) if "broke off" in asked else asked.partition(": ")[2].strip('"')


class ServedConversation:
    """The state of one session. A dialect derives from it."""

    input_rate: ClassVar[int] = 24000
    output_rate: ClassVar[int] = 24000
    names: ClassVar[dict[str, str]] = {}
    """What a dialect calls some of the server's messages; "" for one that it has not."""

    def __init__(self, server: "OpenAIRealtimeServer", connection: Connection) -> None:
        self.server = server
        self.connection = connection
        self.heard = HeardAudio()
        self.rules = server.rules()
        self.items = 0
        self.speaking = False
        self.response: asyncio.Task[None] | None = None
        self.voiced: dict[str, int] = {}  # milliseconds of voice of each item that has one
        self.spoken_ms = 0  # of the response, before the item that is spoken now
        self.id = ""  # of the response
        self.untold: list[tuple[str, str]] = []  # items of the user whose words come late

    async def hold(self) -> None:
        """Answer messages until the client has gone."""
        try:
            async for message in self.connection:
                await self.handle(message)
        finally:
            if self.response is not None:
                self.response.cancel()

    async def handle(self, message: dict[str, Any]) -> None:
        """Answer a message."""
        assert set(message) <= FIELDS, message
        match message:
            case {"type": "session.update", "session": {**session}}:
                await self._update(session)
            case {"type": "input_audio_buffer.append", "audio": str(audio)}:
                await self.listen(b64decode(audio, validate=True))
            case {"type": "input_audio_buffer.commit"}:
                assert not self.rules.detects, "the server commits by itself"
                await self.commit()
            case {"type": "input_audio_buffer.clear"}:
                self.heard = HeardAudio()
                await self.tell("input_audio_buffer.cleared")
            case {"type": "conversation.item.create", "item": {**item}}:
                self.rules.check_item(item)
                self.server.seeded.append(item)
                await self.tell_item(item | {"id": self._item()})
            case {"type": "conversation.item.truncate", "item_id": str(item), "content_index": 0,
                  "audio_end_ms": int(end)}:  # fmt: skip
                assert item in self.voiced, f"there is no item {item!r}"
                assert 0 < end <= self.voiced[item], f"item {item!r} has {self.voiced[item]} ms, not {end}"
                self.server.truncated.append((item, end))
                await self.tell("conversation.item.truncated", item_id=item)
            case {"type": "conversation.item.delete", "item_id": str(item)}:
                assert item in self.voiced, f"there is no item {item!r}"
                self.server.truncated.append((item, 0))
                await self.tell("conversation.item.deleted", item_id=item)
            case {"type": "response.create"}:
                await self.create(message)
            case {"type": "response.cancel"}:
                assert message.get("response_id", self.id) == self.id, message
                await self._cancel("client_cancelled")
            case _:
                raise AssertionError(f"not a message of the protocol: {message}")

    async def tell(self, kind: str, **values: Any) -> None:
        """Send a message that no fault spoils."""
        if name := self.names.get(kind, kind):
            await self.connection.greet({"type": name, "event_id": self.server.event_id(), **values})

    async def send(self, kind: str, **values: Any) -> None:
        """Send a message, or what the fault makes of it."""
        if name := self.names.get(kind, kind):
            await self.connection.send({"type": name, "event_id": self.server.event_id(), **values})

    async def tell_item(self, item: dict[str, Any]) -> None:
        """Tell that the conversation has an item more."""
        await self.tell("conversation.item.added", item=item, previous_item_id=None)
        await self.tell("conversation.item.done", item=item, previous_item_id=None)

    async def _update(self, session: dict[str, Any]) -> None:
        self.rules.update(session)
        self.server.sessions.append(self.rules.session)
        await self.tell("session.updated", session=self.rules.session)

    # The user

    async def listen(self, pcm: bytes) -> None:
        """Hear sound, and end turns if that is wanted."""
        loud, quiet = self.heard.loud, self.heard.quiet
        self.heard.feed(pcm, self.input_rate)
        if not self.rules.detects:
            return
        buffer, item = "input_audio_buffer.", f"item_{self.items + 1}"
        if self.heard.loud and not loud:
            self.speaking = True
            await self.tell(buffer + "speech_started", audio_start_ms=0, item_id=item)
            await self._cancel("turn_detected")
        elif self.speaking and quiet < 0.3 <= self.heard.quiet:
            self.speaking = False
            await self.tell(buffer + "speech_stopped", audio_end_ms=1, item_id=item)
            await self.commit()
            await self.create({})

    async def commit(self) -> None:
        """Make a turn of what was heard."""
        if self.heard.seconds < 0.1:
            await self.fail("input_audio_buffer_commit_empty", "the buffer is too small", None)
            return
        words, item = self.heard.answer(), self._item()
        self.heard = HeardAudio()
        self.rules.last = words
        await self.tell("input_audio_buffer.committed", item_id=item, previous_item_id=None)
        await self.tell_item(
            {"id": item, "type": "message", "role": "user", "content": [{"type": "input_audio"}]}
        )
        if self.rules.transcribes and self.server.late_words:
            self.untold.append((item, words))
        elif self.rules.transcribes:
            await self.transcribe(item, words)

    async def transcribe(self, item: str, words: str) -> None:
        """Tell the words of a turn."""
        transcription = "conversation.item.input_audio_transcription."
        for delta in (words[:7], words[7:]):
            await self.tell(transcription + "delta", item_id=item, delta=delta)
        usage = {"type": "duration", "seconds": 1.5}
        await self.tell(transcription + "completed", item_id=item, transcript=words, usage=usage)

    def _item(self) -> str:
        self.items += 1
        return f"item_{self.items}"

    # Responses

    async def create(self, message: dict[str, Any]) -> None:
        """Begin a response."""
        if self.response is not None and not self.response.done():
            code = "conversation_already_has_active_response"
            await self.fail(code, "there is an active response", message.get("event_id"))
            return
        self.answer(self.rules.verbatim(message.get("response", {})))

    def answer(self, said: str) -> None:
        """Begin a response that says this, if anything."""
        self.response = asyncio.create_task(self._respond(said))

    async def fail(self, code: str, said: str, event: str | None) -> None:
        """Tell an error."""
        error = {"type": "invalid_request_error", "code": code, "message": said, "event_id": event}
        await self.tell("error", error=error)

    async def _cancel(self, reason: str) -> None:
        if self.response is None or self.response.done():
            if reason == "client_cancelled":
                await self.fail("response_cancel_not_active", "there is no active response", None)
            return
        self.response.cancel()
        await asyncio.wait([self.response])
        self.server.cancelled += 1
        await self._done("cancelled", [], reason)

    async def _respond(self, said: str) -> None:
        from websockets.exceptions import ConnectionClosed

        try:
            self.server.responses += 1
            self.id = f"resp_{self.server.responses}"
            await self.send("response.created", response={"id": self.id, "status": "in_progress"})
            await self.send("rate_limits.updated", rate_limits=[{"name": "tokens", "remaining": 9000}])
            if not said and self.rules.session.get("tools") and not self.rules.results:
                await self._done("completed", [await self._call()])
            else:
                self.rules.results = 0
                text = said or you_said(self.rules.last or "nothing")
                self.spoken_ms = 0
                await self._done("completed", [await self._speak(one, at) for at, one in _sentences(text)])
        except ConnectionClosed:
            pass

    async def _item_begins(self, place: dict[str, Any], item: dict[str, Any]) -> None:
        begun = item | {"status": "in_progress"}
        await self.send("response.output_item.added", **place, item=begun)
        await self.send("conversation.item.added", item=begun, previous_item_id=None)

    async def _item_ends(self, place: dict[str, Any], item: dict[str, Any]) -> dict[str, Any]:
        item = item | {"status": "completed"}
        await self.send("response.output_item.done", **place, item=item)
        await self.send("conversation.item.done", item=item, previous_item_id=None)
        return item

    async def _call(self) -> dict[str, Any]:
        item, call_id = self._item(), f"call_{len(self.rules.calls) + 1}"
        self.rules.calls.add(call_id)
        call = {"type": "function_call", "id": item, "call_id": call_id, "name": self.rules.tool_name()}
        place = {"response_id": self.id, "output_index": 0}
        await self._item_begins(place, call | {"arguments": ""})
        kind, part = "response.function_call_arguments.", place | {"item_id": item, "call_id": call_id}
        for delta in (TOOL[:4], TOOL[4:]):
            await self.send(kind + "delta", **part, delta=delta)
        await self.send(kind + "done", **part, name=call["name"], arguments=TOOL)
        return await self._item_ends(place, call | {"arguments": TOOL})

    async def _speak(self, text: str, index: int) -> dict[str, Any]:
        """Say a text as an item of its own."""
        item = {"type": "message", "id": self._item(), "role": "assistant", "content": list[Any]()}
        place = {"response_id": self.id, "output_index": index}
        await self._item_begins(place, item)
        part = place | {"item_id": item["id"], "content_index": 0}
        kind = "audio" if self.rules.speaks else "text"
        await self.send("response.content_part.added", **part, part={"type": kind})
        if self.rules.speaks:
            await self._voice(text, part)
            content = {"type": "output_audio", "transcript": text}
        else:
            await self.send("response.output_text.delta", **part, delta=text)
            await self.send("response.output_text.done", **part, text=text)
            content = {"type": "output_text", "text": text}
        await self.send("response.content_part.done", **part, part=content)
        return await self._item_ends(place, item | {"content": [content]})

    async def _voice(self, text: str, part: dict[str, Any]) -> None:
        item = part["item_id"]
        for delta in (text[:5], text[5:]):
            await self.send("response.output_audio_transcript.delta", **part, delta=delta)
        await self.time(text, part)
        pcm = b"".join(spoken(text, self.output_rate))
        size = self.output_rate // 5 + 1  # 100 ms, and half a sample
        for at in range(0, len(pcm), size):
            self.server.count_voice()
            self.voiced[item] = len(pcm[: at + size]) * 1000 // 2 // self.output_rate
            delta = b64encode(pcm[at : at + size]).decode()
            await self.send("response.output_audio.delta", **part, delta=delta)
            await asyncio.sleep(0.01)
        self.spoken_ms += self.voiced[item]
        await self.send("response.output_audio.done", **part)
        await self.send("response.output_audio_transcript.done", **part, transcript=text)

    async def time(self, text: str, place: dict[str, Any]) -> None:
        """Tell when words are spoken; nothing by default."""

    async def _done(self, status: str, output: list[dict[str, Any]], reason: str = "") -> None:
        details = {"type": status, "reason": reason} if reason else None
        response = {"id": self.id, "status": status, "status_details": details, "output": output,
                    "usage": USAGE}  # fmt: skip
        await self.send("response.done", response=response)
        while self.untold:
            await self.transcribe(*self.untold.pop(0))


def _sentences(text: str) -> list[tuple[int, str]]:
    return [*enumerate(re.split(r"(?<=[.!?])(?= )", text))]


class OpenAIRealtimeServer(VendorServer):
    """Conversations by rule.

    It answers each turn with what it heard, and calls a tool first if there is one. With detection, quiet of
    0.3 s ends a turn.
    """

    rules: ClassVar[type[SessionRules]] = SessionRules
    conversation: ClassVar[type[ServedConversation]] = ServedConversation

    def __init__(self, fault: Fault | None = None, *, faulty: int = 1000, late_words: bool = False) -> None:
        super().__init__(fault, faulty=faulty)
        self.late_words = late_words
        """Whether the user's words come only after the response."""
        self.responses = 0
        """How many were begun."""
        self._events = count(1)
        self.truncated: list[tuple[str, int]] = []
        """Items that the client has cut short, and after how many milliseconds."""
        self.sessions: list[dict[str, Any]] = []
        """The settings as each update has left them."""
        self.seeded: list[dict[str, Any]] = []
        """The items that clients created."""

    def event_id(self) -> str:
        """Return the id of a message."""
        return f"event_{next(self._events)}"

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check path, model and key."""
        assert path == "/realtime", path
        assert query["model"].startswith("gpt-realtime"), query
        assert headers["authorization"] == f"Bearer {KEY}"
        assert "openai-beta" not in headers, "the beta is over"

    async def talk(self, connection: Connection) -> None:
        """Hold one conversation."""
        await connection.greet({"type": "session.created", "event_id": "e1", "session": {"type": "realtime"}})
        await self.conversation(self, connection).hold()
