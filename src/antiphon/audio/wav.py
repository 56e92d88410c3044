"""Reading of the wav files that recorders write, and writing of 16-bit ones.

A wav is a RIFF file: chunks of a four-letter name, a size and a body, among them `fmt ` (the encoding) and
`data` (the samples). The layout is at http://soundfile.sapp.org/doc/WaveFormat/, the numbers of the encodings
are in RFC 2361. Whatever a file contains, reading it returns WavAudio or raises ConfigurationError.
"""

import os
import struct
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigurationError, UnavailableError, UsageError
from . import g711
from .pcm import RATES, samples

_CHANNELS = range(1, 1_025)


@dataclass(frozen=True, slots=True)
class WavAudio:
    """A recording: 16-bit samples with interleaved channels.

    Raises UsageError for an incomplete sample, or a rate outside 4 to 192 kHz.
    """

    pcm: bytes
    sample_rate: int
    channels: int = 1

    def __post_init__(self) -> None:
        if self.sample_rate not in RATES or self.channels not in _CHANNELS:
            raise UsageError(
                f"no sound has {self.channels} channels at {self.sample_rate} Hz (4000 to 192000)"
            )
        if len(self.pcm) % (2 * self.channels):
            raise UsageError(f"{len(self.pcm)} bytes are no whole number of 16-bit samples x {self.channels}")

    @property
    def seconds(self) -> float:
        """The duration in seconds."""
        return len(self.pcm) / (2 * self.channels * self.sample_rate)

    def channel(self, number: int) -> bytes:
        """Return the samples of one channel, counted from 0 (left).

        Raises UsageError if there is none.
        """
        if not 0 <= number < self.channels:
            raise UsageError(f"no channel {number}: the recording has {self.channels}, counted from 0")
        return self._moments()[:, number].tobytes()

    def mono(self) -> bytes:
        """Return the mean of the channels."""
        if self.channels == 1:
            return self.pcm
        return np.rint(self._moments().mean(axis=1)).astype("<i2").tobytes()

    def _moments(self) -> NDArray[np.int16]:
        return samples(self.pcm).reshape(-1, self.channels)


# Reading ---------------------------------------------------------------------------------------------

_UNTIL_THE_END = 0x7FFFF000  # writers to a pipe do not know the size, and state this or more (or 0)
_PIECE = 1 << 20  # samples decoded at a time
_STANDARD_GUID = bytes.fromhex("000000001000800000aa00389b71")  # follows the encoding in an extensible format
_CONVERT = "most sound files become wav by: ffmpeg -i FILE -c:a pcm_s16le FILE.wav"

_CHUNKS = frozenset(
    b"fmt |data|LIST|fact|bext|iXML|axml|aXML|_PMX|JUNK|junk|PAD |FLLR|cue |plst|smpl|inst|acid|strc|DISP|"
    b"PEAK|levl|cart|id3 |ID3 |afsp|chna|minf|elm1|regn|umid|DGDA|ds64".split(b"|")
)
"""The usual names of chunks."""

_Raw = NDArray[np.uint8]  # (samples, bytes of one)


def _offset_binary(raw: _Raw) -> bytes:
    return ((raw.astype("<i2") - 128) << 8).tobytes()


def _integers(raw: _Raw) -> bytes:
    return raw[:, -2:].tobytes()  # the upper 16 bits


def _floats(raw: _Raw) -> bytes:
    with np.errstate(over="ignore", invalid="ignore"):
        values = np.clip(raw.view(f"<f{raw.shape[1]}") * 32768.0, -32768, 32767)
    return np.rint(np.nan_to_num(values)).astype("<i2").tobytes()


_DECODERS: dict[tuple[str, int], Callable[[_Raw], bytes]] = {
    ("PCM", 1): _offset_binary,
    ("PCM", 2): _integers,
    ("PCM", 3): _integers,
    ("PCM", 4): _integers,
    ("floating point", 4): _floats,
    ("floating point", 8): _floats,
    ("A-law", 1): lambda raw: g711.decode_alaw(raw.tobytes()),
    ("mu-law", 1): lambda raw: g711.decode_mulaw(raw.tobytes()),
}
"""By encoding and bytes per sample."""

