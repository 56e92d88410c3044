"""The user's audio at the sample rate that a service wants."""

from typing import TYPE_CHECKING

from ..frames import UserAudio

if TYPE_CHECKING:
    from ..audio.resample import Resampler

__all__ = ["ResampledInput", "seconds"]


class ResampledInput:
    """A resampler of `UserAudio` to one rate; the rate of the input may change."""

    def __init__(self, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self._from = 0
        self._resample: Resampler | None = None

    def __call__(self, frame: UserAudio) -> bytes:
        """Return the frame's samples at `sample_rate`."""
        if frame.sample_rate == self.sample_rate:
            return frame.pcm
        if self._resample is None or frame.sample_rate != self._from:
            from ..audio.resample import Resampler  # imports numpy, so only if the rates differ

            self._from = frame.sample_rate
            self._resample = Resampler(frame.sample_rate, self.sample_rate)
        return self._resample(frame.pcm)


def seconds(frame: UserAudio) -> float:
    """Return how long a frame lasts."""
    return len(frame.pcm) / 2 / frame.sample_rate
