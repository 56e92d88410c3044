"""Hume: https://dev.hume.ai/reference/text-to-speech-tts/stream-input"""

from base64 import b64encode
from collections.abc import Mapping

from .server import KEY, Connection, VendorServer, spoken, word_times

__all__ = ["HumeOctave"]


class HumeOctave(VendorServer):
    """Octave, which knows 48 kHz only."""

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check path, parameters and key."""
        assert path == "/v0/tts/stream/input", path
        assert query["api_key"] == KEY, query
        assert query["format_type"] == "pcm", query
        assert query["strip_headers"] == query["no_binary"] == query["instant_mode"] == "true", query
        assert query["include_timestamp_types"] == "word", query

    async def talk(self, connection: Connection) -> None:
        """Speak each text that is flushed, in two snippets, with its words first."""
        async for message in connection:
            match message:
                case {"text": str(text), "flush": True, "voice": {"name": str()}}:
                    for word, start, end in zip(*word_times(text), strict=True):
                        time = {"begin": int(start * 1000), "end": int(end * 1000)}
                        stamp = {"type": "word", "text": word, "time": time}
                        await connection.send({"type": "timestamp", "timestamp": stamp})
                    for snippet in snippets(text):
                        parts = spoken(snippet, 48000)
                        for place, pcm in enumerate(parts, 1):
                            audio = {"type": "audio", "audio": b64encode(pcm).decode(), "text": snippet}
                            await connection.send(audio | {"is_last_chunk": place == len(parts)})
                case _:
                    raise AssertionError(f"not a message of the protocol: {message}")


def snippets(text: str) -> list[str]:
    """Return the two halves of a text, or all of it if it is one word."""
    at = text.find(" ", len(text) // 2) + 1
    return [part for part in (text[:at], text[at:]) if part]
