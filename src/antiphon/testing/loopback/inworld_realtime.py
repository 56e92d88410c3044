"""Inworld's speech to speech.

https://docs.inworld.ai/api-reference/realtimeAPI/realtime/realtime-websocket
"""

from collections.abc import Mapping
from typing import Any

from .openai_realtime import OpenAIRealtimeServer, ServedConversation, SessionRules
from .server import KEY, Connection

__all__ = ["InworldRealtimeServer"]

SETTINGS = {"type", "model", "instructions", "output_modalities", "audio", "tools", "tool_choice",
            "temperature", "max_output_tokens", "providerData"}  # fmt: skip


class InworldRules(SessionRules):
    """The voice has a model of its own; later settings may hold anything."""

    def check_session(self, session: dict[str, Any]) -> None:
        assert session["type"] == "realtime"
        assert set(session) <= SETTINGS, set(session) - SETTINGS
        assert "/" in session["model"], session
        assert session["output_modalities"] in (["audio", "text"], ["audio"], ["text"]), session
        assert session["audio"]["output"]["model"].startswith("inworld-tts"), session
        for side in ("input", "output"):
            assert session["audio"][side]["format"] == {"type": "audio/pcm", "rate": 24000}, session

    @property
    def speaks(self) -> bool:
        return "audio" in self.session["output_modalities"]


class InworldConversation(ServedConversation):
    """What a call's arguments belong to is told only with its item."""

    async def send(self, kind: str, **values: Any) -> None:
        if kind == "response.function_call_arguments.done":
            del values["name"]
        await super().send(kind, **values)


class InworldRealtimeServer(OpenAIRealtimeServer):
    """A pipeline behind OpenAI's protocol."""

    rules = InworldRules
    conversation = InworldConversation

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.keys: set[str] = set()

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check path, session and key."""
        assert path == "/api/v1/realtime/session", path
        assert set(query) == {"key", "protocol"}, query
        assert query["protocol"] == "realtime", query
        assert query["key"] not in self.keys, "a session has an id of its own"
        self.keys.add(query["key"])
        assert headers["authorization"] == f"Basic {KEY}"

    async def talk(self, connection: Connection) -> None:
        """Hold one conversation; the vendor pings in JSON."""
        await connection.greet({"type": "ping"})
        await super().talk(connection)
