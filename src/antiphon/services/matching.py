"""What the stages share: audio at the rate that a service wants, and services that may be loaded ahead."""

from typing import Any

from ..audio.resample import Resampler
from ..frames import UserAudio

__all__ = ["Matched", "load"]


class Matched:
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
            self._from = frame.sample_rate
            self._resample = Resampler(frame.sample_rate, self.sample_rate)
        return self._resample(frame.pcm)


async def load(service: Any) -> None:
    """Let a service that can be loaded ahead of its first use do so."""
    if (ahead := getattr(service, "load", None)) is not None:
        await ahead()
