"""The codec for streaming text to speech: what a vendor's websocket says.

A vendor derives from `VoiceCodec`; its driver is in `socket_tts.py`. A connection speaks one utterance or
several at once, each under the name (`context`) that the driver gives it.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from ..errors import TheyErred
from .websocket_client import Message

__all__ = [
    "Finished",
    "MessagesDue",
    "PieceEnded",
    "PiecesInTurn",
    "Sound",
    "SpeechRefused",
    "SpokenWord",
    "VoiceCodec",
    "VoiceEvent",
    "VoiceReady",
]


@dataclass(frozen=True, slots=True)
class VoiceReady:
    """The vendor's first message: from now on it takes text."""


@dataclass(frozen=True, slots=True)
class MessagesDue:
    """Messages that the vendor now waits for, such as settings after its greeting."""

    messages: Sequence[Message]


@dataclass(frozen=True, slots=True)
class Sound:
    """Audio of an utterance; `context` is None if a connection speaks one at a time."""

    pcm: bytes
    context: str | None = None


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """A word and when it is spoken, in seconds since the utterance's first audio.

    With `times_restart`, since the first audio of its piece.
    """

    text: str
    start: float
    end: float | None = None
    context: str | None = None


@dataclass(frozen=True, slots=True)
class PieceEnded:
    """All audio of a piece has come."""

    context: str | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """The utterance is over at the vendor: it was spoken, or cancelled."""

    context: str | None = None


@dataclass(frozen=True, slots=True)
class SpeechRefused:
    """The vendor will not speak an utterance; the connection is still good."""

    error: TheyErred
    context: str | None = None


VoiceEvent = VoiceReady | MessagesDue | Sound | SpokenWord | PieceEnded | Finished | SpeechRefused


class VoiceCodec:
    """What one connection to a vendor says; it opens no socket and has no clock.

    Each method returns the messages to send. `read` raises errors of `errors.py` for what ends a connection.
    """

    waits_for_ready: ClassVar[bool] = False
    """True if no text may be sent before `read` has yielded VoiceReady."""
    contexts: ClassVar[int] = 1
    """How many utterances a connection can speak at once."""
    reusable: ClassVar[bool] = True
    """False if the vendor closes the connection after an utterance."""
    marks_pieces: ClassVar[bool] = False
    """True if `read` yields PieceEnded after the audio of each piece."""
    ends_with_pieces: ClassVar[bool] = False
    """True if the end of the last piece is all that the vendor says of the end of an utterance."""
    ends_by_closing: ClassVar[bool] = False
    """True if the vendor closes the connection, in good order, once an utterance was spoken."""
    times_restart: ClassVar[bool] = False
    """True if the times of words count from the first audio of their piece."""
    confirms_cancel: ClassVar[bool] = True
    """False if the vendor says nothing of an utterance that was cancelled."""
    keep_alive_every: ClassVar[float | None] = None
    """Seconds after the last message to the vendor at which `keep_alive` is sent."""
    lasts: ClassVar[float | None] = None
    """Seconds after which the vendor closes any connection."""
    unused_for: ClassVar[float] = 300.0
    """Seconds after which a connection without utterances is closed."""

    def begin(self) -> Iterable[Message]:
        """Open the connection's conversation with the vendor."""
        return ()

    def takes_utterance(self) -> bool:
        """Return whether the vendor's limits on a connection allow another utterance now."""
        return True

    def start(self, context: str) -> Iterable[Message]:
        """Begin an utterance."""
        return ()

    def text(self, context: str, text: str) -> Iterable[Message]:
        """Speak a piece, a clause or a sentence, without waiting for more."""
        raise NotImplementedError

    def finish(self, context: str) -> Iterable[Message]:
        """End an utterance: all of its text was sent."""
        return ()

    def cancel(self, context: str) -> Iterable[Message]:
        """Stop an utterance; `read` yields Finished once it is over.

        Nothing if the vendor cannot: then a connection for one utterance at a time is closed.
        """
        return ()

    def keep_alive(self) -> Iterable[Message]:
        """Keep a connection open on which nothing is said."""
        return ()

    def read(self, message: Message) -> Iterable[VoiceEvent]:
        """Yield what a message means; nothing for one that is not known."""
        raise NotImplementedError

    def closed(self, code: int, reason: str) -> TheyErred | None:
        """Return the error of a vendor's own close code; None for the usual meaning."""
        return None


class PiecesInTurn(VoiceCodec):
    """A connection that is sent a piece only once the audio of the last one has come.

    For a vendor that would speak several at once, or several as one. `read` yields from `ended` at the end
    of a piece.
    """

    marks_pieces = True
    ends_with_pieces = True
    times_restart = True

    def __init__(self) -> None:
        self._waiting = deque[tuple[str, str]]()
        self._speaks = False

    def piece(self, context: str, text: str) -> Iterable[Message]:
        """Speak a piece."""
        raise NotImplementedError

    def text(self, context: str, text: str) -> Iterable[Message]:
        self._waiting.append((context, text))
        return () if self._speaks else self._next()

    def ended(self, context: str | None = None) -> Iterable[VoiceEvent]:
        """Yield the end of a piece, and the messages of the next one."""
        yield PieceEnded(context)
        self._speaks = False
        if self._waiting:
            yield MessagesDue(tuple(self._next()))

    def _next(self) -> Iterable[Message]:
        self._speaks = True
        return self.piece(*self._waiting.popleft())
