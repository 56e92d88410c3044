"""The features equal those of the implementations that the models were trained with."""

import numpy as np
import pytest

from antiphon.errors import UsageError
from antiphon.vendors.local.mel import (
    BANDS,
    HOP,
    FloatArray,
    compressed,
    features,
    mel_power,
    samples,
    standardised_features,
)


def chirp() -> FloatArray:
    """Two seconds from 100 Hz upwards, swelling three times a second."""
    t = np.arange(32000) / 16000
    wave = 0.3 * np.sin(2 * np.pi * (100 * t + 900 * t * t)) * (1 + np.sin(2 * np.pi * 3 * t)) / 2
    return samples((wave * 32767).astype("<i2").tobytes())


def test_features_are_whispers() -> None:
    """Numbers of faster-whisper 1.2.1's FeatureExtractor for the same samples in a window of 8 s."""
    found = features(chirp(), 800)
    assert found.shape == (BANDS, 800)
    known = {(0, 0): 1.12614, (3, 5): 1.20335, (20, 60): -0.69771, (60, 199): 1.02054, (10, 201): -0.44483}
    for place, value in known.items():
        assert found[place] == pytest.approx(value, abs=1e-4), place


def test_standardised_features_are_smart_turns() -> None:
    """Numbers of transformers' WhisperFeatureExtractor (do_normalize), 6 s of silence in front."""
    found = standardised_features(chirp(), 800)
    assert found.shape == (BANDS, 800)
    known = {(0, 0): -0.07498, (1, 599): 0.61621, (0, 600): 1.57154, (20, 660): -0.10399, (60, 799): 1.61454}
    for place, value in known.items():
        assert found[place] == pytest.approx(value, abs=1e-4), place


@pytest.mark.parametrize("length", [0, 1, 159, 160, 4000, 31999, 32000])
def test_silence_that_is_not_computed_changes_nothing(length: int) -> None:
    audio = chirp()[:length]
    whole = compressed(mel_power(np.pad(audio, (0, 33600 - length)))[:-1])
    np.testing.assert_allclose(features(audio, 210), whole, atol=1e-4)

    padded = np.pad(audio, (32000 - length, 0)).astype(np.float64)
    standard = ((padded - padded.mean()) / np.sqrt(padded.var() + 1e-7)).astype(np.float32)
    whole = compressed(mel_power(standard)[:-1])
    np.testing.assert_allclose(standardised_features(audio, 32000 // HOP), whole, atol=1e-3)


def test_half_a_sample_is_refused() -> None:
    with pytest.raises(UsageError, match="3 bytes"):
        samples(b"abc")
