"""The ports: one protocol per kind of service, and the values they exchange.

A service knows nothing of pipelines, sessions or replies. It is made once and serves many conversations at
the same time; each call of its main method is one stream with a state of its own. Cancelling the consumer (or
closing the iterator) must stop the work at once, at the vendor too. Errors that it raises
are subclasses of `errors.TheyErred`.

Derive a service from the protocol of its port: whatever is optional then has a default. An object that has
all members without deriving is a service as well.

Audio is little-endian 16-bit mono at the service's `sample_rate`, which is the rate that it wants or makes:
the stages resample. Blocking work goes through `clock.offload`, never on the event loop.
"""

import inspect
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Generic, Literal, Protocol, TypeAlias

from ..context import Context
from ..errors import ConfigurationError
from ..frames import ToolCall, frame
from .realtime_vocabulary import RealtimeEvent, RealtimeInput
from .typos import refuse_typos

SLOW_AFTER = 1.5
"""Seconds of nothing after which a service counts as slow, so that a caller waits for less than 2 s."""
OWN_MACHINE = 3.0
"""The same for a server on a machine of one's own: a busy one is late, not broken."""

# The life of a service -------------------------------------------------------------------------------


class Service(Protocol):
    """The life of a service: `load`, `open`, any number of streams, then `close`.

    Each of the three may be called again, and by several sessions at once; a call that finds its work done
    returns at once. All do nothing by default. docs/decisions/0008 says why they are three.
    """

    vendor: str = ""
    """The name of the vendor that is billed; `vendors.create` sets it if the class does not."""
    model: str = ""
    """What the vendor's price depends on, mostly the name of the model."""
    resident: bool = False
    """True for a model in memory that does not survive a fork, because it computes in threads of its own.
    With a process for each session, one process holds such a model and answers all others."""

    def __init_subclass__(cls, **settings: Any) -> None:
        super().__init_subclass__(**settings)
        refuse_typos(cls)

    async def load(self) -> None:
        """Load models into memory before a process is forked: forks then share it.

        Opens no connection, and starts no thread unless the service is `resident`.
        """

    async def open(self) -> None:
        """Check the key and connect, in the process in which the streams will run.

        Raises ConfigurationError if something is missing. A service that was closed may be opened again.
        """

    async def close(self) -> None:
        """Close the connections. Streams that are still running may fail."""


# Sound in --------------------------------------------------------------------------------------------


class AudioFilter(Protocol):
    """A filter of the audio of one conversation: noise, the agent's echo, level.

    Unlike a service it is made for each conversation, and `process` computes without waiting.
    """

    sample_rate: int
    block: int
    """The number of samples that are cleaned at once."""
    delay: int = 0
    """How many samples later the output is than the input."""
    echo: bool = False
    """True if it also needs the agent's audio."""
    light: bool = False
    """True if 20 ms of audio take well under a millisecond; others are computed beside the event loop."""

    def process(self, near: bytes, far: bytes | None) -> bytes:
        """Clean whole blocks of the microphone's audio; returns as many samples.

        `far` is what the agent's side played meanwhile, as many samples; None if `echo` is false.
        """
        ...

    def reset(self) -> None:
        """Forget the audio so far: what comes next does not continue it."""
        ...

    async def open(self) -> None:
        """Load what the first block needs. Called again after a failure, then `reset`."""

    async def close(self) -> None:
        """Release what it holds: the conversation is over."""


# Speech in -------------------------------------------------------------------------------------------


@frame
class AudioChunk:
    """Mono 16-bit samples at the service's sample rate."""

    pcm: bytes


@frame
class Flush:
    """A request to answer now; if `final`, the utterance is over, so forget it then.

    `spoken` is how many seconds of speech a VAD has heard in that utterance.
    """

    final: bool
    spoken: float = 0.0


@frame
class Recognized:
    """All words of the current utterance so far.

    A `final` one answers a final Flush, or is the service's own decision that these words will not change.
    """

    text: str
    final: bool
    language: str | None = None


@frame
class TurnHint:
    """The service's own judgement of the end of the turn.

    The probability of an eager end of turn (0 takes an earlier one back), or the service's `final` decision.
    """

    probability: float
    final: bool = False


