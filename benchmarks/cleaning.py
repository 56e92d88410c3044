"""What does audio cleaning cost, and how well does it remove noise and echo without harming the words?

Read sentences with known words, as recorded and with a fan or other voices in the background (5 dB below the
voice), pass through each filter in pieces of 20 ms, then through the local voice activity detector and the
local recogniser. Noise reduction, and how much noise the detector takes for speech, are measured in the two
seconds before anybody speaks. For echo cancellation, an echo of another voice (60 ms late, in a small room,
12 dB below the voice or as loud) is heard alone for four seconds, the last two of which are measured; then
somebody speaks over it.

    python -m benchmarks.cleaning [FOLDER]

FOLDER contains wav files and transcripts.json; the default is ../shared/speech. If it does not exist, the
local voice reads the sentences. Each filter is compared with no filter in the same run.
"""

import asyncio
import json
import re
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from antiphon.audio.levels import find_speech
from antiphon.audio.resample import Resampler, resample
from antiphon.audio.wav import read
from antiphon.errors import AntiphonError
from antiphon.services.ports import AudioChunk, AudioFilter, Flush, Recognized, SpeechToText, VoiceActivity
from antiphon.vendors import create

from .callers import spoken

HZ = 16000
BEFORE = 3.0  # seconds of noise alone
ALONE = 4.0  # seconds of echo alone
SNR = 5.0  # dB
ECHOES = (-12.0, 0.0)  # dB beside the voice
FILTERS = ("", "webrtc_audio/noise", "webrtc_audio/noise+gain", "deepfilternet")
CANCELLERS = ("", "webrtc_audio/echo", "webrtc_audio/noise+echo", "webrtc_audio/noise+echo+gain")
SENTENCES = (
    "The birch canoe slid on the smooth planks.",
    "Glue the sheet to the dark blue background.",
    "It is easy to tell the depth of a well.",
    "These days a chicken leg is a rare dish.",
    "Rice is often served in round bowls.",
    "The juice of lemons makes fine punch.",
)

Sound = NDArray[np.float64]


@dataclass(frozen=True)
class Sentence:
    """Speech at 16 kHz, and its words."""

    sound: Sound
    words: str


@dataclass
class Score:
    """The figures of one filter in one condition."""

    condition: str
    filter: str
    ms: float = 0.0
    """CPU milliseconds for a second of audio."""
    taken: float = 0.0
    """By how many dB noise or echo is quieter."""
    speech: float = 0.0
    """Per cent of the windows without speech that are taken for speech."""
    wrong: float = 0.0
    """Word error rate in per cent."""


@dataclass(frozen=True)
class Ears:
    """The models that listen to the cleaned audio."""

    stt: SpeechToText
    vad: VoiceActivity

    async def words(self, sound: Sound) -> list[str]:
        async def audio() -> AsyncIterator[AudioChunk | Flush]:
            yield AudioChunk(pcm(sound))
            yield Flush(True)

        heard = [
            item.text
            async for item in self.stt.transcribe(audio())
            if isinstance(item, Recognized) and item.final
        ]
        return plain(" ".join(heard))

    async def speech(self, sound: Sound) -> float:
        """Return the share of windows that are taken for speech."""
        size = self.vad.window * 2
        everything = pcm(sound)

        async def windows() -> AsyncIterator[bytes]:
            for at in range(0, len(everything) // size * size, size):
                yield everything[at : at + size]

        judged = [probability > 0.5 async for probability in self.vad.detect(windows())]
        return sum(judged) / len(judged)


def recorded(folder: Path) -> list[Sentence]:
    """Return the recordings of 2 to 12 s with their words."""
    found: list[Sentence] = []
    for entry in json.loads((folder / "transcripts.json").read_text()).values():
        if 2 <= entry["seconds"] <= 12 and entry.get("kind") == "read":
            sound = read(folder / entry["file"])
            found.append(Sentence(floats(resample(sound.mono(), sound.sample_rate, HZ)), entry["text"]))
    return found


async def synthesised() -> list[Sentence]:
    """Return the sentences, spoken by the local voice."""
    voice = create("tts", "local")
    return [
        Sentence(floats(resample(await spoken(voice, text), voice.sample_rate, HZ)), text)
        for text in SENTENCES
    ]


def floats(pcm: bytes) -> Sound:
    return np.frombuffer(pcm, "<i2").astype(float)


def pcm(sound: Sound) -> bytes:
    return sound.clip(-32768, 32767).astype("<i2").tobytes()


def level(sound: Sound) -> float:
    return 10 * float(np.log10(np.mean(sound * sound) + 1e-2))


def fan(count: int, seed: int) -> Sound:
    """Return noise that falls by 3 dB per octave."""
    spectrum = np.fft.rfft(np.random.default_rng(seed).normal(0, 1, count))
    return np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(len(spectrum)), 20)), count)


