"""What a service must be able to do: six small protocols, and the values they exchange.

A service knows nothing of pipelines, sessions or replies. It is made once and serves many conversations;
each call of its one method is one stream, with a state of its own. Cancelling the consumer (or closing the
iterator) must stop the work at once, at the vendor too. Errors are raised from `errors.TheyErred`.

Audio is little-endian 16-bit mono at the service's `sample_rate`, which is what it wants or makes: the
stages resample. Blocking work goes through `clock.offload`, never on the event loop.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from ..context import Context
from ..frames import ToolCall, frame

# Sound in --------------------------------------------------------------------------------------------


class AudioFilter(Protocol):
    """Cleans what one conversation hears: noise, the agent's own echo, level.

    Unlike the services below it is made for each conversation, and waits for nothing: it computes. One that
    has an async `load` gets ready there, for the first time or again; one that has a `close` lets go.
    """

    sample_rate: int
    block: int
    """Samples that are cleaned at once."""
    delay: int
    """Samples by which what comes out is later than what went in."""
    echo: bool
    """Whether it wants to hear the agent, too."""
    light: bool
    """Whether 20 ms of audio take well under a millisecond; others are computed beside the event loop."""

    def process(self, near: bytes, far: bytes | None) -> bytes:
        """Clean whole blocks of the microphone; as many samples come out.

        `far` is what the agent's side was playing meanwhile, in as many samples; None where `echo` is false.
        """
        ...

    def reset(self) -> None:
        """Forget what was heard: what comes next does not follow it."""
        ...


# Speech in -------------------------------------------------------------------------------------------


@frame
class AudioChunk:
    """Mono 16-bit samples at the service's sample rate."""

    pcm: bytes


@frame
class Flush:
    """Answer now with what you have. `final`: the utterance is over, so forget it afterwards."""

    final: bool


@frame
class Recognized:
    """Words of the current utterance, all of them each time. `final` answers a final Flush,
    or is the service's own decision that these words will not change."""

    text: str
    final: bool
    language: str | None = None


@frame
class TurnHint:
    """What the service itself says of the end of the turn: an eager end of turn with its probability, 0 when
    it takes that back, or its `final` decision."""

    probability: float
    final: bool = False


class SpeechToText(Protocol):
    """Audio to words."""

    sample_rate: int
    segmented: bool
    """True: wants only speech, and a Flush where it pauses. False: wants every sample, silence too."""

    def transcribe(self, audio: AsyncIterator[AudioChunk | Flush]) -> AsyncIterator[Recognized | TurnHint]:
        """Transcribe one conversation. A final Flush is always answered by one final Recognized
        (with text "" where there were no words); a Flush that is not final may be answered by an interim one.
        A service that detects turns by itself may say so by a TurnHint at any time.
        """
        ...


class VoiceActivity(Protocol):
    """Audio to the probability that somebody speaks."""

    sample_rate: int
    window: int
    """Samples that one probability judges."""

    def detect(self, audio: AsyncIterator[bytes]) -> AsyncIterator[float]:
        """One probability (0 to 1) for each window; each item of `audio` is exactly one window."""
        ...


class EndOfTurn(Protocol):
    """The sound of the user's turn so far to the probability that it is over."""

    sample_rate: int
    seconds: float
    """How much of the newest audio it looks at, at most."""

    async def score(self, pcm: bytes) -> float:
        """The probability (0 to 1) that a turn that sounds like this is over."""
        ...


# Language --------------------------------------------------------------------------------------------


@frame
class TextDelta:
    """A piece of the answer, as it comes."""

    text: str


@frame
class TokenUsage:
    """What the generation read and wrote, in tokens; `cached` of those read cost little."""

    read: int
    written: int
    cached: int = 0


class LanguageModel(Protocol):
    """A conversation so far to what comes next."""

    def generate(self, context: Context) -> AsyncIterator[TextDelta | ToolCall | TokenUsage]:
        """Answer the context. Text first or tools first, in any mixture; usage at most once, last."""
        ...

    async def warm(self, context: Context) -> None:
        """Read a context whose beginning later calls share, so that they start sooner. May do nothing."""
        ...


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


class TextToSpeech(Protocol):
    """Words to audio."""

    sample_rate: int

    def speak(self, text: AsyncIterator[str]) -> AsyncIterator[Speech | Word]:
        """Speak the pieces of one reply, each a clause or sentence, in order, as they come."""
        ...


@dataclass(frozen=True)
class Vendor:
    """What a vendor's file says of itself: the command line, the docs and the tests are made from it."""

    name: str
    provides: dict[str, str]
    """Port ("stt", "tts", "llm", "vad", "eot", "cleaning") to the name of the class in the module."""
    docs: str
    env: str | None = None
    extra: str | None = None
    default: dict[str, str] | None = None
    """Port to the model used when only the vendor is named."""
