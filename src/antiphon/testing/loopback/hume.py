"""Hume: https://dev.hume.ai/reference/text-to-speech-tts/stream-input"""

from base64 import b64encode
from collections.abc import Mapping

from .server import KEY, Connection, VendorServer, spoken, word_times

__all__ = ["HumeOctave"]

ABOUT = {"request_id": "1", "generation_id": "2", "snippet_id": "3"}


class HumeOctave(VendorServer):
    """Octave, which knows 48 kHz only."""

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check path, parameters and key."""
        assert path == "/v0/tts/stream/input", path
        assert query["api_key"] == KEY, query
        assert query["format_type"] == "pcm", query
        flags = [query[name].lower() for name in ("strip_headers", "no_binary", "instant_mode")]
        assert flags == ["true"] * 3, query
        assert query["include_timestamp_types"] == "word", query

    async def talk(self, connection: Connection) -> None:
        """Speak each text that is flushed, in two snippets, with its words first."""
        async for message in connection:
            match message:
                case {"close": True}:
                    await connection.close()
                case {"text": str(text), "flush": True, "voice": {"name": str()}}:
                    for word, start, end in zip(*word_times(text), strict=True):
                        time = {"begin": int(start * 1000), "end": int(end * 1000)}
                        stamp = {"type": "word", "text": word, "time": time}
                        await connection.send(ABOUT | {"type": "timestamp", "timestamp": stamp})
                    for snippet in snippets(text):
                        parts = spoken(snippet, 48000)
                        for place, pcm in enumerate(parts, 1):
                            audio = {"type": "audio", "audio": b64encode(pcm).decode(), "text": snippet}
                            audio |= {"audio_format": "pcm", "chunk_index": place - 1}
                            await connection.send(ABOUT | audio | {"is_last_chunk": place == len(parts)})
                case _:
                    raise AssertionError(f"not a message of the protocol: {message}")


def snippets(text: str) -> list[str]:
    """Return the two halves of a text, or all of it if it is one word."""
    at = text.find(" ", len(text) // 2) + 1
    return [part for part in (text[:at], text[at:]) if part]
