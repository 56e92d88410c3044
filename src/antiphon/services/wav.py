"""WAV files."""

import struct

__all__ = ["rate_of", "samples", "wav"]


def wav(pcm: bytes, sample_rate: int) -> bytes:
    """Return a WAV file of 16-bit mono samples (RFC 2361)."""
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, sample_rate, sample_rate * 2, 2, 16)
    size = struct.pack("<I", 4 + len(form) + 8 + len(pcm))
    return b"RIFF" + size + b"WAVE" + form + b"data" + struct.pack("<I", len(pcm)) + pcm


def rate_of(file: bytes) -> int | None:
    """Return the sample rate of a WAV file; None for what is none."""
    if file[:4] == b"RIFF" and 0 <= (at := file.find(b"fmt ", 12)) <= len(file) - 16:
        return int(struct.unpack_from("<I", file, at + 12)[0])
    return None


def samples(file: bytes) -> bytes:
    """Return the 16-bit samples of a WAV file, or of what is none."""
    if file[:4] == b"RIFF" and (at := file.find(b"data", 12)) >= 0:
        file = file[at + 8 :]
    return file[: len(file) // 2 * 2]
