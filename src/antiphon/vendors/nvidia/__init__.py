"""NVIDIA: speech to text and text to speech of Riva, alias Nemotron Speech.

https://docs.nvidia.com/nim/speech/latest

NVIDIA's language models are a row of the endpoints for chat completions.
"""

from ...services.ports import Vendor

VENDOR = Vendor(
    name="nvidia",
    provides={"stt": "stt.STT", "tts": "tts.TTS"},
    docs="https://docs.nvidia.com/nim/speech/latest",
    env=("NVIDIA_API_KEY",),
    extra="nvidia",
    default={"stt": "nemotron-asr-streaming", "tts": "magpie-tts-multilingual"},
    options={"stt": "language", "tts": "voice"},
    can={"tts": ("word times",)},
    checked="2026-11-30",
)
