"""Gradium: speech to text.

https://docs.gradium.ai
"""

from ...services.ports import Vendor

VENDOR = Vendor(
    name="gradium",
    provides={"stt": "stt.STT"},
    docs="https://docs.gradium.ai",
    env="GRADIUM_API_KEY",
    extra="services",
    default={"stt": "default"},
    options={"stt": "language"},
)
