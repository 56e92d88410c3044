"""One-time tokens with which clients join sessions; each expires after a while."""

import secrets
import time
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

__all__ = ["Tokens"]

T = TypeVar("T")

MOST = 4096  # unused tokens that are kept; beyond it the oldest is dropped


class Tokens(Generic[T]):
    """A map from tokens to values, in the memory of this process.

    A token is 192 random bits, valid once and for a limited time.
    """

    def __init__(self, seconds: float, now: Callable[[], float] = time.monotonic, most: int = MOST) -> None:
        self._seconds = seconds
        self._now = now
        self._most = most
        self._held: dict[str, tuple[float, T]] = {}  # oldest first

    def mint(self, value: T, seconds: float | None = None) -> str:
        """Return a new token for a value, valid for `seconds` or the default time."""
        token = secrets.token_urlsafe(24)
        self.keep(token, value, seconds)
        return token

    def redeem(self, token: str) -> T | None:
        """Use a token up and return its value.

        None if it was used before, has expired or never existed.
        """
        until, value = self._held.pop(token, (0.0, None))
        return value if until > self._now() else None

    def keep(self, token: str, value: T, seconds: float | None = None) -> None:
        """Make a given token valid for a value.

        This also restores a redeemed token whose session failed to begin.
        """
        now = self._now()
        until = now + (self._seconds if seconds is None else seconds)
        while self._held:
            oldest = next(iter(self._held))
            if len(self._held) < self._most and self._held[oldest][0] > now:
                break
            del self._held[oldest]
        self._held[token] = (until, value)

    def __contains__(self, token: str) -> bool:
        """Return whether a token is valid."""
        return self._held.get(token, (0.0,))[0] > self._now()

    def values(self) -> Iterator[T]:
        """Yield the values of all valid tokens."""
        now = self._now()
        return (value for until, value in self._held.values() if until > now)

    def __len__(self) -> int:
        return len(self._held)
