"""Mistral: speech to text with Voxtral.

https://docs.mistral.ai/studio/audio/speech-to-text/transcribe-in-realtime
"""

from ...services.ports import Vendor

VENDOR = Vendor(
    name="mistral",
    provides={"stt": "stt.STT"},
    docs="https://docs.mistral.ai/studio/audio/speech-to-text/transcribe-in-realtime",
    env="MISTRAL_API_KEY",
    extra="services",
    default={"stt": "voxtral-mini-transcribe-realtime-2602"},
    options={"stt": "language"},
)
