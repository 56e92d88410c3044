"""Recordings are found with the transcripts that lie beside them."""

from pathlib import Path

import pytest

from antiphon.audio.wav import WavAudio, write
from antiphon.cli.services.recordings import read_recordings
from antiphon.errors import ConfigurationError


def wav(path: Path, sample_rate: int = 16000) -> Path:
    write(path, WavAudio(bytes(sample_rate), sample_rate))
    return path


def test_words_are_in_a_text_file_or_in_a_list(tmp_path: Path) -> None:
    for name in ("a", "b", "c", "d", "e"):
        wav(tmp_path / f"{name}.wav")
    (tmp_path / "a.txt").write_text("in a file\n")
    (tmp_path / "transcripts.json").write_text(
        '{"a": "not this", "b": "a text", "third": {"file": "c.wav", "text": "an entry"}, "d": {"text": " "},'
        ' "e": {"text": 3}, "f": null}'
    )
    told = {one.name: one.text for one in read_recordings(tmp_path)}
    assert told == {"a": "in a file", "b": "a text", "c": "an entry", "d": None, "e": None}


def test_one_file_is_resampled_for_all_services(tmp_path: Path) -> None:
    (one,) = read_recordings(wav(tmp_path / "phone.wav", 8000))
    assert (one.sample_rate, one.seconds, one.text) == (16000, pytest.approx(0.5, abs=0.01), None)


@pytest.mark.parametrize("listed", ["{", "[]", "[" * 100_000])
def test_what_cannot_be_read_is_said(tmp_path: Path, listed: str) -> None:
    wav(tmp_path / "a.wav")
    (tmp_path / "transcripts.json").write_text(listed)
    with pytest.raises(ConfigurationError, match=r"cannot read .*transcripts\.json"):
        read_recordings(tmp_path)


def test_an_empty_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no wav file in"):
        read_recordings(tmp_path)


def test_a_recording_of_uniform_loudness_is_one_stretch_of_speech(tmp_path: Path) -> None:
    (one,) = read_recordings(wav(tmp_path / "a.wav"))
    assert one.speech == [(0, 8000)]
