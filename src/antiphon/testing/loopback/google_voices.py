"""Google: Gemini's and Cloud's voices."""

import json
import re
from base64 import b64encode

from ...services.wav import wav
from .google import proto_field
from .http import HttpAnswer, HttpVendorServer, VendorRequest
from .server import KEY, Fault, spoken

__all__ = ["GoogleCloudVoices", "GoogleGeminiVoices"]


class GoogleGeminiVoices(HttpVendorServer):
    """Gemini: https://ai.google.dev/gemini-api/docs/speech-generation"""

    def check(self, request: VendorRequest) -> None:
        """Check key and fields."""
        assert re.fullmatch(
            r"/v1(?:beta)?/models/gemini-[\w.-]*tts[\w.-]*:streamGenerateContent", request.path
        )
        assert request.query["alt"] == "sse", request
        assert request.headers["x-goog-api-key"] == KEY
        config = request.json["generationConfig"]
        assert config["responseModalities"] == ["AUDIO"], config
        voice = proto_field(proto_field(config["speechConfig"], "voiceConfig"), "prebuiltVoiceConfig")
        assert proto_field(voice, "voiceName"), config

    async def answer(self, request: VendorRequest, answer: HttpAnswer) -> None:
        """Send what stands between quotation marks."""
        said = request.json["contents"][0]["parts"][0]["text"].partition('"')[2].rstrip('"')
        await answer.begin("text/event-stream")
        for pcm in spoken(said, 24000):
            data = {"mimeType": "audio/L16;codec=pcm;rate=24000", "data": b64encode(pcm).decode()}
            await answer.event({"candidates": [{"content": {"parts": [{"inlineData": data}]}}]})
        await answer.event({"candidates": [{"finishReason": "STOP"}], "usageMetadata": {}})


class GoogleCloudVoices(HttpVendorServer):
    """Cloud.

    https://cloud.google.com/text-to-speech/docs/reference/rest/v1/text/synthesize
    """

    def check(self, request: VendorRequest) -> None:
        """Check key and fields."""
        assert (request.method, request.path) == ("POST", "/v1/text:synthesize"), request
        token = request.headers.get("authorization") == f"Bearer {KEY}"
        assert token or request.headers["x-goog-api-key"] == KEY
        asked = request.json
        assert asked["input"]["text"], asked
        assert asked["voice"]["name"].startswith(asked["voice"]["languageCode"]), asked
        assert asked["audioConfig"]["audioEncoding"] == "LINEAR16", asked

    async def answer(self, request: VendorRequest, answer: HttpAnswer) -> None:
        """Send a WAV file, whole."""
        rate = request.json["audioConfig"]["sampleRateHertz"]
        pcm = b"".join(spoken(request.json["input"]["text"], rate))
        told = json.dumps({"audioContent": b64encode(wav(pcm, rate)).decode()})
        await answer.begin("application/json")
        await answer.send(told[: -5 if self.fault is Fault.MALFORMED else None].encode())
