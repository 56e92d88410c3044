"""The pacing of the agent's voice: a packet every 20 ms, with or without speech.

The client's jitter buffer adapts to the arrival of the packets, so they must come without a gap. One packet
is always held back, so that a voice that is cut off can fade out.
"""

from collections.abc import Callable

from ...clock import Clock, Timer
from .engine import PIECE

__all__ = ["Downlink"]

LATE = 0.005  # seconds after which silence is sent in place of audio that has not come
BEHIND = 0.1  # seconds behind schedule after which missed packets are skipped, not made up for


class Downlink:
    """The paced stream of the agent's voice.

    It calls `send` with PIECE seconds of mono 16-bit samples at a time, or None for silence.
    """

    def __init__(self, clock: Clock, sample_rate: int, send: Callable[[bytes | None], object]) -> None:
        self._clock = clock
        self._send = send
        self._size = int(sample_rate * PIECE) * 2
        self._buffer = bytearray()
        self._due = clock.now()
        self._timer: Timer | None = None
        self._tick()

    def add(self, pcm: bytes) -> None:
        """Add the voice's next samples, one PIECE ahead of their time.

        Sends the packets that they complete.
        """
        self._buffer += pcm
        while len(self._buffer) >= 2 * self._size:
            self._send_next()

    def clear(self) -> None:
        """Fade out the packet that is held back, and discard the rest.

        The voice is silent within 20 ms, without a click.
        """
        from ...audio.levels import faded  # loads numpy

        self._buffer[:] = faded(bytes(self._buffer[: self._size]))

    def stop(self) -> None:
        """Send nothing more, not even silence."""
        if self._timer is not None:
            self._timer.cancel()

    def _send_next(self) -> None:
        piece = bytes(self._buffer[: self._size])
        del self._buffer[: self._size]
        self._due = max(self._due, self._clock.now() - BEHIND) + PIECE
        self._send(piece.ljust(self._size, b"\0") if piece else None)

    def _tick(self) -> None:
        now = self._clock.now()
        while self._due + LATE <= now + 1e-6:
            self._send_next()
        self._timer = self._clock.call_at(self._due + LATE, self._tick)
