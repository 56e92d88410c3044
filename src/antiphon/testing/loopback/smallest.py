"""Smallest: https://docs.smallest.ai/waves/api-reference"""

from base64 import b64encode
from collections.abc import Mapping

from .server import KEY, Connection, VendorServer, spoken, word_times

__all__ = ["SmallestWaves"]


class SmallestWaves(VendorServer):
    """Waves, which answers each text by itself."""

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check path and key."""
        assert path == "/waves/v1/tts/live", path
        assert headers["authorization"] == f"Bearer {KEY}"
        assert int(query.get("timeout", "60")) > 0, query

    async def talk(self, connection: Connection) -> None:
        """Send words, audio, and that it is complete."""
        async for message in connection:
            match message:
                case {"text": str(text), "voice_id": str(), "model": str(), "flush": True}:
                    assert message.get("output_format", "pcm") == "pcm", message
                    about = {"request_id": "1"}
                    times = zip(*word_times(text), strict=True) if message.get("word_timestamps") else ()
                    for word, start, end in times:
                        data = {"word": word, "start": start, "end": end}
                        await connection.send({"status": "word_timestamp", "data": data, **about})
                    for pcm in spoken(text.strip(), message["sample_rate"]):
                        data = {"audio": b64encode(pcm).decode()}
                        await connection.send({"status": "chunk", "data": data, **about})
                    await connection.send({"status": "complete", **about})
                case _:
                    raise AssertionError(f"not a message of the protocol: {message}")
