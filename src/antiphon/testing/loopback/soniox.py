"""Soniox."""

from collections.abc import Mapping

from .server import KEY, Connection, HeardAudio, VendorServer

__all__ = ["SonioxTokens"]


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
