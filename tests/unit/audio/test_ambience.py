from pathlib import Path

import numpy as np
import pytest

from antiphon.audio.ambience import SOUNDS, loop, mixed
from antiphon.audio.levels import rms
from antiphon.audio.wav import WavAudio, write
from antiphon.errors import ConfigurationError


def pcm(sound: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> bytes:
    return sound.astype("<i2").tobytes()


@pytest.mark.parametrize("what", SOUNDS)
@pytest.mark.parametrize("rate", [8000, 24000, 48000])
def test_a_sound_has_the_level_that_was_asked_for(what: str, rate: int) -> None:
    assert rms(pcm(loop(what, rate, -30.0).read(8 * rate))) == pytest.approx(-30, abs=0.5)


@pytest.mark.parametrize("what", SOUNDS)
def test_it_goes_round_without_a_seam(what: str) -> None:
    sound = loop(what, 8000, -20.0).read(16 * 8000)
    around = np.diff(sound)[8 * 8000 - 2 : 8 * 8000 + 2]
    assert np.abs(around).max() <= np.abs(np.diff(sound)).max()
    assert np.array_equal(sound[: 8 * 8000], sound[8 * 8000 :])


def test_pieces_follow_each_other_and_a_loop_can_begin_again() -> None:
    one, other = loop("room", 8000, -20.0), loop("room", 8000, -20.0)
    pieces = np.concatenate([one.read(160) for _ in range(500)])
    assert np.array_equal(pieces, other.read(80000))
    one.rewind()
    assert np.array_equal(one.read(160), pieces[:160])


def test_a_recording_is_resampled_and_joined_to_itself(tmp_path: Path) -> None:
    ramp = np.linspace(-10000, 10000, 16000).astype("<i2")
    write(tmp_path / "fan.wav", WavAudio(ramp.tobytes(), 16000, 1))
    sound = loop(tmp_path / "fan.wav", 8000, -20.0).read(16000)
    assert np.abs(np.diff(sound)[200:]).max() < 100  # a jump would be 20000
    assert rms(pcm(sound)) == pytest.approx(-20, abs=1)


def test_what_is_no_sound_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigurationError, match="there is no sound 'jungle': choose comfort, room, thinking"
    ):
        loop("jungle", 8000, -30.0)
    with pytest.raises(ConfigurationError, match=r"nothing\.wav"):
        loop("nothing.wav", 8000, -30.0)
    write(tmp_path / "short.wav", WavAudio(bytes(320), 16000, 1))
    with pytest.raises(ConfigurationError, match="too short"):
        loop(tmp_path / "short.wav", 8000, -30.0)


def test_a_mixture_does_not_wrap_around() -> None:
    loud = np.full(4, 30000, "<i2").tobytes()
    assert mixed(loud, np.full(4, 5000, np.float32)) == np.full(4, 32767, "<i2").tobytes()
    assert (
        mixed(bytes(8), np.full(4, 2, np.float32), np.full(4, 3, np.float32))
        == np.full(4, 5, "<i2").tobytes()
    )
