"""How the stages begin, close and retry the streams of their services."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

from .ports import Service

__all__ = ["AudioChunker", "Backoff", "closing", "has_words", "is_probability", "ready"]

T = TypeVar("T")
DELAYS = (0.1, 0.3, 1.0, 3.0, 10.0)  # seconds before a service that failed is tried again; the last repeats


async def ready(service: Service) -> None:
    """Load and open a service; returns at once if that is done already."""
    await service.load()
    await service.open()


@asynccontextmanager
async def closing(stream: AsyncIterator[T]) -> AsyncGenerator[AsyncIterator[T], None]:
    """Close a service's stream on leaving, not only at garbage collection."""
    try:
        yield stream
    finally:
        if (close := getattr(stream, "aclose", None)) is not None:  # generators have it, other iterators may
            await close()


class AudioChunker:
    """Collects audio until there is a chunk of it.

    Waking a service for each packet of a line costs more than the packet's whole way to it.
    """

    def __init__(self, size: int) -> None:
        self._size = size  # bytes
        self._parts: list[bytes] = []
        self._bytes = 0

    def add(self, pcm: bytes) -> bytes:
        """Add audio; returns the chunk if it is complete now, else nothing."""
        self._parts.append(pcm)
        self._bytes += len(pcm)
        return self.rest() if self._bytes >= self._size else b""

    def rest(self) -> bytes:
        """Return what has been collected."""
        pcm = b"".join(self._parts)
        self._parts.clear()
        self._bytes = 0
        return pcm


class Backoff:
    """How long to wait before a retry: longer for each failure in a row."""

    def __init__(self) -> None:
        self.failures = 0

    def next(self) -> float:
        """Count a failure; returns the seconds to wait after it."""
        self.failures += 1
        return DELAYS[min(self.failures, len(DELAYS)) - 1]

    def reset(self) -> None:
        """Begin again with the shortest delay, after a success."""
        self.failures = 0


def is_probability(value: object) -> bool:
    """Return True for a number from 0 to 1."""
    return isinstance(value, int | float) and 0 <= value <= 1


def has_words(text: str, voiced: bool = True) -> bool:
    """Return True if a text says something.

    A spoken text needs a letter or a digit; a text that is only shown needs any visible character. This is
    the one rule for "nothing was said".
    """
    if voiced:
        return any(map(str.isalnum, text))
    return any(char.isprintable() and not char.isspace() for char in text)
