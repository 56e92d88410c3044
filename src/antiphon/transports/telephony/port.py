"""What a provider's file gives: a codec of its socket, and what it says on the web.

Nothing here waits or sends.
A codec turns messages of the wire into events, and what we want into messages. It belongs to one socket.
"""

import json
from base64 import b64decode
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol
from urllib.parse import parse_qsl

__all__ = [
    "Abandoned",
    "Account",
    "AudioFormat",
    "CallDetails",
    "CallStarted",
    "CallStopped",
    "CallerAudio",
    "Codec",
    "DialRequest",
    "Document",
    "Event",
    "Flow",
    "IncomingCall",
    "KeyPressed",
    "MarkPlayed",
    "Message",
    "Proof",
    "Provider",
    "RestRequest",
    "SendBack",
    "TransferRequest",
    "WebhookAnswer",
    "WebhookRequest",
]

Message = bytes | str
Encoding = Literal["mulaw", "alaw", "l16", "l16be", "g722", "opus"]


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """How audio is written: `l16` with the low byte first, `l16be` with the high one, as in RTP."""

    encoding: Encoding = "mulaw"
    sample_rate: int = 8000


@dataclass(frozen=True, slots=True)
class CallDetails:
    """A call, as its first messages tell it. Plain data."""

    provider: str
    call: str
    stream: str = ""
    account: str = ""
    caller: str = ""
    called: str = ""
    heard: AudioFormat = AudioFormat()
    spoken: AudioFormat = AudioFormat()
    parameters: dict[str, str] = field(default_factory=dict[str, str])
    """What the answer document gave along, and what the provider tells besides."""
    dialect: str = ""
    """Which of several ways the far end speaks its protocol in, where there are such."""


# What comes in over the wire -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CallStarted:
    """The handshake is complete."""

    call: CallDetails


@dataclass(frozen=True, slots=True)
class CallerAudio:
    """Audio of the caller, as `CallDetails.heard` says that it is written."""

    data: bytes


@dataclass(frozen=True, slots=True)
class KeyPressed:
    """The caller pressed a key: one of 0-9, *, #, A-D."""

    key: str


@dataclass(frozen=True, slots=True)
class MarkPlayed:
    """All that was sent before the mark of this name has been played."""

    name: str


@dataclass(frozen=True, slots=True)
class SendBack:
    """The protocol wants this message to be sent back, now."""

    message: Message


@dataclass(frozen=True, slots=True)
class CallStopped:
    """The far end says that it is over."""

    reason: str = "the caller hung up"


Event = CallStarted | CallerAudio | KeyPressed | MarkPlayed | SendBack | CallStopped


class Codec(Protocol):
    """One socket of a provider. What it has no message for is None."""

    packet: float
    """Seconds of audio that one message should carry."""

    def feed(self, message: Message) -> Sequence[Event]:
        """What a message says; nothing, where it is of a kind unknown here.

        Raises BadResponseError for one that is not of the protocol, and nothing else.
        """
        ...

    def media(self, data: bytes) -> Message:
        """Play this, written as `CallDetails.spoken` says."""
        ...

    def clear(self) -> Message | None:
        """Forget what has not been played yet."""
        ...

    def mark(self, name: str) -> Message | None:
        """Say so when what was sent so far has been played."""
        ...

    def keys(self, keys: str) -> Message | None:
        """Press keys. None: they must be sent as tones."""
        ...

    def end(self) -> Message | None:
        """Hang up. None: that takes a request, or the end of the socket."""
        ...

    def transfer(self, to: str) -> Message | None:
        """Hand the call on. None: that takes a request."""
        ...


# What goes over the web ------------------------------------------------------------------------------


