"""xAI: https://docs.x.ai/developers/model-capabilities/audio/text-to-speech"""

from base64 import b64encode
from collections.abc import Mapping

from .server import KEY, Connection, VendorServer, graph, spoken

__all__ = ["XaiVoices"]


class XaiVoices(VendorServer):
    """Voices with times of characters, which come late."""

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check path, parameters and key."""
        assert path == "/v1/tts", path
        assert headers["authorization"] == f"Bearer {KEY}"
        assert query["voice"], query
        assert query["language"], query
        assert query["codec"] == "pcm", query
        assert query["with_timestamps"] == "true", query
        self.sample_rate = int(query["sample_rate"])

    async def talk(self, connection: Connection) -> None:
        """Speak at "text.done"; the times come in two messages without audio."""
        waiting = ""
        async for message in connection:
            match message:
                case {"type": "text.delta", "delta": str(text)}:
                    waiting += text
                case {"type": "text.done"}:
                    text, waiting = waiting.strip(), ""
                    for pcm in spoken(text, self.sample_rate):
                        await connection.send({"type": "audio.delta", "delta": b64encode(pcm).decode()})
                    for times in (graph(text[:5], 0), graph(text[5:], 5)):
                        await connection.send({"type": "audio.delta", "audio_timestamps": times})
                    await connection.send({"type": "audio.done"})
                case {"type": "text.clear"}:
                    self.cancelled += 1
                    waiting = ""
                    await connection.send({"type": "audio.clear"})
                case _:
                    raise AssertionError(f"not a message of the protocol: {message}")
