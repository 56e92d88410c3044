"""Soniox: speech to text, and voices.

https://soniox.com/docs
"""

from base64 import b64encode
from collections.abc import Mapping

from .server import KEY, SECONDS_PER_CHARACTER, Connection, HeardAudio, VendorServer, spoken

__all__ = ["SonioxStreams", "SonioxTokens"]


class SonioxTokens(VendorServer):
    """Speech to text in tokens.

    https://soniox.com/docs/stt/api-reference/websocket-api
    """

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check path and key."""
        assert path == "/transcribe-websocket", path
        assert headers["authorization"] == f"Bearer {KEY}"
        assert not query, query

    async def talk(self, connection: Connection) -> None:
        """Tell tokens that may change, and final ones once.

        The first two become final early.
        """
        heard, settled, setup = HeardAudio(), 0, False
        async for message in connection:
            match message:
                case {"model": str(), "audio_format": "pcm_s16le", "sample_rate": 16000, "num_channels": 1}:
                    assert not setup, "set up twice"
                    assert "api_key" not in message, "the key does not belong into a message"
                    setup = True
                case bytes():
                    assert setup, "audio came before the first message"
                    heard.feed(message)
                    if heard.due():
                        tokens = _tokens(heard.words)
                        changing = [token | {"is_final": False} for token in tokens[max(settled, 2) :]]
                        await connection.send({"tokens": tokens[settled:2] + changing})
                        settled = max(settled, 2)
                case {"type": "finalize"}:
                    tokens = _tokens(heard.answer())[settled:]
                    settled = 0
                    await connection.send({"tokens": [*tokens, {"text": "<fin>", "is_final": True}]})
                case "":
                    await connection.send({"tokens": _tokens(heard.answer())[settled:]})
                    await connection.send({"tokens": [], "finished": True})
                    await connection.close()
                case {"type": "keepalive"}:
                    pass
                case _:
                    raise AssertionError(f"not a message of the protocol: {message}")


def _tokens(words: str) -> list[dict[str, object]]:
    """Cut words into pieces of four characters, which carry their own spaces."""
    return [{"text": words[at : at + 4], "is_final": True} for at in range(0, len(words), 4)]


class SonioxStreams(VendorServer):
    """Voices: up to five streams on a connection, whose times count on.

    https://soniox.com/docs/api-reference/tts/websocket-api
    """

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check path and key."""
        assert path == "/tts-websocket", path
        assert headers["authorization"] == f"Bearer {KEY}"

    async def talk(self, connection: Connection) -> None:
        """Speak each text of a stream that was set up."""
        spoken_characters: dict[str, int] = {}
        async for message in connection:
            match message:
                case {"model": str(), "language": str(), "voice": str(), "stream_id": str(name)}:
                    assert name not in spoken_characters, "a stream is set up once"
                    assert len(spoken_characters) < 5, "more than five streams"
                    assert message["audio_format"] == "pcm_s16le", message
                    assert message["sample_rate"] == 24000, message
                    assert message["return_timestamps"] is True, message
                    spoken_characters[name] = 0
                case {"stream_id": str(name), "cancel": True}:
                    self.cancelled += 1
                    if spoken_characters.pop(name, None) is not None:  # else it has just ended
                        await connection.send({"terminated": True, "stream_id": name})
                case {"text": str(text), "text_end": bool(ends), "stream_id": str(name)}:
                    assert ends or text, "a text is empty"
                    assert len(text) <= 5000, len(text)
                    begin = spoken_characters[name]
                    times = [SECONDS_PER_CHARACTER * (begin + at) for at in range(len(text) + 1)]
                    spelled = {
                        "characters": list(text),
                        "character_start_times_seconds": times[:-1],
                        "character_end_times_seconds": times[1:],
                    }
                    for place, pcm in enumerate(spoken(text, 24000)):
                        told = {"audio": b64encode(pcm).decode(), "audio_end": False, "stream_id": name}
                        await connection.send(told | ({"timestamps": spelled} if place == 0 else {}))
                    spoken_characters[name] += len(text)
                    if ends:
                        del spoken_characters[name]
                        await connection.send({"audio": "", "audio_end": True, "stream_id": name})
                        await connection.send({"terminated": True, "stream_id": name})
                case {"keep_alive": True}:
                    pass
                case _:
                    raise AssertionError(f"not a message of the protocol: {message}")