def babble(sentences: list[Sentence], but: int, count: int) -> Sound:
    """Return six other sentences at once, played backwards."""
    others = [one.sound for index, one in enumerate(sentences) if index != but][:6]
    return np.sum([np.resize(other[::-1], count) for other in others], axis=0)


def echo_of(far: Sound, loud: float) -> Sound:
    """Return the loudspeaker as the microphone hears it, `loud` dB relative to it."""
    room = np.exp(-np.arange(1600) / 300) * np.random.default_rng(7).normal(0, 1, 1600)
    heard = np.convolve(far, room / np.sqrt(np.sum(room * room)) * 10 ** (loud / 20))
    return np.concatenate((np.zeros(round(0.06 * HZ)), heard))[: len(far)]


def clean(name: str, near: Sound, far: Sound | None, score: Score) -> Sound:
    """Return the sound after a new instance of the filter, shifted back by the filter's delay."""
    if not name:
        return near
    service: AudioFilter = create("cleaning", name)
    asyncio.run(service.open())
    rate = service.sample_rate
    heard, played, back = Resampler(HZ, rate), Resampler(HZ, rate), Resampler(rate, HZ)
    tail = np.zeros(HZ // 10)
    near_pcm = pcm(np.concatenate((near, tail)))
    far_pcm = pcm(np.concatenate((np.zeros(len(near)) if far is None else far, tail)))
    rest, far_rest, out, size, seconds = b"", b"", b"", service.block * 2, 0.0
    for at in range(0, len(near_pcm), HZ // 50 * 2):
        rest += heard(near_pcm[at : at + HZ // 50 * 2])
        far_rest += played(far_pcm[at : at + HZ // 50 * 2])
        whole = len(rest) // size * size
        begun = time.process_time()
        made = service.process(rest[:whole], far_rest[:whole] if service.echo else None) if whole else b""
        seconds += time.process_time() - begun
        rest, far_rest = rest[whole:], far_rest[whole:]
        out += back(made)
    score.ms += 1000 * seconds
    delay = round(service.delay / service.sample_rate * HZ)
    asyncio.run(service.close())
    return floats(out)[delay : delay + len(near)]


def plain(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower().replace("mister", "mr").replace("'", ""))


def errors(said: list[str], heard: list[str]) -> int:
    """Return the edit distance in words."""
    row = list(range(len(heard) + 1))
    for i, word in enumerate(said, 1):
        last, row[0] = row[0], i
        for j, other in enumerate(heard, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (word != other))
    return row[-1]


def behind(sentence: Sentence, noise: Sound | None) -> Sound:
    """Return a sentence after some silence, with noise in the background of both."""
    voice = np.concatenate((np.zeros(round(BEFORE * HZ)), sentence.sound))
    if noise is None:
        return voice
    stretches = find_speech(pcm(sentence.sound), HZ) or [(0, len(sentence.sound))]
    loud = level(np.concatenate([sentence.sound[a:b] for a, b in stretches]))
    return voice + noise * 10 ** ((loud - SNR - level(noise)) / 20)


def noisy(sentences: list[Sentence], ears: Ears) -> list[Score]:
    """Score every filter in every noise."""
    lengths = [len(sentence.sound) + round(BEFORE * HZ) for sentence in sentences]
    noises: dict[str, list[Sound | None]] = {
        "clean": [None] * len(sentences),
        "a fan": [fan(length, index) for index, length in enumerate(lengths)],
        "voices": [babble(sentences, index, length) for index, length in enumerate(lengths)],
    }
    scores: list[Score | None] = []
    for condition, behind_them in noises.items():
        near = [behind(*pair) for pair in zip(sentences, behind_them, strict=True)]
        scores += [judged(Score(condition, name), near, None, sentences, ears, BEFORE) for name in FILTERS]
    return [score for score in scores if score is not None]


def echoing(sentences: list[Sentence], ears: Ears) -> list[Score]:
    """Score every echo canceller: echo alone, then somebody speaks over it."""
    far: list[Sound] = []
    for index, sentence in enumerate(sentences):
        others = np.concatenate([one.sound for at, one in enumerate(sentences) if at != index][::-1])
        far.append(np.resize(others, round(ALONE * HZ) + len(sentence.sound)))
    scores: list[Score | None] = []
    for loud in ECHOES:
        near = [
            np.concatenate((np.zeros(round(ALONE * HZ)), sentence.sound)) + echo_of(played, loud)
            for sentence, played in zip(sentences, far, strict=True)
        ]
        condition = f"echo, {loud:g} dB"
        scores += [judged(Score(condition, name), near, far, sentences, ears, ALONE) for name in CANCELLERS]
    return [score for score in scores if score is not None]


def judged(
    score: Score,
    near: list[Sound],
    far: list[Sound] | None,
    sentences: list[Sentence],
    ears: Ears,
    begins: float,
) -> Score | None:
    """Score one filter in one condition; None if the filter is not installed.

    Speech `begins` after so many seconds.
    """
    alone, voice = slice(round((begins - 2) * HZ), round((begins - 0.05) * HZ)), round((begins - 0.2) * HZ)
    wrong, words = 0, 0
    for index, (mixture, sentence) in enumerate(zip(near, sentences, strict=True)):
        try:
            out = clean(score.filter, mixture, None if far is None else far[index], score)
        except AntiphonError as error:
            print(f"{score.filter}: {error}", file=sys.stderr)
            return None
        score.taken += (level(mixture[alone]) - level(out[alone])) / len(near)
        score.speech += 100 * asyncio.run(ears.speech(out[alone])) / len(near)
        said = plain(sentence.words)
        wrong += errors(said, asyncio.run(ears.words(out[voice:])))
        words += len(said)
    score.wrong, score.ms = 100 * wrong / words, score.ms / sum(len(one) / HZ for one in near)
    return score


def shown(scores: list[Score]) -> Table:
    table = Table("condition", "filter", header_style="bold")
    for heading in ("CPU, ms/s", "taken away, dB", "taken for speech, %", "words wrong, %"):
        table.add_column(heading, justify="right")
    for score in scores:
        figures = (score.ms, score.taken, score.speech, score.wrong)
        table.add_row(score.condition, score.filter or "none", *(f"{figure:.1f}" for figure in figures))
    return table


def main() -> None:
    """Measure, print a table, and write JSON."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[2] / "shared" / "speech"
    has = (folder / "transcripts.json").is_file()
    sentences = recorded(folder) if has else asyncio.run(synthesised())
    ears = Ears(create("stt", "local"), create("vad", "local"))
    scores = noisy(sentences, ears) + echoing(sentences, ears)
    Console(width=120).print(shown(scores))
    print(f"{len(sentences)} sentences, {'recorded' if has else 'synthesised'}, heard by the local models")
    into = Path(__file__).parent / "results" / "cleaning.json"
    into.write_text(json.dumps([vars(score) for score in scores], indent=1) + "\n")


if __name__ == "__main__":
    main()
