"""AWS: speech to text with Transcribe.

https://docs.aws.amazon.com
"""

from ...services.ports import Vendor

VENDOR = Vendor(
    name="aws",
    provides={"stt": "stt.STT"},
    docs="https://docs.aws.amazon.com/transcribe/latest/dg/websocket.html",
    env="AWS_ACCESS_KEY_ID",
    extra="services",
    options={"stt": "language"},
)
