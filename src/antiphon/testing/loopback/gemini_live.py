"""Gemini Live.

https://ai.google.dev/api/live
"""

import asyncio
import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, ClassVar

from .server import KEY, NOVELTY, Connection, Fault, HeardAudio, VendorServer, paced, spoken, you_said

__all__ = ["GeminiLiveServer"]

GOOGLE_AI = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
VERTEX = "/ws/google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent"
SETUP = {
    "model", "generationConfig", "systemInstruction", "tools", "realtimeInputConfig", "sessionResumption",
    "contextWindowCompression", "inputAudioTranscription", "outputAudioTranscription", "proactivity",
    "historyConfig",
}  # fmt: skip
MESSAGES = {"setup", "realtimeInput", "clientContent", "toolResponse"}
PLAYED = 0.05  # seconds until the vendor takes a response for played


class GeminiLiveServer(VendorServer):
    """Conversations by rule.

    It answers each turn with what it heard, and calls its tools first if there are any. With detection, quiet
    of 0.3 s ends a turn. A turn is complete some time after its last voice, as if that was played.
    """

    rate: ClassVar[int] = 24000

    def __init__(self, fault: Fault | None = None, *, faulty: int = 1000) -> None:
        super().__init__(fault, faulty=faulty)
        self.goes_away_after: int | None = None
        """Turns after which each connection is about to be closed."""
        self.silent = False
        """Whether it completes turns without an answer."""
        self.transcribes_late = False
        """Whether it tells the user's words only once a turn is complete."""
        self.setups: list[dict[str, Any]] = []
        """The settings that clients sent."""
        self.told: list[str] = []
        """What clients have done, but for sound."""
        self.seeded: list[dict[str, Any]] = []
        """Turns of the conversation before a connection."""
        self.handles: dict[str, _Live] = {}
        """Which connection each handle goes on with."""

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check path and key."""
        assert path in (GOOGLE_AI, VERTEX), path
        assert not query, "the key does not belong into the address"
        if path == GOOGLE_AI:
            assert headers["x-goog-api-key"] == KEY
        else:
            assert headers["authorization"] == f"Bearer {KEY}"

    async def talk(self, connection: Connection) -> None:
        """Hold one conversation."""
        connection.novelty = NOVELTY.encode()
        await _Live(self, connection).hold()


class _Live:
    """The state of one connection."""

    def __init__(self, server: GeminiLiveServer, connection: Connection) -> None:
        self.server = server
        self.connection = connection
        self.setup: dict[str, Any] | None = None
        self.heard = HeardAudio()
        self.active = False
        self.speaking = False
        self.closed = False
        self.turns = 0
        self.last = self.noted = ""  # what the user typed last, and with the turn that is spoken
        self.seeding = False  # whether the conversation so far is still to come
        self.calls: dict[str, dict[str, Any]] = {}
        self.answered = asyncio.Event()
        self.response: asyncio.Task[None] | None = None

    async def hold(self) -> None:
        try:
            async for message in self.connection:
                assert len(message) == 1, "a message is one of its kinds"
                assert set(message) <= MESSAGES, message
                await self._handle(message)
        finally:
            self.closed = True
            if self.response is not None:
                self.response.cancel()

    async def _tell(self, message: dict[str, Any]) -> None:
        from websockets.exceptions import ConnectionClosed

        if self.connection.fault is Fault.STRANGE:
            message = message | {"novelField": {"nested": [None, 1]}}
        with suppress(ConnectionClosed):
            await self.connection.send(json.dumps(message).encode())

    async def _content(self, **content: Any) -> None:
        await self._tell({"serverContent": content})

    async def _heard(self, words: str) -> None:
        await self.connection.greet(
            json.dumps({"serverContent": {"inputTranscription": {"text": words}}}).encode()
        )

    async def _handle(self, message: dict[str, Any]) -> None:
        if "setup" not in message:
            assert self.setup is not None, "the setup comes first"
            assert not self.seeding or "clientContent" in message, "the conversation so far comes first"
        match message:
            case {"setup": {**setup}}:
                await self._begin(setup)
            case {"realtimeInput": {"audio": {"data": str(data), "mimeType": "audio/pcm;rate=16000"}}}:
                await self._listen(b64decode(data, validate=True))
            case {"realtimeInput": {"video": {"data": str(data), "mimeType": str(kind)}}}:
                assert kind in ("image/jpeg", "image/png"), kind
                self.server.told.append(f"{len(b64decode(data))} bytes of a picture")
            case {"realtimeInput": {"activityStart": {}}}:
                await self._start_activity()
            case {"realtimeInput": {"activityEnd": {}}}:
                await self._end_activity()
            case {"clientContent": {"turnComplete": bool(complete), **content}}:
                await self._add(content.get("turns", []), complete)
            case {"toolResponse": {"functionResponses": [*results]}}:
                self._take(results)
            case _:
                raise AssertionError(f"not a message of the protocol: {message}")

    async def _begin(self, setup: dict[str, Any]) -> None:
        assert self.setup is None, "there is one setup"
        assert set(setup) <= SETUP, set(setup) - SETUP
        assert setup["model"].startswith(("models/gemini", "projects/")), setup
        assert setup["generationConfig"]["responseModalities"] == ["AUDIO"], setup
        for tool in setup.get("tools", ()):
            for declared in tool["functionDeclarations"]:
                assert set(declared) == {"name", "description", "parametersJsonSchema", "behavior"}, declared
                assert declared["name"] and declared["description"], declared
                assert declared["parametersJsonSchema"]["type"] == "object", declared
                assert declared["behavior"] == "BLOCKING", "else it would not wait for the results"
        self.setup = setup
        self.server.setups.append(setup)
        if (handle := setup["sessionResumption"].get("handle")) is not None:
            if not self.server.handles[handle].closed:
                await self.connection.fail(1011, "the session is in use")
                return
            self.server.told.append(f"resumes {handle}")
        announced = setup.get("historyConfig", {"initialHistoryInClientContent": False})
        self.seeding = announced["initialHistoryInClientContent"]
        assert not (self.seeding and "handle" in setup["sessionResumption"]), "it is known"
        await self.connection.greet(json.dumps({"setupComplete": {}}).encode())

    @property
    def _detects(self) -> bool:
        assert self.setup is not None
        return not self.setup["realtimeInputConfig"]["automaticActivityDetection"].get("disabled")

    async def _listen(self, pcm: bytes) -> None:
        loud, quiet = self.heard.loud, self.heard.quiet
        self.heard.feed(pcm)
        if not self._detects:
            assert self.active, "there is sound outside of an activity"
        elif self.heard.loud and not loud:
            self.speaking = True
            await self._interrupt()
        elif self.speaking and quiet < 0.3 <= self.heard.quiet:
            self.speaking = False
            self._answer(self.heard.answer())

    async def _start_activity(self) -> None:
        assert not self._detects, "activities are ours only without detection"
        assert not self.active, "an activity is open already"
        self.server.told.append("activityStart")
        self.active = True
        await self._interrupt()

    async def _end_activity(self) -> None:
        self.server.told.append("activityEnd")
        if not self.active or not self.heard.seconds:
            await self.connection.fail(1007, "No turn to complete")
            return
        self.active, words = False, self.heard.answer()
        self.heard = HeardAudio()
        noted, self.noted = self.noted, ""
        self._answer(words, you_said(noted) if "broke off" in noted else None)

    async def _add(self, turns: list[dict[str, Any]], complete: bool) -> None:
        if self.seeding:
            self.server.seeded += turns
            self.seeding = not complete
            return
        assert complete or not turns or self.active, "a conversation that was not announced"
        for turn in turns:
            assert turn["role"] in ("user", "model"), turn
            assert all(set(part) == {"text"} for part in turn["parts"]), "only text can be told"
        await self._interrupt()
        if not complete:
            self.noted = turns[-1]["parts"][-1]["text"] if turns else ""
            return
        self.active, self.heard = False, HeardAudio()
        texts = [part["text"] for part in turns[-1]["parts"]]
        self.server.told += texts
        self.last = said = texts[-1]
        verbatim = said.startswith("Say exactly")
        self._answer("", said.partition(": ")[2].strip('"') if verbatim else you_said(said))

    def _take(self, results: list[dict[str, Any]]) -> None:
        for result in results:
            call = self.calls.pop(result["id"])  # another id would be refused by the vendor too
            assert call["name"] == result["name"], result
            assert set(result["response"]) == {"output"}, result
            self.last = result["response"]["output"]
        if not self.calls:
            self.answered.set()

    async def _interrupt(self) -> None:
        if self.response is None or self.response.done():
            return
        self.response.cancel()
        await asyncio.wait([self.response])
        self.server.cancelled += 1
        if self.calls:
            await self._tell({"toolCallCancellation": {"ids": list(self.calls)}})
            self.calls = {}
        await self._content(interrupted=True)
        await self._complete()

    def _answer(self, heard: str, text: str | None = None) -> None:
        assert self.response is None or self.response.done(), "a response is in progress"
        self.response = asyncio.create_task(self._respond(heard, text))

    async def _respond(self, heard: str, text: str | None) -> None:
        assert self.setup is not None
        late = self.server.transcribes_late
        if heard and not late:
            for part in (heard[:7], heard[7:]) if self.setup.get("tools") else (heard[:7],):
                await self._heard(part)
        told = heard
        if self.server.silent:
            await self._complete()
            return
        await self._content(modelTurn={"parts": [{"text": "They want words.", "thought": True}]})
        if text is None and self.setup.get("tools"):
            await self._call(self.setup["tools"][0]["functionDeclarations"])
            heard = self.last
        said = text or you_said(heard or self.last or "nothing")
        voice = enumerate(spoken(said, self.server.rate))
        async for place, pcm in paced(self.server, voice):
            blob = {"mimeType": "audio/pcm;rate=24000", "data": b64encode(pcm).decode()}
            await self._content(modelTurn={"parts": [{"inlineData": blob}]})
            if not place:
                await self._content(outputTranscription={"text": said[:5]})
                if heard[7:] and text is None and not (late or self.setup.get("tools")):
                    await self._content(inputTranscription={"text": heard[7:]})
        await self._content(generationComplete=True)
        await self._content(outputTranscription={"text": said[5:]})
        await asyncio.sleep(PLAYED)
        await self._complete()
        for piece in (told[:7], told[7:]) if late and told else ():
            await self._content(inputTranscription={"text": piece})

    async def _call(self, declared: list[dict[str, Any]]) -> None:
        self.calls = {
            f"call-{self.turns}-{place}": {"name": tool["name"], "args": {"city": "Paris"}}
            for place, tool in enumerate(declared)
        }
        self.answered.clear()
        calls = [{"id": name} | call for name, call in self.calls.items()]
        await self._tell({"toolCall": {"functionCalls": calls}})
        await self.answered.wait()

    async def _complete(self) -> None:
        self.turns += 1
        usage = {"promptTokenCount": 20, "responseTokenCount": 30, "totalTokenCount": 50}
        await self._tell({"serverContent": {"turnComplete": True}, "usageMetadata": usage})
        handle = f"handle-{len(self.server.handles)}"
        self.server.handles[handle] = self
        await self._tell({"sessionResumptionUpdate": {"newHandle": handle, "resumable": True}})
        if self.turns == self.server.goes_away_after:
            await self._tell({"goAway": {"timeLeft": "50s"}})
