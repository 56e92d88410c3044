"""What a service must be able to do: one protocol per port, and the values that services exchange.

A service knows nothing of pipelines, sessions or replies. It is made once and serves many conversations at
the same time; each call of its main method is one stream with a state of its own. Cancelling the consumer (or
closing the iterator) must stop the work at once, at the vendor too. Errors are raised from
`errors.TheyErred`.

Derive a service from the protocol of its port: whatever is optional then has a default. An object that has
all members without deriving is a service as well.

Audio is little-endian 16-bit mono at the service's `sample_rate`, which is the rate that it wants or makes:
the stages resample. Blocking work goes through `clock.offload`, never on the event loop.
"""

import inspect
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Generic, Protocol

from ..context import Context
from ..errors import ConfigurationError
from ..frames import ToolCall, frame

# The life of a service -------------------------------------------------------------------------------


class Service(Protocol):
    """The life of every service: `load`, then `open`, then any number of streams, then `close`.

    Each of the three may be called again, and by several sessions at once; a call that finds its work done
    returns at once. All do nothing by default. docs/decisions/0008 says why they are three.
    """

    resident: bool = False
    """True for a model in memory that does not survive a fork, because it computes in threads of its own.
    With a process for each session, one process holds such a model and answers all others."""

    async def load(self) -> None:
        """Put models into memory, before a process is forked: forks then share it.

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
    """Cleans what one conversation hears: noise, the agent's own echo, level.

    Unlike the services it is made for each conversation, and its method waits for nothing: it computes.
    """

    sample_rate: int
    block: int
    """The number of samples that are cleaned at once."""
    delay: int = 0
    """How many samples later the output is than the input."""
    echo: bool = False
    """True if it wants to hear the agent, too."""
    light: bool = False
    """True if 20 ms of audio take well under a millisecond; others are computed beside the event loop."""

    def process(self, near: bytes, far: bytes | None) -> bytes:
        """Clean whole blocks of the microphone's audio; returns as many samples.

        `far` is what the agent's side played meanwhile, as many samples; None if `echo` is false.
        """
        ...

    def reset(self) -> None:
        """Forget what was heard: what comes next does not continue it."""
        ...

    async def open(self) -> None:
        """Load what the first block needs. Called once more, and then `reset`, after a failure."""

    async def close(self) -> None:
        """Release what it holds: the conversation is over."""


# Speech in -------------------------------------------------------------------------------------------


@frame
class AudioChunk:
    """Mono 16-bit samples at the service's sample rate."""

    pcm: bytes


@frame
class Flush:
    """Asks for an answer now. `final`: the utterance is over, so forget it afterwards."""

    final: bool


@frame
class Recognized:
    """The words of the current utterance, all of them each time.

    A `final` one answers a final Flush, or is the service's own decision that these words will not change.
    """

    text: str
    final: bool
    language: str | None = None


@frame
class TurnHint:
    """What the service itself says about the end of the turn.

    The probability of an eager end of turn (0 takes an earlier one back), or the service's `final` decision.
    """

    probability: float
    final: bool = False


class SpeechToText(Service, Protocol):
    """Audio to words."""

    sample_rate: int
    segmented: bool
    """True: wants only speech, and a Flush whenever it pauses. False: wants every sample, silence too."""
    interim_every: float | None = None
    """Seconds of speech after which a segmented service is asked for interim words; None: only at pauses."""

    def transcribe(self, audio: AsyncIterator[AudioChunk | Flush]) -> AsyncIterator[Recognized | TurnHint]:
        """Transcribe one conversation.

        A final Flush is always answered by one final Recognized (with text "" if there were no words); a
        Flush that is not final may be answered by an interim one. A service that detects turns by itself may
        send a TurnHint at any time.
        """
        ...


class VoiceActivity(Service, Protocol):
    """Audio to the probability that somebody speaks."""

    sample_rate: int
    window: int
    """The number of samples that one probability judges."""

    def detect(self, audio: AsyncIterator[bytes]) -> AsyncIterator[float]:
        """Yield one probability (0 to 1) for each window; each item of `audio` is exactly one window."""
        ...

    def at(self, sample_rate: int) -> "VoiceActivity | None":
        """Return the same service for audio of another rate; None, the default, has the stage resample."""
        return None


