"""LMNT: https://docs.lmnt.com/build-with-lmnt/speech-sessions-api"""

from collections.abc import Mapping
from typing import Any

from .server import KEY, Connection, VendorServer, spoken, word_times

__all__ = ["LmntSessions"]

SETTINGS = {"X-API-Key", "lmnt-version", "voice", "language", "format", "sample_rate", "return_timestamps"}


class LmntSessions(VendorServer):
    """Speech sessions, which speak what is flushed."""

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check the path; the key comes in the first message."""
        assert path == "/v1/ai/speech/stream", path
        assert not query, query

    async def talk(self, connection: Connection) -> None:
        """Take the settings, then text; times begin at zero after each flush."""
        settings: dict[str, Any] = {}
        waiting = ""
        async for message in connection:
            match message:
                case {"X-API-Key": key} if not settings:
                    settings = message
                    assert key == KEY, "no such key"
                    assert settings.keys() <= SETTINGS, settings
                    assert settings["lmnt-version"] in ("1.1", "1.2"), settings
                    assert settings["format"] == "pcm_s16le", settings
                    assert settings["sample_rate"] in (8000, 16000, 24000), settings
                    await connection.greet({"type": "ready", "request_id": "1"})
                case {"type": "text", "text": str(text)} if settings:
                    waiting += text
                case {"type": "flush", "nonce": int(nonce)} if settings:
                    told = [
                        {"text": word, "start": start, "duration": end - start}
                        for word, start, end in zip(*word_times(waiting), strict=True)
                    ]
                    for pcm in spoken(waiting.strip(), settings["sample_rate"]):
                        await connection.send(pcm)
                    await connection.send({"type": "timestamps", "timestamps": told})
                    await connection.send({"type": "flush_complete", "nonce": nonce})
                    waiting = ""
                case {"type": "reset", "nonce": int(nonce)} if settings:
                    self.cancelled += 1
                    waiting = ""
                    await connection.send({"type": "reset_complete", "nonce": nonce})
                case {"type": "finish"} if settings:
                    await connection.close()
                case _:
                    raise AssertionError(f"not a message of the protocol: {message}")
