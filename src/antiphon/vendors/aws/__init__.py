"""AWS: text to speech with Polly.

https://docs.aws.amazon.com/polly/latest/dg/API_SynthesizeSpeech.html
"""

from ...services.ports import Vendor

VENDOR = Vendor(
    name="aws",
    provides={"tts": "tts.TTS"},
    docs="https://docs.aws.amazon.com/polly/latest/dg",
    env="AWS_ACCESS_KEY_ID",
    extra="services",
    default={"tts": "neural"},
    options={"tts": "voice"},
)
