"""Inworld's speech to text."""

from base64 import b64decode
from collections.abc import Mapping

from .server import KEY, Connection, HeardAudio, VendorServer

__all__ = ["InworldTranscription"]


class InworldTranscription(VendorServer):
    """Speech to text.

    https://docs.inworld.ai/api-reference/sttAPI/speechtotext/transcribe-stream-websocket
    """

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check path and key."""
        assert path == "/stt/v1/transcribe:streamBidirectional", path
        assert headers["authorization"] == f"Basic {KEY}"

    async def talk(self, connection: Connection) -> None:
        """Tell interim words, and final ones at the end of a turn."""
        heard, configured = HeardAudio(), False
        async for message in connection:
            match message:
                case {"transcribeConfig": {"modelId": str(), "language": str(), **config}}:
                    assert config["audioEncoding"] == "LINEAR16", config
                    assert config["sampleRateHertz"] == 16000, config
                    configured = True
                case {"audioChunk": {"content": str(audio)}}:
                    assert configured, "audio came before the configuration"
                    heard.feed(b64decode(audio))
                    if heard.due():
                        await connection.send(_transcription(heard.words, final=False))
                case {"endTurn": {}}:
                    await connection.send(_transcription(heard.answer(), final=True))
                case {"closeStream": {}}:
                    await connection.send({"result": {"usage": {"transcribedAudioMs": 1000}}})
                    await connection.close()
                case _:
                    raise AssertionError(f"not a message of the protocol: {message}")


def _transcription(words: str, *, final: bool) -> dict[str, object]:
    return {"result": {"transcription": {"transcript": words, "isFinal": final, "wordTimestamps": []}}}
