"""fal: speech to text with Whisper, a request for each stretch of speech.

https://fal.ai/models/fal-ai/wizper/api
"""

from base64 import b64encode

from ..services.http_stt import HttpSTT, TranscriptionEndpoint
from ..services.ports import Vendor
from ..services.vendor_values import json_text

__all__ = ["STT"]

VENDOR = Vendor(
    name="fal",
    provides={"stt": "STT"},
    docs="https://fal.ai/models/fal-ai/wizper/api",
    env=("FAL_KEY",),
    extra="services",
    default={"stt": "fal-ai/wizper"},
    options={"stt": "language"},
    languages={"stt": "99"},
    checked="2026-11-30",
)


class STT(HttpSTT):
    """Whisper.

    `language` is a code such as "en"; `options` are further fields of each request.
    """

    def __init__(
        self,
        model: str = "fal-ai/wizper",
        *,
        language: str | None = None,
        key: str | None = None,
        base_url: str = "https://fal.run",
        **options: object,
    ) -> None:
        endpoint = TranscriptionEndpoint("fal", f"{base_url}/{model}", "FAL_KEY", model)
        super().__init__(model, endpoint, language=language, key=key)
        self.form = {"task": "transcribe", "language": language} | options

    def request(self, file: bytes) -> tuple[str, dict[str, str], bytes]:
        headers = {"Authorization": f"Key {self.key.value}", "Content-Type": "application/json"}
        sound = f"data:audio/wav;base64,{b64encode(file).decode()}"
        return self.endpoint.base_url, headers, json_text(audio_url=sound, **self.form).encode()
