"""One use of a service, measured: an answer, speech, or a recording heard.

A recording is heard through the stage that a conversation has (`services/stt.py`), which decides when the
words are asked for. The speaker pauses after each stretch of speech until its words have come, as people do
at the end of a turn, so that it is certain which words belong to which stretch.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from ...clock import Clock, LoopClock
from ...context import Context, UserSaid
from ...errors import TheyErred, UnavailableError
from ...frames import (
    Failed,
    Frame,
    Signal,
    SpeechPaused,
    SpeechStarted,
    SpeechStopped,
    Transcript,
    UserAudio,
)
from ...observers import Observer
from ...services.life import close_services
from ...services.ports import LanguageModel, Speech, SpeechToText, TextDelta, TextToSpeech, TokenUsage
from ...services.streams import closing, ready
from ...services.stt import STT
from ...session import Session
from ...turns.vad import VADSettings
from ...vendors import create
from .recordings import Recording

__all__ = ["AnswerTrial", "HearingTrial", "VoiceTrial", "ask", "hear", "opened", "speak"]

PIECE = 0.02  # seconds of audio that are sent at once, in real time
LEAD = 0.5  # seconds of silence before the recording, in which the service connects, as in a call
WITHIN = 8.0  # seconds after the end of speech for its words; the stage gives up a little earlier


@asynccontextmanager
async def opened(port: str, name: str) -> AsyncGenerator[Any]:
    """Make a service by its name, and open it inside the `with` block."""
    service = create(port, name)
    try:
        await ready(service)
        yield service
    finally:
        await close_services([service])


# Language models -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AnswerTrial:
    """An answer: its text, seconds to its first word and in all, and its tokens."""

    text: str
    first: float
    seconds: float
    usage: TokenUsage | None

    @property
    def tokens_per_second(self) -> float | None:
        """How fast it was written after the first word; None if that is unknown."""
        writing = self.seconds - self.first
        return (
            (self.usage.written - 1) / writing if self.usage and self.usage.written > 1 and writing else None
        )


async def ask(service: LanguageModel, question: str, instructions: str) -> AnswerTrial:
    """Ask a language model one question, after it was warmed up as in a conversation."""
    clock = LoopClock()
    await service.warm(Context(instructions))
    begun, first, text, usage = clock.now(), 0.0, "", None
    async with closing(service.generate(Context(instructions, (UserSaid(question),)))) as answer:
        async for item in answer:
            match item:
                case TextDelta():
                    first = first or clock.now() - begun
                    text += item.text
                case TokenUsage():
                    usage = item
                case _:
                    pass
    if not text.strip():
        raise UnavailableError("no words came")
    return AnswerTrial(text.strip(), first, clock.now() - begun, usage)


# Text to speech --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class VoiceTrial:
    """Speech: its samples, seconds to its first audio and in all, times of words."""

    pcm: bytes
    sample_rate: int
    first: float
    seconds: float
    words: int

    @property
    def spoken(self) -> float:
        """The seconds of audio."""
        return len(self.pcm) / 2 / self.sample_rate

    @property
    def real_time_factor(self) -> float:
        """Seconds of waiting for each second of audio."""
        return self.seconds / self.spoken


async def speak(service: TextToSpeech, sentences: tuple[str, ...]) -> VoiceTrial:
    """Have sentences spoken as the pieces of one reply."""

    async def text() -> AsyncGenerator[str]:
        for sentence in sentences:
            yield sentence

    clock = LoopClock()
    begun, first, words, pcm = clock.now(), 0.0, 0, bytearray()
    async with closing(service.speak(text())) as speech:
        async for item in speech:
            if isinstance(item, Speech):
                first = first or clock.now() - begun
                pcm += item.pcm
            else:
                words += 1
    if not pcm:
        raise UnavailableError("no audio came")
    return VoiceTrial(bytes(pcm), service.sample_rate, first, clock.now() - begun, words)


# Speech to text --------------------------------------------------------------------------------------


@dataclass(slots=True)
class HearingTrial:
    """What was heard of a recording, and how long each stretch of speech took.

    `final` are the seconds from the end of a stretch to its last final words; `first` those from its
    beginning to its first words of any kind. A stretch without words has neither.
    """

    text: str = ""
    final: list[float] = field(default_factory=list[float])
    first: list[float] = field(default_factory=list[float])


async def hear(service: SpeechToText, recording: Recording) -> HearingTrial:
    """Play a recording to a speech to text, in real time.

    Raises TheyErred if it fails.
    """
    speaker = _Speaker(service, recording)
    async with speaker.session:
        return await speaker.speak()


class _Ears(Observer):
    """Notes the words of a stretch of speech, and whether its end was answered."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.first: float | None = None
        self.final: float | None = None
        self.failure: str | None = None
        self.stopped = False
        self.answered = asyncio.Event()

    def begin(self) -> None:
        """Forget the stretch before."""
        self.words, self.first, self.final, self.stopped = [], None, None, False
        self.answered.clear()

    def saw(self, now: float, source: str, what: Frame | Signal | tuple[str, Any], is_input: bool) -> None:
        """Note transcripts and failures."""
        match what:
            case Transcript(text, final):
                if text.strip():
                    self.first = self.first or now
                    if final:
                        self.words.append(text.strip())
                        self.final = now
                if final and self.stopped:
                    self.answered.set()
            case SpeechStopped():
                self.stopped = True
            case Failed():
                self.failure = what.message
                self.answered.set()
            case _:
                pass


