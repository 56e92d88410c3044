"""Speech synthesis by hibari, a small English voice.

It is a hundred times faster than real time. Its model turns phonemes into a spectrum. The durations of the
phonemes are a value inside the model, which is made an output here so that words have exact times.
https://github.com/MMWilliams/hibari
"""

import re
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import partial
from itertools import accumulate, takewhile
from pathlib import Path
from typing import Any
from unicodedata import digit

import numpy as np

from ...errors import ConfigurationError, UnavailableError
from ...services.cutting import bounded
from ...services.digits import CONTEXT, digit_by_digit
from ...services.markup import without_markup
from ...services.ports import Speech, TextToSpeech, Word
from ...services.voice_list import VoiceInfo
from .mel import FloatArray
from .resident import Resident, library

SAMPLE_RATE = 24000
CHUNK = SAMPLE_RATE // 10
LONGEST = 240  # phonemes spoken in one go, about 15 s
ALIGNED = 500  # words: aligning a longer piece with its text could take minutes
FAINT = 0.003  # amplitude of silence, of which hibari puts 0.3 s before a sentence and 0.4 s behind it
BEFORE = 0.01  # seconds of silence kept before a sentence; BEHIND has those after it, by its last mark
BEHIND = dict.fromkeys(".!?…", 0.15) | dict.fromkeys(",;:—", 0.1) | {"": 0.05}
LAST_MARK = re.compile(r"([.!?…,;:—]?)[\"'”’)\]]*$")
WEEK = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
DAYS = {day[:3]: day for day in WEEK}
DAY = rf"\b({'|'.join(DAYS)})(?:r?s|r|(?:s|nes|rs|ur)?day)?\b"
READ_AS: list[tuple[str, str | Callable[[re.Match[str]], str]]] = [  # corrections of hibari's own rules
    (r"\bhttps?://(?:www\.)?(?=\w)", ""),  # "aitch tee tee pee ess slash slash"
    (r"#(?=\d)", "number "),
    (r"(\S{60})(?=\S)", r"\1 "),  # it would take minutes for pages without a space
    (r"(?<=\d)(?=[.!?](?:\s|$))", " "),  # the full stop of a sentence is not part of its last number
    (r"(\d[\d.,]*)\s?([€£$])(?!\d)", r"\2\1"),
    (r"\b24/7\b", "24 7"),
    (rf"{DAY}\.?\s?[-–]\s?{DAY}", lambda days: f"{DAYS[days[1]]} to {DAYS[days[2]]}"),
    (r"(?<![\d\w])([1-9]\d{0,2})(?:[ \u00a0\u202f](?=\d{3}(?!\d)))", r"\1,"),  # 10 000 euros
    (r"\d[\d,]{20,}", lambda digits: " ".join(re.findall(r"\d", digits[0]))),
    ("İ", "I"),  # the only letter that it cannot read; below, digits such as ➊
    (r"[^\W\d_²³]", lambda sign: str(digit(sign[0], sign[0]))),
]
ENDS = "/CumSum_output_0"  # in the model: when each phoneme ends, in units of 600 samples
UNIT = 600


@dataclass(frozen=True, slots=True)
class Reading:
    """A word with its phonemes; after the first `sounded` of them it has been spoken."""

    text: str
    phonemes: list[int]
    sounded: int

    @property
    def mark(self) -> str:
        found = LAST_MARK.search(self.text)
        return found[1] if found else ""


@dataclass(frozen=True, slots=True)
class _Sentence:
    """Words that are spoken in one go.

    `ends` has the end of each word in the text, or None if that is not known.
    """

    words: list[Reading]
    ends: list[int | None]


class _Voice:
    """One of hibari's voices with its rules of reading.

    It may be called from any number of threads.
    """

    def __init__(self, name: str) -> None:
        hibari, voices = library("hibari"), library("hibari.voices")
        self._normalize = library("hibari.g2p").normalize
        self._wave = library("hibari.dsp").synth
        try:
            model = Path(voices.voice_path(name)).read_bytes()
        except RuntimeError as error:  # hibari raises it if it cannot download a voice
            raise UnavailableError(str(error)) from error
        if ENDS.encode() in model:
            model += as_output(ENDS)
        self._hibari: Any = hibari.Hibari(name, model=model)
        self._space: int = self._hibari.vocab[" "]
        self.say(self.sentences("Ready.")[0], 1.0)  # reads the dictionaries

    def sentences(self, text: str, before: str = "") -> list[_Sentence]:
        """Return the sentences to speak for a piece of text.

        The list is empty if there is nothing to pronounce. `before` is the text that was said before this
        piece. It may show that a number is read digit by digit.
        """
        spoken = [
            words
            for line in readable(text, before).splitlines()
            for sentence in self._hibari.split_sentences(self._normalize(line))
            for words in portions(list(self._read(sentence)))
            if any(word.sounded for word in words)
        ]
        ends = iter(word_ends(text, [word.text for words in spoken for word in words]))
        return [_Sentence(words, [next(ends) for _ in words]) for words in spoken]

    def say(self, sentence: _Sentence, speed: float) -> tuple[bytes, list[tuple[int, int]]]:
        """Return the audio, and the times of the words whose end is known.

        A time is (end in the text, last sample).
        """
        phonemes, last = [0], list[int]()
        for word in sentence.words:
            last.append(len(phonemes) + word.sounded - 1)
            phonemes += [*word.phonemes, self._space]
        phonemes[-1] = 0
        inputs = {"ids": np.array([phonemes], np.int64), "speed": np.array([speed], np.float32)}
        outputs = self._hibari.sess.run(None, inputs)
        audio: FloatArray = self._wave(*(part[0] for part in outputs[:6]), np.random.default_rng(0))
        loud = np.flatnonzero(np.abs(audio) > FAINT)
        if not len(loud):
            return b"", []
        begin = max(0, int(loud[0]) - int(BEFORE * SAMPLE_RATE))
        end = min(len(audio), int(loud[-1]) + int(BEHIND[sentence.words[-1].mark] * SAMPLE_RATE))
        times = [
            (there, max(begin, min(int(ended[at]) * UNIT, end)) - begin)
            for ended in outputs[6:]
            for there, at in zip(sentence.ends, last, strict=True)
            if there is not None
        ]
        return (audio[begin:end].clip(-1, 1) * 32767).astype("<i2").tobytes(), times

    def _read(self, text: str) -> Iterator[Reading]:
        """Yield the words of a text with their punctuation marks."""
        reader, ids = self._hibari.g2p, self._hibari.vocab
        word, phonemes, sounded = "", list[int](), 0
        tokens = reader.phonemize_tokens(reader.tokenize(text))
        for token in tokens:
            word += token.text
            for sign in token.phonemes or "":
                if sign in ids:
                    phonemes.append(ids[sign])
                    if sign.isalpha() and sign not in "ˈˌː":
                        sounded = len(phonemes)
            if token.whitespace or token is tokens[-1]:
                yield Reading(word, phonemes, sounded)
                word, phonemes, sounded = "", [], 0


