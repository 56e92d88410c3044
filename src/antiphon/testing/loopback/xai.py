"""xAI: speech to text, and voices.

https://docs.x.ai/docs
"""

from base64 import b64encode
from collections.abc import Mapping

from .server import KEY, Connection, HeardAudio, VendorServer, graph, spoken

__all__ = ["XaiTranscripts", "XaiVoices"]


class XaiTranscripts(VendorServer):
    """Speech to text: https://docs.x.ai/developers/rest-api-reference

    Chunks become final at the first pause; the end of the utterance repeats them.
    """

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check path, parameters and key."""
        assert path == "/v1/stt", path
        assert headers["authorization"] == f"Bearer {KEY}"
        assert query["sample_rate"] == "16000", query
        assert query["encoding"] == "pcm", query
        assert query["interim_results"] == "true", query
        assert 0 <= int(query["endpointing"]) <= 5000, query

    async def talk(self, connection: Connection) -> None:
        """Tell chunks, and the end of an utterance after 0.3 s of quiet."""
        heard = HeardAudio()
        await connection.greet({"type": "transcript.created"})
        async for message in connection:
            match message:
                case bytes():
                    heard.feed(message)
                    if heard.loud and heard.quiet >= 0.3:
                        for chunk in (heard.words[:9], heard.words[9:].strip()):
                            await connection.send(_partial(chunk, final=True))
                        await connection.send(_partial(heard.answer(), final=True, ended=True))
                    elif heard.due():
                        await connection.send(_partial(heard.words))
                case {"type": "audio.done"}:
                    await connection.send({"type": "transcript.done", "text": heard.answer()})
                    await connection.close()
                case _:
                    raise AssertionError(f"not a message of the protocol: {message}")


def _partial(words: str, *, final: bool = False, ended: bool = False) -> dict[str, object]:
    return {
        "type": "transcript.partial",
        "text": words,
        "is_final": final,
        "speech_final": ended,
        "words": [],
    }


class XaiVoices(VendorServer):
    """Voices with times of characters, which come late."""

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check path, parameters and key."""
        assert path == "/v1/tts", path
        assert headers["authorization"] == f"Bearer {KEY}"
        assert query["voice"], query
        assert query["language"], query
        assert query["codec"] == "pcm", query
        self.timed = query.get("with_timestamps") == "true"
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
                    for times in (graph(text[:5], 0), graph(text[5:], 5)) if self.timed else ():
                        await connection.send({"type": "audio.delta", "audio_timestamps": times})
                    await connection.send({"type": "audio.done"})
                case {"type": "text.clear"}:
                    self.cancelled += 1
                    waiting = ""
                    await connection.send({"type": "audio.clear"})
                case _:
                    raise AssertionError(f"not a message of the protocol: {message}")
