"""Speechify's text to speech over HTTP, with the times of words.

https://docs.speechify.ai/api-reference/tts/audio/stream-with-timestamps
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from ..services.http_client import HttpRequest, stated_error
from ..services.http_tts import HttpTTS, told_events
from ..services.keys import VendorKey
from ..services.ports import Vendor, Word
from ..services.vendor_values import base64_bytes, fields, items, number

if TYPE_CHECKING:
    import httpx

__all__ = ["TTS", "VENDOR"]


class TTS(HttpTTS):
    """Speechify. `voice` is an id; `options` are further fields of a request."""

    def __init__(
        self,
        model: str = "simba-3.2",
        *,
        voice: str = "geffen_32",
        language: str | None = None,
        key: str | None = None,
        base_url: str = "https://api.speechify.ai",
        **options: object,
    ) -> None:
        super().__init__("speechify", VendorKey("speechify", "SPEECHIFY_API_KEY", key), model)
        self._url = f"{base_url}/v1/audio/stream/with-timestamps"
        self._request: dict[str, Any] = {"model": model, "voice_id": voice, "output_format": "pcm_24000"}
        self._request |= options if language is None else {"language": language, **options}

    def request(self, text: str) -> HttpRequest:
        headers = {"Authorization": f"Bearer {self.key.value}", "Accept": "text/event-stream"}
        return HttpRequest(self._url, {**self._request, "input": text}, headers)

    async def audio(self, response: "httpx.Response") -> AsyncGenerator[bytes | Word]:
        async with aclosing(told_events(response)) as told:
            async for name, data in told:
                match name:
                    case "speech.chunk":
                        yield base64_bytes(data.get("audio"))
                        for mark in map(fields, items(data.get("speech_marks"))):
                            end, ended = number(mark.get("end")), number(mark.get("end_time"))
                            if mark.get("type", "word") == "word" and end and ended is not None:
                                yield Word(0, int(end), ended / 1000)
                    case "speech.error":
                        error = fields(data.get("error"))
                        raise stated_error("speechify", error.get("status"), error.get("message"))
                    case _:
                        pass


VENDOR = Vendor(
    name="speechify",
    provides={"tts": "TTS"},
    docs="https://docs.speechify.ai",
    env=("SPEECHIFY_API_KEY",),
    extra="services",
    default={"tts": "simba-3.2"},
    options={"tts": "voice"},
    can={"tts": ("word times",)},
    checked="2026-11-30",
)