_EXTENSIBLE = 0xFFFE
_CODINGS = {
    0x0001: "PCM",
    0x0002: "Microsoft ADPCM",
    0x0003: "floating point",
    0x0006: "A-law",
    0x0007: "mu-law",
    0x0011: "IMA ADPCM",
    0x0031: "GSM 6.10",
    0x0045: "G.726",
    0x0050: "MPEG audio",
    0x0055: "MP3",
    0x0064: "G.726",
    0x0065: "G.722",
    0x0083: "G.729",
    0x00FF: "AAC",
    0x0161: "Windows Media Audio",
    0x028F: "G.722",
    0x704F: "Opus",
    0xF1AC: "FLAC",
}

_KINDS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"ID3", "an MP3 file"),
    (0, b"OggS", "an Ogg file (Opus or Vorbis)"),
    (0, b"fLaC", "a FLAC file"),
    (0, b"\x1aE\xdf\xa3", "a WebM or Matroska file"),
    (4, b"ftyp", "an MP4 or M4A file"),
    (0, b"FORM", "an AIFF file"),
    (0, b".snd", "a Sun audio file"),
    (0, b"caff", "a Core Audio file"),
    (0, b"#!AMR", "an AMR file"),
    (0, b"RF64", "an RF64 file, a wav of more than 4 GB"),
    (0, b"RIFX", "a big-endian wav"),
    (8, b"AVI ", "an AVI video"),
    (0, b"PK\x03\x04", "a zip archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"version https://git-lfs", "a Git LFS pointer (git lfs pull fetches the file itself)"),
)
"""Signatures of other file formats: offset, bytes, and name."""
_MPEG = {0xF0: "an AAC file"} | dict.fromkeys((0xE2, 0xE4, 0xF2, 0xF4), "an MP3 file")
"""By the second byte of a frame, behind 0xff, without the bits for version and checksum."""


class _RefusedError(Exception):
    """The reason why a file cannot be used, and what to do."""


@dataclass(frozen=True, slots=True)
class _Format:
    sample_rate: int
    channels: int
    width: int
    spare: int  # bytes of the width that the samples do not need
    decode: Callable[[_Raw], bytes]


