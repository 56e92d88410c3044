"""The contract between the server and a host, the place where sessions run.

The server admits callers and describes each session by an `Opening`; a `Host` runs it and answers with a
`HostedSession`. To run sessions elsewhere (in a cluster, one container each), write a `Host`; this module is
all that it has to import. What crosses the contract is plain data, and msgspec encodes and decodes each union
(`Opening`, `Report`) by its tag. Only two things are not data: the `Wire` that carries the caller's messages,
and a ringing SIP call, which cannot leave the server's process.
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
    "Framing",
    "Host",
    "HostedSession",
    "Kind",
    "Offer",
    "OfferAnswer",
    "OnReport",
    "Opening",
    "PhoneOpening",
    "Refusal",
    "Refused",
    "Report",
    "SIPOpening",
    "SessionBegan",
    "SessionOver",
    "TurnAnswered",
    "WebRTCOpening",
    "WebsocketOpening",
    "Wire",
]

Kind: TypeAlias = Literal["webrtc", "websocket", "phone", "sip"]
Framing: TypeAlias = Literal["auto", "protobuf", "json"]

# Openings ---------------------------------------------------------------------------------------------


class _Opening(msgspec.Struct, frozen=True, tag_field="kind"):
    """What every opening has."""

    session: str
    """The session's id, chosen by the server."""
    agent: str
    """The name of the agent; one of `Host.names`."""
    body: Any = None
    """What the client's program sent along, as decoded JSON."""
    call: CallDetails | None = None
    """The phone call, once its first messages have come: an agent that is a function of the opening finds
    it here. The server leaves it None, and for browsers and programs it stays None."""


class WebRTCOpening(_Opening, frozen=True, tag="webrtc"):
    """A session over WebRTC. It has no wire; its media flow once the client's `Offer` is answered."""

    kind: ClassVar[Kind] = "webrtc"


class WebsocketOpening(_Opening, frozen=True, tag="websocket"):
    """A session over a client's websocket."""

    kind: ClassVar[Kind] = "websocket"
    framing: Framing = "auto"
    """How messages are written; "auto" follows the client's first message."""


class PhoneOpening(_Opening, frozen=True, kw_only=True, tag="phone"):
    """A phone call, by the websocket (or socket) of a provider."""

    kind: ClassVar[Kind] = "phone"
    provider: str
    """The provider's name, such as "twilio"."""
    dialled: str = ""
    """The number that we called; empty for an incoming call."""
    placed: str = ""
    """The provider's id of a call that we made, for providers whose socket does not tell it."""


class SIPOpening(_Opening, frozen=True, tag="sip"):
    """A SIP call to the server's own endpoint. `Host.open` is given the ringing call beside it."""

    kind: ClassVar[Kind] = "sip"


Opening: TypeAlias = WebRTCOpening | WebsocketOpening | PhoneOpening | SIPOpening
"""What a session begins with."""


# Reports ----------------------------------------------------------------------------------------------


class _Report(msgspec.Struct, frozen=True, tag=True):
    """Which session a report is about."""

    session: str
    agent: str
    kind: Kind


class SessionBegan(_Report, frozen=True, tag=True):
    """Both sides are connected."""


class TurnAnswered(_Report, frozen=True, tag=True):
    """The agent has answered a turn of the user."""

    number: int
    """The turn's number, from 1."""
    voice_to_voice: float | None = None
    """Seconds from the user's last sample to the first sample of the reply; None if it was not measured."""
    parts: dict[str, float] = {}
    """What that latency consists of: seconds, by `telemetry.latency.PARTS`."""
    interrupted: bool = False


class SessionOver(_Report, frozen=True, tag=True):
    """The session has ended. A session that was opened reports this once."""

    reason: str
    seconds: float = 0.0
    """How long it lasted from `SessionBegan`; 0 if it never began."""


Report: TypeAlias = SessionBegan | TurnAnswered | SessionOver
"""What a host tells the server, which counts it for its metrics."""
OnReport: TypeAlias = Callable[[Report], object]


# Questions to a WebRTC session --------------------------------------------------------------------------


class Offer(msgspec.Struct, frozen=True, tag=True):
    """A client's SDP offer."""

    sdp: str
    pc_id: str | None = None
    """The id of a connection that is to be negotiated again; None for a new one."""
    restart_pc: bool = False
    """True to replace the connection by a new one."""


class OfferAnswer(msgspec.Struct, frozen=True):
    """The SDP answer, and the id by which the client names the connection from now on."""

    sdp: str
    pc_id: str


class Candidate(msgspec.Struct, frozen=True):
    """One address at which the client may be reached; an empty candidate ends the list. RFC 8839."""

    candidate: str
    sdp_mid: str | None = None
    sdp_mline_index: int | None = None


class Candidates(msgspec.Struct, frozen=True, tag=True):
    """Further addresses of a client that is connecting (trickle ICE)."""

    pc_id: str
    candidates: tuple[Candidate, ...]


# The two protocols --------------------------------------------------------------------------------------


class Refused(Exception):  # noqa: N818  an answer to the client rather than a failure
    """The client is answered with this instead.

    `status` is an HTTP status, `detail` one sentence for the client, `retry_after` in seconds.
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
    """A session that has been opened, wherever it runs."""

    @property
    def session(self) -> str:
        """The session's id."""
        ...

    async def offer(self, offer: Offer) -> OfferAnswer:
        """Answer a WebRTC offer. Raises Refused, also if this is not a WebRTC session."""
        ...

    async def add_candidates(self, candidates: Candidates) -> None:
        """Try further addresses of the client. Raises Refused as `offer` does."""
        ...

    async def wait(self) -> str:
        """Wait until the session is over; returns the reason."""
        ...

    async def end(self, reason: str) -> None:
        """Let the agent finish what it is saying, then end; returns when the session is over."""
        ...


class Host(Protocol):
    """Runs sessions, up to its capacity.

    It is made with an `OnReport` callback, and calls it from the server's event loop with a `Report` when a
    session begins, when a turn has been answered, and when the session is over.
    """

    @property
    def names(self) -> Sequence[str]:
        """The agents' names, known after `start`; the first is the default agent."""
        ...

    @property
    def running(self) -> int:
        """How many sessions are open."""
        ...

    @property
    def room(self) -> int:
        """How many more sessions could be opened now."""
        ...

    async def start(self) -> None:
        """Get ready: load models, start workers. Called once, before anything else."""
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
        """End all sessions at once and release everything."""
        ...
