"""xAI's speech to text."""

from collections.abc import Mapping

from .server import KEY, Connection, HeardAudio, VendorServer

__all__ = ["XaiTranscripts"]


class XaiTranscripts(VendorServer):
    """Speech to text: https://docs.x.ai/developers/rest-api-reference

    A chunk becomes final at the first pause; the end of the utterance repeats it.
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
                        await connection.send(_partial(heard.words[:9], final=True))
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
