"""The tones of the telephone keypad: ITU-T Q.23, and Q.24 for who listens.

A key is two sines at once, one of a low and one of a high group. A `DtmfDetector` looks at every 20 ms, 10 ms
apart. A window bears a key where one sine of each group holds most of its energy, neither much louder than
the other; two windows in a row make a key, two without it end it. So 40 ms of tone are always enough, 20 ms
never are, and a drop-out of 10 ms does not make one key two.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from .pcm import RATES, samples

KEYS = "0123456789*#ABCD"
LOW = (697, 770, 852, 941)
HIGH = (1209, 1336, 1477, 1633)
PAD = ("123A", "456B", "789C", "*0#D")

_WINDOW, _HOP = 0.02, 0.01
_FADE = 0.003  # seconds that a tone rises and falls, so that it does not click
_PEAKS = (10500, 13200)  # of the low and the high sine, which is 2 dB louder for the line's sake
_AUDIBLE = 33.0  # rms of a window: -60 dBFS
_SHARE = 0.52  # of a window's energy that its two sines hold; 0.59 where both are 1.5 % off
_STILL = 0.4  # the same for the key that is held: half a window of tone and half of nothing has 0.5
_TWIST = (0.1, 4.0)  # how strong the high one may be beside the low one, in energy: -10 to 6 dB


def tones(keys: str, sample_rate: int, *, tone: float = 0.1, gap: float = 0.08) -> bytes:
    """Each key's tone for `tone` seconds, and a `gap` after it. Raises UsageError for what is no key."""
    if sample_rate not in RATES or tone < 0.04 or gap < 0.04:
        raise UsageError(
            f"keys are heard from 8000 Hz, 0.04 s and gaps of 0.04 s on, not {sample_rate}, {tone:g}, {gap:g}"
        )
    time = np.arange(round(tone * sample_rate)) / sample_rate
    edge = np.minimum(np.minimum(time, time[::-1]) / _FADE, 1.0)
    silence = bytes(2 * round(gap * sample_rate))
    pressed: list[bytes] = []
    for key in keys:
        row = next((row for row, line in enumerate(PAD) if key.upper() in line), None)
        if row is None:
            raise UsageError(f"{key!r} is no key of a telephone: there are {KEYS}")
        low, high = LOW[row], HIGH[PAD[row].index(key.upper())]
        sound = _PEAKS[0] * np.sin(2 * np.pi * low * time) + _PEAKS[1] * np.sin(2 * np.pi * high * time)
        pressed += [(sound * edge).astype("<i2").tobytes(), silence]
    return b"".join(pressed)


class DtmfDetector:
    """Hears keys in a stream of mono PCM. Raises UsageError for rates under 8 kHz or over 192."""

    def __init__(self, sample_rate: int) -> None:
        if sample_rate < 8000 or sample_rate not in RATES:
            raise UsageError(f"keys are heard from 8000 to {RATES[-1]} Hz, not at {sample_rate}")
        self._waves = _waves(sample_rate)
        self._hop = round(sample_rate * _HOP)
        self._rest = np.zeros(0, np.float32)
        self._seen = ""  # in the last window
        self._held = ""
        self._misses = 0

    def __call__(self, pcm: bytes) -> str:
        """The keys that were pressed in what has come: usually none, sometimes one."""
        sound = np.concatenate((self._rest, samples(pcm).astype(np.float32)))
        size = len(self._waves)
        count = (len(sound) - size) // self._hop + 1
        if count < 1:
            self._rest = sound
            return ""
        self._rest = sound[count * self._hop :].copy()
        windows = np.lib.stride_tricks.sliding_window_view(sound, size)[:: self._hop]
        return "".join([self._heard(*found) for found in _keys(windows, self._waves)])

    def _heard(self, key: str, share: float) -> str:
        if key and key == self._held and share >= _STILL:
            self._misses = 0
            return ""
        self._misses += 1
        if self._misses > 1:
            self._held = ""
        seen, self._seen = self._seen, key if share >= _SHARE else ""
        if not self._seen or self._seen != seen:
            return ""
        self._held, self._misses = key, 0
        return key


@lru_cache(maxsize=8)
def _waves(sample_rate: int) -> NDArray[np.float32]:
    """(window, 16): cosines, then sines, that pick each of the eight tones out of a window."""
    size = round(sample_rate * _WINDOW)
    turns = 2 * np.pi * np.outer(np.arange(size), [*LOW, *HIGH]) / sample_rate
    return (np.hstack((np.cos(turns), np.sin(turns))) * np.sqrt(2 / size)).astype(np.float32)


def _keys(windows: NDArray[np.float32], waves: NDArray[np.float32]) -> list[tuple[str, float]]:
    """The key that each window could bear, and the share of its energy that speaks for it."""
    energies = np.einsum("ij,ij->i", windows, windows)
    found = [("", 0.0)] * len(windows)
    for index in np.flatnonzero(energies >= len(waves) * _AUDIBLE**2).tolist():
        parts: list[float] = np.square(windows[index] @ waves).tolist()
        sines = [cosine + sine for cosine, sine in zip(parts[:8], parts[8:], strict=True)]
        low, high = max(sines[:4]), max(sines[4:])
        if _TWIST[0] * low <= high <= _TWIST[1] * low:
            key = PAD[sines.index(low)][sines.index(high, 4) - 4]
            found[index] = key, (low + high) / float(energies[index])
    return found
