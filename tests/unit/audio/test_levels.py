import numpy as np
import pytest
from numpy.typing import NDArray

from antiphon.audio.levels import find_speech, find_speech_end, peak, rms
from antiphon.errors import UsageError

Wave = NDArray[np.float64]


def pcm(wave: Wave) -> bytes:
    return np.clip(np.rint(wave), -32768, 32767).astype("<i2").tobytes()


def voice(seconds: float, rate: int, pitch: float = 120.0, amplitude: float = 6_000.0) -> Wave:
    """Something like vowels: harmonics of a pitch, four syllables a second that never fall silent."""
    time = np.arange(round(seconds * rate)) / rate
    harmonics = [np.sin(2 * np.pi * pitch * n * time + n * n) / n for n in range(1, 15)]
    return amplitude * np.sum(harmonics, axis=0) * (0.55 + 0.45 * np.sin(2 * np.pi * 4 * time))


def noise(seconds: float, rate: int, amplitude: float, seed: int = 3) -> Wave:
    return amplitude * np.random.default_rng(seed).standard_normal(round(seconds * rate))


def silence(seconds: float, rate: int) -> Wave:
    return np.zeros(round(seconds * rate))


def near(position: int | None, seconds: float, rate: int, tolerance: float = 0.010) -> bool:
    return position is not None and abs(position / rate - seconds) <= tolerance


def test_levels() -> None:
    sine = 32_767 * np.sin(np.arange(16_000) * 2 * np.pi / 16)
    assert rms(pcm(sine)) == pytest.approx(-3.01, abs=0.01)
    assert peak(pcm(sine)) == pytest.approx(0, abs=0.01)
    assert rms(pcm(sine / 10)) == pytest.approx(-23.01, abs=0.01)
    assert peak(pcm(np.array([0.0, -32_768.0]))) == 0
    assert rms(bytes(100)) == peak(bytes(100)) == rms(b"") == peak(b"") == -np.inf
    with pytest.raises(UsageError, match="half a sample"):
        rms(b"abc")


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 44_100, 48_000])
@pytest.mark.parametrize("background", [0.0, 3.0, 60.0])
def test_the_end_of_speech_is_where_the_voice_ends(rate: int, background: float) -> None:
    wave = np.concatenate([silence(0.7, rate), voice(1.43, rate), silence(1.2, rate)])
    wave += noise(len(wave) / rate, rate, background)[: len(wave)]
    ((start, end),) = find_speech(pcm(wave), rate)
    assert near(start, 0.7, rate)
    assert near(end, 2.13, rate)
    assert find_speech_end(pcm(wave), rate) == end


def test_nothing_behind_the_recording_moves_the_end() -> None:
    rate = 16_000
    speech = np.concatenate([silence(0.3, rate), voice(1.0, rate), silence(0.1, rate)])
    for pad in (0.0, 0.5, 20.0):
        assert near(find_speech_end(pcm(np.concatenate([speech, silence(pad, rate)])), rate), 1.3, rate)


def test_padding_a_noisy_recording_with_digital_silence_changes_nothing() -> None:
    rate = 16_000
    wave = np.concatenate([silence(0.5, rate), voice(1.0, rate), silence(0.5, rate)])
    wave += noise(2.0, rate, float(np.std(voice(1.0, rate))) / 30)
    wave = np.concatenate([silence(1.0, rate), wave, silence(1.0, rate)])
    assert near(find_speech_end(pcm(wave), rate), 2.5, rate, tolerance=0.015)


@pytest.mark.parametrize("after", [0.054, 0.2, 0.5])
def test_a_click_is_no_speech(after: float) -> None:
    rate = 16_000
    wave = np.concatenate([silence(0.4, rate), voice(1.0, rate), silence(1.0, rate)])
    wave += noise(len(wave) / rate, rate, 10)
    for at in (0.05, 1.4 + after):
        wave[round(at * rate) : round(at * rate) + 32] += noise(0.002, rate, 20_000)
    ((start, end),) = find_speech(pcm(wave), rate)
    assert near(start, 0.4, rate)
    assert near(end, 1.4, rate)


LOUDNESS = float(np.std(voice(1.0, 16_000)))


@pytest.mark.parametrize("gap", [0.08, 0.25])
def test_breath_is_no_speech(gap: float) -> None:
    rate = 16_000
    breath = noise(0.4, rate, LOUDNESS / 50)  # 34 dB under the voice
    wave = np.concatenate([voice(1.0, rate), silence(gap, rate), breath, silence(0.5, rate)])
    wave += noise(len(wave) / rate, rate, 3)
    assert near(find_speech_end(pcm(wave), rate), 1.0, rate)


def test_the_release_of_a_stop_is_speech() -> None:
    rate = 16_000
    release = noise(0.025, rate, LOUDNESS / 5)
    wave = np.concatenate([voice(1.0, rate), silence(0.08, rate), release, silence(0.5, rate)])
    wave += noise(len(wave) / rate, rate, 3)
    assert near(find_speech_end(pcm(wave), rate), 1.105, rate)


def test_a_creaking_voice_is_speech_to_its_last_pulse() -> None:
    rate = 16_000
    pulse = np.concatenate([noise(0.006, rate, LOUDNESS / 4), silence(0.024, rate)])
    wave = np.concatenate([voice(1.0, rate), silence(0.02, rate), *[pulse] * 6, silence(0.5, rate)])
    wave += noise(len(wave) / rate, rate, 3)
    assert near(find_speech_end(pcm(wave), rate), 1.0 + 0.02 + 6 * 0.03 - 0.024, rate)


def test_offset_and_hum_do_not_hide_the_end() -> None:
    rate = 16_000
    wave = np.concatenate([silence(0.5, rate), voice(1.0, rate), silence(1.0, rate)])
    wave += 800 + 400 * np.sin(2 * np.pi * 50 * np.arange(len(wave)) / rate)
    assert near(find_speech_end(pcm(wave), rate), 1.5, rate)


def test_a_thump_is_no_speech() -> None:
    rate = 16_000
    thump = 1_200 * np.sin(2 * np.pi * 10 * np.arange(rate // 2) / rate)
    wave = np.concatenate([silence(0.5, rate), voice(1.0, rate), thump, silence(0.5, rate)])
    assert near(find_speech_end(pcm(wave), rate), 1.5, rate)


def test_stretches_are_parted_by_pauses_alone() -> None:
    rate = 8_000
    parts = [silence(0.5, rate), voice(0.6, rate), silence(0.2, rate), voice(0.5, rate), silence(0.8, rate)]
    wave = np.concatenate([*parts, voice(0.4, rate, pitch=210, amplitude=2_000), silence(0.3, rate)])
    wave += noise(len(wave) / rate, rate, 5)[: len(wave)]
    first, second = find_speech(pcm(wave), rate)
    assert near(first[0], 0.5, rate)
    assert near(first[1], 1.8, rate)
    assert near(second[0], 2.6, rate)
    assert near(second[1], 3.0, rate)
    assert len(find_speech(pcm(wave), rate, pause=0.1)) == 3


def test_where_nobody_speaks() -> None:
    rate = 16_000
    for wave in (
        silence(0, rate),
        silence(0.001, rate),
        silence(2, rate),
        noise(2, rate, 300),
        noise(2, rate, 0.4),
    ):
        assert find_speech(pcm(wave), rate) == []
        assert find_speech_end(pcm(wave), rate) is None
