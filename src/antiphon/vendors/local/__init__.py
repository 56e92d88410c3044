"""Models that run on this machine's processor.

They need no account, no key, and no network once downloaded.
"""

from ...services.ports import Vendor

VENDOR = Vendor(
    name="local",
    provides={
        "stt": "stt.Whisper",
        "tts": "tts.Hibari",
        "llm": "llm.Llama",
        "vad": "vad.Silero",
        "eot": "eot.SmartTurn",
        "realtime": "realtime.LocalRealtime",
    },
    docs="docs/guides/models.md",
    own=True,
    extra="local",
    default={"stt": "whisper-tiny.en"},
    resident=("stt", "llm", "realtime"),
    voices="tts.voices",
    can={"realtime": ("heard", "word times"), "llm": ("tools",), "tts": ("word times",)},
    languages={"stt": "English", "tts": "English"},
)
