"""Tokens to join a session with: each is good once, and not for long."""

import secrets
import time
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

__all__ = ["Tokens"]

T = TypeVar("T")

MOST = 4096  # tokens that wait to be used; of more the oldest are forgotten


class Tokens(Generic[T]):
    """What tokens stand for. They are 192 random bits, and known to this process alone."""

    def __init__(self, seconds: float, now: Callable[[], float] = time.monotonic, most: int = MOST) -> None:
        self._seconds = seconds
        self._now = now
        self._most = most
        self._held: dict[str, tuple[float, T]] = {}  # in the order in which they run out

    def mint(self, what: T, seconds: float | None = None) -> str:
        """A new token for this, good for so long."""
        token = secrets.token_urlsafe(24)
        self.keep(token, what, seconds)
        return token

    def redeem(self, token: str) -> T | None:
        """What a token stands for, once; None where it was used, has run out, or never was."""
        until, what = self._held.pop(token, (0.0, None))
        return what if until > self._now() else None

    def keep(self, token: str, what: T, seconds: float | None = None) -> None:
        """Let a token stand for this: also one that was redeemed, but nobody came in by it."""
        now = self._now()
        until = now + (self._seconds if seconds is None else seconds)
        while self._held:
            oldest = next(iter(self._held))
            if len(self._held) < self._most and self._held[oldest][0] > now:
                break
            del self._held[oldest]
        self._held[token] = (until, what)

    def __contains__(self, token: str) -> bool:
        """Whether a token may still be used."""
        return self._held.get(token, (0.0,))[0] > self._now()

    def values(self) -> Iterator[T]:
        """What the tokens that are still good stand for."""
        now = self._now()
        return (what for until, what in self._held.values() if until > now)

    def __len__(self) -> int:
        return len(self._held)
