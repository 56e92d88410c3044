import hashlib
from collections.abc import Iterable
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from antiphon.audio.resample import Resampler, resample
from antiphon.errors import UsageError

RATES = (8_000, 16_000, 24_000, 32_000, 44_100, 48_000)
PAIRS = list(permutations(RATES, 2))
RARE = [(8_001, 16_000), (16_000, 11_127), (22_050, 16_000), (192_000, 8_000), (4_000, 48_000)]


def noise(count: int, seed: int = 1) -> bytes:
    return np.random.default_rng(seed).integers(-32768, 32768, count).astype("<i2").tobytes()


def tone(frequency: float, rate: int, seconds: float, amplitude: float = 29_000) -> NDArray[np.float64]:
    """A sine that has a phase, so that a shift of half a sample shows."""
    return amplitude * np.sin(2 * np.pi * frequency * np.arange(round(rate * seconds)) / rate + 0.3)


def pcm(wave: NDArray[np.float64]) -> bytes:
    return np.rint(wave).astype("<i2").tobytes()


def middle(wave: NDArray[np.float64]) -> NDArray[np.float64]:
    """Away from both ends, where silence shines in."""
    return wave[len(wave) // 10 : -len(wave) // 10]


def decibels(wave: NDArray[np.float64], reference: NDArray[np.float64]) -> float:
    """The level of one over that of the other."""
    return float(10 * np.log10((np.mean(wave**2) + 1e-9) / np.mean(reference**2)))


def heard(sound: bytes) -> NDArray[np.float64]:
    return np.frombuffer(sound, "<i2").astype(np.float64)


def in_chunks(resampler: Resampler, sound: bytes, sizes: Iterable[int]) -> bytes:
    """Chunk sizes in samples; what they leave comes in one."""
    out: list[bytes] = []
    at = 0
    for size in sizes:
        out.append(resampler(sound[at : at + 2 * size]))
        at += 2 * size
    return b"".join((*out, resampler(sound[at:]), resampler.flush()))


@pytest.mark.parametrize(("source", "target"), PAIRS + RARE)
def test_a_tone_stays_itself_in_the_pass_band(source: int, target: int) -> None:
    nyquist = min(source, target) / 2
    for share in (0.03, 0.31, 0.62, 0.85):
        before = tone(share * nyquist, source, 0.3)
        whole = tone(share * nyquist, target, 0.3)
        after = middle(heard(resample(pcm(before), source, target))[: len(whole)])
        expected = middle(whole)
        gain = float(after @ expected / (expected @ expected))
        assert -0.15 < 20 * np.log10(gain) < 0.01
        assert decibels(after - gain * expected, expected) < -80  # noise and images, and any misalignment


@pytest.mark.parametrize(("source", "target"), [(s, t) for s, t in PAIRS + RARE if s > 1.1 * t])
def test_what_the_lower_rate_cannot_hold_is_gone(source: int, target: int) -> None:
    for share in (1.07, 1.2, 1.5, 1.9):
        if share * target < 0.98 * source:
            before = tone(share * target / 2, source, 0.3)
            after = middle(heard(resample(pcm(before), source, target)))
            assert decibels(after, before) < -75


@pytest.mark.parametrize(("source", "target"), PAIRS)
@pytest.mark.parametrize("milliseconds", [10, 20])
def test_every_chunk_answers_within_3_ms(source: int, target: int, milliseconds: int) -> None:
    resampler = Resampler(source, target)
    chunk = noise(source * milliseconds // 1000)
    assert 0 < resampler.delay < 0.003
    given_, got = 0, 0
    for _ in range(50):
        out = len(resampler(chunk)) // 2
        given_ += len(chunk) // 2
        got += out
        assert out > 0
        assert given_ / source - got / target <= resampler.delay + 1e-9


@settings(derandomize=True, deadline=None, database=None, max_examples=150)
@given(
    pair=st.sampled_from(PAIRS + RARE),
    count=st.integers(0, 9_000),
    sizes=st.lists(st.one_of(st.integers(0, 50), st.integers(0, 3_000)), max_size=12),
)
def test_chunks_change_nothing(pair: tuple[int, int], count: int, sizes: list[int]) -> None:
    source, target = pair
    sound = noise(count)
    out = in_chunks(Resampler(source, target), sound, sizes)
    assert out == resample(sound, source, target)
    assert len(out) // 2 == -(count * target // -source)


@pytest.mark.parametrize(
    ("source", "target"), [(16_000, 8_000), (8_000, 24_000), (44_100, 16_000), (8_001, 16_000)]
)
def test_single_samples_give_what_the_whole_gives(source: int, target: int) -> None:
    sound = noise(1_500)
    assert in_chunks(Resampler(source, target), sound, [1] * 1_500) == resample(sound, source, target)


def test_flush_begins_anew() -> None:
    resampler = Resampler(24_000, 16_000)
    sound = noise(1_000)
    first = resampler(sound) + resampler.flush()
    assert first == resampler(sound) + resampler.flush()
    assert resampler.flush() == b""


def test_full_scale_saturates() -> None:
    square = np.where(np.arange(4_000) // 20 % 2, -32768, 32767)  # its overshoot exceeds 16 bits
    for target in (8_000, 24_000, 48_000):
        out = np.frombuffer(resample(square.astype("<i2").tobytes(), 16_000, target), "<i2").astype(np.int32)
        assert (out.max(), out.min()) == (32767, -32768)
        place = np.arange(len(out)) * 16_000 / target
        inside = (place % 20 > 2) & (place % 20 < 18) & (place > 100) & (place < 3_900)
        assert np.all(np.sign(out[inside]) == np.where(place[inside] // 20 % 2, -1, 1))


def test_silence_and_offset_stay_what_they_are() -> None:
    for level in (0, 1, -1, 12_345):
        out = np.frombuffer(resample(np.full(2_000, level, "<i2").tobytes(), 16_000, 44_100), "<i2")
        assert np.all(out[200:-200] == level)


def test_equal_rates_touch_nothing() -> None:
    resampler = Resampler(16_000, 16_000)
    sound = b"any bytes"
    assert resampler(sound) is sound
    assert (resampler.flush(), resampler.delay) == (b"", 0.0)


def test_the_same_bytes_everywhere() -> None:
    """A journal replays to the same journal: these may change on purpose alone."""
    scattered = (np.arange(2_000) * 40_503 % 65_536 - 32_768).astype("<i2").tobytes()
    pairs = [(48_000, 16_000), (16_000, 8_000), (8_000, 24_000), (44_100, 16_000)]
    sound = b"".join(resample(scattered, *pair) for pair in pairs)
    assert (
        hashlib.sha256(sound).hexdigest()
        == "3dc369c8eb868697adc0667d8012924a98037ee4e618b473d9b41dff6ba8bc68"
    )


def test_refusals_say_why() -> None:
    with pytest.raises(UsageError, match="half a sample"):
        Resampler(8_000, 16_000)(b"abc")
    for rates in [(0, 8_000), (8_000, -1), (10**9, 8_000)]:
        with pytest.raises(UsageError, match="4000 to 192000"):
            Resampler(*rates)
