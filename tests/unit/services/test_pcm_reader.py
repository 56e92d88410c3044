"""Audio of vendors that is cut anywhere, or made of other numbers."""

import struct

from antiphon.services.pcm_reader import FloatPcmReader, int16_bytes


def test_floats_become_16_bit_samples_wherever_they_are_cut() -> None:
    data = struct.pack("<4f", 0.5, -0.5, 2.0, -2.0)
    whole = struct.pack("<4h", 16383, -16383, 32767, -32767)
    for size in (1, 3, 4, 7, 16):
        reader = FloatPcmReader()
        assert b"".join(reader.feed(data[at : at + size]) for at in range(0, 16, size)) == whole


def test_what_is_no_number_is_silent_or_loudest() -> None:
    assert int16_bytes([float("nan"), float("inf"), float("-inf")]) == struct.pack("<3h", 0, 32767, -32767)
    assert int16_bytes([]) == b""
