"""The warm transfer as most providers can do it: both calls meet in a conference.

The third party is called, hears the announcement and waits in the conference. The caller goes on talking with
the agent until the third party has answered, and is moved to the conference only then.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from ...errors import ConfigurationError, TheyErred, UnavailableError
from .messages import text_at
from .port import Abandoned, Document, Flow, RestRequest, TransferRequest
from .rest import require_text

__all__ = ["RING", "WarmTransfer", "publisher", "put_through"]

RING = 30  # seconds that the third party has to answer


@dataclass(frozen=True)
class WarmTransfer:
    """A provider's requests for a warm transfer.

    The "other" call is the call to the third party. `name` and `status` are the paths of its id and its
    status in the JSON responses to `dial` and `look`; `answered` and `over` are the values of that status
    that end the wait.
    """

    to: str
    dial: RestRequest
    name: tuple[str, ...]
    look: Callable[[str], RestRequest]
    status: tuple[str, ...]
    answered: frozenset[str]
    over: frozenset[str]
    join: Callable[[str], RestRequest]
    """Moves the caller to the other call."""
    drop: Callable[[str], RestRequest]
    """Ends the other call if the transfer fails or is abandoned."""


def put_through(warm: WarmTransfer) -> Flow:
    """Call the third party, and move the caller there once it has answered.

    Returns the other call's id. Raises UnavailableError if nobody answers.
    """
    other = require_text((yield warm.dial), *warm.name)
    try:
        yield from _wait_until_answered(warm, other)
    except (TheyErred, Abandoned):
        yield replace(warm.drop(other), allow=(400, 404, 409))
        raise
    yield warm.join(other)
    return other


def _wait_until_answered(warm: WarmTransfer, other: str) -> Flow:
    for _ in range(RING + 5):
        yield 1.0
        response = yield warm.look(other)
        status = text_at(response, *warm.status)
        if status in warm.answered:
            return status
        if status in warm.over:
            raise UnavailableError(f"{warm.to} did not take the call: {status}")
    raise UnavailableError(f"{warm.to} did not answer")


def publisher(wish: TransferRequest, title: str) -> Callable[[Document], str]:
    """Return the request's `publish`, for providers that fetch documents from us.

    Raises ConfigurationError if there is none.
    """
    if wish.publish is None:
        raise ConfigurationError(
            f"{title} transfers by a document that it fetches from us: run the agent under `antiphon serve`"
        )
    return wish.publish
