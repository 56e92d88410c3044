"""Google: text to speech with Gemini and with Cloud's voices.

https://ai.google.dev/gemini-api/docs/speech-generation
"""

from ...services.ports import Vendor

VENDOR = Vendor(
    name="google",
    provides={"tts": "tts.TTS"},
    docs="https://ai.google.dev/gemini-api/docs",
    env="GOOGLE_API_KEY",
    extra="services",
    default={"tts": "gemini-3.1-flash-tts-preview"},
    options={"tts": "voice"},
)
