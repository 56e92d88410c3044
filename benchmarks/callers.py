"""Who calls the agent of the voice-to-voice benchmarks, and what does each caller say?

The local voice speaks ten questions. Recordings of people come from a folder beside the project, which holds
`transcripts.json` (by name: "file" and "text"); it is not part of the project, so it may be missing.
"""

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from antiphon.audio.resample import resample
from antiphon.audio.wav import read
from antiphon.services.ports import AudioChunk, Flush, Recognized, Speech, SpeechToText, TextToSpeech

HZ = 16000
LONGEST = 10.0  # seconds: what takes longer is a reading, not something a caller says in one turn
RECORDINGS = Path(__file__).parents[2] / "shared" / "speech"
INSTRUCTIONS = "You answer the phone of a bicycle shop. Answer in one or two short sentences."
QUESTIONS = (
    "Hello, do you repair bicycles?",
    "When are you open on Monday?",
    "Can you fix a flat tire today?",
    "How much does a new chain cost?",
    "I need new brakes for my bike.",
    "Do you sell helmets for children?",
    "Where is your shop?",
    "What is the best bike for a long tour?",
    "Can I bring my bike tomorrow morning?",
    "Thank you very much, goodbye.",
)
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


@dataclass(frozen=True)
class Question:
    """Speech at 16 kHz; `text` is what is said, or None if nobody has written it down."""

    name: str
    pcm: bytes
    text: str | None = None


async def synthesised(voice: TextToSpeech) -> list[Question]:
    """Return the questions, spoken by a voice."""
    return [
        Question(text, resample(await spoken(voice, text), voice.sample_rate, HZ), text) for text in QUESTIONS
    ]


async def spoken(voice: TextToSpeech, text: str) -> bytes:
    """Return all audio of one text."""

    async def pieces() -> AsyncIterator[str]:
        yield text

    return b"".join([item.pcm async for item in voice.speak(pieces()) if isinstance(item, Speech)])


def recorded(path: str | Path, text: str | None = None) -> Question:
    """Read a recording, resampled to 16 kHz."""
    sound = read(path)
    return Question(Path(path).stem, resample(sound.mono(), sound.sample_rate, HZ), text)


def recordings(folder: Path) -> list[Question]:
    """Return the recordings of a folder whose words are known; none if it has no list of them."""
    listed = folder / "transcripts.json"
    if not listed.is_file():
        return []
    entries = json.loads(listed.read_text()).values()
    questions = [recorded(folder / entry["file"], entry["text"]) for entry in entries if entry["text"]]
    return [question for question in questions if len(question.pcm) <= LONGEST * HZ * 2]


async def transcribed(recogniser: SpeechToText, pcm: bytes) -> str:
    """Return the words of an utterance, recognised in one go."""

    async def audio() -> AsyncIterator[AudioChunk | Flush]:
        yield AudioChunk(pcm)
        yield Flush(True)

    heard = [item async for item in recogniser.transcribe(audio()) if isinstance(item, Recognized)]
    return " ".join(item.text for item in heard if item.final)


def words(text: str) -> list[str]:
    """Return the words as a comparison wants them: no marks, no capitals, small numbers as digits."""
    plain = re.findall(r"[\w']+", text.lower().replace("mr.", "mister").replace("-", " "))
    return [str(NUMBERS.index(word)) if word in NUMBERS else word for word in plain]


def words_lost(said: str, heard: str) -> int:
    """Return how many words of `said` are missing in `heard`, or wrong there.

    That is the count of words that the longest common subsequence lacks.
    """
    spoken_words, heard_words = words(said), words(heard)
    row = [0] * (len(heard_words) + 1)
    for word in spoken_words:
        before = 0
        for place, other in enumerate(heard_words, 1):
            above = row[place]
            row[place] = before + 1 if word == other else max(above, row[place - 1])
            before = above
    return len(spoken_words) - row[-1]
