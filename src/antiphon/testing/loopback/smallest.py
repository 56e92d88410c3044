"""Smallest: https://docs.smallest.ai/waves/api-reference"""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from .server import KEY, Connection, VendorServer, spoken, word_times

__all__ = ["SmallestWaves"]


class SmallestWaves(VendorServer):
    """Waves: each text that is flushed is a request of its own.

    Its words count from its own audio. One "complete" follows the last, and the end of the connection.
    """

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check path and key."""
        assert path == "/waves/v1/tts/live", path
        assert headers["authorization"] == f"Bearer {KEY}"
        assert int(query.get("timeout", "60")) > 0, query

    async def talk(self, connection: Connection) -> None:
        """Send words, audio, and at the end that it is complete."""
        requests = 0
        async for message in connection:
            match message:
                case {"text": str(text), "voice_id": str(), "model": str(), "flush": True}:
                    requests += 1
                    about = {"request_id": str(requests)}
                    await self._speak(connection, message, text, about)
                    if not message.get("continue"):
                        await connection.send({"status": "complete", **about})
                case {"text": "", "continue": False, "flush": True}:
                    assert 0 <= message["complete_backoff_ms"] <= 1000, "4 s pass without it"
                    await connection.send({"status": "complete", "request_id": str(requests)})
                    await connection.close()
                case _:
                    raise AssertionError(f"not a message of the protocol: {message}")

    async def _speak(
        self, connection: Connection, message: Mapping[str, Any], text: str, about: Mapping[str, str]
    ) -> None:
        assert message.get("output_format", "pcm") == "pcm", message
        times = zip(*word_times(text), strict=True) if message.get("word_timestamps") else ()
        for place, (word, start, end) in enumerate(times):
            data = {"id": place, "word": word, "start": start, "end": end}
            await connection.send({"status": "word_timestamp", "data": data, **about})
        for pcm in spoken(text.strip(), message["sample_rate"]):
            data = {"audio": b64encode(pcm).decode()}
            await connection.send({"status": "chunk", "data": data, **about})
