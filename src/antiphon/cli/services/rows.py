"""What is measured of each kind of service in a comparison."""

import re
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from ...audio.resample import Resampler
from ...audio.wav import WavAudio, write
from ...errors import AntiphonError, ConfigurationError
from ...services.ports import AudioChunk, Flush, LanguageModel, Recognized, SpeechToText, TextToSpeech
from ...telemetry.latency import percentile
from .comparison import UNKNOWN, ServiceRow
from .recordings import Recording
from .trials import AnswerTrial, HearingTrial, VoiceTrial, ask, hear, opened, speak
from .word_errors import WordErrors, count_errors

__all__ = ["QUESTIONS", "SENTENCES", "AnswerRow", "HearingRow", "VoiceRow", "listen_to_voices", "make_folder"]

INSTRUCTIONS = "You are on the phone. Answer in one or two short sentences."
QUESTIONS = (
    "Good morning! Can you hear me?",
    "How do I choose a good bicycle for the city?",
    "What should I do if my train is late?",
)
SENTENCES = (
    ("Good morning.", "How may I help you today?"),
    ("Your table is booked for seven o'clock.", "We look forward to seeing you this evening."),
    ("I am sorry, the shop is closed on Sunday.", "It opens again on Monday at nine in the morning."),
)
LATENCY = ("median ms", "p95 ms")


