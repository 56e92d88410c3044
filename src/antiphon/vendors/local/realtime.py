"""The local models as one that hears and speaks."""

from ...services.composite import Composite
from .eot import SmartTurn
from .llm import Llama
from .stt import Whisper
from .tts import Hibari
from .vad import Silero

__all__ = ["LocalRealtime"]

WORDS = "whisper-tiny.en"


class LocalRealtime(Composite):
    """Whisper, a small language model and Hibari behind the port of realtime models."""

    def __init__(self, voice: str = "heart") -> None:
        super().__init__(Whisper(WORDS), Llama(), Hibari(voice), vad=Silero(), eot=SmartTurn())
