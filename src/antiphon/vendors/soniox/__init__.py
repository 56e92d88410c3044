"""Soniox: speech to text, text to speech.

https://soniox.com/docs
"""

from ...services.ports import Vendor

VENDOR = Vendor(
    name="soniox",
    provides={"stt": "stt.STT", "tts": "tts.TTS"},
    docs="https://soniox.com/docs",
    env=("SONIOX_API_KEY",),
    extra="services",
    default={"stt": "stt-rt-v5", "tts": "tts-rt-v2"},
    options={"stt": "language", "tts": "voice"},
    can={"stt": ("turns",), "tts": ("word times",)},
    languages={"stt": "60+"},
    checked="2026-11-30",
)
