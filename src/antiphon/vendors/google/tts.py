"""Google's text to speech over HTTP; `streaming` has that over gRPC.

Gemini: https://ai.google.dev/gemini-api/docs/speech-generation
Cloud: https://cloud.google.com/text-to-speech/docs/reference/rest/v1/text/synthesize
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from ...errors import BadResponseError, ConfigurationError
from ...services.http_client import HttpRequest, body, stated_error
from ...services.http_tts import HttpTTS, told_events
from ...services.keys import VendorKey
from ...services.ports import Word
from ...services.vendor_values import base64_bytes, fields, items, json_object, string
from .streaming import StreamingVoice

if TYPE_CHECKING:
    import httpx

__all__ = ["TTS", "CloudVoice", "GeminiVoice"]

MOST = 1 << 24  # bytes of a whole answer
SAY = "Say the text with a proper tone, and add no words"


def TTS(  # noqa: N802  stands for three classes
    model: str = "gemini-3.1-flash-tts-preview", **settings: Any
) -> "GeminiVoice | CloudVoice | StreamingVoice":
    """Make the service of a model: Gemini's by its name, "chirp3-hd", else Cloud's.

    "chirp3-hd" is spoken as a stream. A voice of Cloud's stands for a model, so it has no `voice` besides.
    """
    if model == "chirp3-hd":
        return StreamingVoice(model, **settings)
    if model.startswith("gemini"):
        return GeminiVoice(model, **settings)
    if "voice" in settings:
        raise ConfigurationError(f"google's {model!r} is a voice itself: write google/{model}")
    return CloudVoice(model, **settings)


class GeminiVoice(HttpTTS):
    """Gemini. `voice` is the name of a voice; `instructions` say how to speak.

    `options` are further fields of the vendor's `generationConfig`.
    """

    slow_after = 3.0  # it is a language model that reads the whole piece first

    def __init__(
        self,
        model: str = "gemini-3.1-flash-tts-preview",
        *,
        voice: str = "Kore",
        instructions: str = SAY,
        key: str | None = None,
        base_url: str = "https://generativelanguage.googleapis.com",
        **options: object,
    ) -> None:
        super().__init__("google", VendorKey("google", "GOOGLE_API_KEY", key), model)
        self._url = f"{base_url}/v1beta/models/{model}:streamGenerateContent?alt=sse"
        self._instructions = instructions
        speech = {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": voice}}}
        self._config: dict[str, Any] = {"responseModalities": ["AUDIO"], "speechConfig": speech} | options

    def request(self, text: str) -> HttpRequest:
        said = f'{self._instructions}:\n"{text}"' if self._instructions else text
        asked = {"contents": [{"parts": [{"text": said}]}], "generationConfig": self._config}
        return HttpRequest(self._url, asked, {"x-goog-api-key": self.key.value})

    async def audio(self, response: "httpx.Response") -> AsyncGenerator[bytes | Word]:
        async with aclosing(told_events(response)) as told:
            async for _, data in told:
                if error := fields(data.get("error")):
                    raise stated_error("google", error.get("code"), error.get("message"), self.key.name)
                for candidate in map(fields, items(data.get("candidates"))):
                    for part in map(fields, items(fields(candidate.get("content")).get("parts"))):
                        sound = fields(part.get("inlineData"))
                        if string(sound.get("mimeType")).startswith("audio/"):
                            yield base64_bytes(sound.get("data"))


class CloudVoice(HttpTTS):
    """A voice of Cloud Text-to-Speech, such as "en-US-Chirp3-HD-Charon".

    `token` is an access token, in place of a key. `options` are further fields of the vendor's `audioConfig`,
    such as `speakingRate`.
    """

    def __init__(
        self,
        voice: str = "en-US-Chirp3-HD-Charon",
        *,
        language: str | None = None,
        token: str | None = None,
        key: str | None = None,
        base_url: str = "https://texttospeech.googleapis.com",
        **options: object,
    ) -> None:
        super().__init__("google", VendorKey("google", "GOOGLE_API_KEY", token or key), voice)
        self._url = f"{base_url}/v1/text:synthesize"
        self._has_token = token is not None
        sound = {"audioEncoding": "LINEAR16", "sampleRateHertz": self.sample_rate}
        self._request: dict[str, Any] = {
            "voice": {"name": voice, "languageCode": language or "-".join(voice.split("-")[:2])},
            "audioConfig": sound | options,
        }

    def request(self, text: str) -> HttpRequest:
        key = self.key.value
        headers = {"Authorization": f"Bearer {key}"} if self._has_token else {"x-goog-api-key": key}
        return HttpRequest(self._url, {**self._request, "input": {"text": text}}, headers)

    async def audio(self, response: "httpx.Response") -> AsyncGenerator[bytes | Word]:
        told = json_object(await body(response, MOST), "speech")
        audio = base64_bytes(told.get("audioContent"))
        if not audio:
            raise BadResponseError("google answered without audio")
        yield audio
