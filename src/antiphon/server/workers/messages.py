"""The control messages between the server and a worker."""

from typing import TypeAlias

import msgspec

from ..port import Candidates, Offer, OfferAnswer, Opening, Refusal, SessionReport

__all__ = [
    "AskAnswered",
    "AskSession",
    "BeginSession",
    "EndSession",
    "FromServer",
    "FromWorker",
    "Ping",
    "Pong",
    "SessionOpened",
    "SessionReported",
    "WorkerDone",
    "WorkerReady",
    "WorkerTaken",
]


# From the server to a worker ----------------------------------------------------------------------------


class BeginSession(msgspec.Struct, tag=True):
    """A session to open. `wired`: its wire's messages follow in the pipe."""

    opening: Opening
    wired: bool


class AskSession(msgspec.Struct, tag=True):
    """A request to the session, answered by `AskAnswered` with the same number."""

    number: int
    question: Offer | Candidates


class EndSession(msgspec.Struct, tag=True):
    """The session is to end: after the agent's current sentence, or `at_once`."""

    reason: str
    at_once: bool = False


class Ping(msgspec.Struct, tag=True):
    """A check every second that the worker's event loop runs; answered by Pong."""


# From a worker to the server ----------------------------------------------------------------------------


class WorkerReady(msgspec.Struct, tag=True):
    """The worker is ready for its session."""


class WorkerTaken(msgspec.Struct, tag=True):
    """The worker has received BeginSession, and can receive messages of the wire."""


class SessionOpened(msgspec.Struct, tag=True):
    """The session has begun, or was refused."""

    refusal: Refusal | None = None


class AskAnswered(msgspec.Struct, tag=True):
    """The answer to an AskSession; candidates and refusals have no `answer`."""

    number: int
    answer: OfferAnswer | None = None
    refusal: Refusal | None = None


class SessionReported(msgspec.Struct, tag=True):
    """A report for the server's metrics."""

    report: SessionReport


class WorkerDone(msgspec.Struct, tag=True):
    """The session has ended for this reason, and the worker exits."""

    reason: str


class Pong(msgspec.Struct, tag=True):
    """The answer to a Ping."""


FromServer: TypeAlias = BeginSession | AskSession | EndSession | Ping
FromWorker: TypeAlias = (
    WorkerReady | WorkerTaken | SessionOpened | AskAnswered | SessionReported | WorkerDone | Pong
)
