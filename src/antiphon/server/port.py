"""The contract between the server and a host, the place where sessions run.

The server admits callers and describes each session by an `Opening`; a `Host` runs it and returns a
`HostedSession`. To run sessions elsewhere (such as in containers of a cluster), write a `Host`; it only has
to import this module. All that passes between the two is plain data, and msgspec encodes and decodes each
union (`Opening`, `SessionReport`) by its tag. There are two exceptions: the `Wire` that carries the caller's
messages, and a ringing SIP call, which cannot leave the server's process.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeAlias

import msgspec

from ..transports.telephony.port import AudioFormat, CallDetails
from ..transports.wire import Wire

if TYPE_CHECKING:
    from ..transports.sip import Ringing

__all__ = [
    "AudioFormat",
    "CallDetails",
    "Candidate",
    "Candidates",
    "Host",
    "HostedSession",
    "MessageFraming",
    "Offer",
    "OfferAnswer",
    "OnReport",
    "Opening",
    "OpeningKind",
    "PhoneOpening",
    "Refusal",
    "Refused",
    "SIPOpening",
    "SessionBegan",
    "SessionOver",
    "SessionReport",
    "TurnAnswered",
    "WebRTCOpening",
    "WebsocketOpening",
    "Wire",
]

OpeningKind: TypeAlias = Literal["webrtc", "websocket", "phone", "sip"]
MessageFraming: TypeAlias = Literal["auto", "protobuf", "json"]

# Openings ---------------------------------------------------------------------------------------------


class _Opening(msgspec.Struct, frozen=True, tag_field="kind"):
    """The fields that every opening has."""

    session: str
    """The session's id, chosen by the server."""
    agent: str
    """The name of the agent; one of `Host.names`."""
    body: Any = None
    """Data that the client's program sent for the agent, as decoded JSON."""
    call: CallDetails | None = None
    """The phone call's details, for an agent that is a function of the opening.

    None until the call's first messages have arrived, and for browsers and programs.
    """


class WebRTCOpening(_Opening, frozen=True, tag="webrtc"):
    """A session over WebRTC.

    It has no wire; its media flow once the client's `Offer` is answered.
    """

    kind: ClassVar[OpeningKind] = "webrtc"


class WebsocketOpening(_Opening, frozen=True, tag="websocket"):
    """A session over a client's websocket."""

    kind: ClassVar[OpeningKind] = "websocket"
    framing: MessageFraming = "auto"
    """The encoding of messages; "auto" uses that of the client's first message."""


class PhoneOpening(_Opening, frozen=True, kw_only=True, tag="phone"):
    """A phone call over a provider's websocket or socket."""

    kind: ClassVar[OpeningKind] = "phone"
    provider: str
    """The provider's name, such as "twilio"."""
    dialled: str = ""
    """The number that we called; empty for an incoming call."""
    placed: str = ""
    """The provider's id of a call that we made, for providers whose socket does not send it."""


class SIPOpening(_Opening, frozen=True, tag="sip"):
    """A SIP call to the server's own endpoint.

    `Host.open` gets the ringing call as a separate argument.
    """

    kind: ClassVar[OpeningKind] = "sip"


Opening: TypeAlias = WebRTCOpening | WebsocketOpening | PhoneOpening | SIPOpening
"""The description of a session that is to begin."""


# Reports ----------------------------------------------------------------------------------------------


class _Report(msgspec.Struct, frozen=True, tag=True):
    """The fields that every report has: which session it is about."""

    session: str
    agent: str
    kind: OpeningKind


class SessionBegan(_Report, frozen=True, tag=True):
    """Both sides are connected."""


class TurnAnswered(_Report, frozen=True, tag=True):
    """The agent has answered a turn of the user."""

    number: int
    """The turn's number, from 1."""
    voice_to_voice: float | None = None
    """Seconds from the user's last sample to the first sample of the reply; None if it was not measured."""
    parts: dict[str, float] = {}
    """The parts of that latency in seconds, by the names in `telemetry.latency.PARTS`."""
    interrupted: bool = False


