"""Alibaba's Qwen: speech to speech; language models are a row of a table.

https://www.alibabacloud.com/help/en/model-studio/realtime
"""

from ...services.ports import Vendor

VENDOR = Vendor(
    name="qwen",
    provides={"realtime": "realtime.Realtime"},
    docs="https://www.alibabacloud.com/help/en/model-studio/realtime",
    env=("DASHSCOPE_API_KEY",),
    extra="services",
    default={"realtime": "qwen3.5-omni-flash-realtime"},
    options={"realtime": "voice"},
    checked="2026-11-30",
)
