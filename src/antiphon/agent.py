"""What an agent is: instructions, models and tools; everything else has defaults.

`antiphon.Agent` is this class with `run()`, which needs the command line and therefore lives in a layer above
(`front_door.py`).
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

from .context import Entry
from .conversation.conversation import Conversation
from .conversation.notes import Notes
from .conversation.tools import Tool
from .errors import ConfigurationError
from .pipeline import Part
from .playout.playout import Playout
from .services.life import close_services, open_services
from .services.ports import (
    PORTS,
    AudioFilter,
    EndOfTurn,
    LanguageModel,
    RealtimeModel,
    Service,
    SpeechToText,
    TextToSpeech,
    VoiceActivity,
    verified,
)
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

__all__ = ["AgentDefinition", "Listening", "Speaking"]

logger = logging.getLogger("antiphon.agent")

WARM_WITHIN = 60.0  # seconds that the language model may take to read the instructions
MOVED = {
    **dict.fromkeys(("speech", "mute", "cleaning", "classifier"), "listening=Listening"),
    **dict.fromkeys(("timing", "fillers", "apology", "ambience"), "speaking=Speaking"),
}
"""Former parameters of the agent, and the group that each has moved to."""


def _create(port: str, name: str) -> Any:
    """Make the service of a port that a name means."""
    from .vendors import create  # vendors know services, not the other way round

    return create(port, name)


def _where(*names: str) -> str:
    """Return where settings are now that were the agent's own."""
    moved = "; ".join(f"{name} is in {MOVED[name]}({name}=...)" for name in names)
    return f"{moved} now: from antiphon import Listening, Speaking"


@dataclass(frozen=True, kw_only=True)
class Listening:
    """Settings for listening to the user."""

    speech: VADSettings = field(default_factory=VADSettings)
    """When sound becomes speech, and when speech is over."""
    mute: Sequence[str | Callable[[], MuteRule]] = ()
    """When the user is muted: "greeting", "first words", "tools", "speaking", or the class of your own rule.
    Each conversation makes an instance of it."""
    cleaning: str | Callable[[], AudioFilter] | None = None
    """The filter of the microphone's audio: "webrtc_audio/echo", or the class of your own filter.
    Each conversation makes an instance of it."""
    classifier: InterruptionClassifier | None = None
    """Decides what a sound over the agent's voice is; None means the rules of `turns.interruption`."""

    def __post_init__(self) -> None:
        for rule in self.mute:
            if not isinstance(rule, str) and not callable(rule):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise ConfigurationError(
                    f"mute={rule!r}: pass the rule's class; each conversation makes its own"
                )
        if not (self.cleaning is None or isinstance(self.cleaning, str) or callable(self.cleaning)):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError(
                f"cleaning={self.cleaning!r}: pass a name like 'webrtc_audio/echo' or the filter's class; "
                "each conversation makes its own"
            )


@dataclass(frozen=True, kw_only=True)
class Speaking:
    """Settings for speaking, other than the voice."""

    timing: ResponseTiming | None = field(default_factory=TimingRules)
    """How long an answer waits, by the kind of turn; None answers at once."""
    fillers: Sequence[str] = ()
    """Sentences such as "One moment.", used in rotation while tools take long and nothing has been said."""
    please_wait: str | None = "One moment, please."
    """What is said if the model has written nothing for a while and nothing is heard; None says nothing."""
    apology: str | None = "Sorry, I had a problem just now. Could you say that again?"
    """What is said if no answer could be made; None says nothing."""
    ambience: "AmbienceSettings | None" = None
    """Background sound, also while an answer is being made; None for silence."""


