"""Speechify.

https://docs.speechify.ai/api-reference/tts/audio/stream-with-timestamps
"""

from base64 import b64encode

from .http import HttpAnswer, HttpVendorServer, VendorRequest
from .server import KEY, spoken, word_times

__all__ = ["SpeechifyVoices"]


class SpeechifyVoices(HttpVendorServer):
    """Voices whose marks lag behind their audio."""

    def check(self, request: VendorRequest) -> None:
        """Check key and fields."""
        assert request.method == "POST", request
        assert request.path == "/v1/audio/stream/with-timestamps", request
        assert request.headers["authorization"] == f"Bearer {KEY}"
        asked = request.json
        assert asked["voice_id"], asked
        assert asked["model"].startswith("simba"), asked
        assert asked["output_format"] == "pcm_24000", asked
        assert 0 < len(asked["input"]) <= 20000, asked

    async def answer(self, request: VendorRequest, answer: HttpAnswer) -> None:
        """Send audio, then all marks."""
        text, at = request.json["input"], 0
        await answer.begin("text/event-stream")
        for pcm in spoken(text, 24000):
            await _tell(answer, "speech.chunk", audio=b64encode(pcm).decode(), speech_marks=[])
        marks: list[dict[str, object]] = []
        for word, start, end in zip(*word_times(text), strict=True):
            at = text.index(word, at)
            times = {"start_time": int(start * 1000), "end_time": int(end * 1000)}
            marks.append({"type": "word", "value": word, "start": at, "end": at + len(word), **times})
            at += len(word)
        await _tell(answer, "speech.chunk", audio="", speech_marks=marks)
        await _tell(answer, "speech.done", audio_duration_ms=len(text) * 50)


async def _tell(answer: HttpAnswer, kind: str, **told: object) -> None:
    await answer.event({"type": kind, **told}, kind)
