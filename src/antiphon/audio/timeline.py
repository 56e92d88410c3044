"""A ring buffer of audio by position: the newest seconds of what was played."""

import numpy as np
from numpy.typing import NDArray

from .pcm import samples


class Timeline:
    """Mono 16-bit samples by position; positions never written are silent.

    Keeps the newest `kept` samples before its end, the farthest position that was written.
    """

    def __init__(self, kept: int) -> None:
        self._ring = np.zeros(kept, np.int16)
        self._oldest = 0
        self._end = 0

    def write(self, at: int, pcm: bytes) -> None:
        """Write samples from position `at` on, over what was there."""
        sound, kept = samples(pcm), len(self._ring)
        begun, self._end = self._end, max(self._end, at + len(sound))
        self._oldest = max(self._oldest, self._end - kept)
        gap = max(begun, self._oldest)
        if at > gap:
            self._store(gap, np.zeros(at - gap, np.int16))
        self._store(max(at, self._oldest), sound[max(0, self._oldest - at) :])

    def read(self, at: int, count: int) -> bytes:
        """Return `count` samples from position `at` on; they stay in the buffer."""
        places = np.arange(at, at + count)
        known = (places >= self._oldest) & (places < self._end)
        return np.where(known, self._ring[places % len(self._ring)], 0).astype("<i2").tobytes()

    def cut(self, at: int) -> None:
        """Discard samples from position `at` on."""
        self._end = min(self._end, at)

    def _store(self, at: int, sound: NDArray[np.int16]) -> None:
        self._ring[np.arange(at, at + len(sound)) % len(self._ring)] = sound
