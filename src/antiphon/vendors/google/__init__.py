"""Google: language models, speech to text, text to speech, speech to speech.

https://ai.google.dev/api
"""

from ...services.ports import Vendor

VENDOR = Vendor(
    name="google",
    provides={"llm": "llm.LLM", "stt": "stt.STT", "tts": "tts.TTS", "realtime": "realtime.Realtime"},
    docs="https://ai.google.dev/api",
    env=("GOOGLE_API_KEY",),
    extra="services",
    default={
        "llm": "gemini-2.5-flash",
        "stt": "chirp_3",
        "tts": "gemini-3.1-flash-tts-preview",
        "realtime": "gemini-3.8-live",
    },
    options={"stt": "language", "tts": "voice", "realtime": "voice"},
    can={"llm": ("tools", "images", "direct")},
    checked="2026-11-30",
)
