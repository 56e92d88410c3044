"""What the stages share: audio at the rate that a service wants, and how its streams begin, fail and end."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from ..frames import UserAudio

if TYPE_CHECKING:
    from ..audio.resample import Resampler

__all__ = ["Backoff", "ResampledInput", "closing", "is_probability", "load", "seconds"]

T = TypeVar("T")
AGAIN = (0.1, 0.3, 1.0, 3.0, 10.0)  # seconds before a service that failed is tried again; the last repeats


class ResampledInput:
    """Gives the samples of a stream of `UserAudio` at one rate."""

    def __init__(self, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self._from = 0
        self._resample: Resampler | None = None

    def __call__(self, frame: UserAudio) -> bytes:
        """The frame's samples at `sample_rate`."""
        if frame.sample_rate == self.sample_rate:
            return frame.pcm
        if self._resample is None or frame.sample_rate != self._from:
            from ..audio.resample import Resampler  # numpy, only where rates differ

            self._from = frame.sample_rate
            self._resample = Resampler(frame.sample_rate, self.sample_rate)
        return self._resample(frame.pcm)


def seconds(frame: UserAudio) -> float:
    """How long a frame lasts."""
    return len(frame.pcm) / 2 / frame.sample_rate


async def load(service: Any) -> None:
    """Let a service that can be loaded ahead of its first use do so."""
    if (ahead := getattr(service, "load", None)) is not None:
        await ahead()


@asynccontextmanager
async def closing(stream: AsyncIterator[T]) -> AsyncGenerator[AsyncIterator[T], None]:
    """A service's stream, closed when it is left: the service stops at once, not when memory is tidied."""
    try:
        yield stream
    finally:
        if (close := getattr(stream, "aclose", None)) is not None:
            await close()


class Backoff:
    """How long to wait before a service is tried again: longer each time that it fails in a row."""

    def __init__(self) -> None:
        self.failures = 0

    def next(self) -> float:
        """Seconds to wait after one more failure."""
        self.failures += 1
        return AGAIN[min(self.failures, len(AGAIN)) - 1]

    def reset(self) -> None:
        """It worked."""
        self.failures = 0


def is_probability(value: object) -> bool:
    """Whether a service gave a number from 0 to 1."""
    return isinstance(value, int | float) and 0 <= value <= 1