def read(path: str | os.PathLike[str]) -> WavAudio:
    """Read a wav file, at its own rate and with its own channels.

    Supports PCM of 8 to 32 bits, 32- and 64-bit floats (full scale is 1.0), A-law and mu-law, 4 to 192 kHz.
    A file whose writer did not know the size is read to its end. Raises ConfigurationError if the file is
    missing, empty, truncated, without samples, in another encoding or not a wav.
    """
    file_path = Path(path)
    try:
        if not file_path.is_file():  # a pipe, for example, could block for ever
            what = (
                "a directory" if file_path.is_dir() else "not a file" if file_path.exists() else "not there"
            )
            raise _RefusedError(f"it is {what}; give the path of a wav file")
        with file_path.open("rb") as file:
            return _read(file, file_path.stat().st_size)
    except (_RefusedError, OSError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ConfigurationError(f"cannot read {file_path}: {why}") from error


def _read(file: BinaryIO, size: int) -> WavAudio:
    if not size:
        raise _RefusedError("it is empty: record or copy it again")
    begin = _after_id3(file)
    head = file.read(12)
    if not b"RIFFWAVE".startswith(head[:4] + head[8:]):
        raise _RefusedError(f"it is not a wav but looks like {_kind(file)}; {_CONVERT}")
    promised = begin + int.from_bytes(head[4:8], "little") + 8

    form = None
    while len(head := file.read(8)) == 8:
        name, length = head[:4], int.from_bytes(head[4:], "little")
        left = max(0, size - file.tell())
        if name == b"data" and form and (length or not _is_at_a_chunk(file, size == promised)):
            if length >= _UNTIL_THE_END or (length == 0 and abs(promised - size) > 1):
                length = min(length or left, left)
            return _samples(file, form, length, left)
        end = file.tell() + length
        if name == b"fmt ":
            form = _format(file.read(min(length, 40)))
        file.seek(_next_chunk(file, end, length))
    if promised > size:
        raise _RefusedError(f"it is cut short: it ends after {size} bytes, before any samples; copy it again")
    raise _RefusedError("it has no samples (no data chunk after a fmt chunk): record or copy it again")


def _after_id3(file: BinaryIO) -> int:
    """Skip an ID3 tag at the start of the file, and return the new position.

    https://id3.org/id3v2.4.0-structure, section 3.1
    """
    tag = file.read(10)
    begin = 0
    if tag[:3] == b"ID3" and len(tag) == 10:
        begin = 10 + sum((byte & 0x7F) << shift for byte, shift in zip(tag[6:], (21, 14, 7, 0), strict=True))
    file.seek(begin)
    if file.read(4) != b"RIFF":
        begin = 0
    file.seek(begin)
    return begin


def _next_chunk(file: BinaryIO, end: int, length: int) -> int:
    """Returns where the chunk behind one of this length, which ends at `end`, begins.

    Odd lengths are padded, but some writers forget to pad, or count the padding or the header.
    """
    due = end + length % 2
    for at in (due, end, due - 1, due + 1, due - 2, due + 2):
        file.seek(max(0, at))
        if file.read(4) in _CHUNKS:
            return at
    return due


def _is_at_a_chunk(file: BinaryIO, sized: bool) -> bool:
    """Return True if another chunk follows at the file's current position.

    `sized` is True if the sizes in the file are known to be right.
    """
    name = file.read(4)
    file.seek(-len(name), os.SEEK_CUR)
    return name == b"data" or (sized and name in _CHUNKS)


def _format(body: bytes) -> _Format:
    if len(body) < 16:
        raise _RefusedError("its header is cut short or damaged; record or copy it again")
    code, channels, sample_rate, _, block_bytes, bits = struct.unpack_from("<HHIIHH", body)
    if code == _EXTENSIBLE and body[26:40] == _STANDARD_GUID:
        code = int.from_bytes(body[24:26], "little")
    coding = _CODINGS.get(code, "an unknown coding")
    width = -(bits // -8)
    spare = int(coding == "PCM" and width == 3 and block_bytes == 4 * channels)
    decode = _DECODERS.get((coding, width + spare))
    if decode is None or block_bytes != (width + spare) * channels:
        raise _RefusedError(
            f"its samples are {coding} (format 0x{code:04x}, {bits} bits, {channels} channels in "
            f"{block_bytes} bytes), which is not supported; {_CONVERT}"
        )
    if channels not in _CHANNELS or sample_rate not in RATES:
        raise _RefusedError(
            f"its header says {channels} channels at {sample_rate} Hz, but 1 to {_CHANNELS[-1]} channels at "
            f"{RATES[0]} to {RATES[-1]} Hz are supported; {_CONVERT}"
        )
    return _Format(sample_rate, channels, width + spare, spare, decode)


def _samples(file: BinaryIO, form: _Format, length: int, left: int) -> WavAudio:
    coded = file.read(min(length, left))
    moment = form.channels * form.width
    if len(coded) < length:
        second = form.sample_rate * moment
        raise _RefusedError(
            f"it is cut short: {(length - len(coded)) / second:.2f} of its {length / second:.2f} seconds are "
            f"missing ({len(coded)} of {length} bytes are there); copy it again"
        )
    raw = np.frombuffer(coded, np.uint8, length - length % moment).reshape(-1, form.width)
    if not len(raw):
        raise _RefusedError("it has no samples: record or copy it again")
    if form.spare and _is_padded_above(raw, form.spare):
        raw = raw[:, : -form.spare]
    pcm = b"".join([form.decode(raw[at : at + _PIECE]) for at in range(0, len(raw), _PIECE)])
    return WavAudio(pcm, form.sample_rate, form.channels)


def _is_padded_above(raw: _Raw, spare: int) -> bool:
    """Return True if the spare bytes of the integers are the upper ones.

    The standard puts them in the lower bytes.
    """
    sign = np.where(raw[:, -spare - 1] >= 0x80, 0xFF, 0)[:, None]
    return bool((raw[:, -spare:] == sign).all())


def _kind(file: BinaryIO) -> str:
    file.seek(0)
    start = file.read(512)
    if start[:1] == b"\xff" and (kind := _MPEG.get(start[1] & 0xF6 if len(start) > 1 else 0)):
        return kind
    for at, mark, kind in _KINDS:
        if start.startswith(mark, at):
            return kind
    if not any(byte < 32 and byte not in b"\t\n\f\r" for byte in start):
        return "a web page" if start.lstrip()[:1] == b"<" else "text"
    return f"nothing known (its first bytes are {start[:8].hex(' ')})"


# Writing ---------------------------------------------------------------------------------------------

_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")
_LARGEST = (1 << 32) - _HEADER.size  # bytes of samples


def _header(sample_rate: int, channels: int, length: int) -> bytes:
    block = 2 * channels
    form = (16, 1, channels, sample_rate, sample_rate * block, block, 16)
    return _HEADER.pack(b"RIFF", _HEADER.size - 8 + length, b"WAVE", b"fmt ", *form, b"data", length)


def write(path: str | os.PathLike[str], sound: WavAudio) -> None:
    """Write a 16-bit wav. Raises ConfigurationError if the file cannot be written."""
    if len(sound.pcm) > _LARGEST:
        raise UsageError(f"a wav holds less than 4 GB; this recording has {len(sound.pcm)} bytes: split it")
    try:
        with Path(path).open("wb") as file:
            file.write(_header(sound.sample_rate, sound.channels, len(sound.pcm)))
            file.write(sound.pcm)
    except OSError as error:
        raise ConfigurationError(f"cannot write {path}: {error.strerror}; choose another place") from error


class CallWriter:
    """A recorder of a call to a stereo wav: the caller left, the agent right.

    Both sides write at sample positions on one timeline, in any order; gaps are silence, and later writes
    replace earlier ones. The samples go to the file at once, and its header is updated every second, so that
    the recording of a killed process can be played.

    Raises ConfigurationError if the file cannot be created; UnavailableError if it cannot be written any
    more, which closes it; UsageError for half a sample, a negative position, more than 4 GB, and after
    `close`.
    """

    def __init__(self, path: str | os.PathLike[str], sample_rate: int) -> None:
        self.path = Path(path)
        self.sample_rate = WavAudio(b"", sample_rate).sample_rate
        self._length = 0  # bytes of samples in the file
        self._header_length = 0  # the length that the header states
        try:
            self._file = self.path.open("w+b")
        except OSError as error:
            raise ConfigurationError(
                f"cannot write {path}: {error.strerror}; choose another place"
            ) from error
        with self._disk():
            self._write_header()

    def left(self, at: int, pcm: bytes) -> None:
        """Write what the caller said, from sample `at` on."""
        self._put(0, at, pcm)

    def right(self, at: int, pcm: bytes) -> None:
        """Write what the caller heard, from sample `at` on."""
        self._put(1, at, pcm)

    def close(self) -> None:
        """Complete the file. A second call does nothing."""
        if not self._file.closed:
            with self._disk(), self._file:
                self._write_header()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _put(self, side: int, at: int, pcm: bytes) -> None:
        if self._file.closed:
            raise UsageError(f"the recording {self.path} is closed")
        begin, end = 4 * at, 4 * at + 2 * len(pcm)
        if at < 0 or end % 4 or end > _LARGEST:
            raise UsageError(
                f"{len(pcm)} bytes at sample {at} do not fit a recording of 16-bit samples below 4 GB"
            )
        with self._disk():
            self._file.seek(_HEADER.size + begin)
            there = self._file.read(end - begin)
            moments = np.frombuffer(there.ljust(end - begin, b"\0"), "<i2").reshape(-1, 2).copy()
            moments[:, side] = samples(pcm)
            self._file.seek(_HEADER.size + begin)
            self._file.write(moments.tobytes())
            self._length = max(self._length, end if pcm else 0)
            if self._length - self._header_length >= 4 * self.sample_rate:
                self._write_header()

    def _write_header(self) -> None:
        self._file.seek(0)
        self._file.write(_header(self.sample_rate, 2, self._length))
        self._file.flush()
        self._header_length = self._length

    @contextmanager
    def _disk(self) -> Generator[None]:
        try:
            yield
        except OSError as error:
            with suppress(OSError):
                self._file.close()
            raise UnavailableError(f"cannot write {self.path}: {error.strerror}; make room for it") from error
