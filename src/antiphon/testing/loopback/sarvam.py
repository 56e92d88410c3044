"""Sarvam: speech to text, and voices.

https://docs.sarvam.ai/api-reference-docs
"""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

from .server import KEY, Connection, HeardAudio, VendorServer, spoken

__all__ = ["SarvamBulbul", "SarvamSaaras"]


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


class SarvamBulbul(VendorServer):
    """Bulbul, which speaks what is flushed."""

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check path, parameters and key."""
        assert path == "/text-to-speech/ws", path
        assert headers["api-subscription-key"] == KEY
        assert query["model"].startswith("bulbul:"), query
        assert query["send_completion_event"] == "true", query

    async def talk(self, connection: Connection) -> None:
        """Take the configuration, then answer each flush with audio and "final"."""
        config: dict[str, Any] = {}
        waiting = ""
        async for message in connection:
            match message:
                case {"type": "config", "data": given} if not config:
                    config = given
                    assert config["output_audio_codec"] == "linear16", "the default is MP3"
                    assert config["language_code"], config
                    assert config["speech_sample_rate"] in (8000, 16000, 22050, 24000), config
                    assert 30 <= config["min_buffer_size"] <= 200, config
                case {"type": "text", "data": {"text": str(text)}} if config:
                    assert 0 < len(text) <= 2500, len(text)
                    waiting += text
                case {"type": "flush"} if config:
                    for pcm in spoken(waiting.strip(), config["speech_sample_rate"]):
                        data = {"audio": b64encode(pcm).decode(), "content_type": "audio/linear16"}
                        await connection.send({"type": "audio", "data": data})
                    await connection.send({"type": "event", "data": {"event_type": "final"}})
                    waiting = ""
                case {"type": "ping"}:
                    pass
                case _:
                    raise AssertionError(f"not a message of the protocol: {message}")
