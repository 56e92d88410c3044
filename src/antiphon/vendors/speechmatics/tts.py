"""Speechmatics' text to speech over HTTP, which is a preview.

https://docs.speechmatics.com/text-to-speech/quickstart
"""

from ...services.http_client import HttpRequest
from ...services.http_tts import HttpTTS
from ...services.keys import VendorKey
from ...services.vendor_values import address

__all__ = ["TTS"]


class TTS(HttpTTS):
    """Speechmatics, where the voice stands for a model, such as "theo" or "megan"."""

    sample_rate = 16000

    def __init__(
        self,
        voice: str = "sarah",
        *,
        key: str | None = None,
        base_url: str = "https://preview.tts.speechmatics.com",
    ) -> None:
        super().__init__("speechmatics", VendorKey("speechmatics", "SPEECHMATICS_API_KEY", key), voice)
        self._url = address(f"{base_url}/generate/{voice}", {"output_format": "pcm_16000"})

    def request(self, text: str) -> HttpRequest:
        return HttpRequest(self._url, {"text": text}, {"Authorization": f"Bearer {self.key.value}"})
