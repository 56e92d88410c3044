"""OpenAI: language models, speech to text, text to speech, speech to speech.

https://platform.openai.com/docs/api-reference
"""

from ...services.ports import Vendor
from .llm import LLM

__all__ = ["LLM", "VENDOR"]

VENDOR = Vendor(
    name="openai",
    provides={"llm": "LLM", "stt": "stt.STT", "tts": "tts.TTS", "realtime": "realtime.Realtime"},
    docs="https://platform.openai.com/docs/api-reference",
    env=("OPENAI_API_KEY",),
    extra="services",
    default={
        "llm": "gpt-4.1-mini",
        "stt": "gpt-live-transcribe",
        "tts": "gpt-4o-mini-tts",
        "realtime": "gpt-realtime-2.1",
    },
    options={"tts": "voice", "stt": "language", "realtime": "voice"},
    can={"llm": ("tools", "images")},
    checked="2026-11-30",
)
