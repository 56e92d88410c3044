"""xAI: speech to text, text to speech.

https://docs.x.ai/docs
"""

from ...services.ports import Vendor

VENDOR = Vendor(
    name="xai",
    provides={"stt": "stt.STT", "tts": "tts.TTS"},
    docs="https://docs.x.ai/docs",
    env=("XAI_API_KEY",),
    extra="services",
    default={"tts": "eve"},
    options={"stt": "language"},
    can={"tts": ("word times",)},
    checked="2026-11-30",
)
