"""xAI: speech to text, text to speech, speech to speech.

https://docs.x.ai/docs
"""

from ...services.ports import Vendor

VENDOR = Vendor(
    name="xai",
    provides={"stt": "stt.STT", "tts": "tts.TTS", "realtime": "realtime.Realtime"},
    docs="https://docs.x.ai/docs",
    env=("XAI_API_KEY",),
    extra="services",
    default={"tts": "eve", "realtime": "grok-voice-latest"},
    options={"stt": "language", "realtime": "voice"},
    can={"tts": ("word times",)},
    checked="2026-11-30",
)
