"""Gladia: a request that creates a session, and its websocket."""

import json
from collections.abc import Mapping
from typing import Any, Self

from .http import HttpAnswer, HttpVendorServer, VendorRequest
from .server import KEY, Connection, Fault, HeardAudio, VendorServer

__all__ = ["GladiaLive"]


HEARD = {"byte_range": [0, 1600], "time_range": [0.0, 0.05]}
WHEN = "2026-11-30T12:00:00.000Z"
END = {"type": "end_session", "session_id": "1", "created_at": WHEN}


class GladiaSessions(HttpVendorServer):
    """The request: https://docs.gladia.io/api-reference/v2/live/init"""

    socket = ""
    """The address of the websockets."""

    def check(self, request: VendorRequest) -> None:
        """Check key and fields."""
        assert (request.method, request.path) == ("POST", "/v2/live"), request
        assert request.headers["x-gladia-key"] == KEY
        asked = request.json
        assert (asked["encoding"], asked["bit_depth"], asked["channels"]) == ("wav/pcm", 16, 1), asked
        assert asked["sample_rate"] == 16000, asked
        assert 0.01 <= asked["endpointing"] <= 10, asked
        assert asked["messages_config"]["receive_partial_transcripts"], asked

    async def answer(self, request: VendorRequest, answer: HttpAnswer) -> None:
        """Create a session, whose token stands in its address."""
        await answer.begin("application/json")
        url = f"{self.socket}/v2/live?token=token-1"
        session = {"id": "1", "created_at": WHEN, "url": url}
        await answer.send(json.dumps(session).encode())


class GladiaLive(VendorServer):
    """The websocket: https://docs.gladia.io/api-reference/v2/live/websocket"""

    async def __aenter__(self) -> Self:
        """Listen for requests and for websockets."""
        await super().__aenter__()
        self._sessions = GladiaSessions(self.fault if self.fault in (Fault.REFUSED, Fault.LIMITED) else None)
        self._sessions.socket = self.url
        await self._sessions.__aenter__()
        self.url = self._sessions.url
        return self

    async def __aexit__(self, *reason: object) -> None:
        """Stop both."""
        await self._sessions.__aexit__(*reason)
        await super().__aexit__(*reason)

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check that the address is the session's own."""
        assert (path, query) == ("/v2/live", {"token": "token-1"}), (path, query)
        assert "x-gladia-key" not in headers, "the key belongs into the request"

    async def talk(self, connection: Connection) -> None:
        """Tell words, and the end of an utterance after 0.2 s of quiet."""
        heard = HeardAudio()
        async for message in connection:
            match message:
                case bytes():
                    heard.feed(message)
                    await connection.send(_message("audio_chunk", HEARD) | {"acknowledged": True})
                    if heard.loud and heard.quiet >= 0.2:
                        await connection.send(_transcript(heard.answer(), final=True))
                    elif heard.due():
                        await connection.send(_transcript(heard.words, final=False))
                case {"type": "stop_recording"}:
                    if heard.loud:
                        await connection.send(_transcript(heard.answer(), final=True))
                    await connection.send(_message("end_recording", {"recording_duration": heard.seconds}))
                    await connection.send(END)
                    await connection.close()
                case _:
                    raise AssertionError(f"not a message of the protocol: {message}")


def _transcript(words: str, *, final: bool) -> dict[str, Any]:
    utterance: dict[str, Any] = {"text": words, "language": "en", "words": [], "confidence": 0.9}
    utterance |= {"start": 0.0, "end": 1.0, "channel": 0}
    return _message("transcript", {"id": "0", "is_final": final, "utterance": utterance})


def _message(kind: str, data: dict[str, Any]) -> dict[str, Any]:
    return {"type": kind, "session_id": "1", "created_at": WHEN, "data": data}
