"""Audio of vendors that is cut anywhere, or made of other numbers."""

import struct

import pytest

from antiphon.errors import BadResponseError
from antiphon.services.pcm_reader import FloatPcmReader, PcmReader, int16_bytes


def test_floats_become_16_bit_samples_wherever_they_are_cut() -> None:
    data = struct.pack("<4f", 0.5, -0.5, 2.0, -2.0)
    whole = struct.pack("<4h", 16383, -16383, 32767, -32767)
    for size in (1, 3, 4, 7, 16):
        reader = FloatPcmReader()
        assert b"".join(reader.feed(data[at : at + size]) for at in range(0, 16, size)) == whole


def test_what_is_no_number_is_silent_or_loudest() -> None:
    assert int16_bytes([float("nan"), float("inf"), float("-inf")]) == struct.pack("<3h", 0, 32767, -32767)
    assert int16_bytes([]) == b""


def wav(audio: bytes, *, rate: int = 24000, size: int | None = None, after: bytes = b"") -> bytes:
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, rate * 2, 2, 16)
    data = struct.pack("<4sI", b"data", len(audio) if size is None else size) + audio
    return b"RIFF" + struct.pack("<I", 4 + len(form) + len(data)) + b"WAVE" + form + data + after


@pytest.mark.parametrize("step", [1, 3, 7, 1000])
@pytest.mark.parametrize("size", [None, 0, 0xFFFFFFFF, 0x7FFFFFFF])
def test_a_wav_file_is_its_samples_wherever_it_is_cut(step: int, size: int | None) -> None:
    audio, after = bytes(range(200)), b"LIST\x04\x00\x00\x00INFO" if size is None else b""
    reader, file = PcmReader(24000, "a vendor"), wav(audio, size=size, after=after)
    read = [reader.feed(file[at : at + step]) for at in range(0, len(file), step)]
    assert b"".join(read) == audio
    assert all(len(piece) % 2 == 0 for piece in read)


def test_audio_at_another_rate_is_refused() -> None:
    with pytest.raises(BadResponseError, match="16000 Hz"):
        PcmReader(24000, "a vendor").feed(wav(bytes(10), rate=16000))


@pytest.mark.parametrize("begin", [b"ID3\x04", b"OggS", b"fLaC"])
def test_compressed_audio_is_not_heard_as_noise(begin: bytes) -> None:
    with pytest.raises(BadResponseError, match="not samples"):
        PcmReader(24000, "a vendor").feed(begin + bytes(100))


def test_nothing_is_nothing() -> None:
    assert PcmReader(24000, "a vendor").feed(b"") == b""
