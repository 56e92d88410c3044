"""G.711, mu-law and A-law: 16-bit PCM to one byte per sample, and back.

ITU-T G.711: a code is a sign, one of eight segments, each with steps twice as large as the one below, and
one of sixteen steps. The upper 14 bits (mu-law) or 13 (A-law) of a sample count. The codes equal those of
Python's former audioop.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from .pcm import samples

_MU_BIAS = 33  # makes every mu-law segment start at a power of two
_MU_LIMIT = (1 << 13) - 1  # with the bias, the largest 14-bit sample would need a ninth segment


def encode_mulaw(pcm: bytes) -> bytes:
    """Encode PCM as mu-law. Raises UsageError for half a sample."""
    return _mulaw_codes().take(samples(pcm).view(np.uint16)).tobytes()


def decode_mulaw(data: bytes) -> bytes:
    """Decode mu-law to PCM."""
    return _mulaw_samples().take(np.frombuffer(data, np.uint8)).tobytes()


def encode_alaw(pcm: bytes) -> bytes:
    """Encode PCM as A-law. Raises UsageError for half a sample."""
    return _alaw_codes().take(samples(pcm).view(np.uint16)).tobytes()


def decode_alaw(data: bytes) -> bytes:
    """Decode A-law to PCM."""
    return _alaw_samples().take(np.frombuffer(data, np.uint8)).tobytes()


def _every_sample() -> NDArray[np.int32]:
    """Return all 16-bit samples, indexed by their bits as an unsigned number."""
    return np.arange(1 << 16, dtype=np.uint16).view(np.int16).astype(np.int32)


@cache
def _mulaw_codes() -> NDArray[np.uint8]:
    sample = _every_sample() >> 2
    size = np.minimum(np.abs(sample) + _MU_BIAS, _MU_LIMIT)
    segment = np.searchsorted(1 << np.arange(6, 13), size, side="right")
    code = segment << 4 | size >> (segment + 1) & 15
    return (code ^ np.where(sample < 0, 0x7F, 0xFF)).astype(np.uint8)


@cache
def _mulaw_samples() -> NDArray[np.int16]:
    code = np.arange(256) ^ 0xFF
    size = ((code & 15) * 2 + _MU_BIAS << (code >> 4 & 7)) - _MU_BIAS
    return (np.where(code & 0x80, -size, size) * 4).astype("<i2")


@cache
def _alaw_codes() -> NDArray[np.uint8]:
    sample = _every_sample() >> 3
    size = np.where(sample < 0, ~sample, sample)
    segment = np.searchsorted(1 << np.arange(5, 12), size, side="right")
    code = segment << 4 | size >> np.maximum(segment, 1) & 15
    return (code ^ np.where(sample < 0, 0x55, 0xD5)).astype(np.uint8)


@cache
def _alaw_samples() -> NDArray[np.int16]:
    code = np.arange(256) ^ 0x55
    segment, step = code >> 4 & 7, (code & 15) * 2 + 1
    size = np.where(segment == 0, step, step + 32 << np.maximum(segment - 1, 0))
    return (np.where(code & 0x80, size, -size) * 8).astype("<i2")
