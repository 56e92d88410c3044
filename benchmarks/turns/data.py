"""Which turns are judged? Data in the schema of eot-bench.

A row has id, language, audio, silence_spans and, if known, messages. A directory contains `*.jsonl` and wav
files, or `*.parquet`, which needs pyarrow.
"""

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from antiphon.audio.levels import find_speech
from antiphon.audio.resample import resample
from antiphon.audio.wav import read
from antiphon.errors import ConfigurationError

HZ = 16000
SHORTEST = 0.1  # seconds: shorter silences are ignored

Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of a user: (samples,) int16 mono 16 kHz, and its silences, the last of which ends it."""

    id: str
    language: str
    pcm: bytes
    spans: tuple[Span, ...]
    begins: float = 0.0
    """Seconds until its first sound."""
    asked: str = ""
    """What the agent said before the turn."""
    kind: str = ""
    half: str = ""
    """ "development" or "test"; "" if the data is not divided."""

    def until(self, seconds: float) -> bytes:
        """Return the audio up to a time."""
        return self.pcm[: 2 * round(seconds * HZ)]


def load(folder: Path) -> list[Turn]:
    """Read all turns of a directory. Raises ConfigurationError if they are not in the schema."""
    turns = [_turn(row, folder, name) for row, name in _rows(folder)]
    if not turns:
        raise ConfigurationError(
            f"{folder} has no turns: it needs a .jsonl file and wav files, or a .parquet file"
        )
    return turns


def _rows(folder: Path) -> Iterator[tuple[dict[str, Any], str]]:
    if not folder.is_dir():
        raise ConfigurationError(f"{folder} is not a directory")
    for path in sorted(folder.rglob("*.jsonl")):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if line.strip():
                try:
                    yield json.loads(line), f"{path.name}:{number}"
                except ValueError as error:
                    raise ConfigurationError(f"{path}:{number} is not JSON: {error}") from error
    tables = sorted(folder.rglob("*.parquet"))
    if not tables:
        return
    try:
        from pyarrow import parquet  # pyright: ignore  # an optional package
    except ModuleNotFoundError as error:
        raise ConfigurationError(f"{tables[0].name} needs pyarrow: pip install pyarrow") from error
    for path in tables:
        for number, row in enumerate(parquet.read_table(path).to_pylist()):  # pyright: ignore
            yield row, f"{path.name} row {number}"  # pyright: ignore


def _turn(row: dict[str, Any], folder: Path, name: str) -> Turn:
    try:
        spans = tuple(_span(span) for span in row["silence_spans"])
        spans = tuple((start, end) for start, end in spans if end - start >= SHORTEST - 1e-6)
        if not spans:
            raise ConfigurationError(f"{name}: the turn has no silence, and so no end")
        messages: list[dict[str, Any]] = row.get("messages") or []
        pcm = _audio(row["audio"], folder)
        speech = find_speech(pcm[: 2 * round(spans[0][0] * HZ)], HZ)
        return Turn(
            id=str(row["id"]),
            language=str(row["language"]),
            pcm=pcm,
            spans=spans,
            begins=speech[0][0] / HZ if speech else 0.0,
            asked=next((str(m["content"]) for m in reversed(messages) if m.get("role") == "assistant"), ""),
            kind=str(row.get("kind", "")),
            half=str(row.get("half", "")),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigurationError(f"{name} is not in the schema of eot-bench: {error!r}") from error


def _span(span: Any) -> Span:
    start, end = (span["start"], span["end"]) if isinstance(span, dict) else span  # pyright: ignore
    return float(start), float(end)  # pyright: ignore


def _audio(audio: Any, folder: Path) -> bytes:
    """Read (samples,) int16 mono 16 kHz from a path or from the bytes of a wav file."""
    if isinstance(audio, str):
        audio = {"path": audio}
    if data := audio.get("bytes"):
        with tempfile.NamedTemporaryFile(suffix=".wav") as file:
            file.write(data)
            file.flush()
            sound = read(file.name)
    else:
        sound = read(folder / audio["path"])
    return resample(sound.mono(), sound.sample_rate, HZ)
