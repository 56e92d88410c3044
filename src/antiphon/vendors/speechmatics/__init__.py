"""Speechmatics: speech to text and text to speech.

https://docs.speechmatics.com
"""

from ...services.ports import Vendor

VENDOR = Vendor(
    name="speechmatics",
    provides={"stt": "stt.STT", "tts": "tts.TTS"},
    docs="https://docs.speechmatics.com",
    env=("SPEECHMATICS_API_KEY",),
    extra="services",
    default={"stt": "enhanced", "tts": "sarah"},
    options={"stt": "language"},
    checked="2026-11-30",
)
