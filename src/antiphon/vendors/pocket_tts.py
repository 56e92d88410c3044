"""Kyutai's pocket-tts, a server for text to speech on this machine's processor.

Start it with `pocket-tts serve`: https://github.com/kyutai-labs/pocket-tts
"""

from urllib.parse import urlencode

from ..services.http_client import HttpRequest
from ..services.http_tts import HttpTTS
from ..services.keys import VendorKey
from ..services.ports import OWN_MACHINE, Vendor

__all__ = ["TTS", "VENDOR"]


class TTS(HttpTTS):
    """pocket-tts. A voice, which is a name or an address, stands for a model."""

    slow_after = OWN_MACHINE

    def __init__(self, voice: str = "alba", *, base_url: str = "http://localhost:8000") -> None:
        super().__init__("pocket_tts", VendorKey("pocket_tts", None), voice)
        self._url = f"{base_url}/tts"
        self._voice = voice

    def request(self, text: str) -> HttpRequest:
        form = urlencode({"text": text, "voice_url": self._voice}).encode()
        return HttpRequest(self._url, form, {"Content-Type": "application/x-www-form-urlencoded"})


VENDOR = Vendor(
    name="pocket_tts",
    provides={"tts": "TTS"},
    docs="https://github.com/kyutai-labs/pocket-tts",
    own=True,
    extra="services",
    default={"tts": "alba"},
    checked="2026-11-30",
)