class SpeechToText(Service, Protocol):
    """A service that turns audio into words."""

    sample_rate: int
    segmented: bool
    """True: wants only speech, and a Flush whenever it pauses. False: wants every sample, silence too."""
    chunk: float = 0.05
    """Seconds of audio that are collected for an AudioChunk; a Flush hands over at once what there is."""
    interim_every: float | None = None
    """Seconds of speech after which a segmented service is asked for interim words; None: only at pauses."""
    answered_within: float = 5.0
    """Seconds, all tries together, that the answer to a final Flush may take; then its words are given up."""
    bills_open: bool = False
    """True if the vendor bills the time that a connection is open, not the audio."""

    def transcribe(self, audio: AsyncIterator[AudioChunk | Flush]) -> AsyncIterator[Recognized | TurnHint]:
        """Transcribe one conversation.

        A final Flush is always answered by one final Recognized (with text "" if there were no words); a
        Flush that is not final may be answered by an interim one. A service that detects turns by itself may
        send a TurnHint at any time.
        """
        ...


class VoiceActivity(Service, Protocol):
    """A service that turns audio into the probability of speech."""

    sample_rate: int
    window: int
    """The number of samples that one probability judges."""

    def detect(self, audio: AsyncIterator[bytes]) -> AsyncIterator[float]:
        """Yield one probability (0 to 1) for each item of `audio`, which is one window."""
        ...

    def at(self, sample_rate: int) -> "VoiceActivity | None":
        """Return the same service for audio of another rate.

        With None, the default, the stage resamples.
        """
        return None


class EndOfTurn(Service, Protocol):
    """A service that judges by the sound of the user's turn whether it is over."""

    sample_rate: int
    seconds: float
    """The most seconds of the newest audio that it looks at."""

    async def score(self, pcm: bytes) -> float:
        """Return the probability (0 to 1) that a turn that sounds like this is over."""
        ...


# Language --------------------------------------------------------------------------------------------


@frame
class TextDelta:
    """A piece of the answer, as it comes."""

    text: str


@frame
class TokenUsage:
    """The tokens that the generation read and wrote.

    Of those read, `cached` came from the vendor's cache, which costs less; `stored` were put into it, which
    costs more with some vendors.
    """

    read: int
    written: int
    cached: int = 0
    stored: int = 0


class LanguageModel(Service, Protocol):
    """A service that continues a conversation."""

    first_within: float = 7.0
    """Seconds, all tries together, that the first word may take before the service counts as stalled."""
    next_within: float = 5.0
    """Seconds that each further word may take."""
    acts: bool = False
    """True if an answer may do more than speak, with tools of its own.
    It is then not asked before the user's turn is certain to be over."""
    slow_after: float = SLOW_AFTER
    """Seconds without a word after which a spare is asked, if there is one, or the caller told to wait."""

    def generate(self, context: Context) -> AsyncIterator[TextDelta | ToolCall | TokenUsage]:
        """Answer the context: text and tool calls in any order, then its usage."""
        ...

    async def warm(self, context: Context) -> None:
        """Read a context that later calls begin with, so that those start sooner.

        Does nothing by default.
        """


# Speech out ------------------------------------------------------------------------------------------


@frame
class Speech:
    """Audio at the service's sample rate; `piece` is the index of its text, from 0."""

    pcm: bytes
    piece: int


@frame
class Word:
    """The time of a word within the audio of a piece of text.

    `seconds` into that audio, the first `end` characters of the piece have been spoken.
    """

    piece: int
    end: int
    seconds: float


class TextToSpeech(Service, Protocol):
    """A service that turns words into audio."""

    sample_rate: int
    slow_after: float = SLOW_AFTER
    """Seconds without audio, while there is text to speak, after which another try or a spare goes on."""
    billed: float = 1.0
    """How often the vendor bills each character that it is given."""

    def speak(self, text: AsyncIterator[str]) -> AsyncIterator[Speech | Word]:
        """Speak the pieces of one reply (clauses or sentences) in order, as they come."""
        ...


# Both in one -----------------------------------------------------------------------------------------

Sees: TypeAlias = Literal["nothing", "turns", "video"]


class RealtimeModel(Service, Protocol):
    """A model that hears and speaks by itself.

    Its vocabulary is on `realtime_vocabulary.py`.
    """

    input_rate: int
    """Samples per second of the user's sound that it takes."""
    output_rate: int
    """Samples per second of its voice."""
    detection: Literal["ours", "theirs", "either"] = "either"
    """Who may decide when a turn of the user is over: we, the model, or either of the two."""
    speaks: bool = True
    """False if it answers with text alone, which a text to speech then says."""
    takes_words: bool = True
    """False if it only hears: nothing can be typed, and it says nothing on demand, such as a greeting."""
    calls_tools: bool = True
    """False if it cannot call tools."""
    sees: Sees = "nothing"
    """Which pictures of the user's camera and screen it wants: none; the newest with each turn of the user,
    if each is an item in its conversation; or one a second, if it has an input for video."""

    def converse(
        self, context: Context, inputs: AsyncIterator[RealtimeInput], *, detects: bool = False
    ) -> AsyncIterator[RealtimeEvent]:
        """Hold one conversation, which begins from the context.

        With `detects` the model decides when turns are over; else SpeechOver and Respond say so. It lasts
        until the inputs end. Raises TheyErred if it cannot go on.
        """
        ...


