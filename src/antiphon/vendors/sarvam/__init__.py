"""Sarvam: speech to text for the languages of India.

https://docs.sarvam.ai/api-reference-docs/speech-to-text
"""

from ...services.ports import Vendor

VENDOR = Vendor(
    name="sarvam",
    provides={"stt": "stt.STT"},
    docs="https://docs.sarvam.ai/api-reference-docs/speech-to-text",
    env="SARVAM_API_KEY",
    extra="services",
    default={"stt": "saaras:v3-realtime"},
    options={"stt": "language"},
)
