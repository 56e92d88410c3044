"""Inworld: speech to text, text to speech, speech to speech.

https://docs.inworld.ai/api-reference
"""

from ...services.ports import Vendor

VENDOR = Vendor(
    name="inworld",
    provides={"stt": "stt.STT", "tts": "tts.TTS", "realtime": "realtime.Realtime"},
    docs="https://docs.inworld.ai/api-reference",
    env=("INWORLD_API_KEY",),
    extra="services",
    default={
        "stt": "inworld/inworld-stt-1",
        "tts": "inworld-tts-2",
        "realtime": "openai/gpt-4.1-nano",
    },
    options={"stt": "language", "tts": "voice", "realtime": "voice"},
    can={"tts": ("word times",)},
    checked="2026-11-30",
)