VOICES = {
    name: Resident("tts", partial(_Voice, name)) for name in ("heart", "fenrir", "emma", "fable", "kore")
}


async def voices() -> list[VoiceInfo]:
    """Return hibari's voices."""
    known: dict[str, dict[str, str]] = library("hibari.voices").VOICES
    return [
        VoiceInfo(name, name.title(), about.get("accent", ""), about.get("gender", ""))
        for name, about in known.items()
        if name in VOICES
    ]


class Hibari(TextToSpeech):
    """An English voice.

    "heart" is installed; the other voices are downloaded at their first use.
    """

    sample_rate = SAMPLE_RATE
    slow_after = 5.0  # a busy machine makes sentences late, not wrong

    def __init__(self, voice: str = "heart", *, speed: float = 1.0) -> None:
        if voice not in VOICES:
            raise ConfigurationError(f"hibari has no voice {voice!r}: choose from {', '.join(VOICES)}")
        if not 0.5 <= speed <= 2:
            raise ConfigurationError(f"hibari speaks at a speed between 0.5 and 2, not {speed}")
        self._speed = speed
        self._resident = VOICES[voice]

    async def load(self) -> None:
        """Load the voice, so that the first sentence does not wait for it."""
        await self._resident.get()

    async def speak(self, text: AsyncIterator[str]) -> AsyncIterator[Speech | Word]:
        """Speak the pieces of one reply, 0.1 s at a time.

        A piece without phonemes has no audio.
        """
        run, voice = self._resident.run, await self._resident.get()
        piece, said = -1, ""
        async for written in text:
            piece += 1
            spoken = 0  # samples of this piece that have been spoken
            for part in bounded(written):
                for sentence in await run(voice.sentences, part.text, said):
                    pcm, times = await run(voice.say, sentence, self._speed)
                    words = deque(times)
                    for at in range(0, len(pcm) // 2, CHUNK):
                        yield Speech(pcm[2 * at : 2 * (at + CHUNK)], piece)
                        while words and words[0][1] <= at + CHUNK:
                            end, sample = words.popleft()
                            yield Word(piece, part.start + end, (spoken + sample) / SAMPLE_RATE)
                    spoken += len(pcm) // 2
                said = f"{said} {part.text}"[-CONTEXT:]


def readable(text: str, before: str = "") -> str:
    """Return the text with everything spelled out that hibari would read wrong."""
    text = digit_by_digit(without_markup(text), before).text
    for pattern, said in READ_AS:
        text = re.sub(pattern, said, text)
    return text


def portions(words: list[Reading]) -> Iterator[list[Reading]]:
    """Split a sentence into portions of at most LONGEST phonemes.

    It is split at punctuation marks if there are any.
    """
    while words:
        sizes = accumulate(len(word.phonemes) + 1 for word in words)
        fits = max(1, sum(1 for _ in takewhile(lambda size: size <= LONGEST, sizes)))
        if fits < len(words):
            fits = max((n for n in range(1, fits + 1) if words[n - 1].mark), default=fits)
        yield words[:fits]
        words = words[fits:]


def word_ends(text: str, words: Sequence[str]) -> list[int | None]:
    """Return where each spoken word ends in the text.

    For "9:30", "nine" has no end and "thirty" has one.
    """
    written = [(plain(match[0]), match.end()) for match in re.finditer(r"\S+", text)]
    ends: list[int | None] = [None] * len(words)
    if len(words) > ALIGNED:
        return ends
    alike = SequenceMatcher(
        None, [word for word, _ in written], [plain(word) for word in words], autojunk=False
    )
    for kind, i1, i2, j1, j2 in alike.get_opcodes():
        if kind == "equal":
            ends[j1:j2] = [end for _, end in written[i1:i2]]
        elif kind == "replace":
            ends[j2 - 1] = written[i2 - 1][1]
    return ends


def plain(word: str) -> str:
    return "".join(filter(str.isalnum, word)).lower()


def as_output(name: str) -> bytes:
    """Return the bytes that make a value inside an ONNX model an output of it.

    They are appended to the model's file: two concatenated protocol buffers are one message with the lists of
    both. These bytes are a model (field 7: graph) (field 12: output) (field 1: name).
    """
    message = name.encode()
    for field in (1, 12, 7):
        message = bytes([field << 3 | 2, len(message)]) + message
    return message
