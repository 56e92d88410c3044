import wave
from pathlib import Path

import numpy as np
import pytest

from antiphon.audio import dtmf, g711
from antiphon.audio.dtmf import HIGH, KEYS, LOW, PAD, DtmfDetector, tones
from antiphon.errors import UsageError

PIECE = 0.02


def heard(pcm: bytes, sample_rate: int) -> str:
    """What a detector hears of a recording that comes in pieces of 20 ms."""
    detector, size = DtmfDetector(sample_rate), round(sample_rate * PIECE) * 2
    return "".join(detector(pcm[at : at + size]) for at in range(0, len(pcm), size))


def sines(
    low: float, high: float, *, seconds: float = 0.04, before: int = 0, gain: float = 1.0, rate: int = 8000
) -> bytes:
    time = np.arange(round(seconds * rate)) / rate
    sound = 8000 * np.sin(2 * np.pi * low * time) + gain * 8000 * np.sin(2 * np.pi * high * time)
    return np.concatenate((np.zeros(before), sound, np.zeros(800))).astype("<i2").tobytes()


@pytest.mark.parametrize("rate", [8000, 16000, 24000, 48000])
def test_every_key_is_heard_once(rate: int) -> None:
    assert heard(tones(KEYS, rate), rate) == KEYS
    assert heard(tones(KEYS, rate, tone=0.04, gap=0.04), rate) == KEYS


def test_tones_last_as_long_as_they_are_asked_to() -> None:
    assert len(tones("12", 8000, tone=0.1, gap=0.05)) == 2 * 2 * 1200
    assert tones("", 8000) == b""
    assert tones("d", 8000) == tones("D", 8000)


def test_the_same_key_twice_is_two() -> None:
    assert heard(tones("5500", 8000), 8000) == "5500"


def test_a_key_held_long_is_one() -> None:
    assert heard(tones("8", 8000, tone=3.0), 8000) == "8"


def test_a_drop_out_does_not_make_one_key_two() -> None:
    pcm = bytearray(tones("8", 8000, tone=0.2))
    pcm[1600:1760] = bytes(160)
    assert heard(bytes(pcm), 8000) == "8"


def test_wherever_a_tone_of_40_ms_begins_and_1_5_percent_off() -> None:
    for off in (0.985, 1.0, 1.015):
        for before in range(0, 400, 37):
            for row, low in enumerate(LOW):
                for column, high in enumerate(HIGH):
                    got = DtmfDetector(8000)(sines(low * off, high * off, before=before))
                    assert got == PAD[row][column]


def test_what_is_no_key_is_not_heard() -> None:
    assert DtmfDetector(8000)(sines(LOW[0] * 1.035, HIGH[0] * 1.035)) == ""
    assert DtmfDetector(8000)(sines(LOW[0], HIGH[0], seconds=0.018)) == ""
    assert DtmfDetector(8000)(sines(LOW[0], HIGH[0], gain=0.0, seconds=0.2)) == ""
    assert DtmfDetector(8000)(sines(LOW[0], HIGH[0], gain=3.0, seconds=0.2)) == ""
    assert DtmfDetector(8000)(sines(350, 440, seconds=0.5)) == ""  # a dial tone
    assert DtmfDetector(8000)(bytes(16000)) == ""


def test_noise_and_the_telephone_do_not_hide_a_key() -> None:
    noise = np.random.default_rng(1).normal(0, 1500, len(tones(KEYS, 8000)) // 2)
    loud = np.frombuffer(tones(KEYS, 8000), "<i2") + noise
    line = g711.decode_mulaw(g711.encode_mulaw(loud.clip(-32768, 32767).astype("<i2").tobytes()))
    assert heard(line, 8000) == KEYS


def test_the_cut_of_the_stream_does_not_matter() -> None:
    pcm = tones("147#", 8000)
    whole = DtmfDetector(8000)(pcm)
    detector = DtmfDetector(8000)
    assert "".join(detector(pcm[at : at + 14]) for at in range(0, len(pcm), 14)) == whole == "147#"


def test_speech_is_no_key() -> None:
    folder = Path(__file__).parents[4] / "shared" / "speech"
    recordings = sorted(folder.glob("*.wav"))
    if not recordings:
        pytest.skip("no recordings here")
    for recording in recordings:
        with wave.open(str(recording)) as file:
            if file.getnchannels() == 1:
                assert heard(file.readframes(file.getnframes()), file.getframerate()) == "", recording.name


def test_what_is_asked_wrongly_is_refused() -> None:
    with pytest.raises(UsageError, match="'x' is no key"):
        tones("12x", 8000)
    with pytest.raises(UsageError, match=r"0\.04"):
        tones("1", 8000, tone=0.01)
    with pytest.raises(UsageError, match="8000"):
        DtmfDetector(6000)
    with pytest.raises(UsageError, match="half a sample"):
        dtmf.DtmfDetector(8000)(b"abc")
