"""What can go wrong, and whose move it is.

    AntiphonError
    ├── YouErred                the program or its settings must change
    │   ├── ConfigurationError  a setting, an extra or a key is missing or wrong
    │   └── UsageError          an object was used in a way that it does not allow
    └── TheyErred               a service, a device or the network
        ├── AuthenticationError refused: the key is wrong or has expired
        ├── RateLimitError      too much, too fast; `retry_after` seconds, where they said so
        ├── UnavailableError    not reached, or reached and broken
        ├── BadResponseError    answered with what the protocol does not allow
        └── ServiceTimeoutError did not answer in time

A message says what happened, why, and what to do. In a session an error is data: `frames.Failed`.
"""

from typing import ClassVar


class AntiphonError(Exception):
    """The root of everything that Antiphon raises on purpose."""

    retryable: ClassVar[bool] = False


class YouErred(AntiphonError):  # noqa: N818  whose move it is, not what it is
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
    """The service wants fewer requests; `retry_after` is in seconds, None where it was not said."""

    retryable = True

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class UnavailableError(TheyErred):
    """The service was not reached, or was reached and is broken."""

    retryable = True


class BadResponseError(TheyErred):
    """The service answered with something that its protocol does not allow."""


class ServiceTimeoutError(TheyErred):
    """The service did not answer in time."""

    retryable = True
