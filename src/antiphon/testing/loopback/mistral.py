"""Mistral's Voxtral."""

from base64 import b64decode
from collections.abc import Mapping

from .server import KEY, Connection, HeardAudio, VendorServer

__all__ = ["MistralVoxtral"]


class MistralVoxtral(VendorServer):
    """Voxtral.

    https://docs.mistral.ai/studio/audio/speech-to-text/transcribe-in-realtime
    """

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check path, model and key."""
        assert path == "/v1/audio/transcriptions/realtime", path
        assert query["model"].startswith("voxtral"), query
        assert headers["authorization"] == f"Bearer {KEY}"

    async def talk(self, connection: Connection) -> None:
        """Tell characters as they come, and all of them after a flush."""
        heard, told, configured = HeardAudio(), "", False
        await connection.greet({"type": "session.created", "session": {"request_id": "1"}})
        async for message in connection:
            match message:
                case {"type": "session.update"}:
                    session = message["session"]
                    assert not heard.seconds, "settings are fixed from the first audio"
                    assert session["audio_format"] == {"encoding": "pcm_s16le", "sample_rate": 16000}
                    configured = True
                    await connection.greet({"type": "session.updated", "session": session})
                case {"type": "input_audio.append", "audio": str(audio)}:
                    assert configured, "audio came before the settings"
                    heard.feed(b64decode(audio))
                    if heard.due():
                        delta = heard.words[len(told) : len(told) + 5]
                        told += delta
                        await connection.send({"type": "transcription.text.delta", "text": delta})
                case {"type": "input_audio.flush"}:
                    words, told = heard.answer(), ""
                    await connection.send({"type": "transcription.done", "text": words, "language": None})
                case {"type": "input_audio.end"}:
                    await connection.send({"type": "transcription.done", "text": heard.answer()})
                    await connection.close()
                case _:
                    raise AssertionError(f"not a message of the protocol: {message}")
