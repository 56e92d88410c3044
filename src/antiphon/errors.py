"""The exceptions of Antiphon: what went wrong, and who has to act on it.

    AntiphonError
    ├── YouErred                the program or its settings must change
    │   ├── ConfigurationError  a setting, an extra or a key is missing or wrong
    │   └── UsageError          an object was used in a way that it does not allow
    └── TheyErred               a service, a device or the network
        ├── AuthenticationError refused: the key is wrong or has expired
        ├── RateLimitError      too many requests; `retry_after` seconds, if they said so
        ├── UnavailableError    could not be reached, or is broken
        ├── BadResponseError    answered with something that the protocol does not allow
        ├── NothingSaidError    ended an answer that has no words
        └── ServiceTimeoutError did not answer in time

A message says what happened, why, and what to do. In a session an error is data: `frames.Failed`.
"""

from typing import ClassVar


class AntiphonError(Exception):
    """The root of everything that Antiphon raises on purpose."""

    retryable: ClassVar[bool] = False


class YouErred(AntiphonError):  # noqa: N818  the name says who has to act
    """The program or its settings must change; trying again will not help."""


class ConfigurationError(YouErred):
    """A setting, an extra or a key is missing or wrong."""


class UsageError(YouErred):
    """An object was used in a way that it does not allow."""


class TheyErred(AntiphonError):  # noqa: N818
    """A service, a device or the network failed."""


class AuthenticationError(TheyErred):
    """The service refused the key."""


class RateLimitError(TheyErred):
    """The service refused the request because there were too many.

    `retry_after` is in seconds; None if the service did not say.
    """

    retryable = True

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class UnavailableError(TheyErred):
    """The service could not be reached, or is broken."""

    retryable = True


class BadResponseError(TheyErred):
    """The service answered with something that its protocol does not allow."""


class NothingSaidError(TheyErred):
    """The model ended its answer without a word or a tool call.

    The answer was filtered, cut off, or simply empty.
    """

    retryable = True


class ServiceTimeoutError(TheyErred):
    """The service did not answer in time."""

    retryable = True
