"""AWS: Transcribe, the language models on Bedrock, Polly, and Nova Sonic.

https://docs.aws.amazon.com
"""

from ...services.ports import Vendor

VENDOR = Vendor(
    name="aws",
    provides={"stt": "stt.STT", "llm": "llm.LLM", "tts": "tts.TTS", "realtime": "realtime.Realtime"},
    docs="https://docs.aws.amazon.com",
    env=("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"),
    voices="tts.voices",
    extra="services",
    default={
        "llm": "us.amazon.nova-lite-v1:0",
        "tts": "neural",
        "realtime": "amazon.nova-2-sonic-v1:0",
    },
    options={"stt": "language", "tts": "voice", "realtime": "voice"},
    can={"llm": ("tools", "images"), "tts": ("word times",)},
    checked="2026-11-30",
)