def make_folder(folder: Path) -> None:
    """Make a folder for what voices say. Raises ConfigurationError if that fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"cannot make the folder {folder}: {error.strerror}") from error


def _ms(values: Sequence[float]) -> tuple[str, str]:
    """Return the median and the 95th percentile in milliseconds, for a table."""
    if not values:
        return UNKNOWN, UNKNOWN
    ordered = sorted(values)
    return f"{percentile(ordered, 0.5) * 1000:.0f}", f"{percentile(ordered, 0.95) * 1000:.0f}"


def _usd(cost: float | None) -> str:
    """Return a cost for a table."""
    return UNKNOWN if cost is None else f"{cost:.2f}" if cost else "free"


@dataclass
class HearingRow(ServiceRow[Recording]):
    """A speech to text, which hears recordings."""

    port: ClassVar[str] = "stt"
    heads: ClassVar[tuple[str, ...]] = (
        *("errors", "lost", "wrong", "added"),
        *(f"final {head}" for head in LATENCY),
        "first words ms",
        "$ per hour",
    )

    heard: dict[str, HearingTrial] = field(default_factory=dict[str, HearingTrial])
    errors: WordErrors = field(default_factory=WordErrors)

    async def measure(self, service: SpeechToText, work: Recording) -> None:
        """Hear a recording."""
        trial = self.heard[work.name] = await hear(service, work)
        if work.text is not None:
            self.errors += count_errors(work.text, trial.text)

    @property
    def final(self) -> list[float]:
        """Seconds from the end of each stretch of speech to its last final words."""
        return [seconds for trial in self.heard.values() for seconds in trial.final]

    @property
    def first(self) -> list[float]:
        """Seconds from the beginning of each stretch to its first words."""
        return [seconds for trial in self.heard.values() for seconds in trial.first]

    def cells(self) -> Sequence[str]:
        """Return errors in words and latency."""
        errors, rate = self.errors, self.errors.rate
        counts = (errors.lost, errors.wrong, errors.added)
        words = [UNKNOWN] * 4 if rate is None else [f"{rate:.1%}", *map(str, counts)]
        return [*words, *_ms(self.final), _ms(self.first)[0], _usd(self.hour)]

    @property
    def hour(self) -> float | None:
        """The cost of an hour of audio in US dollars; None if it is not known."""
        return self.cost({"seconds heard": 3600.0})

    def report(self) -> dict[str, Any]:
        """Return the words of each recording, all latencies, and the cost."""
        return {
            "usd_per_hour": self.hour,
            "words": {
                "said": self.errors.said,
                "lost": self.errors.lost,
                "wrong": self.errors.wrong,
                "added": self.errors.added,
                "error_rate": self.errors.rate,
            },
            "recordings": {
                name: {"heard": trial.text, "final_seconds": trial.final, "first_seconds": trial.first}
                for name, trial in self.heard.items()
            },
        }


@dataclass
class AnswerRow(ServiceRow[str]):
    """A language model, which answers questions."""

    port: ClassVar[str] = "llm"
    heads: ClassVar[tuple[str, ...]] = (
        *(f"first word {head}" for head in LATENCY),
        "tokens per s",
        "$ per 1000 answers",
    )

    answers: dict[str, AnswerTrial] = field(default_factory=dict[str, AnswerTrial])

    async def measure(self, service: LanguageModel, work: str) -> None:
        """Ask a question."""
        self.answers[work] = await ask(service, work, INSTRUCTIONS)

    def cells(self) -> Sequence[str]:
        """Return the time to the first word, and how fast the rest came."""
        speeds = sorted(speed for answer in self.answers.values() if (speed := answer.tokens_per_second))
        first = _ms([answer.first for answer in self.answers.values()])
        return [*first, f"{percentile(speeds, 0.5):.0f}" if speeds else UNKNOWN, _usd(self.thousand)]

    @property
    def thousand(self) -> float | None:
        """The cost of a thousand such answers in US dollars; None if it is not known."""
        used = [answer.usage for answer in self.answers.values() if answer.usage is not None]
        if len(used) < len(self.answers):
            return self.cost({"answers uncounted": 1.0})
        usage = {
            "tokens read": float(sum(one.read for one in used)),
            "tokens written": float(sum(one.written for one in used)),
            "tokens cached": float(sum(one.cached for one in used)),
            "tokens stored": float(sum(one.stored for one in used)),
        }
        return self.cost(usage, 1000 / len(used))

    def report(self) -> dict[str, Any]:
        """Return the answers, their times and their cost."""
        return {
            "usd_per_1000_answers": self.thousand,
            "answers": {
                question: {
                    "text": answer.text,
                    "first_seconds": answer.first,
                    "seconds": answer.seconds,
                    "tokens_read": answer.usage and answer.usage.read,
                    "tokens_written": answer.usage and answer.usage.written,
                }
                for question, answer in self.answers.items()
            },
        }


@dataclass
class VoiceRow(ServiceRow[tuple[str, ...]]):
    """A text to speech, which says sentences."""

    port: ClassVar[str] = "tts"
    heads: ClassVar[tuple[str, ...]] = (
        *(f"first audio {head}" for head in LATENCY),
        "real time factor",
        "word times",
        "errors as heard",
        "$ per 1000 characters",
    )

    spoken: dict[tuple[str, ...], VoiceTrial] = field(default_factory=dict[tuple[str, ...], VoiceTrial])
    heard: WordErrors = field(default_factory=WordErrors)
    files: list[str] = field(default_factory=list[str])
    often: float = 1.0
    """How often each character is billed."""

    async def measure(self, service: TextToSpeech, work: tuple[str, ...]) -> None:
        """Say sentences."""
        self.often = service.billed
        self.spoken[work] = await speak(service, work)

    def write(self, folder: Path) -> None:
        """Write what was said as wav files. Raises ConfigurationError if that fails."""
        make_folder(folder)
        name = re.sub(r"[^\w.]+", "-", self.name)
        for number, trial in enumerate(self.spoken.values(), 1):
            path = folder / f"{name}-{number}.wav"
            write(path, WavAudio(trial.pcm, trial.sample_rate))
            self.files.append(str(path))

    def cells(self) -> Sequence[str]:
        """Return the time to the first audio, the speed, and errors as heard."""
        trials = list(self.spoken.values())
        factors = sorted(trial.real_time_factor for trial in trials)
        rate = self.heard.rate
        return [
            *_ms([trial.first for trial in trials]),
            f"{percentile(factors, 0.5):.2f}",
            "yes" if all(trial.words for trial in trials) else "no",
            UNKNOWN if rate is None else f"{rate:.1%}",
            _usd(self.thousand),
        ]

    @property
    def thousand(self) -> float | None:
        """The cost of a thousand characters in US dollars; None if it is not known."""
        characters = sum(len(" ".join(text)) for text in self.spoken)
        seconds = sum(trial.spoken for trial in self.spoken.values())
        usage = {"characters spoken": characters * self.often, "seconds spoken": seconds}
        return self.cost(usage, 1000 / characters)

    def report(self) -> dict[str, Any]:
        """Return the times of each text, the cost, and the files."""
        return {
            "usd_per_1000_characters": self.thousand,
            "texts": {
                " ".join(text): {
                    "first_seconds": trial.first,
                    "seconds": trial.seconds,
                    "audio_seconds": trial.spoken,
                    "word_times": trial.words,
                }
                for text, trial in self.spoken.items()
            },
            "error_rate_as_heard": self.heard.rate,
            "files": self.files,
        }


async def listen_to_voices(rows: Sequence[VoiceRow]) -> None:
    """Have the local recogniser transcribe what was said, if it is installed."""
    try:
        async with opened("stt", "local") as listener:
            for row in rows:
                for text, trial in row.spoken.items():
                    row.heard += count_errors(" ".join(text), await _transcript(listener, trial))
    except AntiphonError:
        return


async def _transcript(listener: SpeechToText, trial: VoiceTrial) -> str:
    pcm = Resampler(trial.sample_rate, listener.sample_rate)(trial.pcm)

    async def audio() -> AsyncGenerator[AudioChunk | Flush]:
        yield AudioChunk(pcm)
        yield Flush(True)

    heard = [item async for item in listener.transcribe(audio()) if isinstance(item, Recognized)]
    return " ".join(item.text for item in heard if item.final)
