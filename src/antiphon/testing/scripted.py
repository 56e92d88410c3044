"""Services that follow a script, in exactly the time that it says, and remember what they were asked.

A script may contain exceptions, which are raised at their turn.
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
    """Return audio that `LoudVAD` judges to be speech."""
    return b"\x00\x40" * round(seconds * sample_rate)


class LoudVAD(VoiceActivity):
    """Judges a window to be speech if most of its samples are not zero."""

    def __init__(self, sample_rate: int = 16000) -> None:
        self.sample_rate = sample_rate
        self.window = sample_rate * 32 // 1000

    async def detect(self, audio: AsyncIterator[bytes]) -> AsyncIterator[float]:
        """Yield 1.0 or 0.0 for each window."""
        async for window in audio:
            yield 1.0 if window.count(0) < len(window) * 3 // 4 else 0.0


class ScriptedEOT(EndOfTurn):
    """Returns these probabilities, one after the other, and the last one again and again."""

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
    """Hears these texts, one for each stretch of speech, `delay` seconds after each was asked for."""

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
        """Yield one Recognized for each Flush after audio; interim words are those of the final ones."""
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
    """Hears these words at these times, in seconds of its audio; the script says what is final.

    A final Flush is answered with "" if the last words were final, else by the script's next final words, if
    there are any.
    """

    segmented = False

    def __init__(
        self, hears: Sequence[tuple[float, Recognized | TurnHint | Exception]], sample_rate: int = 16000
    ) -> None:
        self.sample_rate = sample_rate
        self.hears = list(hears)
        self.seconds = 0.0

    async def transcribe(
        self, audio: AsyncIterator[AudioChunk | Flush]
    ) -> AsyncIterator[Recognized | TurnHint]:
        """Yield the words of the script when their time has come."""
        owes = False
        async for item in audio:
            if isinstance(item, AudioChunk):
                self.seconds += len(item.pcm) / 2 / self.sample_rate
            elif item.final and not owes:
                yield Recognized("", True)
            while self.hears and self.hears[0][0] <= self.seconds + 1e-6:
                _, heard = self.hears.pop(0)
                if isinstance(heard, Exception):
                    raise heard
                if isinstance(heard, Recognized):
                    owes = not heard.final
                yield heard


Answer = str | ToolCall | Exception


class ScriptedLLM(LanguageModel):
    """Answers with these, one list for each generation: text (word by word), tool calls, exceptions.

    After a cancelled generation, the same question, or one that continues it, gets the same answer again. The
    first token comes after `first` seconds, each further word after `each`.
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
        """The contexts that it was given, in order."""
        self.cancelled = 0
        self._answer: list[Answer] = []  # the newest
        self._cancelled = False  # True if the newest generation was

    async def generate(self, context: Context) -> AsyncIterator[TextDelta | ToolCall | TokenUsage]:
        """Yield the next answer of the script; nothing once that is used up."""
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
    """Speaks `rate` characters a second, in chunks of 100 ms, the first of a piece after `first` seconds.

    With `words` it yields word times as well.
    """

    def __init__(
        self, first: float = 0.05, rate: float = 15.0, *, words: bool = False, sample_rate: int = 24000
    ) -> None:
        self.sample_rate = sample_rate
        self.first = first
        self.rate = rate
        self.words = words
        self.spoken: list[str | Exception] = []
        """The pieces that it was given, in order."""
        self.failures: list[Exception] = []
        """Exceptions to raise at the next pieces, one at each."""
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
