"""PCM samples and sample rates."""

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError

RATES = range(4_000, 192_001)
"""The supported sample rates in Hz."""


def samples(pcm: bytes) -> NDArray[np.int16]:
    """Return PCM as (samples,) int16, a read-only view.

    Raises UsageError for half a sample.
    """
    if len(pcm) % 2:
        raise UsageError(f"{len(pcm)} bytes of 16-bit audio end in half a sample: pass whole samples")
    return np.frombuffer(pcm, "<i2")
