"""OpenAI's speech, as all endpoints for it speak."""

from .http import HttpAnswer, HttpVendorServer, VendorRequest
from .server import KEY, Fault, spoken

__all__ = ["OpenAISpeechServer"]


class OpenAISpeechServer(HttpVendorServer):
    """Voices by rule.

    https://platform.openai.com/docs/api-reference/audio/createSpeech
    """

    def check(self, request: VendorRequest) -> None:
        """Check key and fields."""
        assert (request.method, request.path) == ("POST", "/audio/speech"), request
        assert request.headers["authorization"] == f"Bearer {KEY}"
        asked = request.json
        assert 0 < len(asked["input"]) <= 4096, asked
        assert asked["voice"], asked
        assert asked["model"], asked
        assert asked["response_format"] == "pcm", asked

    async def answer(self, request: VendorRequest, answer: HttpAnswer) -> None:
        """Send samples, cut at odd places."""
        if self.fault is Fault.MALFORMED:
            await answer.begin("application/json")
            await answer.send(b'{"message": "no audio today"}')
            return
        await answer.begin("audio/pcm")
        pcm = b"".join(spoken(request.json["input"], 24000))
        for at in range(0, len(pcm), 4801):
            await answer.send(pcm[at : at + 4801])