class SessionOver(_Report, frozen=True, tag=True):
    """The session has ended; sent once for each session that was opened."""

    reason: str
    seconds: float = 0.0
    """The time since `SessionBegan`; 0 if the session never began."""
    usd: dict[str, float] = {}
    """The cost of its services in US dollars, by port, at the prices that are known."""
    usd_unknown: bool = False
    """True if it used something whose price is not known."""


SessionReport: TypeAlias = SessionBegan | TurnAnswered | SessionOver
"""An event of a session that the host reports to the server, for its metrics."""
OnReport: TypeAlias = Callable[[SessionReport], object]


# Requests to a WebRTC session --------------------------------------------------------------------------


class Offer(msgspec.Struct, frozen=True, tag=True):
    """A client's SDP offer."""

    sdp: str
    pc_id: str | None = None
    """The id of the connection to renegotiate; None for a new one."""
    restart_pc: bool = False
    """True to replace the connection with a new one."""


class OfferAnswer(msgspec.Struct, frozen=True):
    """The SDP answer, and the id that the client uses for the connection from now on."""

    sdp: str
    pc_id: str


class Candidate(msgspec.Struct, frozen=True):
    """An ICE candidate of the client; an empty one ends the list (RFC 8839)."""

    candidate: str
    sdp_mid: str | None = None
    sdp_mline_index: int | None = None


class Candidates(msgspec.Struct, frozen=True, tag=True):
    """Further ICE candidates of a client that is connecting (trickle ICE)."""

    pc_id: str
    candidates: tuple[Candidate, ...]


# The two protocols --------------------------------------------------------------------------------------


class Refused(Exception):  # noqa: N818  an answer to the client rather than a failure
    """A refusal, with which the client's request is answered.

    `status` is an HTTP status, `detail` one sentence for the client, `retry_after` seconds or None.
    """

    def __init__(self, status: int, detail: str, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.retry_after = status, detail, retry_after


class Refusal(msgspec.Struct, frozen=True):
    """A `Refused` as data, for hosts whose sessions run in other processes."""

    status: int
    detail: str
    retry_after: float | None = None

    @classmethod
    def of(cls, refused: Refused) -> "Refusal":
        """The data of an exception."""
        return cls(refused.status, refused.detail, refused.retry_after)

    def exception(self) -> Refused:
        """The exception again."""
        return Refused(self.status, self.detail, self.retry_after)


class HostedSession(Protocol):
    """A session that a host has opened."""

    @property
    def session(self) -> str:
        """The session's id."""
        ...

    async def offer(self, offer: Offer) -> OfferAnswer:
        """Answer a WebRTC offer. Raises Refused, also if this is not a WebRTC session."""
        ...

    async def add_candidates(self, candidates: Candidates) -> None:
        """Add ICE candidates of the client. Raises Refused as `offer` does."""
        ...

    async def wait(self) -> str:
        """Wait until the session is over and return the reason."""
        ...

    async def end(self, reason: str) -> None:
        """End the session after the agent's current sentence, and wait until it is over."""
        ...


class Host(Protocol):
    """The place where sessions run.

    It is made with an `OnReport` callback, which it calls in the server's event loop with a `SessionReport`
    when a session begins, when a turn has been answered, and when the session is over.
    """

    @property
    def names(self) -> Sequence[str]:
        """The agents' names, known after `start`; the first is the default agent."""
        ...

    @property
    def running(self) -> int:
        """The number of open sessions."""
        ...

    @property
    def room(self) -> int:
        """The number of sessions that could be opened now."""
        ...

    async def start(self) -> None:
        """Load models and start processes; called once, before anything else."""
        ...

    async def open(
        self, opening: Opening, wire: Wire | None, ringing: "Ringing | None" = None
    ) -> HostedSession:
        """Begin a session. Raises Refused.

        `wire` carries the caller's messages for a websocket and a phone call. `ringing` is the call of a
        `SIPOpening`; a host that runs its sessions in other processes refuses those.
        """
        ...

    async def close(self) -> None:
        """End all sessions at once and release all resources."""
        ...
