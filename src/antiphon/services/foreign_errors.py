"""The errors of other people's packages, by the names of this one.

Such packages pass on the errors of dozens of clients. Their classes have little in common but a status, here
or in the error that caused them, and words in their names.
"""

from collections.abc import Iterator

from ..errors import (
    AntiphonError,
    BadResponseError,
    ServiceTimeoutError,
    UnavailableError,
    UsageError,
)
from .http_client import refusal
from .vendor_values import number, seconds_in

__all__ = ["foreign_error"]

REASON = 300  # characters of an error that are kept
MOST_CAUSES = 10
UNREACHED = ("ConnectionError", "ConnectError", "TransportError")


def foreign_error(vendor: str, error: Exception) -> AntiphonError:
    """Return the error that stands for one of another package."""
    if isinstance(error, AntiphonError):
        return error
    names = [kind.__name__ for kind in type(error).__mro__]
    reason = str(error)[:REASON] or names[0]
    for cause in _causes(error):
        for name in ("status_code", "status"):
            status = getattr(cause, name, None)
            if isinstance(status, int) and 400 <= status < 600:
                return refusal(vendor, status, reason, _retry_after(cause))
    said = f"{vendor}: {names[0]}: {reason}"
    if "UserError" in names:  # what pydantic-ai and OpenAI Agents call a wrong use
        return UsageError(said)
    if any("Timeout" in name or "TimedOut" in name for name in names):
        return ServiceTimeoutError(said)
    if any(name.endswith(UNREACHED) for name in names) or getattr(error, "retryable", False) is True:
        return UnavailableError(said)
    return BadResponseError(said)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it was raised from."""
    cause: BaseException | None = error
    for _ in range(MOST_CAUSES):
        if cause is None:
            return
        yield cause
        cause = cause.__cause__


def _retry_after(error: BaseException) -> float | None:
    """Return the seconds to wait, as the error or its response states them."""
    headers = getattr(error, "headers", None) or getattr(getattr(error, "response", None), "headers", None)
    try:
        stated = str(headers["retry-after"]) if headers else None
    except (KeyError, TypeError):
        stated = None
    return number(getattr(error, "retry_after", None)) or seconds_in(stated)