class _Speaker:
    """Sends a recording into a session, as a perfect detector of speech would."""

    def __init__(self, service: SpeechToText, recording: Recording) -> None:
        self.clock: Clock = LoopClock()
        self.ears = _Ears()
        self.session = Session([STT(service)], clock=self.clock, observers=[self.ears])
        self._recording = recording
        self._rate = recording.sample_rate
        self._sent = 0  # samples
        self._begun = 0.0

    async def speak(self) -> HearingTrial:
        """Send all of it."""
        trial, pcm, rules, at = HearingTrial(), self._recording.pcm, VADSettings(), 0
        words: list[str] = []
        self._begun = self.session.now
        await self._send(bytes(round(LEAD * self._rate) * 2))
        for start, end in self._recording.speech:
            await self._send(pcm[at * 2 : start * 2])
            self.ears.begin()
            began = self._now
            heard_after = min(end - start, round(rules.start_after * self._rate))
            await self._send(pcm[start * 2 : (start + heard_after) * 2])
            self.session.send(SpeechStarted(began))
            await self._send(pcm[(start + heard_after) * 2 : end * 2])
            ended = self._now
            at = await self._pause(end, ended, rules)
            if self.ears.first is not None:
                trial.first.append(self.ears.first - began)
            if self.ears.final is not None:
                trial.final.append(max(0.0, self.ears.final - ended))
            words += self.ears.words
        trial.text = " ".join(words)
        return trial

    async def _pause(self, at: int, ended: float, rules: VADSettings) -> int:
        """Be quiet until the words have come; returns where the recording goes on."""
        pcm, told = self._recording.pcm, 0
        due = ((rules.pause_after, SpeechPaused), (rules.stop_after, SpeechStopped))
        size = round(PIECE * self._rate)
        until = min((start for start, _ in self._recording.speech if start >= at), default=len(pcm) // 2)
        while not self.ears.answered.is_set():
            if self._now > ended + WITHIN:
                raise UnavailableError(f"no final words within {WITHIN:g} s of the end of speech")
            piece = pcm[at * 2 : min(at + size, until) * 2]
            at += len(piece) // 2
            await self._send(piece or bytes(size * 2))
            while told < len(due) and self._now >= ended + due[told][0]:
                self.session.send(due[told][1](ended))
                told += 1
        return at

    @property
    def _now(self) -> float:
        """Where the audio ends that was sent, in the session's time."""
        return self._begun + self._sent / self._rate

    async def _send(self, pcm: bytes) -> None:
        """Send audio, each piece when its last sample has been spoken."""
        size = round(PIECE * self._rate) * 2
        for at in range(0, len(pcm), size):
            piece = pcm[at : at + size]
            position = round(self._begun * self._rate) + self._sent
            self._sent += len(piece) // 2
            await self.clock.sleep(max(0.0, self._now - self.session.now))
            if self.ears.failure is not None:
                raise TheyErred(self.ears.failure)
            self.session.send(UserAudio(piece, self._rate, position))
