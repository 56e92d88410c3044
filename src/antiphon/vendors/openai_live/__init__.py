"""OpenAI's GPT-Live: a voice that hears while it speaks, and a model that works.

https://developers.openai.com/api/docs/guides/live-conversations
"""

from ...services.ports import Vendor

VENDOR = Vendor(
    name="openai_live",
    provides={"realtime": "realtime.Realtime"},
    docs="https://developers.openai.com/api/docs/guides/live-conversations",
    env=("OPENAI_API_KEY",),
    extra="services",
    default={"realtime": "gpt-live-1"},
    options={"realtime": "voice"},
    checked="2026-11-30",
)
