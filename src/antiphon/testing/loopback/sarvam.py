"""Sarvam: https://docs.sarvam.ai/api-reference-docs/text-to-speech/websocket"""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from .server import KEY, Connection, VendorServer, spoken

__all__ = ["SarvamBulbul"]


class SarvamBulbul(VendorServer):
    """Bulbul, which speaks what is flushed."""

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check path, parameters and key."""
        assert path == "/text-to-speech/ws", path
        assert headers["api-subscription-key"] == KEY
        assert query["model"].startswith("bulbul:"), query
        assert query["send_completion_event"] == "true", query

    async def talk(self, connection: Connection) -> None:
        """Take the configuration, then answer each flush with audio and "final"."""
        config: dict[str, Any] = {}
        waiting = ""
        async for message in connection:
            match message:
                case {"type": "config", "data": given} if not config:
                    config = given
                    assert config["output_audio_codec"] == "linear16", "the default is MP3"
                    assert isinstance(config["speech_sample_rate"], str), config
                    assert 30 <= config["min_buffer_size"] <= 200, config
                case {"type": "text", "data": {"text": str(text)}} if config:
                    assert 0 < len(text) <= 2500, len(text)
                    waiting += text
                case {"type": "flush"} if config:
                    for pcm in spoken(waiting.strip(), int(config["speech_sample_rate"])):
                        data = {"audio": b64encode(pcm).decode(), "content_type": "audio/linear16"}
                        await connection.send({"type": "audio", "data": data})
                    await connection.send({"type": "event", "data": {"event_type": "final"}})
                    waiting = ""
                case {"type": "ping"}:
                    pass
                case _:
                    raise AssertionError(f"not a message of the protocol: {message}")