@dataclass
class AgentDefinition:
    """The definition of an agent; each conversation with it is a session of its own.

    A model is "vendor/model", "vendor", or an object that implements its port (`services/ports.py`); `vad`
    and `eot` may be None, for a pipeline without them. The agent makes its models once, for all
    conversations, and closes them in `close`.

    `stt`, `llm` and `tts` are the local ones unless given. With `realtime`, one model takes their place; an
    `stt` besides gives exact transcripts, a `tts` speaks for a model that answers with text.
    """

    instructions: str
    stt: str | SpeechToText | None = None
    llm: str | LanguageModel | None = None
    tts: str | TextToSpeech | None = None
    _: KW_ONLY
    realtime: str | RealtimeModel | Sequence[str | RealtimeModel] | None = None
    """A model that hears and speaks by itself; of several, each is the spare of those before it. With
    `vad=None` it also decides when a turn is over."""
    tools: Sequence[Tool] = ()
    greeting: str | None = None
    """What the agent says first; None waits for the user."""
    vad: str | VoiceActivity | None = "local"
    eot: str | EndOfTurn | None = "local"
    turns: TurnSettings = field(default_factory=TurnSettings)
    """When a turn is over, and when the user interrupts."""
    listening: Listening = field(default_factory=Listening)
    speaking: Speaking = field(default_factory=Speaking)
    screening: "ScreeningSettings | None" = None
    """For calls that the agent makes: what to do, depending on who or what answers."""
    history: Sequence[Entry] = ()
    """What was said before the conversation begins."""

    def __new__(cls, *args: Any, **settings: Any) -> Self:
        """Refuse settings that have moved to a group, with a ConfigurationError."""
        if moved := [name for name in settings if name in MOVED]:
            raise ConfigurationError(_where(*moved))
        return super().__new__(cls)

    def __setattr__(self, name: str, value: Any) -> None:
        """Raise ConfigurationError for settings that are in a group now."""
        if name in MOVED:
            raise ConfigurationError(_where(name))
        super().__setattr__(name, value)

    if not TYPE_CHECKING:  # else a type checker would believe that there is every attribute

        def __getattr__(self, name: str) -> Any:
            """Raise an AttributeError which says where a setting is now."""
            known = _where(name) if name in MOVED else ""
            raise AttributeError(known or f"{type(self).__name__!r} object has no attribute {name!r}")

    def __post_init__(self) -> None:
        if not isinstance(self.instructions, str) or not self.instructions.strip():  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError("an agent needs instructions: Agent('You answer the phone of ...')")
        for tool in self.tools:
            if not isinstance(tool, Tool):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise ConfigurationError(f"{tool!r} is not a tool: put @tool above its function")
        groups = ((self.turns, TurnSettings), (self.listening, Listening), (self.speaking, Speaking))
        for group, kind in groups:
            if not isinstance(group, kind):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise ConfigurationError(f"{group!r} is not a {kind.__name__}: pass {kind.__name__}(...)")
        self._services: dict[str, Any] = {}
        if self.realtime is not None:
            self._check_realtime()
        for name, port in PORTS.items():
            chosen = getattr(self, name) if port.optional else self.chosen(name)
            if isinstance(chosen, type):
                raise ConfigurationError(f"{name} is the class {chosen.__name__}: write {chosen.__name__}()")
            if _is_service(chosen) or (chosen is None and not port.optional and self.realtime is None):
                verified(name, chosen)

    def _check_realtime(self) -> None:
        """Raise ConfigurationError for settings that a realtime model leaves no use for."""
        if self.llm is not None:
            raise ConfigurationError("realtime= is the model that answers: leave llm= out, or realtime=")
        if self.turns.wake_phrase is not None and self.stt is None:
            raise ConfigurationError("turns: a wake_phrase needs words in time: give the agent an stt= too")

    # Models ------------------------------------------------------------------------------------------

    def chosen(self, port: str) -> Any:
        """Return the setting of a port ("stt", "llm", ...): a name, an object or None."""
        chosen = getattr(self, port)
        if self.realtime is None:
            return "local" if chosen is None and not PORTS[port].optional else chosen
        if port in ("vad", "eot") and self.turns_are_theirs:
            return None
        return chosen

    @property
    def turns_are_theirs(self) -> bool:
        """True if the realtime model decides when a turn is over."""
        detection = self.service("realtime").detection
        return detection == "theirs" or (detection == "either" and self.vad is None)

    def service(self, port: str) -> Any:
        """Return the service of a port ("stt", ...), made once for all conversations."""
        chosen = self.realtime if port == "realtime" else self.chosen(port)
        if chosen is None or _is_service(chosen):
            return chosen
        if port not in self._services:
            self._services[port] = _made(port, chosen)
        return self._services[port]

    def services(self) -> list[Service]:
        """Return the services of all ports, creating those that do not exist yet."""
        return [self.service(port) for port in PORTS if self.chosen(port) is not None]

    def is_resident(self, port: str) -> bool:
        """Return True if the service of a port cannot be forked once it is loaded."""
        chosen = self.chosen(port)
        if chosen is None or _is_service(chosen):
            return chosen is not None and chosen.resident
        from .vendors import is_resident

        several = [chosen] if isinstance(chosen, str) else chosen
        return any(is_resident(port, one) if isinstance(one, str) else one.resident for one in several)

    def with_services(self, **changed: Any) -> Self:
        """Return a copy with some services replaced; it shares all the others."""
        copy = replace(self, **changed)
        copy._services = {port: made for port, made in self._services.items() if port not in changed}
        return copy

    async def open(self) -> None:
        """Load and open the models, so that the first conversation starts at once.

        Raises what the first of them raises that cannot be opened, after closing the others.
        """
        if self.realtime is not None:
            _refuse_useless(self)
        try:
            await open_services(self.services())
        except BaseException:
            await self.close()
            raise
        try:
            async with asyncio.timeout(WARM_WITHIN):
                if (model := self.service("llm")) is not None:
                    await model.warm(self.conversation().context)
        except Exception as error:  # noqa: BLE001  only the first answer is slower
            logger.warning("the language model could not be warmed: %r", error)

    async def close(self) -> None:
        """Close the models; they are opened again by the next `open` or session."""
        given = [one for one in map(self.chosen, PORTS) if _is_service(one)]
        await close_services([*self._services.values(), *given])

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # Conversations -----------------------------------------------------------------------------------

    def pipeline(self, transport: Transport) -> list[Part]:
        """Return the parts of a conversation over this transport.

        The list may be edited or replaced before it is passed to a Session.
        """
        from .services.eot import EOT
        from .services.vad import VAD
        from .turns.mute import Mute
        from .turns.turn_taking import TurnTaking

        heard = self.listening
        mute = [rule if isinstance(rule, str) else rule() for rule in heard.mute]
        vad, eot, stt = self.service("vad"), self.service("eot"), self.service("stt")
        cleaning, segmented = self._cleaning(), vad is not None and (stt is None or stt.segmented)
        ears, voice, turns = (_cascade if self.realtime is None else _realtime)(self)
        return [
            transport.input,
            *([Mute(*mute)] if mute else []),
            *([cleaning] if cleaning else []),
            *([VAD(vad, heard.speech)] if vad is not None else []),
            *([cleaning.raw] if cleaning and cleaning.service.echo and segmented else []),
            *ears,
            *([EOT(eot)] if eot is not None else []),
            *self._screening(),
            TurnTaking(turns, classifier=heard.classifier),
            Notes(),
            self.conversation(),
            *voice,
            Playout(transport.sample_rate, lead=transport.lead),
            *self._ambience(),
            *([cleaning.far] if cleaning else []),
            transport.output,
        ]

    def conversation(self) -> Conversation:
        """Return a new conversation with this agent's instructions, tools and history."""
        return Conversation(
            self.instructions,
            self.tools,
            greeting=self.greeting,
            apology=self.speaking.apology,
            history=self.history,
            timing=self.speaking.timing,
            fillers=self.speaking.fillers,
            please_wait=self.speaking.please_wait,
        )

    def session(self, transport: Transport, *, observers: Sequence[Observer] = ()) -> Session:
        """Return a conversation over this transport, ready to `run`."""
        observing = [*transport.observers, *observers]
        return Session(self.pipeline(transport), observers=observing, create=_create)

    def _cleaning(self) -> "Cleaning | None":
        chosen = self.listening.cleaning
        if chosen is None:
            return None
        from .services.cleaning import Cleaning
        from .vendors import create

        made = create("cleaning", chosen) if isinstance(chosen, str) else chosen()
        return Cleaning(verified("cleaning", made))

    def _screening(self) -> list[Part]:
        if self.screening is None:
            return []
        from .screening import Screening

        return [Screening(self.screening)]

    def _ambience(self) -> list[Part]:
        if self.speaking.ambience is None:
            return []
        from .playout.ambience import Ambience

        return [Ambience(self.speaking.ambience)]


