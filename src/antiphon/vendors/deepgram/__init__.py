"""Deepgram: speech to text with Nova or Flux, text to speech with Aura.

https://developers.deepgram.com/reference
"""

from ...services.ports import Vendor

VENDOR = Vendor(
    name="deepgram",
    provides={"stt": "stt.STT", "tts": "tts.TTS"},
    docs="https://developers.deepgram.com/reference",
    env=("DEEPGRAM_API_KEY",),
    extra="services",
    default={"stt": "nova-3", "tts": "aura-2-thalia-en"},
    options={"stt": "language"},
    can={"stt": ("turns",)},
    languages={"tts": "7"},
    checked="2026-11-30",
)
