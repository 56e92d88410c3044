"""DTMF, the tones of the telephone keypad: ITU-T Q.23, and Q.24 for receivers.

A key is two simultaneous sines, one of a low and one of a high group. A `DtmfDetector` looks at windows of
20 ms, 10 ms apart. A window contains a key if one sine of each group holds most of its energy, and neither is
much louder than the other. Two such windows in a row are a key press, two without it end it. So 40 ms of tone
are always enough, 20 ms never are, and a drop-out of 10 ms does not split a key press.
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
_FADE = 0.003  # seconds of fade-in and fade-out, which avoid clicks
_PEAKS = (10500, 13200)  # of the low and the high sine, which lines attenuate more: it is 2 dB louder
_AUDIBLE = 33.0  # rms of a window: -60 dBFS
_SHARE = 0.52  # of a key's energy that its two sines hold; with both 1.5 % off it is still 0.59
_STILL = 0.4  # the same for a key already pressed: half a window of tone and half of silence has 0.5
_TWIST = (0.1, 4.0)  # the energy of the high sine relative to the low one: -10 to 6 dB


def tones(keys: str, sample_rate: int, *, tone: float = 0.1, gap: float = 0.08) -> bytes:
    """Return the tones of keys as mono PCM.

    Each key sounds for `tone` seconds and is followed by `gap` seconds of silence. Raises UsageError for
    characters that are not keys, and for a rate or durations out of range.
    """
    if sample_rate not in RATES or tone < 0.04 or gap < 0.04:
        raise UsageError(
            f"tones need a rate of {RATES[0]} to {RATES[-1]} Hz, and 0.04 s of tone and gap, "
            f"not {sample_rate}, {tone:g} and {gap:g}"
        )
    time = np.arange(round(tone * sample_rate)) / sample_rate
    edge = np.minimum(np.minimum(time, time[::-1]) / _FADE, 1.0)
    silence = bytes(2 * round(gap * sample_rate))
    pressed: list[bytes] = []
    for key in keys:
        row = next((row for row, line in enumerate(PAD) if key.upper() in line), None)
        if row is None:
            raise UsageError(f"{key!r} is no key of a telephone; the keys are {KEYS}")
        low, high = LOW[row], HIGH[PAD[row].index(key.upper())]
        sound = _PEAKS[0] * np.sin(2 * np.pi * low * time) + _PEAKS[1] * np.sin(2 * np.pi * high * time)
        pressed += [(sound * edge).astype("<i2").tobytes(), silence]
    return b"".join(pressed)


class DtmfDetector:
    """A detector of keys in a stream of mono PCM.

    Raises UsageError for rates below 8 or above 192 kHz.
    """

    def __init__(self, sample_rate: int) -> None:
        if sample_rate < 8000 or sample_rate not in RATES:
            raise UsageError(f"keys are detected at rates of 8000 to {RATES[-1]} Hz, not at {sample_rate}")
        self._waves = _waves(sample_rate)
        self._hop = round(sample_rate * _HOP)
        self._rest = np.zeros(0, np.float32)
        self._seen = ""  # the key in the last window
        self._held = ""
        self._misses = 0

    def __call__(self, pcm: bytes) -> str:
        """Return the keys whose press began in these samples: usually "", sometimes one."""
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
    """Return (window, 16) float32: the cosines, then the sines of the eight tones.

    A window's product with them is its correlation with each tone.
    """
    size = round(sample_rate * _WINDOW)
    turns = 2 * np.pi * np.outer(np.arange(size), [*LOW, *HIGH]) / sample_rate
    return (np.hstack((np.cos(turns), np.sin(turns))) * np.sqrt(2 / size)).astype(np.float32)


def _keys(windows: NDArray[np.float32], waves: NDArray[np.float32]) -> list[tuple[str, float]]:
    """Return for each window the likeliest key and its two sines' share of energy."""
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
