"""What an agent is: instructions, three models and tools; the rest has defaults.

`antiphon.Agent` is this with `run()`, which needs the command line and so stands above it (`front_door.py`).
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .context import Entry
from .conversation.conversation import Conversation
from .conversation.tools import Tool
from .errors import ConfigurationError
from .pipeline import Part
from .playout.playout import Playout
from .services.ports import AudioFilter, EndOfTurn, LanguageModel, SpeechToText, TextToSpeech, VoiceActivity
from .session import Observer, Session
from .transports.port import Transport
from .turns.interruption import InterruptionClassifier
from .turns.mute import MuteRule
from .turns.settings import TurnSettings
from .turns.timing import ResponseTiming, TimingRules
from .turns.vad import VADSettings

if TYPE_CHECKING:
    from .playout.ambience import AmbienceSettings
    from .screening import ScreeningSettings
    from .services.cleaning import Cleaning

__all__ = ["AgentDefinition"]

logger = logging.getLogger("antiphon.agent")

PORTS = {"vad": "detect", "eot": "score", "stt": "transcribe", "tts": "speak", "llm": "generate"}
"""Each port with its method."""
WARM_WITHIN = 60.0  # seconds that the language model may take to read the instructions


@dataclass
class AgentDefinition:
    """What an agent is and what it is made with; each conversation is a session of its own.

    A model is "vendor/model", "vendor", or an object that implements its port; None leaves out what a
    pipeline can do without (`vad`, `eot`).
    """

    instructions: str
    stt: str | SpeechToText = "local"
    llm: str | LanguageModel = "local"
    tts: str | TextToSpeech = "local"
    tools: Sequence[Tool] = ()
    greeting: str | None = None
    vad: str | VoiceActivity | None = "local"
    eot: str | EndOfTurn | None = "local"
    apology: str | None = "Sorry, I had a problem just now. Could you say that again?"
    speech: VADSettings = field(default_factory=VADSettings)
    turns: TurnSettings = field(default_factory=TurnSettings)
    classifier: InterruptionClassifier | None = None
    """What a sound over the agent's voice is; None is the rules of `turns.interruption`."""
    timing: ResponseTiming | None = field(default_factory=TimingRules)
    """How long an answer waits after a turn such as this; None is never."""
    fillers: Sequence[str] = ()
    """What is said, in turn, while a tool takes long and nothing else has been said: "One moment."."""
    mute: Sequence[str | Callable[[], MuteRule]] = ()
    """When the user is not heard: "greeting", "first words", "tools", "speaking", or the class of a rule of
    one's own, of which each conversation has one."""
    cleaning: str | Callable[[], AudioFilter] | None = None
    """What is done to the microphone before anybody listens: "webrtc_audio/echo", or the class of a filter of
    one's own, of which each conversation has one."""
    ambience: "AmbienceSettings | None" = None
    """What is heard behind the agent's voice, and while an answer is made."""
    screening: "ScreeningSettings | None" = None
    """For calls that the agent makes: what to do with what answers."""
    history: Sequence[Entry] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.instructions, str) or not self.instructions.strip():  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError("an agent needs instructions: Agent('You answer the phone of ...')")
        for tool in self.tools:
            if not isinstance(tool, Tool):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise ConfigurationError(f"{tool!r} is not a tool: put @tool above its function")
        for rule in self.mute:
            if not isinstance(rule, str) and not callable(rule):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise ConfigurationError(
                    f"mute={rule!r}: give the rule's class; each conversation has its own"
                )
        if not (self.cleaning is None or isinstance(self.cleaning, str) or callable(self.cleaning)):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError(
                f"cleaning={self.cleaning!r}: give a name like 'webrtc_audio/echo' or the filter's class; "
                "each conversation has its own"
            )
        for port, method in PORTS.items():
            chosen = getattr(self, port)
            if isinstance(chosen, type):
                raise ConfigurationError(f"{port} is the class {chosen.__name__}: write {chosen.__name__}()")
            needed = port not in ("vad", "eot")
            if not isinstance(chosen, str) and not hasattr(chosen, method) and (needed or chosen is not None):
                raise ConfigurationError(
                    f"{port}={chosen!r} is neither a name like 'vendor/model' nor an object with {method}()"
                )
        self._services: dict[str, Any] = {}

    def service(self, port: str) -> Any:
        """The service of a port ("stt", "llm", "tts", "vad", "eot"), made once for all conversations."""
        chosen = getattr(self, port)
        if not isinstance(chosen, str):
            return chosen
        if port not in self._services:
            from .vendors import create  # vendors know services, not the other way round

            self._services[port] = create(port, chosen)
        return self._services[port]

    def pipeline(self, transport: Transport) -> list[Part]:
        """The parts of a conversation over this transport: to read, to edit, or to replace."""
        from .services.eot import EOT
        from .services.llm import LLM
        from .services.stt import STT
        from .services.tts import TTS
        from .services.vad import VAD
        from .turns.mute import Mute
        from .turns.turn_taking import TurnTaking

        mute = [rule if isinstance(rule, str) else rule() for rule in self.mute]
        cleaning, segmented = self._cleaning(), self.vad is not None and self.service("stt").segmented
        return [
            transport.input,
            *([Mute(*mute)] if mute else []),
            *([cleaning] if cleaning else []),
            *([VAD(self.service("vad"), self.speech)] if self.vad is not None else []),
            *([cleaning.raw] if cleaning and cleaning.service.echo and segmented else []),
            STT(self.service("stt")),
            *([EOT(self.service("eot"))] if self.eot is not None else []),
            *self._screening(),
            TurnTaking(self.turns, classifier=self.classifier),
            self.conversation(),
            LLM(self.service("llm")),
            TTS(self.service("tts")),
            Playout(transport.sample_rate, lead=transport.lead),
            *self._ambience(),
            *([cleaning.far] if cleaning else []),
            transport.output,
        ]

    def _cleaning(self) -> "Cleaning | None":
        if self.cleaning is None:
            return None
        from .services.cleaning import Cleaning
        from .vendors import create

        made = create("cleaning", self.cleaning) if isinstance(self.cleaning, str) else self.cleaning()
        return Cleaning(made)

    def _screening(self) -> list[Part]:
        if self.screening is None:
            return []
        from .screening import Screening

        return [Screening(self.screening)]

    def _ambience(self) -> list[Part]:
        if self.ambience is None:
            return []
        from .playout.ambience import Ambience

        return [Ambience(self.ambience)]

    def conversation(self) -> Conversation:
        """A new conversation with this agent's instructions, tools and history."""
        return Conversation(
            self.instructions,
            self.tools,
            greeting=self.greeting,
            apology=self.apology,
            history=self.history,
            timing=self.timing,
            fillers=self.fillers,
        )

    def session(self, transport: Transport, *, observers: Sequence[Observer] = ()) -> Session:
        """A conversation over this transport, ready to `run`."""
        return Session(self.pipeline(transport), observers=[*transport.observers, *observers])

    async def load(self) -> None:
        """Load the models ahead of the first conversation, which then starts at once."""
        services = [self.service(port) for port in PORTS if getattr(self, port) is not None]
        await asyncio.gather(*(service.load() for service in services if hasattr(service, "load")))
        try:
            async with asyncio.timeout(WARM_WITHIN):
                await self.service("llm").warm(self.conversation().context)
        except Exception as error:  # noqa: BLE001  the first answer is slower, no more
            logger.warning("the language model could not be warmed: %r", error)
