"""AWS's Nova Sonic, over HTTP/2.

https://docs.aws.amazon.com/nova/latest/nova2-userguide/sonic-event-lifecycle.html
"""

import asyncio
import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

from ...services.aws_event_stream import encode_event
from .aws_signature import SECRET, SignedBody, request_signature
from .http2 import Http2Connection, Http2Server
from .server import KEY, Fault, HeardAudio, paced, spoken, you_said

__all__ = ["SECRET", "NovaSonicServer"]

MODEL = "/model/amazon.nova-2-sonic-v1%3A0/invoke-with-bidirectional-stream"
PCM = {"mediaType": "audio/lpcm", "sampleSizeBits": 16, "channelCount": 1, "audioType": "SPEECH",
       "encoding": "base64"}  # fmt: skip
BLOCK = {"promptName", "contentName", "type", "role", "interactive"}


class NovaSonicServer(Http2Server):
    """Conversations by rule.

    It answers each turn with what it heard, and calls all tools first if there are any. Quiet of 0.3 s ends a
    turn.
    """

    def __init__(self, fault: Fault | None = None, *, faulty: int = 1000) -> None:
        super().__init__(fault, faulty=faulty)
        self.prompts: list[dict[str, Any]] = []
        """What prompts began with."""
        self.history: list[list[tuple[str, str]]] = []
        """Roles and texts before the sound of each connection."""
        self.typed: list[str] = []
        self.results: list[str] = []
        self.sound = 0.0
        """Seconds of sound that came."""
        self.ended = 0
        """How many sessions were ended in good order."""
        self.breaks: bytes | None = None
        """An event that is sent in place of the next answer."""
        self._first = ("", "")

    def check_request(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check path, headers and signature."""
        assert path == MODEL, path
        assert not query
        assert headers[":method"] == "POST"
        assert headers["content-type"] == "application/vnd.amazon.eventstream"
        assert f"Credential={KEY}/" in headers["authorization"]
        self._first = request_signature(headers, "us-east-1", "bedrock"), headers["x-amz-date"]

    async def hold(self, connection: Http2Connection) -> None:
        """Hold one conversation."""
        await connection.begin()
        await _SonicSession(self, connection, SignedBody(*self._first, "us-east-1", "bedrock")).run()


class _SonicSession:
    """The state of one session."""

    def __init__(self, server: NovaSonicServer, connection: Http2Connection, body: SignedBody) -> None:
        self.server = server
        self.connection = connection
        self.body = body
        self.prompt = ""
        self.tools: list[str] = []
        self.open: dict[str, Any] | None = None  # the block of text or of a result that is being sent
        self.names = set[str]()
        self.sound = ""  # the block of the sound
        self.heard = HeardAudio()
        self.history: list[tuple[str, str]] = []
        self.calls = dict[str, bool]()  # whether each has a result
        self.speaking = False
        self.contents = 0
        self.begun = self.closing = False  # whether the session was begun, and whether its prompt was ended
        self.sounding = ""  # the block of the voice, while it comes
        self.response: asyncio.Task[None] | None = None

    async def run(self) -> None:
        try:
            async for piece in self.connection:
                for event in self.body.feed(piece):
                    if event is None:
                        self.server.ended += 1
                        return
                    ((kind, values),) = event["event"].items()
                    await self._told(kind, values)
        finally:
            if self.response is not None:
                self.response.cancel()

    async def _told(self, kind: str, values: dict[str, Any]) -> None:
        if kind == "sessionStart":
            assert not self.begun, "there is one session"
            assert set(values) <= {"inferenceConfiguration", "turnDetectionConfiguration"}, values
            self.begun = True
            assert {"maxTokens", "topP", "temperature"} == set(values["inferenceConfiguration"]), values
            return
        if kind == "promptStart":
            assert self.begun, "the session begins first"
            assert not self.prompt, "there is one prompt"
            self._begin(values)
            return
        if kind == "sessionEnd":
            assert values == {}, values
            assert self.closing, "the prompt ends first"
            return
        assert not self.closing, "the prompt has ended"
        assert values["promptName"] == self.prompt, "the prompt was never begun"
        match kind:
            case "contentStart":
                self._start(values)
            case "audioInput":
                assert self.open is None, "Chat history should be sent completely"
                assert values["contentName"] == self.sound, "sound outside of its block"
                await self._listen(b64decode(values["content"], validate=True))
            case "textInput" | "toolResult":
                assert self.open is not None, values
                assert values["contentName"] == self.open["contentName"], values
                self.open["content"] = values["content"]
            case "contentEnd" if values["contentName"] == self.sound:
                self.sound = ""
            case "contentEnd":
                assert self.open is not None, values
                await self._end(self.open)
            case "promptEnd":
                assert not self.sound, "the block of the sound is still open"
                self.closing = True
            case _:
                raise AssertionError(f"not an event of the protocol: {kind} {values}")

    def _begin(self, values: dict[str, Any]) -> None:
        assert values["textOutputConfiguration"] == {"mediaType": "text/plain"}, values
        voice = values["audioOutputConfiguration"]
        assert voice == PCM | {"sampleRateHertz": 24000, "voiceId": voice["voiceId"]}, voice
        for tool in values.get("toolConfiguration", {"tools": []})["tools"]:
            spec = tool["toolSpec"]
            assert spec["name"]
            assert spec["description"]
            assert json.loads(spec["inputSchema"]["json"])["type"] == "object", spec
            self.tools.append(spec["name"])
        assert bool(self.tools) == ("toolUseOutputConfiguration" in values), values
        self.prompt = values["promptName"]
        self.server.prompts.append(values)

    def _start(self, block: dict[str, Any]) -> None:
        assert self.open is None, "a block begins within another"
        name, kind, role = block["contentName"], block["type"], block["role"]
        assert name not in self.names, f"{name} was used before"
        self.names.add(name)
        match kind:
            case "AUDIO":
                assert set(block) == BLOCK | {"audioInputConfiguration"}, block
                assert not self.sound, "there is one block of sound"
                assert (role, block["interactive"]) == ("USER", True), block
                assert block["audioInputConfiguration"] == PCM | {"sampleRateHertz": 16000}, block
                assert self.history, "the first block must be of the system"
                assert self.history[1:2] == [] or self.history[1][0] == "USER", "the user speaks first"
                assert len(self.history) <= 41, "40 messages at most"
                self.sound = name
                self.server.history.append(self.history)
                return
            case "TEXT":
                assert set(block) == BLOCK | {"textInputConfiguration"}, block
                assert role in ("SYSTEM", "USER", "ASSISTANT"), block
                assert block["textInputConfiguration"] == {"mediaType": "text/plain"}, block
                assert role == "SYSTEM" or self.history, "the first block must be of the system"
                assert block["interactive"] == bool(self.sound), "history comes before sound, words after"
            case "TOOL":
                assert set(block) == BLOCK | {"toolResultInputConfiguration"}, block
                result = block["toolResultInputConfiguration"]
                assert set(result) == {"toolUseId", "type", "textInputConfiguration"}, block
                assert (role, block["interactive"], result["type"]) == ("TOOL", False, "TEXT"), block
                assert self.calls[result["toolUseId"]] is False, "a second result"
            case _:
                raise AssertionError(f"not a block: {block}")
        self.open = block

    async def _end(self, block: dict[str, Any]) -> None:
        self.open = None
        text = block["content"]
        assert text, "an empty block"
        assert len(text.encode()) <= 50_000, "a text is too long"
        if block["type"] == "TOOL":
            assert isinstance(json.loads(text), dict), "a result is the JSON of an object"
            self.server.results.append(text)
            self.calls[block["toolResultInputConfiguration"]["toolUseId"]] = True
            if all(self.calls.values()):
                self._respond(text, [])
        elif block["interactive"]:
            self.server.typed.append(text)
            self._respond(text.partition("nothing else: ")[2].strip('"') or you_said(text), [])
        else:
            self.history.append((block["role"], text))

    async def _listen(self, pcm: bytes) -> None:
        self.server.sound += len(pcm) / 32000
        loud, quiet = self.heard.loud, self.heard.quiet
        self.heard.feed(pcm, 16000)
        if self.heard.loud and not loud:
            self.speaking = True
            await self._interrupt()
        elif self.speaking and quiet < 0.3 <= self.heard.quiet:
            self.speaking = False
            words, self.heard = self.heard.answer(), HeardAudio()
            for part in (words[:9], words[9:]):
                await self._block("TEXT", "USER", "FINAL", ("textOutput", part), greets=True)
            self._respond(you_said(words), [] if self.calls else self.tools)

    async def _interrupt(self) -> None:
        if self.response is None or self.response.done():
            return
        self.response.cancel()
        await asyncio.wait([self.response])
        self.server.cancelled += 1
        told = '{ "interrupted" : true }'
        await self._block("TEXT", "ASSISTANT", "FINAL", ("textOutput", told), why="INTERRUPTED")
        if self.sounding:
            await self._send("contentEnd", contentId=self.sounding, type="AUDIO", stopReason="INTERRUPTED")

    def _respond(self, text: str, tools: list[str]) -> None:
        if self.response is not None:
            self.response.cancel()
        self.response = asyncio.create_task(self._answer(text, tools))

    async def _answer(self, text: str, tools: list[str]) -> None:
        try:
            if self.server.breaks is not None:
                await self.connection.greet(self.server.breaks)
                self.server.breaks = None
                return
            await self._send("completionStart", completionId=f"completion-{self.contents}")
            for number, name in enumerate(tools):
                self.calls[f"call-{number}"] = False
                call = {"toolUseId": f"call-{number}", "toolName": name, "content": '{"city": "Paris"}'}
                await self._block("TOOL", "TOOL", "", ("toolUse", call), why="TOOL_USE")
            if tools:
                return
            await self._block("TEXT", "ASSISTANT", "SPECULATIVE", ("textOutput", text))
            self.sounding = await self._open("AUDIO", "ASSISTANT", "")
            async for pcm in paced(self.server, spoken(text, 24000)):
                content = b64encode(pcm).decode()
                await self._send("audioOutput", contentId=self.sounding, content=content)
            await self._send("contentEnd", contentId=self.sounding, type="AUDIO", stopReason="END_TURN")
            self.sounding = ""
            await self._block("TEXT", "ASSISTANT", "FINAL", ("textOutput", text), why="END_TURN")
            used = {"speechTokens": 20, "textTokens": 1}
            await self._send("usageEvent", details={"delta": {"input": used, "output": used}})
        except ConnectionError:
            pass

    async def _open(self, kind: str, role: str, stage: str, *, greets: bool = False) -> str:
        self.contents += 1
        name = f"content-{self.contents}"
        more: dict[str, Any] = (
            {"additionalModelFields": json.dumps({"generationStage": stage})} if stage else {}
        )
        form = {"TEXT": "textOutput", "AUDIO": "audioOutput", "TOOL": "toolUseOutput"}[kind]
        more |= {f"{form}Configuration": {"mediaType": "of a kind"}}
        await self._send("contentStart", greets=greets, contentId=name, type=kind, role=role, **more)
        return name

    async def _block(
        self,
        kind: str,
        role: str,
        stage: str,
        content: tuple[str, str | dict[str, Any]],
        *,
        why: str = "PARTIAL_TURN",
        greets: bool = False,
    ) -> None:
        name = await self._open(kind, role, stage, greets=greets)
        what, value = content
        more: dict[str, Any] = value if isinstance(value, dict) else {"content": value}
        await self._send(what, greets=greets, contentId=name, **more)
        await self._send("contentEnd", greets=greets, contentId=name, type=kind, stopReason=why)

    async def _send(self, kind: str, *, greets: bool = False, **values: Any) -> None:
        strange = self.connection.fault is Fault.STRANGE
        told = {"event": {kind: values | ({"novel": [None]} if strange else {})}}
        if strange:
            await self.connection.send(encode_event(b"{}", message_type="event", event_type="novelty"))
            await self.connection.send(sonic_event({"event": {"novelEvent": {"novel": 1}}}))
        await (self.connection.greet if greets else self.connection.send)(sonic_event(told))


def sonic_event(told: dict[str, Any]) -> bytes:
    """Return an event as it is sent."""
    payload = json.dumps({"bytes": b64encode(json.dumps(told).encode()).decode(), "p": "abc"}).encode()
    return encode_event(payload, message_type="event", event_type="chunk", content_type="application/json")
