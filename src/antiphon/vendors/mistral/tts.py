"""Mistral's text to speech, Voxtral, over HTTP; see also `realtime_tts`.

https://docs.mistral.ai/studio/audio/text-to-speech/overview
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from ...services.http_client import HttpRequest
from ...services.http_tts import HttpTTS, told_events
from ...services.keys import VendorKey
from ...services.pcm_reader import FloatPcmReader
from ...services.ports import Word
from ...services.vendor_values import base64_bytes
from .realtime_tts import RealtimeVoice

if TYPE_CHECKING:
    import httpx

__all__ = ["TTS", "RequestedVoice"]

IN_REALTIME = ("voxtral-mini-tts-3",)
"""The models that speak in real time, over websockets."""


def TTS(  # noqa: N802  stands for two classes
    model: str = "voxtral-mini-tts-3-0", **settings: Any
) -> "RequestedVoice | RealtimeVoice":
    """Make the service of a model: in real time, or a request for each piece."""
    return (RealtimeVoice if model in IN_REALTIME else RequestedVoice)(model, **settings)


class RequestedVoice(HttpTTS):
    """Voxtral. `voice` is an id; `options` are further fields of a request."""

    def __init__(
        self,
        model: str = "voxtral-mini-tts-3-0",
        *,
        voice: str = "voice_478",
        key: str | None = None,
        base_url: str = "https://api.mistral.ai",
        **options: object,
    ) -> None:
        super().__init__("mistral", VendorKey("mistral", "MISTRAL_API_KEY", key), model)
        self._url = f"{base_url}/v1/audio/speech"
        form = {"model": model, "voice_id": voice, "response_format": "pcm", "stream": True}
        self._request: dict[str, Any] = form | options

    def request(self, text: str) -> HttpRequest:
        headers = {"Authorization": f"Bearer {self.key.value}"}
        return HttpRequest(self._url, {**self._request, "input": text}, headers)

    async def audio(self, response: "httpx.Response") -> AsyncGenerator[bytes | Word]:
        samples = FloatPcmReader()  # what the vendor calls "pcm" are 32-bit floats
        async with aclosing(told_events(response)) as told:
            async for name, data in told:
                if "speech.audio.delta" in (name, data.get("type")):
                    yield samples.feed(base64_bytes(data.get("audio_data")))
