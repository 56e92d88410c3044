"""GPT-Live.

https://developers.openai.com/api/docs/guides/live-conversations
"""

import asyncio
from base64 import b64decode, b64encode
from collections import deque
from collections.abc import Mapping
from typing import Any

from .server import KEY, Connection, Fault, HeardAudio, VendorServer, spoken, you_said

__all__ = ["GPTLiveServer"]

SESSION = {"model", "instructions", "audio", "delegation", "input", "client", "store"}
THINKER = {"model", "instructions", "tools", "reasoning", "max_output_tokens", "parallel_tool_calls", "text",
           "tool_choice", "service_tier"}  # fmt: skip
IDLE = b"\x14\x00" * 2400  # a tenth of a second of silence, which is not all zeros
TOOL = '{"city": "Paris"}'


class GPTLiveServer(VendorServer):
    """A voice that says what it heard, and has a tool called first if there is one.

    Its sound never ends, and is sent `speed` times as fast as it is.
    """

    def __init__(self, fault: Fault | None = None, *, faulty: int = 1000) -> None:
        super().__init__(fault, faulty=faulty)
        self.sessions: list[dict[str, Any]] = []
        """The settings that clients sent first."""
        self.appended: list[tuple[str, str]] = []
        """Texts that were appended, and where."""

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check path and key."""
        assert path == "/live/sessions", path
        assert not query, "the model is named in session.start"
        assert headers["authorization"] == f"Bearer {KEY}"

    async def talk(self, connection: Connection) -> None:
        """Hold one conversation."""
        await _LiveSession(self, connection).hold()


class _LiveSession:
    def __init__(self, server: GPTLiveServer, connection: Connection) -> None:
        self.server = server
        self.connection = connection
        self.heard = HeardAudio()
        self.told = 0  # characters of the user's words
        self.thinker: dict[str, Any] | None = None
        self.voice = deque[Any]()  # pieces, and before them their text
        self.now = 0  # milliseconds
        self.calls: set[str] = set()
        self.results: list[str] = []
        self.typed = ""

    async def hold(self) -> None:
        track = asyncio.create_task(self._track())
        try:
            async for message in self.connection:
                await self._handle(message)
        finally:
            track.cancel()
            await asyncio.wait([track])
            if not track.cancelled():
                track.exception()

    async def _track(self) -> None:
        while True:
            await asyncio.sleep(0.1 / self.server.speed)
            if self.thinker is None:
                continue
            self.now += 100
            while self.voice and isinstance(self.voice[0], str):
                await self._transcript("output", self.voice.popleft())
            if self.voice:
                self.server.count_voice()
                await self._send("session.output_audio.delta", delta=_coded(self.voice.popleft()))
            else:
                await self._tell("session.output_audio.delta", delta=_coded(IDLE))

    async def _handle(self, message: dict[str, Any]) -> None:
        match message:
            case {"type": "session.start", "session": {**session}}:
                assert self.thinker is None, "a session begins once"
                await self._start(session)
            case _ if self.thinker is None:
                raise AssertionError("the first message must be session.start")
            case {"type": "session.input_audio.append", "audio": str(audio)}:
                await self._listen(b64decode(audio, validate=True))
            case {"type": str(kind), "delegation_id": None, "content": str(text)}:
                await self._append(kind, text, message.get("event_id"))
            case {
                "type": "session.update",
                "session": {"delegation": {"type": "responses", "responses": work}},
            }:
                assert set(work) <= THINKER, work
                self.thinker |= work
                await self._tell("session.updated", session={})
            case {"type": "response.item.create", "item": {**item}}:
                self._take(item)
            case {"type": "response.create"}:
                await self._think()
            case _:
                raise AssertionError(f"not a message of the protocol: {message}")

    async def _start(self, session: dict[str, Any]) -> None:
        assert set(session) <= SESSION, set(session) - SESSION
        assert session["model"].startswith("gpt-live"), session
        assert session["audio"]["format"] == {"type": "audio/pcm", "rate": 24000}, session
        assert session["delegation"]["type"] == "responses", session
        work = session["delegation"]["responses"]
        assert set(work) <= THINKER, work
        for tool in work["tools"]:
            assert tool["type"] == "function", tool
            assert tool["parameters"]["type"] == "object", tool
        for item in session.get("input", ()):
            assert item["role"] in ("user", "assistant", "developer"), item
            assert len(item["content"]) == 1, item
        self.thinker = work
        self.server.sessions.append(session)
        await self._tell("session.started", session={"id": "live_1"})

    async def _append(self, kind: str, text: str, event: str | None) -> None:
        session, channel, verb = kind.split(".")
        assert (session, verb) == ("session", "append"), kind
        assert channel in ("commentary", "thinking", "instructions"), kind
        assert len(text) <= 2000, "500 tokens at most"
        self.server.appended.append((channel, text))
        await self._tell(f"session.{channel}.appended", client_event_id=event)
        if channel == "commentary":
            self._speak(text)

    def _take(self, item: dict[str, Any]) -> None:
        match item:
            case {"type": "function_call_output", "call_id": str(call), "output": str(output)}:
                assert call in self.calls, f"no call has the id {call!r}"
                self.calls.discard(call)
                self.results.append(output)
            case {"type": "message", "role": "user", "content": [{**content}]}:
                self.typed = content.get("text", "a picture")
            case _:
                raise AssertionError(f"not an item: {item}")

    async def _listen(self, pcm: bytes) -> None:
        loud, quiet = self.heard.loud, self.heard.quiet
        self.heard.feed(pcm, 24000)
        if not self.heard.loud:
            return
        words = self.heard.words
        if not loud:
            self.voice.clear()  # it stops when the user speaks
        if not loud or (self.heard.due() and self.told + 3 < len(words)):
            await self._transcript("input", words[self.told : self.told + 3])
            self.told += 3
        if quiet < 0.3 <= self.heard.quiet:
            await self._transcript("input", words[self.told :])
            self.typed, self.told, self.heard = words, 0, HeardAudio()
            if self.calls:  # the voice answers by itself, while the work goes on
                self._speak(you_said(words))
            else:
                await self._think()

    async def _think(self) -> None:
        """Have the thinker work, as the voice would."""
        assert self.thinker is not None
        assert not self.calls, "the work goes on before all results are there"
        delegation = {"id": "d1", "type": "delegation", "target": "responses"}
        await self._send("session.delegation.created", offset_ms=self.now, delegation=delegation)
        await self._thought("response.created", response={"id": "r1"})
        await self._thought("response.output_item.done", item={"type": "reasoning", "id": "rs"})
        asks = bool(self.thinker["tools"]) and not self.results
        if asks:
            self.calls.add("call_1")
            call = {"type": "function_call", "call_id": "call_1", "name": self.thinker["tools"][0]["name"],
                    "arguments": TOOL, "status": "completed"}  # fmt: skip
            await self._thought("response.output_item.done", item=call)
        usage = {"input_tokens": 20, "output_tokens": 5}
        await self._thought("response.completed", response={"id": "r1", "output": [], "usage": usage})
        if not asks:
            words, self.results = (self.results or [self.typed or "nothing"])[-1], []
            self._speak(you_said(words))
        await self._tell("session.usage.updated", usage={"seconds": self.now / 1000})

    async def _thought(self, kind: str, **values: Any) -> None:
        await self._send("response.event", delegation_id="d1", event={"type": kind, **values})

    def _speak(self, text: str) -> None:
        self.voice.extend([*[IDLE] * 5, text[:5], text[5:], *spoken(text, 24000)])

    async def _transcript(self, side: str, delta: str) -> None:
        if delta:
            times = {"start_ms": self.now, "end_ms": self.now + 50 * len(delta)}
            send = self._tell if side == "input" else self._send
            await send(f"session.{side}_transcript.delta", delta=delta, **times)

    async def _tell(self, kind: str, **values: Any) -> None:
        await self.connection.greet({"type": kind, **values})

    async def _send(self, kind: str, **values: Any) -> None:
        await self.connection.send({"type": kind, **values})


def _coded(pcm: bytes) -> str:
    return b64encode(pcm).decode()
