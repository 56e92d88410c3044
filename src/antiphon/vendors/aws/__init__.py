"""AWS: Transcribe, the language models on Bedrock, and Polly.

https://docs.aws.amazon.com
"""

from ...services.ports import Vendor

VENDOR = Vendor(
    name="aws",
    provides={"stt": "stt.STT", "llm": "llm.LLM", "tts": "tts.TTS"},
    docs="https://docs.aws.amazon.com",
    env=("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"),
    voices="tts.voices",
    extra="services",
    default={"llm": "us.amazon.nova-lite-v1:0", "tts": "neural"},
    options={"stt": "language", "tts": "voice"},
    can={"llm": ("tools", "images"), "tts": ("word times",)},
    checked="2026-11-30",
)
