"""The agent's sound as Hume's EVI sends it: files that may overtake each other."""

from collections.abc import Iterator
from typing import Any

from ...frames import UserAudio
from ...services.resampling import ResampledInput
from ...services.vendor_values import base64_bytes, string
from ...services.wav import rate_of, samples

__all__ = ["OUTPUT_RATE", "SoundInOrder"]

OUTPUT_RATE = 48000
RATES = range(8000, 96001)  # that are believed
WAITING = 64  # pieces that wait for one before them, at most


class SoundInOrder:
    """The pieces of one message after another, by their `index` from 0."""

    def __init__(self) -> None:
        self._message = ""
        self._next = 0
        self._early: dict[int, bytes] = {}  # pieces that came before their turn
        self._resampled = ResampledInput(OUTPUT_RATE)

    def take(self, told: dict[str, Any]) -> Iterator[bytes]:
        """Yield the samples whose turn it is, once a piece has come."""
        if (message := string(told.get("id"))) != self._message:
            yield from self.rest()
            self._message = message
        pcm, index = self._samples(base64_bytes(told.get("data"))), told.get("index")
        if not isinstance(index, int) or index < self._next:
            yield pcm
            return
        self._early[index] = pcm
        while self._next in self._early:
            yield self._early.pop(self._next)
            self._next += 1
        if len(self._early) > WAITING:
            yield from self.rest()

    def _samples(self, file: bytes) -> bytes:
        """Return the samples of a file at OUTPUT_RATE, which most have."""
        rate = rate_of(file) or OUTPUT_RATE
        return self._resampled(UserAudio(samples(file), rate if rate in RATES else OUTPUT_RATE, 0))

    def rest(self) -> list[bytes]:
        """Return the samples that wait for a piece that has not come, and begin anew."""
        rest = [self._early[index] for index in sorted(self._early)]
        self._message, self._next, self._early = "", 0, {}
        return rest
