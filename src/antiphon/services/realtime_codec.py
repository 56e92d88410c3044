"""The codec of a model that hears and speaks: what a vendor's websocket says.

A vendor derives from `RealtimeCodec`; its driver is in `socket_realtime.py`. The vocabulary that the codec
translates from and to is on `realtime_vocabulary.py`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from ..context import Context
from ..errors import TheyErred
from .realtime_vocabulary import RealtimeEvent, RealtimeInput
from .websocket_client import Message

__all__ = ["CodecEvent", "GoingAway", "MessagesToSend", "RealtimeCodec", "RealtimeReady", "Resumable"]


@dataclass(frozen=True, slots=True)
class RealtimeReady:
    """The vendor has taken the settings: from now on it takes sound."""


@dataclass(frozen=True, slots=True)
class GoingAway:
    """The vendor will close the connection soon: a new one must take over."""


@dataclass(frozen=True, slots=True)
class Resumable:
    """A new connection can go on with the same conversation by this handle.

    The handle is "" while that is not possible. This connection is closed first.
    """

    handle: str


@dataclass(frozen=True, slots=True)
class MessagesToSend:
    """Messages with which the vendor wants to be answered."""

    messages: tuple[Message, ...]


CodecEvent: TypeAlias = RealtimeEvent | RealtimeReady | GoingAway | Resumable | MessagesToSend


class RealtimeCodec:
    """What one connection to a vendor says; it opens no socket and has no clock.

    `put` and `begin` return messages to send. `read` raises errors of `errors.py` for what is fatal. Every
    Respond and Say that was put is answered by a ResponseBegan; the driver puts one at a time.
    """

    lasts: float | None = None
    """Seconds after which the vendor closes any connection."""
    keep_alive_every: ClassVar[float | None] = None
    """Seconds without a message to the vendor after which `keep_alive` is sent."""
    settles_after: float | None = None
    """Seconds without a message of the vendor until `settle` is called; None if nothing waits for it."""
    tells_within: ClassVar[float] = 2.0
    """Seconds from the beginning of a turn that it detects until it says so, at most."""
    carries_context: bool = False
    """True if the connection goes on with a conversation that the vendor knows, by a handle."""
    outdated: bool = False
    """True if a Remember has changed what only a new connection can be told; it is made in a pause."""

    def begin(self, context: Context) -> Iterable[Message]:
        """Begin a conversation with this context."""
        raise NotImplementedError

    def put(self, item: RealtimeInput) -> Iterable[Message]:
        """Send an input; nothing for what the vendor has no message for."""
        raise NotImplementedError

    def keep_alive(self) -> Iterable[Message]:
        """Keep a connection open on which nothing is sent."""
        return ()

    def read(self, message: Message) -> Iterable[CodecEvent]:
        """Yield what a message means; nothing for one that is not known."""
        raise NotImplementedError

    def settle(self) -> Iterable[CodecEvent]:
        """Yield what only the vendor's silence tells, such as the end of a response."""
        return ()

    def end(self) -> Iterable[Message]:
        """Take leave: sent before a connection is closed that still stands."""
        return ()

    def closed(self, code: int, reason: str) -> TheyErred | None:
        """Return the error of a vendor's own close code; None for the usual meaning."""
        return None
