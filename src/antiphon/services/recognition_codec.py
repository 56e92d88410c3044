"""The codec for streaming speech to text: what a vendor's websocket says.

A vendor derives from `RecognitionCodec`; its driver is in `socket_stt.py`. Transcripts come in four
shapes, and each is told by the same three events:

    pieces      final pieces that follow each other           Settled(piece)
    cumulative  all words of the utterance, again each time   Tentative(words), then UtteranceEnded(words)
    deltas      a few characters more                         Settled(delta, joint="")
    tokens      final ones once, the others again each time   Settled(final, ""), Tentative(others, "")
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from ..errors import TheyErred
from .ports import TurnHint
from .websocket_client import Message

__all__ = [
    "Drained",
    "Flushed",
    "Ready",
    "RecognitionCodec",
    "RecognitionEvent",
    "Settled",
    "Tentative",
    "UtteranceEnded",
]


@dataclass(frozen=True, slots=True)
class Ready:
    """The vendor's first message: from now on it takes audio."""


@dataclass(frozen=True, slots=True)
class Settled:
    """Words that will not change any more, which follow those settled before.

    `joint` stands between the two; it is "" for a vendor whose pieces hold their own spaces.
    """

    text: str
    joint: str = " "
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Tentative:
    """Words after the settled ones that may change; they replace earlier ones."""

    text: str
    joint: str = " "


@dataclass(frozen=True, slots=True)
class UtteranceEnded:
    """The vendor has decided that an utterance is over.

    `text` is all of it, if the vendor repeats it.
    """

    text: str | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Flushed:
    """The answer to a flush: the words until then have come.

    `text` is all of them, if repeated.
    """

    text: str | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Drained:
    """The vendor's last message after `RecognitionCodec.end`."""


RecognitionEvent = Ready | Settled | Tentative | UtteranceEnded | Flushed | Drained | TurnHint


class RecognitionCodec:
    """What one connection to a vendor says; it opens no socket and has no clock.

    Each method returns the messages to send. `read` raises errors of `errors.py` for what is fatal.
    """

    waits_for_greeting: ClassVar[bool] = False
    """True if nothing may be sent before the vendor's first message."""
    waits_for_ready: ClassVar[bool] = False
    """True if no audio may be sent before `read` has yielded Ready."""
    keep_alive_every: ClassVar[float | None] = None
    """Seconds without audio after which `keep_alive` is sent."""
    flush_answered_within: ClassVar[float] = 1.0
    """Seconds for `Flushed`, or for an `UtteranceEnded` of the vendor.

    Then what was heard is the answer, or the vendor counts as stalled if it has said nothing for too long.
    """
    always_answers: ClassVar[bool] = True
    """False if a flush after which there are no words may go unanswered."""
    ended_by_silence: float = 0.0
    """Seconds of silence after which a vendor that has no flush ends an utterance; they are sent at once."""
    mute_after: ClassVar[float | None] = None
    """Seconds of audio without any message after which a connection counts as dead; None: it may be quiet."""
    tells_interim: ClassVar[bool] = True
    """False if words only come after a flush, so that nothing shows that somebody is speaking."""
    lasts: ClassVar[float | None] = None
    """Seconds after which the vendor closes any connection."""
    hears_faster: ClassVar[bool] = True
    """False if audio may not come faster than real time, so that a lost utterance cannot be sent again."""

    def begin(self) -> Iterable[Message]:
        """Open the conversation with the vendor."""
        return ()

    def audio(self, pcm: bytes) -> Iterable[Message]:
        """Send samples."""
        return (pcm,)

    def flush(self) -> Iterable[Message]:
        """Ask for the words so far; nothing if the vendor only decides by itself."""
        return ()

    def keep_alive(self) -> Iterable[Message]:
        """Keep a connection open on which no audio is sent."""
        return ()

    def end(self) -> Iterable[Message]:
        """Say that no audio will come; `read` yields `Drained` for the last message."""
        return ()

    def read(self, message: Message) -> Iterable[RecognitionEvent]:
        """Yield what a message means; nothing for one that is not known."""
        raise NotImplementedError

    def closed(self, code: int, reason: str) -> TheyErred | None:
        """Return the error of a vendor's own close code; None for the usual meaning."""
        return None
