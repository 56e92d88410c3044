"""xAI: speech to text.

https://docs.x.ai/developers/rest-api-reference
"""

from ...services.ports import Vendor

VENDOR = Vendor(
    name="xai",
    provides={"stt": "stt.STT"},
    docs="https://docs.x.ai/developers/rest-api-reference",
    env="XAI_API_KEY",
    extra="services",
    options={"stt": "language"},
)
