"""Google: language models, speech to text and text to speech.

https://ai.google.dev/api
"""

from ...services.ports import Vendor

VENDOR = Vendor(
    name="google",
    provides={"llm": "llm.LLM", "stt": "stt.STT", "tts": "tts.TTS"},
    docs="https://ai.google.dev/api",
    env=("GOOGLE_API_KEY",),
    extra="services",
    default={"llm": "gemini-2.5-flash", "stt": "chirp_3", "tts": "gemini-3.1-flash-tts-preview"},
    options={"stt": "language", "tts": "voice"},
    can={"llm": ("tools", "images", "direct")},
    checked="2026-11-30",
)
