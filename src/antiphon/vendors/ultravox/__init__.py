"""Ultravox: speech to speech.

https://docs.ultravox.ai
"""

from ...services.ports import Vendor

VENDOR = Vendor(
    name="ultravox",
    provides={"realtime": "realtime.Realtime"},
    docs="https://docs.ultravox.ai/apps/websockets",
    env=("ULTRAVOX_API_KEY",),
    extra="services",
    default={"realtime": "ultravox-v0.7"},
    options={"realtime": "voice"},
    checked="2026-11-30",
)
