"""Recordings to try a speech to text with, and what is said in them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ...audio.levels import find_speech
from ...audio.resample import Resampler
from ...audio.wav import read
from ...errors import BadResponseError, ConfigurationError
from ...services.vendor_values import fields, json_object, string

__all__ = ["HEARD_HZ", "Recording", "read_recordings"]

LISTED = "transcripts.json"
"""The file that may lie beside recordings: by name, a text, or an object with "text" and perhaps "file"."""
LARGEST = 1 << 24  # bytes of a file with transcripts
PAUSE = 0.3  # seconds of quiet that divide a recording into stretches of speech
HEARD_HZ = 16000


@dataclass(frozen=True)
class Recording:
    """Mono samples at a rate, and the words that are said in them; None if unknown."""

    name: str
    pcm: bytes
    sample_rate: int
    text: str | None = None

    @property
    def seconds(self) -> float:
        """The duration."""
        return len(self.pcm) / 2 / self.sample_rate

    @cached_property
    def speech(self) -> list[tuple[int, int]]:
        """The stretches of speech as [start, end) in samples.

        That is all of it, if loudness does not tell.
        """
        return find_speech(self.pcm, self.sample_rate, PAUSE) or [(0, len(self.pcm) // 2)]


def read_recordings(place: Path) -> list[Recording]:
    """Read a wav file, or all of a folder, with the transcripts that lie beside them.

    The words of `call.wav` are in `call.txt`, or under its name in `transcripts.json`. Raises
    ConfigurationError if there is no recording, or one cannot be read.
    """
    if not place.exists():
        raise ConfigurationError(f"cannot read {place}: it is not there; give a wav file or a folder of them")
    paths = sorted(place.glob("*.wav")) if place.is_dir() else [place]
    if not paths:
        raise ConfigurationError(f"there is no wav file in {place}")
    listed = _listed(paths[0].parent / LISTED)
    return [_recording(path, listed) for path in paths]


def _recording(path: Path, listed: Mapping[str, str]) -> Recording:
    sound = read(path)
    pcm = sound.mono()
    if sound.sample_rate != HEARD_HZ:
        pcm = Resampler(sound.sample_rate, HEARD_HZ)(pcm)
    beside = path.with_suffix(".txt")
    text = _text(beside) if beside.is_file() else listed.get(path.name, listed.get(path.stem))
    return Recording(path.stem, pcm, HEARD_HZ, (text or "").strip() or None)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from error
    if len(data) > LARGEST:
        raise ConfigurationError(f"{path} is too long for a transcript")
    return data.decode(errors="replace")


def _listed(path: Path) -> dict[str, str]:
    """Read the texts of a file with transcripts, by name; none if there is no file."""
    if not path.is_file():
        return {}
    try:
        told = json_object(_text(path), "an object with a text for each name")
    except BadResponseError as error:
        raise ConfigurationError(f"cannot read {path}: {error}") from error
    texts: dict[str, str] = {}
    for name, about in told.items():
        entry = {"text": about} if isinstance(about, str) else fields(about)
        texts[string(entry.get("file")) or name] = string(entry.get("text"))
    return texts