class EndOfTurn(Service, Protocol):
    """The sound of the user's turn so far to the probability that it is over."""

    sample_rate: int
    seconds: float
    """How much of the newest audio it looks at, at most."""

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
    """How many tokens the generation read and wrote; `cached` of those read cost little."""

    read: int
    written: int
    cached: int = 0


class LanguageModel(Service, Protocol):
    """A conversation so far to what comes next."""

    first_within: float = 7.0
    """Seconds, all tries together, that the first word may take before the service counts as stalled."""

    def generate(self, context: Context) -> AsyncIterator[TextDelta | ToolCall | TokenUsage]:
        """Answer the context. Text and tool calls in any order; usage at most once, last."""
        ...

    async def warm(self, context: Context) -> None:
        """Read a context that later calls begin with, so that those start sooner. By default, do nothing."""


# Speech out ------------------------------------------------------------------------------------------


@frame
class Speech:
    """A piece of voice at the service's sample rate; `piece` counts, from 0, the text that it speaks."""

    pcm: bytes
    piece: int


@frame
class Word:
    """The first `end` characters of text number `piece` have been spoken `seconds` into its audio."""

    piece: int
    end: int
    seconds: float


class TextToSpeech(Service, Protocol):
    """Words to audio."""

    sample_rate: int

    def speak(self, text: AsyncIterator[str]) -> AsyncIterator[Speech | Word]:
        """Speak the pieces of one reply, each a clause or sentence, in order, as they come."""
        ...


# The ports -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ServicePort:
    """A kind of service: the protocol, its main method, and what it is called in a sentence."""

    protocol: type
    method: str
    words: str
    optional: bool = False
    """True if a pipeline can do without."""

    def missing(self, service: object) -> list[str]:
        """Return the members of the protocol that a service lacks."""
        return [name for name in _members(self.protocol) if not hasattr(service, name)]


PORTS = {
    "vad": ServicePort(VoiceActivity, "detect", "voice activity", optional=True),
    "eot": ServicePort(EndOfTurn, "score", "end of turn", optional=True),
    "stt": ServicePort(SpeechToText, "transcribe", "speech to text"),
    "llm": ServicePort(LanguageModel, "generate", "language model"),
    "tts": ServicePort(TextToSpeech, "speak", "text to speech"),
}
"""The ports of the services that an agent has for all its conversations, in the order of a pipeline."""
CLEANING = ServicePort(AudioFilter, "process", "cleaning of what is heard", optional=True)
"""The port "cleaning", whose filters are made for each conversation."""


def _members(protocol: type) -> list[str]:
    kinds = [kind for kind in protocol.__mro__ if kind not in (object, Protocol, Generic)]
    names = (name for kind in kinds for name in (*inspect.get_annotations(kind), *vars(kind)))
    return sorted({name for name in names if not name.startswith("_")})


@dataclass(frozen=True)
class Vendor:
    """What a vendor's file says of itself: the command line, the docs and the tests are made from it."""

    name: str
    provides: dict[str, str]
    """Port ("stt", "tts", "llm", "vad", "eot", "cleaning") to the name of the class in the module."""
    docs: str
    env: str | None = None
    """The environment variable with the key."""
    extra: str | None = None
    """The extra of Antiphon that installs what the vendor needs."""
    default: dict[str, str] | None = None
    """Port to the model used when only the vendor is named."""
    resident: tuple[str, ...] = ()
    """The ports whose services are `resident`, so that it is known before one is made."""


def verified(port: str, service: Any) -> Any:
    """Return the service. Raises ConfigurationError if it lacks members of its port's protocol."""
    known = PORTS.get(port, CLEANING)
    if missing := known.missing(service):
        if known.method in missing:
            raise ConfigurationError(
                f"{port}={service!r} is neither a name like 'vendor/model' "
                f"nor an object with {known.method}()"
            )
        raise ConfigurationError(
            f"{port}={service!r} lacks {', '.join(missing)}: derive its class from antiphon.services.ports."
            f"{known.protocol.__name__}, which has a default for everything optional"
        )
    return service
