"""Google: the Gemini language models, and text to speech with Gemini and Cloud's voices.

https://ai.google.dev/gemini-api/docs
"""

from ...services.ports import Vendor

VENDOR = Vendor(
    name="google",
    provides={"llm": "llm.LLM", "tts": "tts.TTS"},
    docs="https://ai.google.dev/gemini-api/docs",
    env="GOOGLE_API_KEY",
    extra="services",
    default={"llm": "gemini-2.5-flash", "tts": "gemini-3.1-flash-tts-preview"},
    options={"tts": "voice"},
)
