"""Audio as vendors send it: cut anywhere, perhaps behind a WAV header."""

from collections.abc import Sequence

import numpy as np

from ..errors import BadResponseError

__all__ = ["FloatPcmReader", "PcmReader", "int16_bytes"]

COMPRESSED = {b"ID3": "MP3", b"OggS": "Ogg", b"fLaC": "FLAC", b"\x1a\x45\xdf\xa3": "WebM"}
UNKNOWN = 0x7FFFF000  # a size of audio from which on it only says that the end was not known
MOST_HEADER = 4096  # bytes; what has no "data" by then is no WAV file


class PcmReader:
    """Bytes in, whole 16-bit samples out.

    A stream that begins with "RIFF" is a WAV file: its header is left out, and its sample rate is compared
    with the one that was asked for, since audio at another rate would be heard at another pitch. What follows
    its audio, and compressed audio, would be heard as noise.
    """

    def __init__(self, sample_rate: int, vendor: str) -> None:
        self.sample_rate = sample_rate
        self.vendor = vendor
        self._held = b""
        self._left: int | None = None  # bytes of a WAV file's audio that have not come
        self._in_header = True  # True until it is known that the header is over, or that there is none

    def feed(self, data: bytes) -> bytes:
        """Return the whole samples that these bytes complete.

        Raises BadResponseError for another format.
        """
        data, self._held = self._held + self._of_file(data), b""
        if self._in_header:
            if len(data) < 4 or data.startswith(b"RIFF"):
                body = self._after_header(data)
                if body is None:
                    self._held = data
                    return b""
                data = self._of_file(body)
            for begin, name in COMPRESSED.items():
                if data.startswith(begin):
                    raise BadResponseError(f"{self.vendor} sent {name}, not samples")
            self._in_header = False
        if len(data) % 2:
            data, self._held = data[:-1], data[-1:]
        return data

    def _of_file(self, data: bytes) -> bytes:
        """Return what of these bytes is audio: of a WAV file, up to the end of its data."""
        if self._left is None:
            return data
        data = data[: self._left]
        self._left -= len(data)
        return data

    def _after_header(self, data: bytes) -> bytes | None:
        """Return what follows a WAV header (RFC 2361); None while it is not complete."""
        at = 12
        while at + 8 <= len(data):
            kind, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
            if kind == b"data":
                self._left = None if size >= UNKNOWN or size == 0 else size
                return data[at + 8 :]
            if kind == b"fmt " and at + 24 <= len(data):
                self._check(data[at + 8 : at + 24])
            at += 8 + size + size % 2
        if len(data) > MOST_HEADER:
            raise BadResponseError(f"{self.vendor} sent a WAV file without audio")
        return None

    def _check(self, form: bytes) -> None:
        coding, channels = int.from_bytes(form[:2], "little"), int.from_bytes(form[2:4], "little")
        rate, bits = int.from_bytes(form[4:8], "little"), int.from_bytes(form[14:16], "little")
        if (coding, channels, bits) not in ((1, 1, 16), (0xFFFE, 1, 16)) or rate != self.sample_rate:
            raise BadResponseError(
                f"{self.vendor} sent {bits}-bit audio of {channels} channels at {rate} Hz in format "
                f"{coding}, not 16-bit mono at {self.sample_rate} Hz"
            )


class FloatPcmReader:
    """Bytes of 32-bit float samples in, cut anywhere; whole 16-bit samples out."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """Return the samples that these bytes complete."""
        data = self._held + data
        whole = len(data) - len(data) % 4
        self._held = data[whole:]
        return int16_bytes(np.frombuffer(data[:whole], "<f4"))


def int16_bytes(samples: Sequence[float] | np.ndarray) -> bytes:
    """Return samples from -1 to 1 as 16-bit samples.

    Louder ones are clipped; what is no number is silence.
    """
    finite = np.nan_to_num(np.asarray(samples, np.float64), nan=0.0, posinf=1.0, neginf=-1.0)
    return (np.clip(finite, -1.0, 1.0) * 32767).astype("<i2").tobytes()
