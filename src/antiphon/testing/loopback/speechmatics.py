"""Speechmatics."""

from collections.abc import Mapping

from .http import HttpAnswer, HttpVendorServer, VendorRequest
from .server import KEY, Connection, Fault, HeardAudio, VendorServer, spoken

__all__ = ["SpeechmaticsRealtime", "SpeechmaticsVoices"]


class SpeechmaticsVoices(HttpVendorServer):
    """Voices: https://docs.speechmatics.com/text-to-speech/quickstart"""

    def check(self, request: VendorRequest) -> None:
        """Check path, key and text."""
        assert (request.method, request.path) == ("POST", "/generate/sarah"), request
        assert request.query == {"output_format": "pcm_16000"}, request
        assert request.headers["authorization"] == f"Bearer {KEY}"
        assert request.json.keys() == {"text"}, request

    async def answer(self, request: VendorRequest, answer: HttpAnswer) -> None:
        """Send samples."""
        if self.fault is Fault.MALFORMED:
            await answer.begin("text/html")
            await answer.send(b"<p>no audio today")
            return
        await answer.begin("application/octet-stream")
        for pcm in spoken(request.json["text"], 16000):
            await answer.send(pcm)


class SpeechmaticsRealtime(VendorServer):
    """Realtime.

    https://docs.speechmatics.com/api-ref/realtime-transcription-websocket
    """

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check path and key."""
        assert path == "/v2", path
        assert headers["authorization"] == f"Bearer {KEY}"

    async def talk(self, connection: Connection) -> None:
        """Tell partial words, and at the end of an utterance final ones in two pieces."""
        heard, chunks = HeardAudio(), 0
        async for message in connection:
            match message:
                case {"message": "StartRecognition", "audio_format": audio, "transcription_config": config}:
                    assert audio == {"type": "raw", "encoding": "pcm_s16le", "sample_rate": 16000}, audio
                    assert config["language"], config
                    await connection.greet({
                        "message": "RecognitionStarted", "id": "1",
                        "language_pack_info": {"word_delimiter": " "},
                    })  # fmt: skip
                case bytes():
                    chunks += 1
                    heard.feed(message)
                    await connection.send({"message": "AudioAdded", "seq_no": chunks})
                    if heard.due():
                        await connection.send(_transcript("AddPartialTranscript", heard.words.split()))
                case {"message": "ForceEndOfUtterance"} if heard.loud:
                    await self._finish(connection, heard)
                    await connection.send({"message": "EndOfUtterance", "forced": True, "metadata": {}})
                case {"message": "ForceEndOfUtterance"}:
                    pass
                case {"message": "EndOfStream", "last_seq_no": int(last)}:
                    assert last == chunks, f"{chunks} messages of audio came, not {last}"
                    await self._finish(connection, heard)
                    await connection.send({"message": "EndOfTranscript"})
                    await connection.close()
                case _:
                    raise AssertionError(f"not a message of the protocol: {message}")

    async def _finish(self, connection: Connection, heard: HeardAudio) -> None:
        words = heard.answer().split()
        if words:
            await connection.send(_transcript("AddTranscript", words[:2]))
            await connection.send(_transcript("AddTranscript", words[2:]))


def _transcript(message: str, words: list[str]) -> dict[str, object]:
    results = [{"type": "word", "alternatives": [{"content": word, "confidence": 1.0}]} for word in words]
    return {"message": message, "metadata": {"transcript": " ".join(words)}, "results": results}
