import wave
from pathlib import Path

import numpy as np
import pytest

from antiphon.audio import dtmf, g711
from antiphon.audio.beep import Beep, BeepDetector
from antiphon.errors import UsageError

Sound = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


def sine(hz: float, seconds: float, rate: int) -> Sound:
    return 6000 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)


def heard(sound: Sound, rate: int = 8000) -> list[Beep]:
    """What a detector hears of a sound behind a second of quiet noise, in pieces of 20 ms."""
    quiet = np.zeros(rate)
    every = np.concatenate((quiet, sound, quiet))
    every += np.random.default_rng(1).normal(0, 30, len(every))
    detector, size = BeepDetector(rate), rate // 50 * 2
    pcm = every.astype("<i2").tobytes()
    return [beep for at in range(0, len(pcm), size) for beep in detector(pcm[at : at + size])]


@pytest.mark.parametrize("rate", [8000, 16000, 24000, 48000])
@pytest.mark.parametrize("hz", [440, 1000, 1400, 2000])
@pytest.mark.parametrize("seconds", [0.15, 0.5, 2.0])
def test_a_beep_is_heard_once_with_its_time_and_pitch(rate: int, hz: float, seconds: float) -> None:
    (beep,) = heard(sine(hz, seconds, rate), rate)
    assert beep.begun == pytest.approx(1.0, abs=0.03)
    assert beep.ended == pytest.approx(1.0 + seconds, abs=0.03)
    assert beep.hz == pytest.approx(hz, abs=15)


def test_two_beeps_of_another_pitch_are_two() -> None:
    assert [
        round(beep.hz, -2) for beep in heard(np.concatenate((sine(900, 0.3, 8000), sine(1400, 0.3, 8000))))
    ] == [
        900,
        1400,
    ]


@pytest.mark.parametrize(
    "sound",
    [
        sine(1000, 0.06, 8000),
        sine(425, 5.0, 8000),
        sine(350, 1.0, 8000) + sine(440, 1.0, 8000),
        sine(150, 1.0, 8000),
        sine(1000, 1.0, 8000) / 500,
        np.random.default_rng(2).normal(0, 3000, 8000),
        np.frombuffer(dtmf.tones("159D", 8000, tone=0.3), "<i2").astype(float),
    ],
    ids=["a click", "a tone that goes on", "a dial tone", "hum", "too quiet", "noise", "keys"],
)
def test_what_is_no_beep(sound: Sound) -> None:
    assert heard(sound) == []


def test_the_telephone_does_not_hide_it() -> None:
    pcm = g711.decode_mulaw(
        g711.encode_mulaw(np.concatenate((sine(1000, 0.4, 8000), np.zeros(800))).astype("<i2").tobytes())
    )
    assert len(BeepDetector(8000)(pcm)) == 1


def test_speech_is_no_beep() -> None:
    recordings = sorted((Path(__file__).parents[4] / "shared" / "speech").glob("*.wav"))
    if not recordings:
        pytest.skip("no recordings here")
    for recording in recordings:
        with wave.open(str(recording)) as file:
            if file.getnchannels() == 1:
                pcm = file.readframes(file.getnframes())
                assert BeepDetector(file.getframerate())(pcm) == [], recording.name


def test_a_rate_that_is_too_low_is_refused() -> None:
    with pytest.raises(UsageError, match="8000"):
        BeepDetector(6000)
