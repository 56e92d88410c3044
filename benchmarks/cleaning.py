"""What does cleaning cost, and what does it do: to noise, to echo, and to the words that are understood?

Read sentences with known words, as recorded and with a fan or other voices behind them, go through each
filter in pieces of 20 ms, and then to the local recogniser. The noise that is taken away is measured in the
second before anybody speaks; what it does to the voice, by the words. An echo of another voice (60 ms late,
12 dB under it, in a small room) is measured where it is alone, after 2 s (ERLE), and by the words that are
understood through it.

    python -m benchmarks.cleaning [FOLDER]

FOLDER has wav files and transcripts.json, and is ../shared/speech where nothing is said; without it the
local voice reads the sentences. Each filter's figures stand beside those of no filter, from the same run.
"""

import asyncio
import json
import re
import sys
import time
from collections.abc import AsyncIterator, Callable
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
from antiphon.services.ports import AudioChunk, AudioFilter, Flush, Heard, SpeechToText
from antiphon.vendors import create

from .voice_to_voice import spoken

HZ = 16000
BEFORE = 1.0  # seconds of noise alone
SNR = (10.0, 0.0)  # dB
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
    """Of one filter in one condition."""

    condition: str
    filter: str
    ms: float = 0.0
    """Processor time for a second of audio."""
    noise: float = 0.0
    """dB by which what is not the voice is quieter."""
    wrong: float = 0.0
    """Words of a hundred that are wrong, missing or too many."""


def recorded(folder: Path) -> list[Sentence]:
    """Recordings of 2 to 12 s with their words."""
    found: list[Sentence] = []
    for entry in json.loads((folder / "transcripts.json").read_text()).values():
        if 2 <= entry["seconds"] <= 12 and entry.get("kind") == "read":
            sound = read(folder / entry["file"])
            found.append(Sentence(floats(resample(sound.mono(), sound.sample_rate, HZ)), entry["text"]))
    return found


async def synthesised() -> list[Sentence]:
    """The sentences in the local voice."""
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
    """Noise that falls by 3 dB an octave."""
    spectrum = np.fft.rfft(np.random.default_rng(seed).normal(0, 1, count))
    return np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(len(spectrum)), 20)), count)


def babble(sentences: list[Sentence], but: int, count: int) -> Sound:
    """Six others at once, backwards."""
    others = [one.sound for index, one in enumerate(sentences) if index != but][:6]
    return np.sum([np.resize(other[::-1], count) for other in others], axis=0)


def echo_of(far: Sound) -> Sound:
    """What the microphone hears of the loudspeaker."""
    room = np.exp(-np.arange(1600) / 300) * np.random.default_rng(7).normal(0, 1, 1600)
    heard = np.convolve(far, room / np.sqrt(np.sum(room * room)) * 10 ** (-12 / 20))
    return np.concatenate((np.zeros(round(0.06 * HZ)), heard))[: len(far)]


