"""Cloudflare Workers AI: speech to text with Whisper, over HTTP.

https://developers.cloudflare.com/workers-ai/models/whisper-large-v3-turbo
"""

from base64 import b64encode
from typing import Any

from ..services.http_stt import HttpSTT, TranscriptionEndpoint
from ..services.keys import filled_in
from ..services.ports import Vendor
from ..services.vendor_values import fields, json_text

__all__ = ["STT"]

WHISPER = "@cf/openai/whisper-large-v3-turbo"
VENDOR = Vendor(
    name="cloudflare",
    provides={"stt": "STT"},
    docs="https://developers.cloudflare.com/workers-ai",
    env=("CLOUDFLARE_API_TOKEN", "CLOUDFLARE_ACCOUNT_ID"),
    extra="services",
    default={"stt": WHISPER},
    options={"stt": "language"},
    checked="2026-11-30",
)


class STT(HttpSTT):
    """Whisper.

    The account is that of CLOUDFLARE_ACCOUNT_ID, unless `base_url` says another.
    `language` is a code such as "en"; `options` are further fields of each request, such as `vad_filter`.
    """

    def __init__(
        self,
        model: str = WHISPER,
        *,
        language: str | None = None,
        key: str | None = None,
        base_url: str = "https://api.cloudflare.com/client/v4/accounts/{CLOUDFLARE_ACCOUNT_ID}/ai/run",
        **options: object,
    ) -> None:
        endpoint = TranscriptionEndpoint("cloudflare", f"{base_url}/{model}", "CLOUDFLARE_API_TOKEN", model)
        super().__init__(model, endpoint, language=language, key=key)
        self.form = options if language is None else {"language": language, **options}

    def request(self, file: bytes) -> tuple[str, dict[str, str], bytes]:
        headers = {"Authorization": f"Bearer {self.key.value}", "Content-Type": "application/json"}
        content = json_text(audio=b64encode(file).decode(), **self.form)
        return filled_in("cloudflare", self.endpoint.base_url), headers, content.encode()

    def words(self, told: dict[str, Any]) -> object:
        return fields(told.get("result")).get("text")
