"""Ultravox: https://docs.ultravox.ai/apps/datamessages"""

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Self

from .http import HttpAnswer, HttpVendorServer, VendorRequest
from .server import KEY, Connection, Fault, HeardAudio, VendorServer, paced, spoken, you_said

__all__ = ["UltravoxServer"]

RESULT = {
    "type", "invocationId", "result", "responseType", "agentReaction", "errorType", "errorMessage",
}  # fmt: skip
CALL = {
    "model", "voice", "maxDuration", "firstSpeakerSettings", "medium", "systemPrompt", "selectedTools",
    "initialMessages", "temperature", "languageHint", "vadSettings",
}  # fmt: skip
TOOL = {"modelToolName", "description", "dynamicParameters", "timeout", "client"}
ROLES = {f"MESSAGE_ROLE_{role}" for role in ("USER", "AGENT", "TOOL_CALL", "TOOL_RESULT")}


class UltravoxServer(VendorServer):
    """Conversations by rule, over HTTP first: `url` is where calls are created.

    It answers each turn with what it heard, and calls its tools first if there are any. Quiet of 0.3 s ends a
    turn.
    """

    def __init__(self, fault: Fault | None = None, *, faulty: int = 1000) -> None:
        super().__init__(fault, faulty=faulty)
        self.calls: list[dict[str, Any]] = []
        """The calls that clients created."""
        self.unjoinable = False
        """Whether the answer lacks the address to join the call."""
        self.hung_up = 0
        """How many calls clients have ended in good order."""
        self.refusing = fault if fault in (Fault.REFUSED, Fault.LIMITED) else None
        self._http = _Calls(self)

    async def __aenter__(self) -> Self:
        """Listen on two free ports of loopback."""
        await super().__aenter__()
        self._http.join, self.url = self.url, ""
        await self._http.__aenter__()
        self.url = f"{self._http.url}/api"
        return self

    async def __aexit__(self, *raised: object) -> None:
        """Stop, and raise what was wrong with the client's messages."""
        try:
            await self._http.__aexit__(*raised)
        finally:
            await super().__aexit__(*raised)

    def join_at(self, url: str) -> None:
        """Have calls joined at another address, which leads here."""
        self._http.join = url

    @property
    def joined_at(self) -> str:
        """Where calls are joined."""
        return self._http.join

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check that a call is joined that was created."""
        assert path == "/join", path
        assert int(query["call"]) < len(self.calls), query

    async def talk(self, connection: Connection) -> None:
        """Hold the call that was created last."""
        await _Call(self, connection, self.calls[-1]).hold()


class _Calls(HttpVendorServer):
    """Where calls are created."""

    def __init__(self, owner: UltravoxServer) -> None:
        super().__init__(owner.refusing, faulty=owner.faulty)
        self.owner = owner
        self.join = ""

    def check(self, request: VendorRequest) -> None:
        self.owner.connections += self.fault is not None
        assert (request.method, request.path) == ("POST", "/api/calls"), request
        assert request.query == {"enableGreetingPrompt": "false"}, "else it greets by itself"
        assert request.headers["x-api-key"] == KEY
        call = request.json
        assert set(call) <= CALL, set(call) - CALL
        assert call["firstSpeakerSettings"] == {"user": {}}, call
        assert set(call["medium"]["serverWebSocket"]) == {
            "inputSampleRate", "outputSampleRate", "clientBufferSizeMs",
        }, call  # fmt: skip
        for selected in call["selectedTools"]:
            tool = selected["temporaryTool"]
            assert set(tool) == TOOL, tool
            assert tool["client"] == {}, tool
            for parameter in tool["dynamicParameters"]:
                assert set(parameter) == {"name", "location", "schema", "required"}, parameter
                assert parameter["location"] == "PARAMETER_LOCATION_BODY", parameter
                assert isinstance(parameter["schema"], dict), parameter
        assert {message["role"] for message in call.get("initialMessages", ())} <= ROLES, call
        self.owner.calls.append(call)

    async def answer(self, request: VendorRequest, answer: HttpAnswer) -> None:
        await answer.begin("application/json", status="201 Created")
        number = len(self.owner.calls) - 1
        url = None if self.owner.unjoinable else f"{self.join}/join?call={number}"
        await answer.send(json.dumps({"callId": str(number), "joinUrl": url}).encode())


class _Call:
    """The state of one call."""

    def __init__(self, server: UltravoxServer, connection: Connection, call: dict[str, Any]) -> None:
        self.server = server
        self.connection = connection
        self.call = call
        self.rate: int = call["medium"]["serverWebSocket"]["outputSampleRate"]
        self.heard = HeardAudio()
        self.speaking = False
        self.ordinal = 0
        self.last = ""
        self.open: set[str] = set()
        self.answered = asyncio.Event()
        self.response: asyncio.Task[None] | None = None

    async def hold(self) -> None:
        await self.connection.greet({"type": "call_started", "callId": "a-call"})
        await self.connection.greet({"type": "state", "state": "listening"})
        try:
            async for message in self.connection:
                if isinstance(message, bytes):
                    await self._listen(message)
                else:
                    await self._handle(message)
        finally:
            if self.response is not None:
                self.response.cancel()

    async def _handle(self, message: dict[str, Any]) -> None:
        match message:
            case {"type": "ping", "timestamp": float(stamp)}:
                await self.connection.greet({"type": "pong", "timestamp": stamp})
            case {"type": "user_text_message", "text": str(text), "urgency": "soon"}:
                self.last = text or self.last
                self._answer(None)
            case {"type": "user_text_message", "urgency": "immediate", "deferResponse": True}:
                await self._interrupt()
            case {"type": "forced_agent_message", "content": str(text), "urgency": "soon"}:
                self._answer(text)
            case {"type": "hang_up"}:
                self.server.hung_up += 1
            case {"type": "client_tool_result", "invocationId": str(call), "result": str(result)}:
                assert set(message) <= RESULT, message
                assert message["agentReaction"] in ("speaks", "listens", "speaks-once"), message
                self.open.remove(call)
                self.last = result
                if not self.open:
                    self.answered.set()
            case _:
                raise AssertionError(f"not a message of the protocol: {message}")

    async def _listen(self, pcm: bytes) -> None:
        loud, quiet = self.heard.loud, self.heard.quiet
        self.heard.feed(pcm)
        if self.heard.loud and not loud:
            self.speaking = True
            await self._interrupt()
        elif self.speaking and quiet < 0.3 <= self.heard.quiet:
            self.speaking = False
            self.last = self.heard.answer()
            await self._transcript("user", text=self.last, final=True)
            self._answer(None)

    async def _transcript(self, role: str, *, final: bool, **words: str) -> None:
        self.ordinal += role == "user"
        told = {"type": "transcript", "role": role, "medium": "voice", "final": final, **words}
        await (self.connection.greet if role == "user" else self.connection.send)(
            told | {"ordinal": self.ordinal}
        )

    async def _interrupt(self) -> None:
        if self.response is None or self.response.done():
            return
        self.response.cancel()
        await asyncio.wait([self.response])
        self.server.cancelled += 1
        await self.connection.send({"type": "playback_clear_buffer"})
        await self.connection.send({"type": "state", "state": "listening"})

    def _answer(self, text: str | None) -> None:
        if self.response is not None and self.connection.fault is Fault.SILENT:
            self.response.cancel()
        else:
            assert self.response is None or self.response.done(), "a response is in progress"
        self.response = asyncio.create_task(self._respond(text))

    async def _respond(self, text: str | None) -> None:
        from websockets.exceptions import ConnectionClosed

        send = self.connection.send
        with suppress(ConnectionClosed):
            if text is None:
                await send({"type": "state", "state": "thinking"})
                if self.call["selectedTools"]:
                    await self._call_tools()
            said = text or you_said(self.last)
            await send({"type": "state", "state": "speaking"})
            self.ordinal += 1
            for delta in (said[:5], said[5:]):
                await self._transcript("agent", final=False, delta=delta)
            async for pcm in paced(self.server, spoken(said, self.rate)):
                await send(pcm)
            await self._transcript("agent", final=True, text=said)
            await send({"type": "state", "state": "listening"})

    async def _call_tools(self) -> None:
        self.answered.clear()
        for place, selected in enumerate(self.call["selectedTools"]):
            name, call = selected["temporaryTool"]["modelToolName"], f"call-{self.ordinal}-{place}"
            self.open.add(call)
            told = {"toolName": name, "invocationId": call, "parameters": {"city": "Paris"}}
            await self.connection.send({"type": "client_tool_invocation", **told})
        await self.answered.wait()
        await self.connection.send({"type": "state", "state": "thinking"})
