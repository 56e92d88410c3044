"""Inworld: speech to text, and voices.

https://docs.inworld.ai/api-reference
"""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

from .server import KEY, Connection, HeardAudio, VendorServer, spoken, word_times

__all__ = ["InworldTranscription", "InworldVoices"]


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


class InworldVoices(VendorServer):
    """Voices with up to five contexts, which speak what is flushed."""

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check path and key."""
        assert path == "/tts/v1/voice:streamBidirectional", path
        assert headers["authorization"] == f"Basic {KEY}"

    async def talk(self, connection: Connection) -> None:
        """Answer each flush with audio and words, whose times begin at zero."""
        waiting: dict[str, str] = {}
        rates: dict[str, int] = {}
        async for message in connection:
            match message:
                case {
                    "create": {"voiceId": str(), "modelId": str(), "audioConfig": form},
                    "contextId": context,
                }:
                    assert context not in waiting, "a context is created once"
                    assert len(waiting) < 5, "more than five contexts"
                    assert form["audioEncoding"] == "PCM", "other encodings have a header on each chunk"
                    waiting[context], rates[context] = "", form["sampleRateHertz"]
                    await connection.send(_result(context, contextCreated={}))
                case {"send_text": {"text": str(text), **more}, "contextId": context}:
                    assert 0 < len(text) <= 1000, len(text)
                    waiting[context] += text
                    if "flush_context" in more:
                        await self._speak(connection, context, waiting[context], rates[context])
                        waiting[context] = ""
                case {"flush_context": {}, "contextId": context}:
                    await self._speak(connection, context, waiting[context], rates[context])
                    waiting[context] = ""
                case {"close_context": {}, "contextId": context}:
                    self.cancelled += 1
                    if context in waiting:
                        del waiting[context]
                        await connection.send(_result(context, contextClosed={}))
                    else:
                        await connection.send(_result(context, status={"code": 5, "message": "not found"}))
                case _:
                    raise AssertionError(f"not a message of the protocol: {message}")

    async def _speak(self, connection: Connection, context: str, text: str, rate: int) -> None:
        words, starts, ends = word_times(text)
        times = {"words": words, "wordStartTimeSeconds": starts, "wordEndTimeSeconds": ends}
        for place, pcm in enumerate(spoken(text.strip(), rate)):
            chunk: dict[str, Any] = {"audioContent": b64encode(pcm).decode()}
            if place == 0:
                chunk["timestampInfo"] = {"wordAlignment": times}
            await connection.send(_result(context, audioChunk=chunk, status={"code": 0}))
        await connection.send(_result(context, flushCompleted={}))


def _result(context: str, **told: object) -> dict[str, object]:
    return {"result": {"contextId": context, **told}}
