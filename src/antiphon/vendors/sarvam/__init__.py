"""Sarvam: speech to text and text to speech for the languages of India.

https://docs.sarvam.ai/api-reference-docs
"""

from ...services.ports import Vendor

VENDOR = Vendor(
    name="sarvam",
    provides={"stt": "stt.STT", "tts": "tts.TTS"},
    docs="https://docs.sarvam.ai/api-reference-docs",
    env=("SARVAM_API_KEY",),
    extra="services",
    default={"stt": "saaras:v3-realtime", "tts": "bulbul:v3"},
    options={"stt": "language", "tts": "voice"},
    checked="2026-11-30",
)