def clean(name: str, near: Sound, far: Sound | None, score: Score) -> Sound:
    """Through a filter of its own, moved back by its delay."""
    if not name:
        return near
    service: AudioFilter = create("cleaning", name)
    asyncio.run(load(service))
    heard, played, back = (
        Resampler(a, b) for a, b in ((HZ, service.sample_rate),) * 2 + ((service.sample_rate, HZ),)
    )
    rest, out, size, far_rest = b"", b"", service.block * 2, b""
    tail = np.zeros(HZ // 10)
    near_pcm, far_pcm = (
        pcm(np.concatenate((near, tail))),
        pcm(np.concatenate((near * 0 if far is None else far, tail))),
    )
    seconds = 0.0
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
    if (close := getattr(service, "close", None)) is not None:
        close()
    return floats(out)[delay : delay + len(near)]


async def load(service: AudioFilter) -> None:
    if (ahead := getattr(service, "load", None)) is not None:
        await ahead()


async def understood(stt: SpeechToText, sound: Sound) -> str:
    """The recogniser's words."""

    async def audio() -> AsyncIterator[AudioChunk | Flush]:
        yield AudioChunk(pcm(sound))
        yield Flush(True)

    heard = [item.text async for item in stt.transcribe(audio()) if isinstance(item, Heard) and item.final]
    return " ".join(heard)


def plain(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower().replace("mister", "mr").replace("'", ""))


def errors(said: list[str], heard: list[str]) -> int:
    """Words to change, add or leave out, to make one the other."""
    row = list(range(len(heard) + 1))
    for i, word in enumerate(said, 1):
        last, row[0] = row[0], i
        for j, other in enumerate(heard, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (word != other))
    return row[-1]


def behind(sentences: list[Sentence], index: int, noise: Callable[[int], Sound] | None, snr: float) -> Sound:
    """A sentence, a second of quiet before it, and noise behind both."""
    voice = np.concatenate((np.zeros(round(BEFORE * HZ)), sentences[index].sound))
    if noise is None:
        return voice
    sound = noise(len(voice))
    stretches = find_speech(pcm(sentences[index].sound), HZ) or [(0, len(sentences[index].sound))]
    loud = level(np.concatenate([sentences[index].sound[a:b] for a, b in stretches]))
    return voice + sound * 10 ** ((loud - snr - level(sound)) / 20)


def noisy(sentences: list[Sentence], stt: SpeechToText) -> list[Score]:
    """Every filter, behind every noise."""
    scores: list[Score] = []
    conditions: list[tuple[str, Callable[[int], Callable[[int], Sound]] | None, float]] = [
        ("clean", None, 0.0)
    ]
    for snr in SNR:
        conditions.append((f"a fan, {snr:g} dB", lambda index: lambda count: fan(count, index), snr))
        conditions.append(
            (f"voices, {snr:g} dB", lambda index: lambda count: babble(sentences, index, count), snr)
        )
    for condition, noise, snr in conditions:
        mixtures = [
            behind(sentences, index, noise(index) if noise else None, snr) for index in range(len(sentences))
        ]
        for name in FILTERS:
            if (score := one(condition, name, mixtures, None, sentences, stt)) is not None:
                scores.append(score)
    return scores


def one(
    condition: str,
    name: str,
    mixtures: list[Sound],
    far: list[Sound] | None,
    sentences: list[Sentence],
    stt: SpeechToText,
) -> Score | None:
    """One filter in one condition; None where it is not installed."""
    score, wrong, words, seconds = Score(condition, name or "none"), 0, 0, 0.0
    lead = round(BEFORE * HZ) if far is None else len(far[0]) - len(mixtures[0])
    for index, (mixture, sentence) in enumerate(zip(mixtures, sentences, strict=True)):
        try:
            out = clean(name, mixture, None if far is None else far[index], score)
        except AntiphonError as error:
            print(f"{name}: {error}", file=sys.stderr)
            return None
        alone = slice(round(0.6 * HZ), round(0.95 * HZ)) if far is None else slice(2 * HZ, 4 * HZ)
        score.noise += (level(mixture[alone]) - level(out[alone])) / len(mixtures)
        said = plain(sentence.words)
        begins = lead if far is None else 4 * HZ
        wrong += errors(said, plain(asyncio.run(understood(stt, out[max(0, begins - HZ // 5) :]))))
        words += len(said)
        seconds += len(mixture) / HZ
    score.wrong, score.ms = 100 * wrong / words, score.ms / seconds
    return score


def echoing(sentences: list[Sentence], stt: SpeechToText) -> list[Score]:
    """Every canceller: four seconds of echo alone, then somebody speaks through it."""
    far: list[Sound] = []
    mixtures: list[Sound] = []
    for index, sentence in enumerate(sentences):
        others = np.concatenate([one.sound for at, one in enumerate(sentences) if at != index][::-1])
        loud = np.resize(others, 4 * HZ + len(sentence.sound))
        far.append(loud)
        near = np.concatenate((np.zeros(4 * HZ), sentence.sound))
        mixtures.append(near + echo_of(loud))
    scores = [one("echo", name, mixtures, far, sentences, stt) for name in CANCELLERS]
    return [score for score in scores if score is not None]


def shown(scores: list[Score]) -> Table:
    table = Table("condition", "filter", header_style="bold")
    for heading in ("ms CPU a second", "dB taken away", "words wrong, %"):
        table.add_column(heading, justify="right")
    for score in scores:
        table.add_row(
            score.condition, score.filter, f"{score.ms:.1f}", f"{score.noise:.1f}", f"{score.wrong:.1f}"
        )
    return table


def main() -> None:
    """Measure, show, and keep as JSON."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[2] / "shared" / "speech"
    has = (folder / "transcripts.json").is_file()
    sentences = recorded(folder) if has else asyncio.run(synthesised())
    stt: SpeechToText = create("stt", "local")
    scores = noisy(sentences, stt) + echoing(sentences, stt)
    Console(width=100).print(shown(scores))
    print(
        f"{len(sentences)} sentences, {'recorded' if has else 'synthesised'}, understood by the local default"
    )
    into = Path(__file__).parent / "results" / "cleaning.json"
    into.write_text(json.dumps([vars(score) for score in scores], indent=1) + "\n")


if __name__ == "__main__":
    main()
