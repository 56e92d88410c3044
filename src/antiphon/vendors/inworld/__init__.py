"""Inworld: speech to text.

https://docs.inworld.ai/api-reference/sttAPI/speechtotext/transcribe-stream-websocket
"""

from ...services.ports import Vendor

VENDOR = Vendor(
    name="inworld",
    provides={"stt": "stt.STT"},
    docs="https://docs.inworld.ai/api-reference/sttAPI/speechtotext/transcribe-stream-websocket",
    env="INWORLD_API_KEY",
    extra="services",
    default={"stt": "inworld/inworld-stt-1"},
    options={"stt": "language"},
)
