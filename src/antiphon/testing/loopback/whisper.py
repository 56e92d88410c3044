"""Hosts of Whisper."""

import json
from base64 import b64decode

from .http import HttpAnswer, HttpVendorServer, VendorRequest
from .server import KEY, Fault, HeardAudio

__all__ = ["CloudflareWhisper", "FalWizper", "HuggingFaceWhisper", "WhisperTranscriptions"]


class WhisperTranscriptions(HttpVendorServer):
    """OpenAI's endpoint for transcriptions, as hosts of Whisper have it.

    https://platform.openai.com/docs/api-reference/audio/createTranscription
    """

    def check(self, request: VendorRequest) -> None:
        """Check key and fields of the form."""
        assert (request.method, request.path) == ("POST", "/audio/transcriptions"), request
        assert request.headers["authorization"] == f"Bearer {KEY}"
        kind, _, boundary = request.headers["content-type"].partition("; boundary=")
        assert kind == "multipart/form-data", request.headers
        assert request.body.endswith(f"--{boundary}--\r\n".encode())
        assert b'name="model"\r\n\r\n' in request.body, "a model is required"
        assert b'name="file"; filename="' in request.body, "the name says what kind of file it is"

    def wav(self, request: VendorRequest) -> bytes:
        """Return the file of the form."""
        return request.body[request.body.index(b"RIFF") : request.body.rindex(b"\r\n--")]

    async def answer(self, request: VendorRequest, answer: HttpAnswer) -> None:
        """Answer with the words of the file."""
        heard, wav = HeardAudio(), self.wav(request)
        assert wav[:4] + wav[8:12] == b"RIFFWAVE", "not a WAV file"
        assert int.from_bytes(wav[40:44], "little") == len(wav) - 44, "the length of the data is wrong"
        heard.feed(wav[44:])
        told = json.dumps(self.told(f" {heard.words}"))
        await answer.begin("application/json")
        await answer.send(told[: len(told) // (2 if self.fault is Fault.MALFORMED else 1)].encode())

    def told(self, words: str) -> dict[str, object]:
        """Return what is answered."""
        return {"text": words, "chunks": []}


class CloudflareWhisper(WhisperTranscriptions):
    """Whisper.

    https://developers.cloudflare.com/workers-ai/models/whisper-large-v3-turbo
    """

    def check(self, request: VendorRequest) -> None:
        """Check path and key."""
        assert (request.method, request.path) == ("POST", "/@cf/openai/whisper-large-v3-turbo"), request
        assert request.headers["authorization"] == f"Bearer {KEY}"

    def wav(self, request: VendorRequest) -> bytes:
        """Return the file of the field."""
        return b64decode(request.json["audio"])

    def told(self, words: str) -> dict[str, object]:
        """Return what is answered."""
        return {"result": {"text": words, "vtt": "WEBVTT"}, "success": True, "errors": [], "messages": []}


class HuggingFaceWhisper(WhisperTranscriptions):
    """Whisper.

    https://huggingface.co/docs/inference-providers/tasks/automatic-speech-recognition
    """

    def check(self, request: VendorRequest) -> None:
        """Check key and kind."""
        assert request.method == "POST", request
        assert request.headers["authorization"] == f"Bearer {KEY}"
        assert request.headers["content-type"] == "audio/wav"

    def wav(self, request: VendorRequest) -> bytes:
        """Return the file, which is the body."""
        return request.body


class FalWizper(WhisperTranscriptions):
    """Whisper: https://fal.ai/models/fal-ai/wizper/api"""

    def check(self, request: VendorRequest) -> None:
        """Check path, key and fields."""
        assert (request.method, request.path) == ("POST", "/fal-ai/wizper"), request
        assert request.headers["authorization"] == f"Key {KEY}"
        assert request.json["audio_url"].startswith("data:audio/wav;base64,"), request
        assert request.json["task"] in ("transcribe", "translate"), request

    def wav(self, request: VendorRequest) -> bytes:
        """Return the file that the address holds."""
        return b64decode(request.json["audio_url"].partition(",")[2])
