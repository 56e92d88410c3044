"""The client's audio: a minimal jitter buffer with packet loss concealment.

A packet that is in order is decoded at once, without delay. A missing one is given up when two later ones
have come; its place is concealed by a 20 ms fade-out of the last audio, and silence.
"""

from collections.abc import Callable
from typing import Protocol

from ...audio.levels import faded
from ...errors import BadResponseError
from .engine import HEARD_HZ

__all__ = ["Decode", "Uplink"]

WAIT = 2  # packets that may overtake a missing one before it is given up
ASTRAY = 100  # a sequence number that is further off than this starts a new stream
LONGEST_GAP = int(0.3 * HEARD_HZ)  # samples that are concealed; in a longer gap nothing was sent
FADE = int(0.02 * HEARD_HZ) * 2  # bytes

WaitingPacket = tuple[int, bytes]
"""RTP timestamp and payload."""


class Decode(Protocol):
    """A decoder of packets to samples.

    Raises BadResponseError if a packet is malformed.
    """

    def __call__(self, packet: bytes, /) -> bytes: ...


class Uplink:
    """A jitter buffer that turns RTP packets into mono 16-bit samples at HEARD_HZ.

    Mono 16-bit samples at HEARD_HZ out, to `on_audio`, with the number of samples that were never sent before
    them: discontinuous transmission leaves a gap in the timestamps, but none in the sequence numbers.
    """

    def __init__(self, decode: Decode, on_audio: Callable[[bytes, int], object], rtp_hz: int = 48000) -> None:
        self.lost = 0
        """Packets that never came, or could not be decoded."""
        self._decode = decode
        self._on_audio = on_audio
        self._rtp_hz = rtp_hz
        self._next: int | None = None  # the expected sequence number
        self._due: int | None = None  # the expected timestamp
        self._early: dict[int, WaitingPacket] = {}  # packets after a missing one, at most WAIT + 1
        self._last = b""

    def add(self, sequence: int, timestamp: int, payload: bytes) -> None:
        """Add a packet that has arrived.

        `sequence` has 16 bits and `timestamp` 32, as in RTP.
        """
        if self._next is None:
            self._next = sequence
        ahead = (sequence - self._next) & 0xFFFF
        if ahead >= 0x8000:
            if 0x10000 - ahead < ASTRAY:
                return  # a duplicate, or given up already
            ahead = ASTRAY
        if ahead >= ASTRAY:
            self._early.clear()
            self._next, self._due = sequence, None
        self._early[sequence] = (timestamp, payload)
        self._release()

    def _release(self) -> None:
        assert self._next is not None
        while self._early:
            packet = self._early.pop(self._next, None)
            if packet is not None:
                self._play(*packet)
            elif len(self._early) > WAIT:
                self.lost += 1
            else:
                return
            self._next = (self._next + 1) & 0xFFFF

    def _play(self, timestamp: int, payload: bytes) -> None:
        if not payload:
            return
        try:
            pcm = self._decode(payload)
        except BadResponseError:
            self.lost += 1
            return
        gap = 0 if self._due is None else (timestamp - self._due) & 0xFFFFFFFF
        missing = gap * HEARD_HZ // self._rtp_hz if gap < 0x80000000 else 0  # or its timestamps went back
        concealment = self._conceal(missing)
        self._last = pcm
        self._due = timestamp + len(pcm) // 2 * self._rtp_hz // HEARD_HZ
        self._on_audio(concealment + pcm, 0 if concealment else missing)

    def _conceal(self, missing: int) -> bytes:
        """Returns the samples that replace missing ones; none for a gap that is too long."""
        if not 0 < missing <= LONGEST_GAP:
            return b""
        return faded(self._last[-FADE:])[: 2 * missing].ljust(2 * missing, b"\0")
