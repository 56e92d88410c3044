"""What is judged without a data set? Recorded speech, if present, and a corpus spoken by the local voice.

This local data is read sentences and one synthetic voice, not conversations. At each mark in the corpus,
silence is inserted between two words of a spoken sentence. Its length is drawn from the distribution of holds
in eot-bench's English data, as derived from its silence-only baseline: 56 % are longer than 0.3 s, 22 % than
0.6, 10 % than 1, 5 % than 1.6. Every sentence exists clean and once disturbed: white noise or babble at 10
dB, or a telephone.
"""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.audio.g711 import decode_mulaw, encode_mulaw
from antiphon.audio.levels import find_speech
from antiphon.audio.resample import resample
from antiphon.audio.wav import WavAudio, read, write
from antiphon.services.ports import Word
from antiphon.vendors.local.tts import Hibari

from .data import HZ, SHORTEST

CORPUS = Path(__file__).parent / "corpus.txt"
RECORDED = Path(__file__).parents[3] / "shared" / "speech"
SEED = 20261121
BEFORE, BEHIND = 0.3, 2.0  # seconds of quiet before and after a turn
LONGER_THAN = ((0.2, 1.0), (0.3, 0.556), (0.6, 0.217), (1.0, 0.10), (1.6, 0.05), (2.0, 0.0))
QUIET = 10 ** (-62 / 20)  # the noise of a quiet line, relative to full scale
FAINT = 0.01
SNR = 10 ** (-10 / 20)
DISTURBED = ("white noise", "babble", "telephone")

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Line:
    """A turn of the corpus; `cuts` are the places in the text where the user pauses."""

    asked: str
    text: str
    cuts: tuple[int, ...]

    @property
    def half(self) -> str:
        """The half of the corpus that it belongs to."""
        return "test" if hashlib.sha256(self.text.encode()).digest()[0] % 2 else "development"


def corpus() -> list[Line]:
    """Return the turns of the corpus."""
    return [line(row) for row in CORPUS.read_text().splitlines() if row and not row.startswith("#")]


def line(row: str) -> Line:
    """Parse a turn, written as "what the agent asked > what the | user said"."""
    asked, _, said = row.partition(" > ")
    text, cuts = "", list[int]()
    for part in said.split("|"):
        if text:
            cuts.append(len(text))
        text = f"{text} {part.strip()}".strip()
    return Line(asked, text, tuple(cuts))


