"""The notes that the server and a worker exchange."""

from typing import Any, TypeAlias

import msgspec

__all__ = [
    "AskAnswered",
    "AskSession",
    "BeginSession",
    "EndSession",
    "FromServer",
    "FromWorker",
    "Ping",
    "Pong",
    "Refusal",
    "SessionOpened",
    "SessionOver",
    "SessionReported",
    "WorkerReady",
    "WorkerTaken",
]  # fmt: skip


class BeginSession(msgspec.Struct, tag=True):
    """Open this session; `wired` says whether messages of a wire will come."""

    opening: dict[str, Any]
    wired: bool


class AskSession(msgspec.Struct, tag=True):
    """A request for the transport, to be answered with the same number."""

    number: int
    request: dict[str, Any]


class EndSession(msgspec.Struct, tag=True):
    """End the session: with what was promised spoken, or `at_once`."""

    reason: str
    at_once: bool = False


class Ping(msgspec.Struct, tag=True):
    """Are you there?"""


class WorkerReady(msgspec.Struct, tag=True):
    """The worker waits for its session."""


class Refusal(msgspec.Struct):
    """What `Refused` says."""

    status: int
    detail: str
    retry_after: float | None = None


class WorkerTaken(msgspec.Struct, tag=True):
    """The session is this worker's: messages of its wire may come."""


class SessionOpened(msgspec.Struct, tag=True):
    """The session has begun, or was refused."""

    refusal: Refusal | None = None


class AskAnswered(msgspec.Struct, tag=True):
    """The answer to an Ask."""

    number: int
    result: dict[str, Any] = {}
    refusal: Refusal | None = None


class SessionReported(msgspec.Struct, tag=True):
    """What the session reports to the server's metrics."""

    what: dict[str, Any]


class SessionOver(msgspec.Struct, tag=True):
    """The session has ended, and the worker ends with it."""

    reason: str


class Pong(msgspec.Struct, tag=True):
    """Here I am."""


FromServer: TypeAlias = BeginSession | AskSession | EndSession | Ping
FromWorker: TypeAlias = (
    WorkerReady | WorkerTaken | SessionOpened | AskAnswered | SessionReported | SessionOver | Pong
)
