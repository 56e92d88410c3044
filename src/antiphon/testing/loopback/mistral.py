"""Mistral: speech to text, and voices.

https://docs.mistral.ai/studio/audio
"""

from array import array
from base64 import b64decode, b64encode
from collections.abc import Mapping

from .http import HttpAnswer, HttpVendorServer, VendorRequest
from .server import KEY, Connection, HeardAudio, VendorServer, spoken

__all__ = ["MistralGenerations", "MistralRealtime", "MistralVoxtral"]


AUDIO = {"encoding": "pcm_s16le", "sample_rate": 16000}
SESSION = {"request_id": "1", "model": "voxtral-mini-transcribe-realtime-2602", "audio_format": AUDIO}

DONE = {"type": "transcription.done", "model": SESSION["model"], "language": None, "usage": {}}


class MistralRealtime(VendorServer):
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
        await connection.greet({"type": "session.created", "session": SESSION})
        async for message in connection:
            match message:
                case {"type": "session.update"}:
                    session = message["session"]
                    assert not heard.seconds, "settings are fixed from the first audio"
                    assert session["audio_format"] == AUDIO, session
                    configured = True
                    await connection.greet({"type": "session.updated", "session": SESSION})
                case {"type": "input_audio.append", "audio": str(audio)}:
                    assert configured, "audio came before the settings"
                    heard.feed(b64decode(audio))
                    if heard.due():
                        delta = heard.words[len(told) : len(told) + 5]
                        told += delta
                        await connection.send({"type": "transcription.text.delta", "text": delta})
                case {"type": "input_audio.flush"}:
                    words, told = heard.answer(), ""
                    await connection.send(DONE | {"text": words})
                case {"type": "input_audio.end"}:
                    await connection.send(DONE | {"text": heard.answer()})
                    await connection.close()
                case _:
                    raise AssertionError(f"not a message of the protocol: {message}")


class MistralVoxtral(HttpVendorServer):
    """Voxtral, whose samples are 32-bit floats."""

    def check(self, request: VendorRequest) -> None:
        """Check key and fields."""
        assert (request.method, request.path) == ("POST", "/v1/audio/speech"), request
        assert request.headers["authorization"] == f"Bearer {KEY}"
        asked = request.json
        assert asked["model"].startswith("voxtral"), asked
        assert asked["voice_id"], asked
        assert asked["response_format"] == "pcm", asked
        assert asked["stream"] is True, asked
        assert asked["input"], asked

    async def answer(self, request: VendorRequest, answer: HttpAnswer) -> None:
        """Send floats, cut inside of samples."""
        await answer.begin("text/event-stream")
        for told in _deltas(request.json["input"]):
            await answer.event(told, "speech.audio.delta")
        await answer.event({"type": "speech.audio.done", "usage": {}}, "speech.audio.done")


class MistralGenerations(VendorServer):
    """Voxtral's voices in real time: each flush ends a generation.

    https://docs.mistral.ai/studio/audio/text-to-speech/speak-in-realtime
    """

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check path, model and key."""
        assert path == "/v1/audio/speech/realtime", path
        assert query["model"].startswith("voxtral"), query
        assert headers["authorization"] == f"Bearer {KEY}"

    async def talk(self, connection: Connection) -> None:
        """Take the settings, then speak what is flushed."""
        session = {
            "request_id": "1",
            "model": "voxtral-mini-tts-3",
            "voice": None,
            "is_ref_audio": False,
            "streaming_mode": "responsive",
            "response_format": "wav",
            "expressiveness": 1.0,
        }
        waiting, configured = "", False
        await connection.greet({"type": "session.created", "session": session})
        async for message in connection:
            match message:
                case {"type": "session.update", "session": {"voice": str(), "response_format": "pcm"}}:
                    configured = True
                    updated = {"type": "session.updated", "session": session | message["session"]}
                    await connection.greet(updated)
                case {"type": "input_text.append", "text": str(text)} if configured:
                    waiting += text
                case {"type": "input_text.flush"} if configured:
                    for told in _deltas(waiting + message.get("text", "")):
                        await connection.send(told)
                    await connection.send({"type": "speech.audio.done", "usage": {"total_tokens": 1}})
                    waiting = ""
                case _:
                    raise AssertionError(f"not a message of the protocol: {message}")


def _deltas(text: str) -> list[dict[str, str]]:
    """Return the audio of a text as floats, cut inside of samples."""
    pcm = array("h", b"".join(spoken(text, 24000)))
    data = array("f", (sample / 32768 for sample in pcm)).tobytes()
    parts = (b64encode(data[at : at + 9601]).decode() for at in range(0, len(data), 9601))
    return [{"type": "speech.audio.delta", "audio_data": part} for part in parts]
