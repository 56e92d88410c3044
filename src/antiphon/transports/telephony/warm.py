"""The warm transfer, as most providers can do it: both calls meet in a conference.

The other side is called and, when they answer, hears the announcement and waits in the conference; the caller
talks with the agent until then, and only then is moved there too.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from ...errors import ConfigurationError, TheyErred, UnavailableError
from .events import text
from .port import Abandoned, Document, Flow, RestRequest, TransferRequest
from .rest import found

__all__ = ["RING", "Warm", "published", "put_through"]

RING = 30  # seconds that the other side has to answer


@dataclass(frozen=True)
class Warm:
    """A provider's requests, and where their answers tell the name and the status of the other call."""

    to: str
    dial: RestRequest
    name: tuple[str, ...]
    look: Callable[[str], RestRequest]
    status: tuple[str, ...]
    answered: frozenset[str]
    over: frozenset[str]
    join: Callable[[str], RestRequest]
    drop: Callable[[str], RestRequest]


def put_through(warm: Warm) -> Flow:
    """Call, wait for the answer, and bring the caller there. Raises UnavailableError where nobody answers."""
    other = found((yield warm.dial), *warm.name)
    try:
        yield from _until_answered(warm, other)
    except (TheyErred, Abandoned):
        yield replace(warm.drop(other), allow=(400, 404, 409))
        raise
    yield warm.join(other)
    return other


def _until_answered(warm: Warm, other: str) -> Flow:
    for _ in range(RING + 5):
        yield 1.0
        answer = yield warm.look(other)
        status = text(answer, *warm.status)
        if status in warm.answered:
            return status
        if status in warm.over:
            raise UnavailableError(f"{warm.to} did not take the call: {status}")
    raise UnavailableError(f"{warm.to} did not answer")


def published(wish: TransferRequest, title: str) -> Callable[[Document], str]:
    """How to publish documents, for a provider that fetches them. Raises ConfigurationError without a way."""
    if wish.publish is None:
        raise ConfigurationError(
            f"{title} transfers by a document that it fetches from us: run the agent under `antiphon serve`"
        )
    return wish.publish
