"""What do the models say at each silence? Their answers, cached on disk because they take long."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from antiphon.services.ports import AudioChunk, Flush
from antiphon.vendors.local.eot import SmartTurn
from antiphon.vendors.local.stt import Whisper

from .data import HZ, Turn

STEP = 0.1  # seconds between two scores
PAUSE = 0.1  # seconds of a silence that Whisper hears, because it is asked as soon as speech pauses
STOP = 0.2  # seconds of silence that end an utterance; what follows is transcribed separately
VERSION = 1


@dataclass(frozen=True)
class Scored:
    """What the models said about a turn."""

    sound: list[list[float]]
    """For each silence, Smart Turn's probability at its beginning and every 100 ms after that."""
    words: list[str]
    """For each silence, the words of the turn so far."""
    sound_ms: float
    """CPU milliseconds of one score, and below of one transcript."""
    words_ms: float


def moments(start: float, end: float) -> list[float]:
    """Return the times at which a silence is scored, in seconds since its beginning."""
    return [STEP * step for step in range(int((end - start) / STEP + 1e-6) + 1)]


class Models:
    """Smart Turn and Whisper, with a cache of their answers."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sound = SmartTurn()
        self._whispers: dict[str, Whisper] = {}

    def scored(self, turn: Turn) -> Scored:
        """Return the scores of a turn, from the cache if possible."""
        key = hashlib.sha256(turn.pcm + repr((VERSION, turn.spans, turn.language)).encode()).hexdigest()[:24]
        path = self._folder / f"{key}.json"
        if path.exists():
            return msgspec.json.decode(path.read_bytes(), type=Scored)
        scored = asyncio.run(self._score(turn))
        part = path.with_suffix(".part")
        part.write_bytes(msgspec.json.encode(scored))
        part.replace(path)
        return scored

    async def _score(self, turn: Turn) -> Scored:
        await self._sound.load()
        language = turn.language.split("-")[0].lower()
        whisper = self._whispers.setdefault(language, Whisper(language=language))
        await whisper.load()
        began = time.process_time()
        sound = [
            [await self._sound.score(turn.until(start + at)) for at in moments(start, end)]
            for start, end in turn.spans
        ]
        heard = time.process_time()
        words, settled, begun = list[str](), "", 0.0
        for start, end in turn.spans:
            utterance = turn.until(start + PAUSE)[2 * round(begun * HZ) :]
            said = f"{settled} {await transcript(whisper, utterance)}".strip()
            words.append(said)
            if end - start >= STOP:
                settled, begun = said, end - PAUSE
        done = time.process_time()
        return Scored(
            sound,
            words,
            1e3 * (heard - began) / sum(map(len, sound)),
            1e3 * (done - heard) / len(words),
        )


async def transcript(whisper: Whisper, pcm: bytes) -> str:
    """Return the words of an utterance."""

    async def audio() -> AsyncIterator[AudioChunk | Flush]:
        yield AudioChunk(pcm)
        yield Flush(True)

    return " ".join([heard.text async for heard in whisper.transcribe(audio())])
