"""Google: speech to text, text to speech with Gemini and with Cloud's voices.

https://ai.google.dev/gemini-api/docs
"""

from ...services.ports import Vendor

VENDOR = Vendor(
    name="google",
    provides={"stt": "stt.STT", "tts": "tts.TTS"},
    docs="https://ai.google.dev/gemini-api/docs",
    env="GOOGLE_API_KEY",
    extra="services",
    default={"stt": "chirp_3", "tts": "gemini-3.1-flash-tts-preview"},
    options={"stt": "language", "tts": "voice"},
)
