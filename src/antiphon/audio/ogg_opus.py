"""Opus in Ogg pages, as a stream: RFC 3533 and RFC 7845.

PyAV, which decodes the packets, is imported when it is used.
"""

from collections.abc import Iterator
from random import randrange
from struct import Struct, pack, unpack_from

from ..errors import BadResponseError
from .opus import OpusDecoder, OpusEncoder

__all__ = ["OggOpusDecoder", "OggOpusEncoder"]

HEAD = Struct(
    "<4sBBqIIIB"
)  # of a page: capture pattern, version, flags, position, serial, number, sum, segments
CONTINUED, FIRST = 1, 2  # flags of a page
HZ = 48000  # of all positions
SKIPPED = 312  # samples at `HZ` of the encoder's delay
FRAME = 0.02  # seconds of a packet
MOST = 1 << 20  # bytes that may wait for the rest of their page


class OggOpusEncoder:
    """Mono PCM in, pages out: one for each 20 ms, after two that describe the stream."""

    def __init__(self, sample_rate: int = 24000, *, bitrate: int = 32000) -> None:
        self._encode = OpusEncoder(sample_rate, bitrate=bitrate, frame=FRAME)
        self._serial = randrange(1 << 32)
        self._number = 0
        self._position = 0
        head = pack("<8sBBHIHB", b"OpusHead", 1, 1, SKIPPED, sample_rate, 0, 0)
        tags = pack("<8sI8sI", b"OpusTags", 8, b"Antiphon", 0)
        self._begun = self._page(head, FIRST) + self._page(tags)

    def __call__(self, pcm: bytes) -> bytes:
        """Return the pages that are complete. Raises UsageError for half a sample."""
        pages, self._begun = [self._begun], b""
        for packet in self._encode(pcm):
            self._position += round(FRAME * HZ)
            pages.append(self._page(packet))
        return b"".join(pages)

    def _page(self, packet: bytes, flags: int = 0) -> bytes:
        sizes = bytes([255] * (len(packet) // 255) + [len(packet) % 255])
        before = (b"OggS", 0, flags, self._position, self._serial, self._number)
        self._number += 1
        page = HEAD.pack(*before, 0, len(sizes)) + sizes + packet
        return HEAD.pack(*before, _checksum(page), len(sizes)) + sizes + packet


class OggOpusDecoder:
    """Pages in, mono PCM at `sample_rate` out. A new stream may begin at any page.

    Raises BadResponseError for what is not Opus in Ogg.
    """

    def __init__(self, sample_rate: int = 24000) -> None:
        self._rate = sample_rate
        self._unread = bytearray()
        self._packet = bytearray()  # the beginning of one that goes on in the next page
        self._decode: OpusDecoder | None = None
        self._skip = 0  # bytes of PCM that are only the encoder's delay

    def __call__(self, data: bytes) -> bytes:
        """Return the sound of the pages that are complete."""
        self._unread += data
        return b"".join(self._sound(packet) for page in self._pages() for packet in self._packets(page))

    def _pages(self) -> Iterator[bytes]:
        while len(self._unread) >= HEAD.size:
            if not self._unread.startswith(b"OggS\0"):
                raise BadResponseError(f"not a page of Ogg: {bytes(self._unread[:8])!r}")
            segments = self._unread[HEAD.size - 1]
            body = HEAD.size + segments
            size = body + sum(self._unread[HEAD.size : body])
            if len(self._unread) < max(body, size):
                return
            page = bytes(self._unread[:size])
            del self._unread[:size]
            if unpack_from("<I", page, 22)[0] != _checksum(page[:22] + bytes(4) + page[26:]):
                raise BadResponseError("a page of Ogg has a wrong checksum")
            yield page

    def _packets(self, page: bytes) -> Iterator[bytes]:
        if not page[5] & CONTINUED:
            self._packet.clear()
        sizes = page[HEAD.size : HEAD.size + page[HEAD.size - 1]]
        at = HEAD.size + len(sizes)
        for size in sizes:
            self._packet += page[at : at + size]
            at += size
            if size < 255:
                yield bytes(self._packet)
                self._packet.clear()
        if len(self._packet) > MOST:
            raise BadResponseError(f"a packet of Opus has more than {MOST} bytes")

    def _sound(self, packet: bytes) -> bytes:
        if packet.startswith(b"OpusHead") and len(packet) >= 12:
            self._decode = OpusDecoder(self._rate)
            self._skip = unpack_from("<H", packet, 10)[0] * self._rate // HZ * 2
            return b""
        if packet.startswith(b"OpusTags") or self._decode is None:
            return b""
        pcm = self._decode(packet)
        skipped = min(self._skip, len(pcm))
        self._skip -= skipped
        return pcm[skipped:]


def _sums() -> Iterator[int]:
    for value in range(256):
        total = value << 24
        for _ in range(8):
            total = (total << 1) ^ (0x04C11DB7 if total & 0x80000000 else 0)
        yield total & 0xFFFFFFFF


SUMS = tuple(_sums())


def _checksum(page: bytes) -> int:
    """Return the checksum of a page in which it is 0.

    It is a CRC32 that is not reflected, as zlib's is.
    """
    total = 0
    for byte in page:
        total = (total << 8) & 0xFFFFFFFF ^ SUMS[(total >> 24) ^ byte]
    return total
