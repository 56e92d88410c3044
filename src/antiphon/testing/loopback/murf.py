"""Murf: https://murf.ai/api/docs/text-to-speech/web-sockets"""

from base64 import b64encode
from collections.abc import Mapping

from .server import KEY, Connection, VendorServer, spoken

__all__ = ["MurfVoices"]


class MurfVoices(VendorServer):
    """Voices that speak each text of a context at once."""

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check path, parameters and key."""
        assert path == "/v1/speech/stream-input", path
        assert headers["api-key"] == KEY
        assert query["model"] in ("FALCON", "GEN2"), query
        assert query["format"].upper() == "PCM", query
        self.sample_rate = int(query["sample_rate"])

    async def talk(self, connection: Connection) -> None:
        """Answer texts with audio, and the end of a context with "final"."""
        async for message in connection:
            match message:
                case {"context_id": str(), "clear": True}:
                    self.cancelled += 1
                case {"context_id": str(context), "text": str(text), "voice_config": {"voice_id": str()}}:
                    for pcm in spoken(text.strip(), self.sample_rate):
                        audio = b64encode(pcm).decode()
                        await connection.send({"audio": audio, "context_id": context})
                case {"context_id": str(context), "end": True}:
                    await connection.send({"final": True, "context_id": context})
                case _:
                    raise AssertionError(f"not a message of the protocol: {message}")
