"""Neuphonic: https://docs.neuphonic.com/api-reference/api-reference/websocket"""

from base64 import b64encode
from collections.abc import Mapping

from .server import KEY, Connection, VendorServer, spoken

__all__ = ["NeuphonicVoices"]


class NeuphonicVoices(VendorServer):
    """Voices that speak up to "<STOP>"."""

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check path, parameters and key."""
        assert path == f"/speak/{query['lang_code']}", path
        assert headers["x-api-key"] == KEY
        assert query["encoding"] == "pcm_linear", query
        assert query["voice_id"], query
        self.sample_rate = int(query["sampling_rate"])

    async def talk(self, connection: Connection) -> None:
        """Answer with audio; the last part of a text says that it is."""
        waiting = ""
        async for message in connection:
            match message:
                case {"text": str(text)}:
                    waiting += text
                    if not text.endswith("<STOP>"):
                        continue
                    parts = spoken(waiting.removesuffix("<STOP>").strip(), self.sample_rate)
                    waiting = ""
                    for place, pcm in enumerate(parts, 1):
                        data = {"audio": b64encode(pcm).decode(), "context_id": message.get("context_id")}
                        data |= {"text": text, "sampling_rate": self.sample_rate}
                        await connection.send({"data": data | {"stop": place == len(parts)}})
                case _:
                    raise AssertionError(f"not a message of the protocol: {message}")
