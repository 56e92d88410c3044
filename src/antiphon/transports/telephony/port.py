"""The port for telephone providers: a sans-I/O codec and flows of requests.

A codec turns a websocket's messages into events, and our commands into messages; it opens no socket. A flow
is a generator that yields requests, which `Rest` sends, and receives their responses. So a provider's file
does no input or output, and is tested without a network.
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
    "CallEvent",
    "CallStarted",
    "CallStopped",
    "CallerAudio",
    "Codec",
    "DialRequest",
    "Document",
    "Flow",
    "IncomingCall",
    "KeyPressed",
    "MarkPlayed",
    "Proof",
    "Provider",
    "RestRequest",
    "SendBack",
    "TransferRequest",
    "WebhookAnswer",
    "WebhookRequest",
    "WireMessage",
]

WireMessage = bytes | str
Encoding = Literal["mulaw", "alaw", "l16", "l16be", "g722", "opus"]


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """An audio encoding and its sample rate.

    `l16` is little-endian PCM, `l16be` big-endian PCM as in RTP.
    """

    encoding: Encoding = "mulaw"
    sample_rate: int = 8000


@dataclass(frozen=True, slots=True)
class CallDetails:
    """The details of a call, from the first messages, as plain data.

    `heard` is the format of the caller's audio, `spoken` that of ours.
    """

    provider: str
    call: str
    stream: str = ""
    account: str = ""
    caller: str = ""
    called: str = ""
    heard: AudioFormat = AudioFormat()
    spoken: AudioFormat = AudioFormat()
    parameters: dict[str, str] = field(default_factory=dict[str, str])
    """The parameters that our answer document passed on, and others that the provider adds."""
    dialect: str = ""
    """The variant of its protocol that the provider uses on this socket, if there are several."""


# Events from the websocket ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CallStarted:
    """The handshake is complete."""

    call: CallDetails


@dataclass(frozen=True, slots=True)
class CallerAudio:
    """Audio of the caller in the format `CallDetails.heard`."""

    data: bytes


@dataclass(frozen=True, slots=True)
class KeyPressed:
    """The caller pressed a key: one of 0-9, *, #, A-D."""

    key: str


@dataclass(frozen=True, slots=True)
class MarkPlayed:
    """Everything sent before the mark of this name has been played."""

    name: str


@dataclass(frozen=True, slots=True)
class SendBack:
    """A message that the protocol requires in reply, immediately."""

    message: WireMessage


@dataclass(frozen=True, slots=True)
class CallStopped:
    """The provider reports the end of the call."""

    reason: str = "the caller hung up"


CallEvent = CallStarted | CallerAudio | KeyPressed | MarkPlayed | SendBack | CallStopped


class Codec(Protocol):
    """The protocol of one of a provider's sockets: bytes in, events out.

    Methods return None if the protocol has no such message.
    """

    packet: float
    """Seconds of audio that one message should carry."""

    def feed(self, message: WireMessage) -> Sequence[CallEvent]:
        """Parse a message; a kind that we do not know yields no events.

        Raises BadResponseError if the message violates the protocol, and nothing else.
        """
        ...

    def media(self, data: bytes) -> WireMessage:
        """Return the message that plays audio, in the format `CallDetails.spoken`."""
        ...

    def clear(self) -> WireMessage | None:
        """Return the message that discards audio which has not been played yet."""
        ...

    def mark(self, name: str) -> WireMessage | None:
        """Return the message that asks for a MarkPlayed.

        That event comes once everything sent so far has been played.
        """
        ...

    def keys(self, keys: str) -> WireMessage | None:
        """Return the message that presses keys.

        If it is None, the transport plays them as DTMF tones.
        """
        ...

    def end(self) -> WireMessage | None:
        """Return the message that hangs up.

        If it is None, a REST request does that, or closing the socket.
        """
        ...

    def transfer(self, to: str) -> WireMessage | None:
        """Return the message that transfers the call.

        If it is None, a REST request does that.
        """
        ...


# Webhooks and REST requests --------------------------------------------------------------------------


