"""Azure Speech: speech to text and text to speech.

https://learn.microsoft.com/azure/ai-services/speech-service
"""

from ...services.ports import Vendor

VENDOR = Vendor(
    name="azure",
    provides={"stt": "stt.STT", "tts": "tts.TTS"},
    docs="https://learn.microsoft.com/azure/ai-services/speech-service",
    env="AZURE_SPEECH_KEY",
    extra="services",
    default={"tts": "en-US-AvaMultilingualNeural"},
    options={"stt": "language"},
)
