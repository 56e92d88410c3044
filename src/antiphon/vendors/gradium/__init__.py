"""Gradium: speech to text, text to speech.

https://docs.gradium.ai
"""

from ...services.ports import Vendor

VENDOR = Vendor(
    name="gradium",
    provides={"stt": "stt.STT", "tts": "tts.TTS"},
    docs="https://docs.gradium.ai",
    env=("GRADIUM_API_KEY",),
    extra="services",
    default={"stt": "default", "tts": "default"},
    options={"stt": "language", "tts": "voice"},
    can={"tts": ("word times",)},
    checked="2026-11-30",
)
