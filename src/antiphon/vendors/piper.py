"""Piper's HTTP server, for text to speech on this machine.

Start it with `python -m piper.http_server`: https://github.com/OHF-Voice/piper1-gpl
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from ..errors import BadResponseError
from ..services.http_client import HttpRequest
from ..services.http_tts import HttpTTS
from ..services.keys import VendorKey
from ..services.ports import OWN_MACHINE, Vendor, Word

__all__ = ["TTS", "VENDOR"]


class TTS(HttpTTS):
    """Piper, where a voice stands for a model; `sample_rate` is that of the voice.

    `options` are further fields of a request, such as `length_scale` or `speaker_id`.
    """

    slow_after = OWN_MACHINE

    def __init__(
        self,
        voice: str = "en_US-lessac-medium",
        *,
        sample_rate: int = 22050,
        base_url: str = "http://localhost:5000",
        **options: object,
    ) -> None:
        super().__init__("piper", VendorKey("piper", None), voice)
        self.sample_rate = sample_rate
        self._base_url = base_url
        self._path = "/synthesize"
        self._request: dict[str, Any] = {"voice": voice, **options}

    def request(self, text: str) -> HttpRequest:
        return HttpRequest(self._base_url + self._path, {**self._request, "text": text})

    async def fetch(self, text: str) -> AsyncGenerator[bytes | Word]:
        """Yield the audio of a piece; servers from before June 2026 have it at "/"."""
        for path in ("/synthesize", "/") if self._path == "/synthesize" else ("/",):
            try:
                async with aclosing(super().fetch(text)) as parts:
                    async for part in parts:
                        yield part
                return
            except BadResponseError as error:
                if path == "/" or not any(f"answered {status}" in str(error) for status in (404, 405)):
                    raise
                self._path = "/"


VENDOR = Vendor(
    name="piper",
    provides={"tts": "TTS"},
    docs="https://github.com/OHF-Voice/piper1-gpl",
    own=True,
    extra="services",
    default={"tts": "en_US-lessac-medium"},
    checked="2026-11-30",
)
