"""Azure Speech: speech to text.

https://learn.microsoft.com/azure/ai-services/speech-service
"""

from ...services.ports import Vendor

VENDOR = Vendor(
    name="azure",
    provides={"stt": "stt.STT"},
    docs="https://learn.microsoft.com/azure/ai-services/speech-service",
    env="AZURE_SPEECH_KEY",
    extra="services",
    options={"stt": "language"},
)
