"""Mistral: text to speech with Voxtral.

https://docs.mistral.ai/studio/audio/overview
"""

from ...services.ports import Vendor

VENDOR = Vendor(
    name="mistral",
    provides={"tts": "tts.TTS"},
    docs="https://docs.mistral.ai",
    env="MISTRAL_API_KEY",
    extra="services",
    default={"tts": "voxtral-mini-tts-3-0"},
    options={"tts": "voice"},
)
