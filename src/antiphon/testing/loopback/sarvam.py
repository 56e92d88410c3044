"""Sarvam's speech to text."""

from base64 import b64decode
from collections.abc import Mapping

from .server import KEY, Connection, HeardAudio, VendorServer

__all__ = ["SarvamSaaras"]


class SarvamSaaras(VendorServer):
    """Saaras: https://docs.sarvam.ai/api-reference-docs/speech-to-text"""

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check path, parameters and key."""
        assert path == "/speech-to-text-realtime/ws", path
        assert headers["api-subscription-key"] == KEY
        assert query["model"] in ("saaras:v3-realtime", "saaras:v4"), query
        assert query["language_code"], "a language is required"
        assert query["encoding"] == "linear16", query
        assert query["sample_rate"] in ("8000", "16000"), query
        assert query["endpointing"] == "vad", query

    async def talk(self, connection: Connection) -> None:
        """Tell partial words, and final ones after 0.3 s of quiet."""
        heard, utterance = HeardAudio(), 0
        await connection.greet({"event": "session.begin", "request_id": "1"})
        async for message in connection:
            match message:
                case {"event": "audio_input", "audio": str(audio)}:
                    heard.feed(b64decode(audio))
                    told = {"utterance_idx": utterance, "text": heard.words}
                    if heard.loud and heard.quiet >= 0.3:
                        await connection.send({"event": "vad.speech_end", "utterance_idx": utterance})
                        await connection.send({"event": "transcript.final"} | told)
                        heard.answer()
                        utterance += 1
                    elif heard.due():
                        await connection.send({"event": "transcript.partial"} | told)
                case {"event": "ping"}:
                    await connection.send({"event": "pong"})
                case {"event": "end"}:
                    await connection.send({"event": "session.end", "request_id": "1"})
                    await connection.close()
                case _:
                    raise AssertionError(f"not a message of the protocol: {message}")
