"""Azure Speech: speech to text, text to speech, speech to speech.

https://learn.microsoft.com/azure/ai-services/speech-service
"""

from ...services.ports import Vendor

VENDOR = Vendor(
    name="azure",
    provides={"stt": "stt.STT", "tts": "tts.TTS", "realtime": "realtime.Realtime"},
    docs="https://learn.microsoft.com/azure/ai-services/speech-service",
    env=("AZURE_SPEECH_KEY", "AZURE_SPEECH_REGION"),
    port_env={"realtime": ("AZURE_SPEECH_KEY", "AZURE_FOUNDRY_RESOURCE")},
    extra="services",
    default={"tts": "en-US-AvaMultilingualNeural", "realtime": "gpt-4.1"},
    options={"stt": "language", "realtime": "voice"},
    can={"realtime": ("word times",), "tts": ("word times",)},
    checked="2026-11-30",
)
