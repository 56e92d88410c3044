"""Cartesia: speech to text with Ink, text to speech with Sonic.

https://docs.cartesia.ai/api-reference
"""

from ...services.ports import Vendor

VENDOR = Vendor(
    name="cartesia",
    provides={"stt": "stt.STT", "tts": "tts.TTS"},
    docs="https://docs.cartesia.ai/api-reference",
    env=("CARTESIA_API_KEY",),
    extra="services",
    default={"stt": "ink-2", "tts": "sonic-3"},
    options={"tts": "voice", "stt": "language"},
    can={"stt": ("turns",), "tts": ("word times",)},
    languages={"stt": "English", "tts": "42"},
    checked="2026-11-30",
)
