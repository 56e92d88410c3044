"""The agent's voice on its way out: a packet every 20 ms, with or without something to say.

The far end reads from the packets' times how much to buffer, so they come without a gap. One piece is always
held, so that a voice that is cut off can fade.
"""

from collections.abc import Callable

from ...clock import Clock, Timer
from .engine import PIECE

__all__ = ["Downlink"]

LATE = 0.005  # seconds that a piece is waited for before silence takes its place
BEHIND = 0.1  # seconds behind time after which nothing is made up for


class Downlink:
    """Gives `say` PIECE seconds of mono 16-bit samples at a time, or None for silence."""

    def __init__(self, clock: Clock, sample_rate: int, say: Callable[[bytes | None], object]) -> None:
        self._clock = clock
        self._say = say
        self._size = int(sample_rate * PIECE) * 2
        self._buffer = bytearray()
        self._due = clock.now()
        self._timer: Timer | None = None
        self._tick()

    def add(self, pcm: bytes) -> None:
        """The next of the voice, at its time and one piece ahead; what is held comes first."""
        self._buffer += pcm
        while len(self._buffer) >= 2 * self._size:
            self._send()

    def clear(self) -> None:
        """Fall silent within 20 ms, without a click."""
        from ...audio.levels import faded  # numpy, once there is sound

        self._buffer[:] = faded(bytes(self._buffer[: self._size]))

    def stop(self) -> None:
        """Say no more, not even silence."""
        if self._timer is not None:
            self._timer.cancel()

    def _send(self) -> None:
        piece = bytes(self._buffer[: self._size])
        del self._buffer[: self._size]
        self._due = max(self._due, self._clock.now() - BEHIND) + PIECE
        self._say(piece.ljust(self._size, b"\0") if piece else None)

    def _tick(self) -> None:
        now = self._clock.now()
        while self._due + LATE <= now + 1e-6:
            self._send()
        self._timer = self._clock.call_at(self._due + LATE, self._tick)