@dataclass(frozen=True)
class WebhookRequest:
    """A request at one of our addresses: a webhook, or the handshake of a socket.

    `url` is the address as the provider called it, with scheme, host and query; `now` is when, in seconds
    since 1970; header names in lower case.
    """

    url: str
    now: float
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""
    method: str = "POST"

    @property
    def form(self) -> list[tuple[str, str]]:
        """The fields of a form; none where the body is something else."""
        if "urlencoded" not in self.headers.get("content-type", "").lower():
            return []
        return parse_qsl(self.body.decode(errors="replace"), keep_blank_values=True, max_num_fields=1000)

    @property
    def fields(self) -> dict[str, str]:
        """The fields of the query, of a form or of a JSON object, those that are text or numbers."""
        query = parse_qsl(self.url.partition("?")[2], keep_blank_values=True, max_num_fields=1000)
        data = {name: str(value) for name, value in self.data.items() if isinstance(value, str | int | float)}
        return dict(query) | dict(self.form) | data

    @property
    def data(self) -> dict[str, Any]:
        """The JSON object of the body; empty where it is something else."""
        try:
            found: Any = json.loads(self.body) if self.body.lstrip()[:1] == b"{" else {}
        except (ValueError, RecursionError):
            found = {}
        return found

    @property
    def login(self) -> tuple[str, str]:
        """User and password of HTTP's basic authentication; empty where there is none."""
        scheme, _, coded = self.headers.get("authorization", "").partition(" ")
        try:
            user, _, password = (
                b64decode(coded if scheme.lower() == "basic" else "", validate=True).decode().partition(":")
            )
        except ValueError:
            return "", ""
        return user, password


@dataclass(frozen=True)
class IncomingCall:
    """A call that rings, or one of ours that was answered, as a webhook tells it."""

    call: str
    caller: str = ""
    called: str = ""


@dataclass(frozen=True)
class WebhookAnswer:
    """What to answer a call with: our socket's address, and parameters that come back in CallDetails."""

    url: str
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Document:
    """What a provider fetches from us: TwiML, BXML, an NCCO, ..."""

    body: str
    type: str = "text/xml"


@dataclass(frozen=True)
class DialRequest:
    """A call to make. `answer` is what to do when it is answered.

    `answer_url` is where the provider fetches the answer document, for those that want an address;
    `status_url` is where it reports how the call goes.
    """

    to: str
    answer: WebhookAnswer
    caller: str = ""
    answer_url: str = ""
    status_url: str = ""
    ring: int = 30  # seconds


@dataclass(frozen=True)
class TransferRequest:
    """A call to hand on. `publish` gives the address at which a provider can fetch a document, once."""

    call: CallDetails
    to: str
    warm: bool = False
    announcement: str = ""
    publish: Callable[[Document], str] | None = None


@dataclass(frozen=True)
class RestRequest:
    """A request to a provider: the body is a form, JSON or text; `allow` are statuses that are no failure."""

    method: str
    url: str
    form: Mapping[str, str] | None = None
    data: Any = None
    text: str | None = None
    login: tuple[str, str] | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    bearer: Callable[[float], str] | None = None
    """Makes a token for this moment, in seconds since 1970."""
    allow: tuple[int, ...] = ()


class Abandoned(Exception):  # noqa: N818  what befell a flow
    """Nobody waits for this flow any more: it may yield one last request, to undo what it began."""


Flow = Generator[RestRequest | float, dict[str, Any], str]
"""Requests one after another, each answered with the JSON object of its response (empty where it is none),
and seconds to wait between them. Returns the provider's id of a call that it made, else ""."""

Account = Mapping[str, str]
"""What the environment says of an account, by the names in `Provider.environment`."""

Proof = str | bool
"""The signature of a request, the same for the same request however its headers are written; or True, where a
password proves it, which is the same for all. False and "" prove nothing."""


@dataclass(frozen=True)
class Provider:
    """What a provider's file says of itself: the server, the command line and the docs are made from it."""

    name: str
    title: str
    docs: str
    audio: str
    """How the two sides may speak, in words."""
    codec: Callable[[], Codec]
    environment: Mapping[str, str]
    """What an account needs, by name: the environment variable of each."""
    optional: frozenset[str] = frozenset()
    """Names that an account can be without."""
    signature: str = ""
    """What proves that a request came from the provider, in words."""
    signed: Callable[[WebhookRequest, Account], Proof] | None = None
    """The proof, if it did. Raises ConfigurationError where the account lacks the secret."""
    incoming: Callable[[WebhookRequest], IncomingCall] | None = None
    """Reads the webhook of a call. None: the provider opens the socket without asking, and `signed` is to be
    asked of that handshake."""
    answer: Callable[[WebhookAnswer], Document] | None = None
    """The document that answers the webhook."""
    dial: Callable[[Account, DialRequest], Flow] | None = None
    hang_up: Callable[[Account, CallDetails], Flow] | None = None
    transfer: Callable[[Account, TransferRequest], Flow] | None = None
    lead: float = 0.1
    """Seconds of audio to be ahead of time; less where what was sent cannot be taken back."""
