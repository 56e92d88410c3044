"""Services that follow a script with exact timing, and record their input.

A script may contain exceptions, which are raised in its order.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence

from ..context import Context
from ..frames import ToolCall
from ..services.ports import (
    AudioChunk,
    EndOfTurn,
    Flush,
    LanguageModel,
    Recognized,
    Speech,
    SpeechToText,
    TextDelta,
    TextToSpeech,
    TokenUsage,
    TurnHint,
    VoiceActivity,
    Word,
)

__all__ = ["LoudVAD", "ScriptedEOT", "ScriptedLLM", "ScriptedSTT", "ScriptedTTS", "StreamingSTT", "loud"]


def loud(seconds: float, sample_rate: int = 16000) -> bytes:
    """Return audio that `LoudVAD` detects as speech."""
    return b"\x00\x40" * round(seconds * sample_rate)


class LoudVAD(VoiceActivity):
    """A detector by loudness: a window of mostly zeros is silence, others speech."""

    def __init__(self, sample_rate: int = 16000) -> None:
        self.sample_rate = sample_rate
        self.window = sample_rate * 32 // 1000

    async def detect(self, audio: AsyncIterator[bytes]) -> AsyncIterator[float]:
        """Yield 1.0 or 0.0 for each window."""
        async for window in audio:
            yield 1.0 if window.count(0) < len(window) * 3 // 4 else 0.0


class ScriptedEOT(EndOfTurn):
    """An end-of-turn service with these scores in order; the last one is repeated."""

    def __init__(self, scores: Sequence[float | Exception] = (1.0,), delay: float = 0.03) -> None:
        self.sample_rate = 16000
        self.seconds = 8.0
        self.scores = list(scores)
        self.delay = delay
        self.asked = 0

    async def score(self, pcm: bytes) -> float:
        """Return the next probability."""
        self.asked += 1
        await asyncio.sleep(self.delay)
        score = self.scores.pop(0) if len(self.scores) > 1 else self.scores[0]
        if isinstance(score, Exception):
            raise score
        return score


class ScriptedSTT(SpeechToText):
    """A segmented STT with these texts, one per utterance.

    Each comes `delay` seconds after it was requested by a Flush.
    """

    segmented = True

    def __init__(
        self, texts: Sequence[str | Exception], delay: float = 0.1, sample_rate: int = 16000
    ) -> None:
        self.sample_rate = sample_rate
        self.texts = list(texts)
        self.delay = delay
        self.heard_bytes: list[int] = []
        """The bytes of audio of each utterance."""

    async def transcribe(self, audio: AsyncIterator[AudioChunk | Flush]) -> AsyncIterator[Recognized]:
        """Yield one Recognized for each Flush after audio.

        An interim transcript has the same text as the final one.
        """
        size, answered = 0, -1
        async for item in audio:
            if isinstance(item, AudioChunk):
                size += len(item.pcm)
                continue
            if size != answered:
                await asyncio.sleep(self.delay)
                answered = size
            text = self.texts[0] if self.texts else ""
            if isinstance(text, Exception):
                self.texts.pop(0)
                raise text
            yield Recognized(text, item.final)
            if item.final:
                self.heard_bytes.append(size)
                self.texts = self.texts[1:]
                size, answered = 0, -1


class StreamingSTT(SpeechToText):
    """A streaming STT with these results, at these times in seconds of its audio.

    A final Flush is answered with "" if the last transcript was final. Otherwise, the next final transcript
    of the script answers it.
    """

    segmented = False
    chunk = 0.0  # each packet at once, so that results come exactly at their times

    def __init__(
        self, hears: Sequence[tuple[float, Recognized | TurnHint | Exception]], sample_rate: int = 16000
    ) -> None:
        self.sample_rate = sample_rate
        self.hears = list(hears)
        self.seconds = 0.0

    async def transcribe(
        self, audio: AsyncIterator[AudioChunk | Flush]
    ) -> AsyncIterator[Recognized | TurnHint]:
        """Yield each result of the script when its time has come."""
        unfinished = False  # True after an interim transcript
        async for item in audio:
            if isinstance(item, AudioChunk):
                self.seconds += len(item.pcm) / 2 / self.sample_rate
            elif item.final and not unfinished:
                yield Recognized("", True)
            while self.hears and self.hears[0][0] <= self.seconds + 1e-6:
                _, heard = self.hears.pop(0)
                if isinstance(heard, Exception):
                    raise heard
                if isinstance(heard, Recognized):
                    unfinished = not heard.final
                yield heard


Answer = str | ToolCall | Exception


class ScriptedLLM(LanguageModel):
    """A language model with these answers, one for each generation.

    An answer is a text or a list of texts (sent word by word), tool calls and exceptions. After a cancelled
    generation, the same question, or a longer version of it, gets the same answer again. The first token
    comes after `first` seconds, each further word after `each`.
    """

    def __init__(
        self, answers: Sequence[Sequence[Answer] | str], first: float = 0.15, each: float = 0.03
    ) -> None:
        self.answers: list[list[Answer]] = [
            [answer] if isinstance(answer, str) else list(answer) for answer in answers
        ]
        self.first = first
        self.each = each
        self.contexts: list[Context] = []
        """The contexts of all generations, in order."""
        self.cancelled = 0
        self._answer: list[Answer] = []  # of the newest generation
        self._cancelled = False  # True if the newest generation was cancelled

    async def generate(self, context: Context) -> AsyncIterator[TextDelta | ToolCall | TokenUsage]:
        """Yield the next answer of the script; nothing after the last one."""
        before = self.contexts[-1].entries if self.contexts else None
        self.contexts.append(context)
        same_place = before is not None and bool(before) and before[:-1] == context.entries[:-1]
        if not (same_place and (self._cancelled or before != context.entries)):
            self._answer = self.answers.pop(0) if self.answers else []
        answer, self._cancelled = self._answer, False
        try:
            await asyncio.sleep(self.first)
            for item in answer:
                if isinstance(item, Exception):
                    raise item
                if isinstance(item, ToolCall):
                    yield item
                    continue
                words = item.split(" ")
                for index, word in enumerate(words):
                    yield TextDelta(word if index == len(words) - 1 else word + " ")
                    await asyncio.sleep(self.each)
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled += 1
            self._cancelled = True
            raise


class ScriptedTTS(TextToSpeech):
    """A TTS that speaks `rate` characters a second, in chunks of 100 ms.

    The first chunk of each piece comes after `first` seconds. With `words`, word times are yielded as well.
    """

    def __init__(
        self, first: float = 0.05, rate: float = 15.0, *, words: bool = False, sample_rate: int = 24000
    ) -> None:
        self.sample_rate = sample_rate
        self.first = first
        self.rate = rate
        self.words = words
        self.spoken: list[str | Exception] = []
        """The pieces of text that were spoken, in order."""
        self.failures: list[Exception] = []
        """Exceptions to raise at the next pieces of text, one at each."""
        self.cancelled = 0

    async def speak(self, text: AsyncIterator[str]) -> AsyncGenerator[Speech | Word, None]:
        """Yield a constant tone for each piece of text."""
        number = -1
        try:
            async for piece in text:
                number += 1
                self.spoken.append(piece)
                await asyncio.sleep(self.first)
                if self.failures:
                    raise self.failures.pop(0)
                if self.words:
                    at = 0
                    for word in piece.split(" "):
                        at += len(word)
                        yield Word(number, at, at / self.rate)
                        at += 1
                samples = round(len(piece) / self.rate * self.sample_rate)
                chunk = self.sample_rate // 10
                for begun in range(0, samples, chunk):
                    yield Speech(b"\x00\x10" * min(chunk, samples - begun), number)
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled += 1
            raise
