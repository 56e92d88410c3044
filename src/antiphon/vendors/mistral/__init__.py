"""Mistral: speech to text and text to speech with Voxtral.

https://docs.mistral.ai/studio/audio/overview
"""

from ...services.ports import Vendor

VENDOR = Vendor(
    name="mistral",
    provides={"stt": "stt.STT", "tts": "tts.TTS"},
    docs="https://docs.mistral.ai/studio/audio/overview",
    env=("MISTRAL_API_KEY",),
    extra="services",
    default={"stt": "voxtral-mini-transcribe-realtime-2602", "tts": "voxtral-mini-tts-3-0"},
    options={"stt": "language", "tts": "voice"},
    checked="2026-11-30",
)
