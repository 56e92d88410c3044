"""What a client says, from its packets to samples without a gap, as soon as they are there.

A packet that is in order is heard at once. One that is missing is waited for until two later ones have come;
then its place is filled: 20 ms of a dying echo of what was heard last, and silence.
"""

from collections.abc import Callable
from typing import Protocol

from ...audio.levels import faded
from ...errors import BadResponseError
from .engine import HEARD_HZ

__all__ = ["Uplink"]

RTP_HZ = 48000  # Opus always counts in it (RFC 7587)
WAIT = 2  # packets that may come before a missing one is given up
ASTRAY = 100  # packets by which one may be out of order; with more, a new stream has begun
LONGEST_GAP = int(0.3 * HEARD_HZ)  # samples that are filled: a longer gap is time that went by
ECHO = int(0.02 * HEARD_HZ) * 2  # bytes

Packet = tuple[int, bytes]
"""Its RTP timestamp and payload."""


class Decode(Protocol):
    """A packet to samples; raises BadResponseError for what is none."""

    def __call__(self, packet: bytes, /) -> bytes: ...


class Uplink:
    """Opus packets by sequence number in; mono 16-bit samples at HEARD_HZ out, to `heard`."""

    def __init__(self, decode: Decode, heard: Callable[[bytes], object]) -> None:
        self.lost = 0
        """Packets that never came, or could not be decoded."""
        self._decode = decode
        self._heard = heard
        self._next: int | None = None  # the sequence number that is due
        self._due: int | None = None  # its timestamp
        self._early: dict[int, Packet] = {}
        self._last = b""

    def add(self, sequence: int, timestamp: int, payload: bytes) -> None:
        """A packet has come; both numbers are those of RTP, 16 and 32 bits."""
        if self._next is None:
            self._next = sequence
        ahead = (sequence - self._next) & 0xFFFF
        if ahead >= 0x8000:
            if 0x10000 - ahead < ASTRAY:
                return  # given up already, or heard before
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
        fill = self._fill(timestamp)
        self._last = pcm
        self._due = timestamp + len(pcm) // 2 * RTP_HZ // HEARD_HZ
        self._heard(fill + pcm)

    def _fill(self, timestamp: int) -> bytes:
        """What stands for the samples that are missing before this one."""
        gap = 0 if self._due is None else (timestamp - self._due) & 0xFFFFFFFF
        size = gap * HEARD_HZ // RTP_HZ * 2
        if not 0 < size <= LONGEST_GAP * 2:
            return b""
        return faded(self._last[-ECHO:])[:size].ljust(size, b"\0")
