"""ElevenLabs: speech to text with Scribe, text to speech.

https://elevenlabs.io/docs/api-reference
"""

from ...services.ports import Vendor

VENDOR = Vendor(
    name="elevenlabs",
    provides={"stt": "stt.STT", "tts": "tts.TTS"},
    docs="https://elevenlabs.io/docs/api-reference",
    env=("ELEVENLABS_API_KEY",),
    extra="services",
    default={"stt": "scribe_v2_realtime", "tts": "eleven_flash_v2_5"},
    options={"tts": "voice", "stt": "language"},
    can={"tts": ("word times",)},
    languages={"stt": "90+", "tts": "32"},
    checked="2026-11-30",
)
