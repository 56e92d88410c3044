"""Hume: text to speech with Octave, speech to speech with EVI.

https://dev.hume.ai

The vendor has announced that both end on November 13, 2026.
"""

from ...services.ports import Vendor
from .tts import TTS

__all__ = ["TTS", "VENDOR"]

VENDOR = Vendor(
    name="hume",
    provides={"tts": "TTS", "realtime": "realtime.Realtime"},
    docs="https://dev.hume.ai/intro",
    env=("HUME_API_KEY",),
    extra="services",
    default={"tts": "2", "realtime": "default"},
    options={"tts": "voice", "realtime": "voice"},
    can={"tts": ("word times",)},
    checked="2026-11-30",
)
