"""AssemblyAI's Universal Streaming."""

from collections.abc import Mapping

from .server import KEY, Connection, HeardAudio, VendorServer

__all__ = ["AssemblyAIUniversal"]


class AssemblyAIUniversal(VendorServer):
    """Universal Streaming: https://www.assemblyai.com/docs/streaming/message-sequence"""

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check path, parameters and key."""
        assert path == "/v3/ws", path
        assert headers["authorization"] == KEY, "the key stands alone, without a word before it"
        assert query["speech_model"].startswith("universal-"), query
        assert query["encoding"] == "pcm_s16le", query
        assert query["sample_rate"] == "16000", query
        assert query["format_turns"].lower() == "true", query

    async def talk(self, connection: Connection) -> None:
        """Tell words as they become final, and the end of a turn twice."""
        heard, turn = HeardAudio(), 0
        await connection.greet({"type": "Begin", "id": "1", "expires_at": 1759796682})
        async for message in connection:
            match message:
                case bytes():
                    assert 1600 <= len(message) <= 32000, f"{len(message)} bytes are not 50 to 1000 ms"
                    heard.feed(message)
                    if heard.due():
                        await connection.send(_turn(heard.words, turn))
                case {"type": "ForceEndpoint"} if heard.loud:
                    words = heard.answer()
                    await connection.send(_turn(words, turn, ended=True))
                    await connection.send(_turn(words, turn, ended=True) | {"turn_is_formatted": True})
                    turn += 1
                case {"type": "ForceEndpoint" | "KeepAlive" | "UpdateConfiguration"}:
                    pass
                case {"type": "Terminate"}:
                    await connection.send({"type": "Termination", "audio_duration_seconds": 1})
                    await connection.close()
                case _:
                    raise AssertionError(f"not a message of the protocol: {message}")


def _turn(words: str, turn: int, *, ended: bool = False) -> dict[str, object]:
    told = words.split()
    each = [
        {
            "text": word,
            "start": at,
            "end": at + 1,
            "confidence": 0.9,
            "word_is_final": ended or at + 1 < len(told),
        }
        for at, word in enumerate(told)
    ]
    return {
        "type": "Turn",
        "turn_order": turn,
        "turn_is_formatted": False,
        "end_of_turn": ended,
        "transcript": words if ended else " ".join(told[:-1]),
        "end_of_turn_confidence": 0.9 if ended else 0.1,
        "words": each,
        "utterance": "",
    }
