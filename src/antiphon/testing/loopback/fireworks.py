"""Fireworks' transcription in real time."""

from collections.abc import Mapping

from .server import KEY, Connection, HeardAudio, VendorServer

__all__ = ["FireworksSegments"]


class FireworksSegments(VendorServer):
    """Transcription.

    https://docs.fireworks.ai/api-reference/audio-streaming-transcriptions
    """

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check path, parameters and key."""
        assert path == "/v1/audio/transcriptions/streaming", path
        assert headers["authorization"] == KEY, "the key stands alone, without a word before it"
        assert query["response_format"] == "verbose_json", query

    async def talk(self, connection: Connection) -> None:
        """Tell two segments, which go on with what was heard before."""
        heard, before = HeardAudio(), ""
        async for message in connection:
            match message:
                case bytes():
                    assert len(message) <= 12800, "a message of more than 400 ms"
                    heard.feed(message)
                    if heard.due():
                        await connection.send(_segments(f"{before} {heard.words[:13]}", final=False))
                case {"checkpoint_id": str(name)}:
                    before = f"{before} {heard.answer()}".strip()
                    await connection.send(_segments(before, final=True))
                    await connection.send({"checkpoint_id": name})
                    if name == "final":
                        await connection.close()
                case _:
                    raise AssertionError(f"not a message of the protocol: {message}")


def _segments(words: str, *, final: bool) -> dict[str, object]:
    """Return all words so far, of which the first two are a segment of their own."""
    told = words.split()
    segments: list[dict[str, object]] = []
    for part in (told[:2], told[2:]):
        if part:
            each = [{"word": word, "is_final": final} for word in part]
            segments.append({"id": len(segments), "text": " ".join(part), "words": each})
    return {"segments": segments}
