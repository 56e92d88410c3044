"""Kyutai's servers, on a GPU of one's own: moshi-server, Unmute and Moshi.

https://github.com/kyutai-labs
"""

from ...services.ports import Vendor

VENDOR = Vendor(
    name="kyutai",
    provides={"tts": "tts.TTS", "realtime": "realtime.Realtime"},
    docs="https://github.com/kyutai-labs/delayed-streams-modeling",
    own=True,
    extra="services",
    default={"tts": "expresso/ex03-ex01_happy_001_channel1_334s.wav", "realtime": "unmute"},
    options={"realtime": "voice"},
    can={"tts": ("word times",)},
    checked="2026-11-30",
)
