"""Detection of beeps, such as an answering machine's "speak now".

A beep is a single short sine. The detector looks at windows of 32 ms, 16 ms apart. A window contains a tone
if nearly all of its energy lies around one frequency; a voice has overtones, a keypad two tones, and a dial
tone does not end. A beep is 0.12 to 2.5 s of the same tone, and is reported when it has ended.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from .pcm import RATES, samples

_WINDOW, _HOP = 0.032, 0.016
_AUDIBLE = -48.0  # dBFS; quieter windows are ignored
_SHARE = 0.93  # of a tone's energy lies within two bins of its peak
_BAND = (340.0, 2700.0)  # Hz
_STEADY = 45.0  # Hz that a beep may drift
_SHORTEST, _LONGEST = 0.12, 2.5  # seconds


class Beep(NamedTuple):
    """Start and end in seconds since the start of the stream, and frequency."""

    begun: float
    ended: float
    hz: float


class BeepDetector:
    """A detector of beeps in a stream of mono PCM.

    Raises UsageError for rates below 8 or above 192 kHz.
    """

    def __init__(self, sample_rate: int) -> None:
        if sample_rate < 8000 or sample_rate not in RATES:
            raise UsageError(f"beeps are detected at rates of 8000 to {RATES[-1]} Hz, not at {sample_rate}")
        self._rate = sample_rate
        self._window = _hann(sample_rate)
        self._hop = round(sample_rate * _HOP)
        self._rest = np.zeros(0, np.float32)
        self._heard = 0  # samples before the rest
        self._begun: float | None = None
        self._ended = 0.0
        self._hz = 0.0

    def __call__(self, pcm: bytes) -> list[Beep]:
        """Return the beeps that ended in these samples."""
        sound = np.concatenate((self._rest, samples(pcm).astype(np.float32)))
        size, found = len(self._window), list[Beep]()
        at = 0
        while at + size <= len(sound):
            begun = (self._heard + at) / self._rate
            if (beep := self._update(begun, begun + _WINDOW, self._tone(sound[at : at + size]))) is not None:
                found.append(beep)
            at += self._hop
        self._rest = sound[at:].copy()
        self._heard += at
        return found

    def _tone(self, window: NDArray[np.float32]) -> float | None:
        """Return the frequency in Hz if the window is a tone, else None."""
        if 10 * np.log10(np.mean(window * window) / 2**30 + 1e-12) < _AUDIBLE:
            return None
        power = np.abs(np.fft.rfft((window - window.mean()) * self._window)) ** 2
        peak = int(power.argmax())
        near = power[max(0, peak - 2) : peak + 3]
        if near.sum() < _SHARE * power.sum():
            return None
        center = float((np.arange(max(0, peak - 2), peak + 3)[: len(near)] * near).sum() / near.sum())
        hz = center * self._rate / len(window)
        return hz if _BAND[0] <= hz <= _BAND[1] else None

    def _update(self, begun: float, ended: float, hz: float | None) -> Beep | None:
        if hz is not None and (self._begun is None or abs(hz - self._hz) > _STEADY):
            over = self._end()
            self._begun, self._hz, self._ended = begun, hz, ended
            return over
        if hz is not None:
            self._ended = ended
            return None
        return self._end() if begun > self._ended - _HOP / 2 else None

    def _end(self) -> Beep | None:
        begun, self._begun = self._begun, None
        if begun is None or not _SHORTEST <= self._ended - begun <= _LONGEST:
            return None
        return Beep(begun, self._ended, self._hz)


@lru_cache(maxsize=8)
def _hann(sample_rate: int) -> NDArray[np.float32]:
    return np.hanning(round(sample_rate * _WINDOW)).astype(np.float32)