# The ports -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ServicePort:
    """A kind of service: its protocol, main method, and name in a sentence."""

    protocol: type
    method: str
    words: str
    optional: bool = False
    """True if a pipeline can do without it."""

    def missing(self, service: object) -> list[str]:
        """Return the members that a service lacks; the main method must be its own."""
        missing = [name for name in _members(self.protocol) if not hasattr(service, name)]
        inherited = getattr(type(service), self.method, None) is vars(self.protocol)[self.method]
        return [*missing, self.method] if inherited else missing


PORTS = {
    "vad": ServicePort(VoiceActivity, "detect", "voice activity", optional=True),
    "eot": ServicePort(EndOfTurn, "score", "end of turn", optional=True),
    "stt": ServicePort(SpeechToText, "transcribe", "speech to text"),
    "llm": ServicePort(LanguageModel, "generate", "language model"),
    "tts": ServicePort(TextToSpeech, "speak", "text to speech"),
    "realtime": ServicePort(RealtimeModel, "converse", "speech to speech", optional=True),
}
"""The ports of the services that an agent has for all its conversations, in the order of a pipeline."""
CLEANING = ServicePort(AudioFilter, "process", "cleaning of what is heard", optional=True)
"""The port "cleaning", whose filters are made for each conversation."""


@cache
def _members(protocol: type) -> tuple[str, ...]:
    kinds = [kind for kind in protocol.__mro__ if kind not in (object, Protocol, Generic)]
    names = (name for kind in kinds for name in (*inspect.get_annotations(kind), *vars(kind)))
    return tuple(sorted({name for name in names if not name.startswith("_")}))


@dataclass(frozen=True)
class Vendor:
    """What a vendor's module declares, for the command line, docs and tests."""

    name: str
    provides: dict[str, str]
    """Port ("stt", "tts", "llm", "vad", "eot", "cleaning") to the class: "TTS", or "tts.TTS" in a folder."""
    docs: str
    env: tuple[str, ...] = ()
    """The environment variables that it needs, the key first."""
    own: bool = False
    """True if it is a server or a model on the user's own machines, which costs nothing."""
    extra: str | None = None
    """The extra of Antiphon that installs what the vendor needs."""
    default: dict[str, str] | None = None
    """Port to the model that is used if only the vendor is named; "" if a model must be named."""
    options: dict[str, str] | None = None
    """Port to the parameter that is written behind a colon: {"tts": "voice"} for "vendor/model:voice"."""
    can: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """Port to what its service can do that not all can, of the words in `vendors/_abilities.py`."""
    languages: Mapping[str, str] = field(default_factory=dict[str, str])
    """Port to how many languages its default model knows, or which: "42", "English"."""
    checked: str = ""
    """The day of the notes on the vendor's protocol that the page was written from, as "2026-11-30"."""
    resident: tuple[str, ...] = ()
    """The ports whose services are `resident`, which must be known before one is made."""
    voices: str | None = None
    """A coroutine function that lists its voices: "voices", or "tts.voices" in a folder; rows need none."""
    port_env: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """Port to the variables that its service needs, if not those of `env`."""


def verified(port: str, service: Any) -> Any:
    """Return the service, if it has all members of its port's protocol.

    Raises ConfigurationError otherwise.
    """
    known = PORTS.get(port, CLEANING)
    if missing := known.missing(service):
        if known.method in missing:
            raise ConfigurationError(
                f"{port}={service!r} is neither a name like 'vendor/model' "
                f"nor an object with a {known.method}() of its own"
            )
        if known.protocol in type(service).__mro__:
            raise ConfigurationError(
                f"{port}={service!r} does not set {', '.join(missing)}, "
                f"for which {known.protocol.__name__} has no default"
            )
        raise ConfigurationError(
            f"{port}={service!r} lacks {', '.join(missing)}: derive its class from antiphon.services.ports."
            f"{known.protocol.__name__}, which has a default for everything optional"
        )
    return service
