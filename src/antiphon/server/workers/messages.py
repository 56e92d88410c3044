"""The control messages between the server and a worker. The wire's own messages are in `pipe`."""

from typing import TypeAlias

import msgspec

from ..port import Candidates, Offer, OfferAnswer, Opening, Refusal, Report

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
    """Open this session. `wired`: messages of its wire will follow."""

    opening: Opening
    wired: bool


class AskSession(msgspec.Struct, tag=True):
    """A question to the session; `AskAnswered` has the same number."""

    number: int
    question: Offer | Candidates


class EndSession(msgspec.Struct, tag=True):
    """End the session: once the agent has finished speaking, or `at_once`."""

    reason: str
    at_once: bool = False


class Ping(msgspec.Struct, tag=True):
    """Sent every second; a worker whose event loop runs answers with Pong."""


# From a worker to the server ----------------------------------------------------------------------------


class WorkerReady(msgspec.Struct, tag=True):
    """The worker waits for its session."""


class WorkerTaken(msgspec.Struct, tag=True):
    """The worker has received BeginSession, and can receive messages of the wire."""


class SessionOpened(msgspec.Struct, tag=True):
    """The session has begun, or was refused."""

    refusal: Refusal | None = None


class AskAnswered(msgspec.Struct, tag=True):
    """The answer to an AskSession; for candidates and refusals there is no `answer`."""

    number: int
    answer: OfferAnswer | None = None
    refusal: Refusal | None = None


class SessionReported(msgspec.Struct, tag=True):
    """A report for the server's metrics."""

    report: Report


class WorkerDone(msgspec.Struct, tag=True):
    """The session has ended for this reason, and the worker exits."""

    reason: str


class Pong(msgspec.Struct, tag=True):
    """The answer to a Ping."""


FromServer: TypeAlias = BeginSession | AskSession | EndSession | Ping
FromWorker: TypeAlias = (
    WorkerReady | WorkerTaken | SessionOpened | AskAnswered | SessionReported | WorkerDone | Pong
)
