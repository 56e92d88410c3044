"""Kyutai's Unmute and Moshi.

https://github.com/kyutai-labs/unmute
https://github.com/kyutai-labs/moshi
"""

import asyncio
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

from ...audio.ogg_opus import OggOpusDecoder, OggOpusEncoder
from .server import Connection, Fault, HeardAudio, VendorServer, paced, spoken

__all__ = ["MoshiTalkServer", "UnmuteServer"]

QUIET = 300  # the loudest sample that is quiet: the codec leaves no zeros
ENDS_TURN = 0.7  # seconds of quiet; of a constant, as tests say it, Opus passes only the two ends


class _Ear:
    """Hears Opus in Ogg, and tells when a turn begins and ends."""

    def __init__(self) -> None:
        self._decode = OggOpusDecoder(16000)
        self.heard = HeardAudio()
        self.speaking = False
        self._begun = False

    def feed(self, data: bytes) -> list[bool]:
        """Return True for the beginning of a turn, False for the end of one."""
        if not self._begun:
            assert data[:4] == b"OggS", "not a page of Ogg"
            assert data[5] & 2, "the stream begins with its first page"
            self._begun = True
        pcm, told = self._decode(data), list[bool]()
        for at in range(0, len(pcm), 640):
            piece = memoryview(pcm[at : at + 640]).cast("h")
            loud = max(map(abs, piece), default=0) > QUIET
            self.heard.feed((b"\x00\x40" if loud else b"\x00\x00") * len(piece))
            if loud and not self.speaking:
                self.speaking = True
                told.append(True)
            elif self.speaking and self.heard.quiet >= ENDS_TURN:
                self.speaking = False
                told.append(False)
        return told


def _voice(text: str) -> list[bytes]:
    """Return the audio of a text by rule, as a tone of 1 kHz, which Opus can encode."""
    period = b"\x00\x20" * 12 + b"\x00\xe0" * 12
    return [period * (len(pcm) // 48) for pcm in spoken(text, 24000)]


class UnmuteServer(VendorServer):
    """Unmute by rule. With `greets` it speaks first, as it really does."""

    def __init__(self, fault: Fault | None = None, *, faulty: int = 1000, greets: bool = False) -> None:
        super().__init__(fault, faulty=faulty)
        self.greets = greets
        self.sessions: list[dict[str, Any]] = []
        """The settings that clients sent."""

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check path and subprotocol."""
        assert path == "/v1/realtime", path
        assert not query
        assert headers["sec-websocket-protocol"] == "realtime"

    async def talk(self, connection: Connection) -> None:
        """Hold one conversation."""
        session = _UnmuteSession(self, connection)
        try:
            async for message in connection:
                await session.told(message)
        finally:
            session.stop()


class _UnmuteSession:
    """The state of one session."""

    def __init__(self, server: UnmuteServer, connection: Connection) -> None:
        self.server = server
        self.connection = connection
        self.ear = _Ear()
        self.encode = OggOpusEncoder(24000)
        self.greets = server.greets
        self.response: asyncio.Task[None] | None = None

    def stop(self) -> bool:
        if self.response is None or self.response.done():
            return False
        self.response.cancel()
        return True

    async def told(self, message: dict[str, Any]) -> None:
        match message:
            case {"type": "session.update", "session": {**session}}:
                assert set(session) <= {"instructions", "voice", "allow_recording"}, session
                assert session["allow_recording"] is False
                assert set(session["instructions"]) <= {"type", "text", "language"}, session
                assert session["instructions"]["type"] == "constant", session
                assert session["instructions"]["text"]
                assert session["instructions"].get("language", "en") in ("en", "fr", "en/fr", "fr/en"), (
                    session
                )
                self.server.sessions.append(session)
                await self.connection.greet({"type": "session.updated", "session": session})
            case {"type": "input_audio_buffer.append", "audio": str(audio)}:
                assert self.server.sessions, "the settings come first"
                if self.greets:
                    self.greets = False
                    self.response = asyncio.create_task(self._respond("Hey there."))
                for begins in self.ear.feed(b64decode(audio, validate=True)):
                    await self._turn(begins)
            case _:
                raise AssertionError(f"not a message of the protocol: {message}")

    async def _turn(self, begins: bool) -> None:
        greet = self.connection.greet
        if begins:
            if self.stop():
                self.server.cancelled += 1
                await greet({"type": "unmute.interrupted_by_vad"})
            else:
                await greet({"type": "input_audio_buffer.speech_started"})
            return
        words = self.ear.heard.answer()
        for word in ("", *words.split()):
            kind = "conversation.item.input_audio_transcription.delta"
            await greet({"type": kind, "delta": word, "start_time": 0.1})
        await greet({"type": "input_audio_buffer.speech_stopped"})
        self.response = asyncio.create_task(self._respond(f"You said {words}."))

    async def _respond(self, text: str) -> None:
        from websockets.exceptions import ConnectionClosed

        send = self.connection.send
        try:
            response = {"object": "realtime.response", "status": "in_progress", "voice": "missing"}
            await send({"type": "response.created", "response": response})
            await send({"type": "response.text.done", "text": text})
            for word in text.split():
                await send({"type": "unmute.response.text.delta.ready", "delta": word})
                await send({"type": "response.text.delta", "delta": word})
            async for pcm in paced(self.server, _voice(text)):
                pages = b64encode(self.encode(pcm)).decode()
                await send({"type": "response.audio.delta", "delta": pages})
            await send({"type": "response.audio.done"})
            await send({"type": "unmute.additional_outputs", "args": {}})
        except ConnectionClosed:
            pass


class MoshiTalkServer(VendorServer):
    """Moshi by rule: it answers after 0.7 s of quiet."""

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check the path."""
        assert path == "/api/chat", path

    async def talk(self, connection: Connection) -> None:
        """Hold one conversation."""
        from websockets.exceptions import ConnectionClosed

        ear, encode = _Ear(), OggOpusEncoder(24000)
        connection.novelty = b"\x07novel"
        answering: asyncio.Task[None] | None = None

        async def answer(text: str) -> None:
            try:
                for word in text.split():
                    await connection.send(b"\x02 " + word.encode())
                async for pcm in paced(self, [*_voice(text), *[bytes(3840)] * 15]):
                    await connection.send(b"\x01" + encode(pcm))
            except ConnectionClosed:
                pass

        await connection.greet(b"\x00")
        try:
            async for message in connection:
                assert isinstance(message, bytes), "messages are binary"
                assert message[0] == 1, message[:20]
                for begins in ear.feed(message[1:]):
                    if not begins:
                        answering = asyncio.create_task(answer(f"You said {ear.heard.answer()}."))
        finally:
            if answering is not None:
                answering.cancel()
