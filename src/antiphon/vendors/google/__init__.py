"""Google: the Gemini language models, and voices of Gemini and of Cloud.

https://ai.google.dev/api
"""

from ...services.ports import Vendor

VENDOR = Vendor(
    name="google",
    provides={"llm": "llm.LLM", "tts": "tts.TTS"},
    docs="https://ai.google.dev/api",
    env="GOOGLE_API_KEY",
    extra="services",
    default={"llm": "gemini-2.5-flash", "tts": "gemini-3.1-flash-tts-preview"},
    options={"tts": "voice"},
)