@dataclass(frozen=True)
class WebhookRequest:
    """A provider's request to our server: a webhook, or the handshake of a websocket.

    `url` is complete, as the provider called it (signatures cover it); `now` is the time of arrival as a Unix
    time; header names are in lower case.
    """

    url: str
    now: float
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""
    method: str = "POST"

    @property
    def form(self) -> list[tuple[str, str]]:
        """The fields of a form; empty if the body is something else."""
        if "urlencoded" not in self.headers.get("content-type", "").lower():
            return []
        return parse_qsl(self.body.decode(errors="replace"), keep_blank_values=True, max_num_fields=1000)

    @property
    def fields(self) -> dict[str, str]:
        """The string and number fields of the query, the form and the JSON body together."""
        query = parse_qsl(self.url.partition("?")[2], keep_blank_values=True, max_num_fields=1000)
        data = {name: str(value) for name, value in self.data.items() if isinstance(value, str | int | float)}
        return dict(query) | dict(self.form) | data

    @property
    def data(self) -> dict[str, Any]:
        """The JSON object in the body; empty if the body is something else."""
        try:
            found: Any = json.loads(self.body) if self.body.lstrip()[:1] == b"{" else {}
        except (ValueError, RecursionError):
            found = {}
        return found

    @property
    def login(self) -> tuple[str, str]:
        """User and password of HTTP basic authentication.

        Two empty strings if there is none.
        """
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
    """A call from a webhook: it rings, or it is one of ours that was answered."""

    call: str
    caller: str = ""
    called: str = ""


@dataclass(frozen=True)
class WebhookAnswer:
    """How to answer a call: the address of our websocket, and parameters.

    The parameters come back in `CallDetails`.
    """

    url: str
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Document:
    """A document for a provider: TwiML, BXML, an NCCO, ..."""

    body: str
    type: str = "text/xml"


@dataclass(frozen=True)
class DialRequest:
    """An outgoing call; `answer` says what to do once it is answered.

    Providers that do not accept a document fetch it from `answer_url`. They report the progress of the call
    to `status_url`.
    """

    to: str
    answer: WebhookAnswer
    caller: str = ""
    answer_url: str = ""
    status_url: str = ""
    ring: int = 30  # seconds that it may ring


@dataclass(frozen=True)
class TransferRequest:
    """A call to transfer.

    `publish` returns a URL from which the provider can fetch a document, once.
    """

    call: CallDetails
    to: str
    warm: bool = False
    announcement: str = ""
    publish: Callable[[Document], str] | None = None


@dataclass(frozen=True)
class RestRequest:
    """A request to a provider's REST API.

    Its body is a form, JSON (`data`) or text. Statuses in `allow` are not treated as failures; `login` is for
    HTTP basic authentication.
    """

    method: str
    url: str
    form: Mapping[str, str] | None = None
    data: Any = None
    text: str | None = None
    login: tuple[str, str] | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    bearer: Callable[[float], str] | None = None
    """Makes a bearer token for the given Unix time."""
    allow: tuple[int, ...] = ()


class Abandoned(Exception):  # noqa: N818  not an error of the flow
    """The exception thrown into a flow that was cancelled.

    The flow may yield one last request, to undo what it began.
    """


Flow = Generator[RestRequest | float, dict[str, Any], str]
"""A generator of requests and of pauses in seconds. It is sent the JSON object of each response ({} if there
is none), and returns the provider's id of a call that it made, otherwise ""."""

Account = Mapping[str, str]
"""The credentials and settings of an account, by the names in `Provider.environment`."""

Proof = str | bool
"""The verified signature of a request, in a normal form, so that the server recognises a replayed request; or
True if only a password was verified. False and "" mean that the request is not authentic."""


@dataclass(frozen=True)
class Provider:
    """The record of a provider.

    The server, the command line and the docs take from it what they need.
    """

    name: str
    title: str
    docs: str
    audio: str
    """The supported audio formats, in words for the docs."""
    codec: Callable[[], Codec]
    environment: Mapping[str, str]
    """The environment variable of each value of an account, by the value's name."""
    optional: frozenset[str] = frozenset()
    """Names of values that an account may lack."""
    signature: str = ""
    """How requests are authenticated, in words for the docs."""
    signed: Callable[[WebhookRequest, Account], Proof] | None = None
    """Verifies that a request came from the provider. Raises ConfigurationError if the secret is not set."""
    incoming: Callable[[WebhookRequest], IncomingCall] | None = None
    """Parses the webhook of a call. None: the provider opens the websocket without a webhook, and `signed`
    verifies the handshake."""
    answer: Callable[[WebhookAnswer], Document] | None = None
    """Makes the document that answers the webhook."""
    dial: Callable[[Account, DialRequest], Flow] | None = None
    hang_up: Callable[[Account, CallDetails], Flow] | None = None
    transfer: Callable[[Account, TransferRequest], Flow] | None = None
    lead: float = 0.1
    """Seconds ahead of its time that audio is sent; small if the provider cannot discard what it was sent."""
