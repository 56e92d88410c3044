"""Models on this machine's processor: no account, no key, no network once they are here."""

from ...services.ports import Vendor

VENDOR = Vendor(
    name="local",
    provides={
        "stt": "stt.Whisper",
        "tts": "tts.Hibari",
        "llm": "llm.Llama",
        "vad": "vad.Silero",
        "eot": "eot.SmartTurn",
    },
    docs="docs/guides/models.md",
    extra="local",
    default={"stt": "whisper-tiny.en"},
)
