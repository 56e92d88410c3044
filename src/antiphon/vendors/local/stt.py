"""Speech to words: Whisper on CTranslate2, one utterance at a time.

Whisper was trained on windows of 30 s. A shorter window costs proportionally less, and loses no accuracy if
it has at least 8 s and silence follows the speech; but then the decoder may write the words a second time,
which `without_loop` cuts off. https://opennmt.net/CTranslate2/python/ctranslate2.models.Whisper.html
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import numpy as np

from ...errors import ConfigurationError
from ...services.ports import AudioChunk, Flush, Recognized, SpeechToText
from .mel import SAMPLE_RATE, features, samples
from .resident import PROCESSORS, Resident, library

SHORTEST = 8.0  # seconds of the shortest window
SILENCE = 2.0  # seconds of the window behind the speech
LONGEST = 30.0
SPEECH = int((LONGEST - SILENCE) * SAMPLE_RATE)  # the most samples of speech in a window
NOTHING = SAMPLE_RATE // 10  # samples; no word is that short
TOKENS, A_SECOND, IN_ENGLISH = 8, 25, 8  # limit of tokens: a constant, and more per second of speech
FLUENT = 6  # tokens that people say in a second; if there are more, the decoder may be repeating itself
LOOP = 4  # tokens that must be repeated, or be in a repeated phrase, to count as a loop
NO_SPEECH, UNSURE = 0.6, -1.0  # thresholds: probability of no speech, mean log probability of the words


@dataclass(frozen=True, slots=True)
class WhisperWords:
    """The words of a stretch of audio."""

    text: str
    language: str | None


@dataclass(eq=False, slots=True)
class _Utterance:
    """An utterance in progress.

    `pcm` is the audio that is not settled, and `settled` the words of what came before. `words` is the task
    for the newest Flush, and `fresh` is true if audio has come since.
    """

    pcm: bytearray = field(default_factory=bytearray)
    fresh: bool = False
    settled: list[WhisperWords] = field(default_factory=list[WhisperWords])
    words: asyncio.Task[WhisperWords] | None = None


_Ask = tuple[_Utterance, asyncio.Task[WhisperWords], bool]


class _Tokenizer(Protocol):
    def token_to_id(self, token: str) -> int | None: ...
    def id_to_token(self, token: int) -> str | None: ...
    def decode(self, ids: Sequence[int]) -> str: ...


class _Model:
    """A Whisper model with its tokenizer; may be called from any number of threads."""

    def __init__(self, name: str) -> None:
        from ...models import path

        ctranslate2, tokenizers = library("ctranslate2"), library("tokenizers")
        folder = path(name)
        self._storage = ctranslate2.StorageView.from_array
        self._whisper: Any = ctranslate2.models.Whisper(
            str(folder), device="cpu", compute_type="int8", inter_threads=PROCESSORS, intra_threads=1
        )
        self._tokenizer: _Tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.words(bytes(2 * SAMPLE_RATE), "en")  # the first run is slow

    def knows(self, language: str) -> bool:
        return self._tokenizer.token_to_id(f"<|{language}|>") is not None

    def words(self, pcm: bytes, language: str | None) -> WhisperWords:
        """Transcribe at most SPEECH samples."""
        audio = samples(pcm)
        seconds = len(audio) / SAMPLE_RATE
        frames = int(min(max(SHORTEST, seconds + SILENCE), LONGEST) * 50) * 2
        encoded = self._whisper.encode(self._storage(features(audio, frames)[None]))
        if language is None:
            language = str(self._whisper.detect_language(encoded)[0][0][0]).strip("<|>")
        most = min(TOKENS + int(seconds * (IN_ENGLISH if language == "en" else A_SECOND)), 224)
        result = self._whisper.generate(
            encoded,
            [self._prompt(language)],
            beam_size=1,
            max_length=2 * most,  # CTranslate2 keeps half of it for a prompt
            return_scores=True,
            return_no_speech_prob=True,
        )[0]
        ids: list[int] = result.sequences_ids[0]
        kept = len(ids)
        if kept > FLUENT * seconds:
            kept = without_loop([self._plain(token) for token in ids], ended=kept < most)
        doubt, score = result.no_speech_prob, result.scores[0]
        text = self._tokenizer.decode(ids[:kept]).strip()
        if noise(doubt, score, looped=kept < len(ids)) or not any(map(str.isalnum, text)):
            return WhisperWords("", language)
        return WhisperWords(text, language)

    def _prompt(self, language: str) -> list[int | None]:
        task = [f"<|{language}|>", "<|transcribe|>"] if self._whisper.is_multilingual else []
        tokens = ["<|startoftranscript|>", *task, "<|notimestamps|>"]
        return [self._tokenizer.token_to_id(token) for token in tokens]

    def _plain(self, token: int) -> str:
        return (self._tokenizer.id_to_token(token) or "").strip("Ġ").lower()


MODELS = {name: Resident(name, partial(_Model, name)) for name in ("whisper-base", "whisper-tiny.en")}


class Whisper(SpeechToText):
    """Transcription of speech between pauses.

    With `language=None` the model detects the language.
    """

    sample_rate = SAMPLE_RATE
    resident = True
    segmented = True
    interim_every = 0.3  # costs a quarter of a core, but only while the user speaks and the rest is idle

    def __init__(self, model: str = "whisper-base", *, language: str | None = "en") -> None:
        if model not in MODELS:
            raise ConfigurationError(f"there is no local Whisper {model!r}: choose from {', '.join(MODELS)}")
        if model.endswith(".en") and language != "en":
            raise ConfigurationError(
                f"{model} knows only English: use whisper-base for {language or 'any language'}"
            )
        self._language = language
        self._resident = MODELS[model]

    async def load(self) -> None:
        """Load the model, so that the first words do not wait for it."""
        model = await self._resident.get()
        if self._language is not None and not model.knows(self._language):
            raise ConfigurationError(
                f"Whisper knows no language {self._language!r}: give a code such as en, de or zh"
            )

    async def transcribe(self, audio: AsyncIterator[AudioChunk | Flush]) -> AsyncIterator[Recognized]:
        """Transcribe one conversation.

        Of several Flushes that are not final, only the newest is answered.
        """
        await self.load()
        asked: asyncio.Queue[_Ask | None] = asyncio.Queue()
        tasks: set[asyncio.Task[Any]] = set()
        reader = asyncio.create_task(self._read(audio, asked, tasks))
        reader.add_done_callback(lambda _: asked.put_nowait(None))
        tasks.add(reader)
        try:
            while (ask := await asked.get()) is not None:
                utterance, task, final = ask
                await asyncio.wait((task,))
                if task is utterance.words:
                    words = task.result()
                    yield Recognized(words.text, final, words.language)
            await reader
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(
        self,
        audio: AsyncIterator[AudioChunk | Flush],
        asked: asyncio.Queue[_Ask | None],
        tasks: set[asyncio.Task[Any]],
    ) -> None:
        """Read the audio as it comes, and start a transcription at each Flush."""
        utterance = _Utterance()
        async for item in audio:
            if isinstance(item, AudioChunk):
                utterance.pcm += item.pcm
                utterance.fresh = True
                continue
            if utterance.words is None or utterance.fresh:
                if utterance.words is not None:
                    utterance.words.cancel()
                utterance.words = asyncio.create_task(self._words(utterance, bytes(utterance.pcm)))
                utterance.fresh = False
                tasks.add(utterance.words)
                utterance.words.add_done_callback(tasks.discard)
            asked.put_nowait((utterance, utterance.words, item.final))
            if item.final:
                utterance = _Utterance()

    async def _words(self, utterance: _Utterance, pcm: bytes) -> WhisperWords:
        """Transcribe an utterance.

        If it is too long for a window, the words of its beginning become final.
        """
        run, model = self._resident.run, await self._resident.get()
        language = self._language
        while len(pcm) > 2 * SPEECH:
            cut = await run(quiet_place, pcm)
            utterance.settled.append(await run(model.words, pcm[:cut], language))
            del utterance.pcm[:cut]
            pcm = pcm[cut:]
        parts = list(utterance.settled)
        if len(pcm) > 2 * NOTHING:
            parts.append(await run(model.words, pcm, language))
        text = " ".join(words.text for words in parts if words.text)
        return WhisperWords(text, parts[0].language if parts else language)


def quiet_place(pcm: bytes) -> int:
    """Return where to cut a full window, in bytes.

    That is the middle of the quietest 0.2 s in its last third.
    """
    first, step = SPEECH * 2 // 3, SAMPLE_RATE // 20
    audio = samples(pcm[2 * first : 2 * SPEECH])
    energy = np.square(audio[: len(audio) // step * step]).reshape(-1, step).sum(axis=1)
    return 2 * (first + step * (int(np.convolve(energy, np.ones(4), "valid").argmin()) + 2))


def noise(no_speech: float, score: float, *, looped: bool) -> bool:
    """Return True if the model made up the words from noise.

    It then doubts both the speech and its words. The less it doubts that there was speech, the lower the
    words' `score` must be: single words of real speech score down to -2, but then the model is sure that
    there is speech.
    """
    if looped and no_speech > NO_SPEECH:  # the score of a decoder that repeats itself rises
        return True
    return score < UNSURE - 3 * max(0.0, NO_SPEECH - no_speech)


def without_loop(tokens: Sequence[str], *, ended: bool) -> int:
    """Return how many tokens come before the decoder began to repeat itself.

    If the decoder ran into its limit, it is cut where the stretch that it repeats comes for the second time.
    If it `ended` by itself, it is cut only if all of it is one phrase again and again, and not a short one:
    people do say "no, no, no".
    """
    kept = len(tokens)
    for period in range(1, len(tokens)):
        end = len(tokens)
        while end > period and tokens[end - 1] == tokens[end - 1 - period]:
            end -= 1
        again = len(tokens) - end
        if (again >= LOOP and not ended) or (LOOP <= period <= again and end == period):
            kept = min(kept, end)
    return kept
