"""Hugging Face: speech to text with Whisper, over HTTP.

https://huggingface.co/docs/inference-providers/tasks/automatic-speech-recognition
"""

from ..services.http_stt import HttpSTT, TranscriptionEndpoint
from ..services.ports import Vendor

__all__ = ["STT"]

WHISPER = "openai/whisper-large-v3-turbo"
VENDOR = Vendor(
    name="huggingface",
    provides={"stt": "STT"},
    docs="https://huggingface.co/docs/inference-providers",
    env=("HF_TOKEN",),
    extra="services",
    default={"stt": WHISPER},
    checked="2026-11-30",
)


class STT(HttpSTT):
    """Whisper, or another model that Hugging Face serves itself, by its name there.

    `base_url` is the address of an inference endpoint of one's own.
    """

    def __init__(self, model: str = WHISPER, *, key: str | None = None, base_url: str = "") -> None:
        url = base_url or f"https://router.huggingface.co/hf-inference/models/{model}"
        super().__init__(model, TranscriptionEndpoint("huggingface", url, "HF_TOKEN", model), key=key)

    def request(self, file: bytes) -> tuple[str, dict[str, str], bytes]:
        headers = {"Authorization": f"Bearer {self.key.value}", "Content-Type": "audio/wav"}
        return self.endpoint.base_url, headers, file