def _is_service(chosen: Any) -> bool:
    """Return whether a setting of a port is a service, and no name or names."""
    return chosen is not None and not isinstance(chosen, str | list | tuple)


def _made(port: str, chosen: Any) -> Any:
    """Make the service that a name means, or one of several realtime models."""
    if isinstance(chosen, str):
        return verified(port, _create(port, chosen))
    from .services.realtime_fallback import Fallback

    return Fallback(*(_made(port, one) if isinstance(one, str) else one for one in chosen))


def _cascade(agent: AgentDefinition) -> tuple[list[Part], list[Part], TurnSettings]:
    """Return what hears, what answers and speaks, and the policy of turns."""
    from .services.llm import LLM
    from .services.stt import STT
    from .services.tts import TTS

    voice: list[Part] = [LLM(agent.service("llm")), TTS(agent.service("tts"))]
    return [STT(agent.service("stt"))], voice, agent.turns


def _refuse_useless(agent: AgentDefinition) -> None:
    """Raise ConfigurationError for a setting that has no use with the realtime model."""
    model, no_words = agent.service("realtime"), agent.stt is None
    theirs, turns = agent.turns_are_theirs, agent.turns
    decides = "the realtime model decides when a turn is over: leave "
    needs_words = " needs words in time: give the agent an stt= too, or leave it out"
    useless = {
        "the realtime model speaks itself: leave tts= out, or make it with speaks=False": (
            agent.tts is not None and model.speaks
        ),
        "the realtime model answers with text alone (speaks=False): give the agent a tts=": (
            agent.tts is None and not model.speaks
        ),
        "the realtime model says nothing on demand: leave greeting= out": (
            agent.greeting and not model.takes_words
        ),
        "the realtime model says nothing on demand: leave Speaking(fillers=...) out": (
            agent.speaking.fillers and not model.takes_words
        ),
        "the realtime model cannot call tools: leave tools= out": agent.tools and not model.calls_tools,
        "the realtime model cannot decide when a turn is over: leave vad=None out": (
            not theirs and agent.vad is None
        ),
        f"{decides}vad= out": theirs and agent.vad not in (None, "local"),
        f"{decides}eot= out": theirs and agent.eot not in (None, "local"),
        f"{decides}Listening(speech=...) out": theirs and agent.listening.speech != VADSettings(),
        f"{decides}TurnSettings(starts_by=...) out": theirs and turns.starts_by != "speech",
        "no answer of a realtime model is begun in vain: leave TurnSettings(speculation=...) out": (
            turns.speculation != TurnSettings().speculation
        ),
        "a realtime model says no backchannels: leave TurnSettings(backchannels=...) out": (
            turns.backchannels.frequency > 0 and model.speaks
        ),
        f"TurnLimit(words=...){needs_words}": no_words and turns.limit.words is not None,
        f"InterruptionSettings(min_words=...){needs_words}": (
            no_words and turns.interruption.min_words != TurnSettings().interruption.min_words
        ),
        f"screening={needs_words}": no_words and agent.screening is not None,
    }
    for says, applies in useless.items():
        if applies:
            raise ConfigurationError(says)


def _realtime(agent: AgentDefinition) -> tuple[list[Part], list[Part], TurnSettings]:
    """Return the same with one model that does all of it."""
    from .services.realtime import Realtime
    from .services.stt import STT
    from .services.tts import TTS

    stt, tts, model = agent.service("stt"), agent.service("tts"), agent.service("realtime")
    _refuse_useless(agent)
    realtime = Realtime(model, detects=agent.turns_are_theirs, transcripts=stt is None)
    eyes: list[Part] = [realtime.eyes] if model.sees != "nothing" else []
    ears: list[Part] = [realtime.ears, *eyes, *([STT(stt)] if stt is not None else [])]
    voice: list[Part] = [realtime, *([TTS(tts)] if tts is not None else [])]
    turns = agent.turns.without_words() if stt is None else agent.turns.without_speculation()
    return ears, voice, turns
