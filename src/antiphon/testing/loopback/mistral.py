"""Mistral: https://docs.mistral.ai/studio/audio/text-to-speech/overview"""

from array import array
from base64 import b64encode

from .http import HttpAnswer, HttpVendorServer, VendorRequest
from .server import KEY, spoken

__all__ = ["MistralVoxtral"]


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
        samples = array("h", b"".join(spoken(request.json["input"], 24000)))
        data = array("f", [sample / 32768 for sample in samples]).tobytes()
        for at in range(0, len(data), 9601):
            audio = b64encode(data[at : at + 9601]).decode()
            told = {"type": "speech.audio.delta", "audio_data": audio}
            await answer.event(told, "speech.audio.delta")
        await answer.event({"type": "speech.audio.done", "usage": {}}, "speech.audio.done")
