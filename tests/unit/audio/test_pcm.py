import numpy as np
import pytest

from antiphon.audio.pcm import samples
from antiphon.errors import UsageError


def test_samples_are_little_endian_16_bit() -> None:
    assert samples(b"\x01\x00\xff\xff\x00\x80").tolist() == [1, -1, -32768]
    assert samples(b"").dtype == np.int16


def test_half_a_sample_is_refused() -> None:
    with pytest.raises(UsageError, match="3 bytes"):
        samples(b"abc")
