"""Azure Speech: speech to text and text to speech.

https://learn.microsoft.com/azure/ai-services/speech-service
"""

from ...services.ports import Vendor

VENDOR = Vendor(
    name="azure",
    provides={"stt": "stt.STT", "tts": "tts.TTS"},
    docs="https://learn.microsoft.com/azure/ai-services/speech-service",
    env=("AZURE_SPEECH_KEY", "AZURE_SPEECH_REGION"),
    extra="services",
    default={"tts": "en-US-AvaMultilingualNeural"},
    options={"stt": "language"},
    can={"tts": ("word times",)},
    checked="2026-11-30",
)
