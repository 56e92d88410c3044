"""AWS: speech to text with Transcribe, text to speech with Polly.

https://docs.aws.amazon.com
"""

from ...services.ports import Vendor

VENDOR = Vendor(
    name="aws",
    provides={"stt": "stt.STT", "tts": "tts.TTS"},
    docs="https://docs.aws.amazon.com",
    env="AWS_ACCESS_KEY_ID",
    extra="services",
    default={"tts": "neural"},
    options={"stt": "language", "tts": "voice"},
)