def make(folder: Path) -> None:
    """Write the data into a folder, in the schema of eot-bench; always the same data."""
    rows: list[dict[str, Any]] = []
    random = np.random.default_rng(SEED)
    lines = corpus()
    voices = asyncio.run(_spoken(lines, random))

    def keep(name: str, sound: Floats, speech: Floats, kind: str, half: str, asked: str) -> None:
        pcm = _pcm(sound)
        write(folder / f"{name}.wav", WavAudio(pcm, HZ))
        rows.append(
            {
                "id": name,
                "language": "en",
                "audio": f"{name}.wav",
                "silence_spans": [{"start": start, "end": end} for start, end in silences(_pcm(speech))],
                "messages": [{"role": "assistant", "content": asked}] if asked else [],
                "kind": kind,
                "half": half,
            }
        )

    for number, (written, speech) in enumerate(zip(lines, voices, strict=True)):
        name = f"synthesised-{number:03}"
        level = np.sqrt(np.mean(np.square(speech[np.abs(speech) > 1e-3])))
        quiet = speech + QUIET * random.standard_normal(len(speech))
        keep(name, quiet, speech, "synthesised", written.half, written.asked)
        kind = DISTURBED[number % len(DISTURBED)]
        if kind == "telephone":
            sound = _telephoned(quiet)
        else:
            noise: Floats = np.zeros(len(speech))
            if kind == "babble":
                for other in random.integers(len(voices), size=6):
                    talker = voices[int(other)]
                    noise += talker[np.arange(len(speech)) % len(talker)]
            else:
                noise += random.standard_normal(len(speech))
            sound = speech + noise * (level * SNR / np.sqrt(np.mean(np.square(noise))))
        keep(f"{name}-{kind.replace(' ', '-')}", sound, speech, kind, written.half, written.asked)
    for path in sorted(RECORDED.glob("*.wav")):
        recorded = read(path)
        speech = np.frombuffer(resample(recorded.mono(), recorded.sample_rate, HZ), "<i2") / 32768
        stretches = find_speech(_pcm(speech), HZ, SHORTEST)
        if stretches:
            speech = speech[: stretches[-1][1] + HZ // 20]
            edge = speech[-HZ // 100 :]
            behind = max(QUIET, float(edge.std())) * random.standard_normal(round(BEHIND * HZ))
            keep(
                path.stem,
                np.concatenate((speech, behind)),
                np.pad(speech, (0, len(behind))),
                "recorded",
                "test",
                "",
            )
    (folder / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def silences(pcm: bytes) -> list[tuple[float, float]]:
    """Return every silence of a turn, in seconds, without what precedes the first sound."""
    stretches = find_speech(pcm, HZ, SHORTEST)
    ends = [start for start, _ in stretches[1:]] + [len(pcm) // 2]
    return [(speech[1] / HZ, end / HZ) for speech, end in zip(stretches, ends, strict=True)]


async def _spoken(lines: list[Line], random: np.random.Generator) -> list[Floats]:
    """Speak each turn with another speed and pitch, with its pauses."""
    voices: list[Floats] = []
    for written in lines:
        voice = Hibari(speed=float(random.uniform(0.9, 1.15)))
        hz = 800 * int(random.integers(27, 34))
        pitch = hz / voice.sample_rate
        pcm, ends = b"", dict[int, float]()
        async for item in voice.speak(_once(written.text)):
            if isinstance(item, Word):
                ends[item.end] = item.seconds
            else:
                pcm += item.pcm
        sound = np.frombuffer(resample(pcm, hz, HZ), "<i2") / 32768
        parts, begun = [np.zeros(round(BEFORE * HZ))], 0
        for cut in written.cuts:
            before = [end for end in ends if end <= cut]
            at = round(ends[max(before)] / pitch * HZ) if before else begun
            there = _quiet(sound[begun:at][::-1]) + _quiet(sound[at:])
            parts += [_faded(sound[begun:at]), np.zeros(max(0, round(_pause(random) * HZ) - there))]
            begun = at
        voices.append(np.concatenate([*parts, _faded(sound[begun:]), np.zeros(round(BEHIND * HZ))]))
    return voices


async def _once(text: str) -> AsyncIterator[str]:
    yield text


def _pause(random: np.random.Generator) -> float:
    """Draw the length of a hold, in seconds."""
    longer = [share for _, share in reversed(LONGER_THAN)]
    return float(np.interp(random.uniform(), longer, [seconds for seconds, _ in reversed(LONGER_THAN)]))


def _quiet(sound: Floats) -> int:
    """Return the number of samples before the first audible one."""
    heard = np.abs(sound) > FAINT
    return int(heard.argmax()) if heard.any() else 0


def _faded(sound: Floats) -> Floats:
    """Return the sound with faded ends, so that it does not click."""
    edge = min(HZ // 100, len(sound) // 2)
    ramp = np.ones(len(sound))
    ramp[:edge] = np.linspace(0, 1, edge)
    ramp[len(ramp) - edge :] = np.linspace(1, 0, edge)
    return sound * ramp


def _telephoned(sound: Floats) -> Floats:
    """Return the sound as over a telephone: 8 kHz mu-law."""
    narrow = decode_mulaw(encode_mulaw(resample(_pcm(sound), HZ, 8000)))
    return np.frombuffer(resample(narrow, 8000, HZ), "<i2") / 32768


def _pcm(sound: Floats) -> bytes:
    return (sound.clip(-1, 1) * 32767).astype("<i2").tobytes()
