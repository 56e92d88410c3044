"""What does Antiphon itself cost, without its services? A whole session with services that answer at once.

20 ms frames of 16 kHz go in, 24 kHz comes out. The caller's audio is a signal that these services understand:
faint noise is silence, a constant is speech. Each frame is its own `bytes` object, as from a socket.
"""

import asyncio
import logging
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

from antiphon import Agent
from antiphon.context import Context
from antiphon.frames import AgentAudio, Frame, Interrupted, PlayoutPaused, SessionStarted, Signal, UserAudio
from antiphon.processor import Processor, on
from antiphon.services.ports import (
    AudioChunk,
    EndOfTurn,
    Flush,
    LanguageModel,
    Recognized,
    Speech,
    SpeechToText,
    TextDelta,
    TextToSpeech,
    VoiceActivity,
)
from antiphon.stage import Stage, Work
from antiphon.turns.endpointing import EndpointingSettings
from antiphon.turns.settings import SpeculationSettings, TurnSettings

from .gauges import Moments

logging.getLogger("antiphon").setLevel(logging.ERROR)  # no warnings of slow parts on a busy machine

RATE_IN, RATE_OUT = 16_000, 24_000
FRAME = 0.02  # seconds
SAMPLES = int(RATE_IN * FRAME)
TURN = 100  # frames that each side of a dialogue speaks
REPLY = ("Sure, ", *("word " for _ in range(23)), "end. ")

_dice = random.Random(1)
NOISE = bytes(
    byte for _ in range(RATE_IN) for byte in (_dice.getrandbits(8), _dice.choice((0, 0, 0, 255)))
)  # models are slower or faster on exact silence
VOICE = b"\xe8\x03" * RATE_IN
LOUD = VOICE[-2:]
SPEECH = b"\1\0" * RATE_OUT


def frames(second: bytes) -> Iterator[bytes]:
    """Repeat a second of audio for ever, 20 ms at a time."""
    size = int(len(second) * FRAME)
    while True:
        for at in range(0, len(second), size):
            yield second[at : at + size]


def turns(ahead: int = 0) -> Iterator[bytes]:
    """Yield frames in which the user speaks and listens in turn.

    It starts `ahead` frames into the first turn.
    """
    voice, quiet = frames(VOICE), frames(NOISE)
    for tick in count(ahead):
        yield next(voice if tick % (2 * TURN) < TURN else quiet)


class InstantVAD(VoiceActivity):
    """Certain of every window by its last sample; notes "voice"."""

    sample_rate = RATE_IN
    window = 512

    def __init__(self, moments: Moments) -> None:
        self.moments = moments

    async def detect(self, audio: AsyncIterator[bytes]) -> AsyncIterator[float]:
        async for window in audio:
            loud = window.endswith(LOUD)
            if loud:
                self.moments.note("voice")
            yield float(loud)


class InstantEOT(EndOfTurn):
    """The turn is always over."""

    sample_rate = RATE_IN
    seconds = 8.0

    async def score(self, pcm: bytes) -> float:
        return 1.0


class InstantSTT(SpeechToText):
    """A final transcript when asked for one, or if not `segmented` with the first silence; notes "words"."""

    sample_rate = RATE_IN

    def __init__(self, moments: Moments, segmented: bool = False) -> None:
        self.moments = moments
        self.segmented = segmented

    async def transcribe(self, audio: AsyncIterator[AudioChunk | Flush]) -> AsyncIterator[Recognized]:
        speaking = False
        async for item in audio:
            if isinstance(item, Flush):
                over = item.final
            else:
                loud = item.pcm.endswith(LOUD)
                over = speaking and not loud and not self.segmented
                speaking = loud
            if over:
                self.moments.note("words")
                yield Recognized("Now tell me about bicycles.", True)


class InstantLLM(LanguageModel):
    """Writes its reply at once; if `endless`, a word every 20 ms after that."""

    def __init__(self, endless: bool = False) -> None:
        self.endless = endless

    async def generate(self, context: Context) -> AsyncIterator[TextDelta]:
        for token in REPLY:
            yield TextDelta(token)
        while self.endless:
            await asyncio.sleep(FRAME)
            yield TextDelta("more ")

    async def warm(self, context: Context) -> None:
        pass


class InstantTTS(TextToSpeech):
    """`seconds` of speech at the first words of a reply; if `endless`, 20 ms every 20 ms after that."""

    sample_rate = RATE_OUT

    def __init__(self, seconds: float = TURN * FRAME, endless: bool = False) -> None:
        self.frames = round(seconds / FRAME)
        self.endless = endless

    async def speak(self, text: AsyncIterator[str]) -> AsyncIterator[Speech]:
        speech, left, piece = frames(SPEECH), self.frames, -1
        async for _ in text:
            piece += 1
            while left > 1:
                yield Speech(next(speech), 0)
                left -= 1
            while self.endless:
                await asyncio.sleep(FRAME)
                yield Speech(next(speech), 0)
        yield Speech(next(speech), piece)  # the last of it speaks the last of the text


def agent(**options: Any) -> Agent:
    """Return an agent with instant services.

    It has no VAD and no end-of-turn model unless `options` name some.
    """
    services: dict[str, Any] = {
        "vad": None,
        "eot": None,
        "stt": InstantSTT(Moments()),
        "llm": InstantLLM(),
        "tts": InstantTTS(),
    }
    return Agent("You are a bot.", **services | options)


class Microphone(Stage):
    """Has a task that waits for audio given to `hear`, as a network transport waits for its socket."""

    back_pressure = False  # as that of every transport: capture cannot wait

    def __init__(self) -> None:
        self._heard: asyncio.Queue[bytes] = asyncio.Queue()
        self.hear = self._heard.put_nowait

    @on(SessionStarted)
    def started(self, signal: SessionStarted) -> None:
        self.run(Work(self), self._read())

    async def _read(self) -> AsyncGenerator[Frame | Signal, None]:
        clock, at = self.session.clock, 0
        begun = clock.now()
        while True:
            pcm = await self._heard.get()
            at = max(at, round((clock.now() - begun) * RATE_IN) - SAMPLES)  # leave a gap if audio was missing
            yield UserAudio(pcm, RATE_IN, at)
            at += SAMPLES


class Speaker(Processor):
    """Counts the frames to play; notes "audio" at the first frame of a reply, and "cleared"."""

    def __init__(self, moments: Moments) -> None:
        self.moments = moments
        self.played = 0
        self._reply = 0

    @on(AgentAudio)
    def audio(self, frame: AgentAudio) -> None:
        self.played += 1
        if frame.reply != self._reply:
            self._reply = frame.reply
            self.moments.note("audio")

    @on(Interrupted, PlayoutPaused)
    def clear(self, signal: Interrupted | PlayoutPaused) -> None:
        self.moments.note("cleared")


class Call:
    """A session together with its transport."""

    sample_rate = RATE_OUT
    lead = 0.0
    observers = ()

    def __init__(self, agent: Agent, moments: Moments | None = None) -> None:
        self.moments = Moments() if moments is None else moments
        self.input, self.output = Microphone(), Speaker(self.moments)
        self.session = agent.session(self)

    async def hear(self, sound: Iterator[bytes], until: str) -> float:
        """Send a frame every 20 ms until `until` is noted.

        Returns the CPU time just before the last frame.
        """
        began = 0.0
        async with asyncio.timeout(10):
            while until not in self.moments:
                began = time.process_time()
                self.input.hear(next(sound))
                await asyncio.sleep(FRAME)
        return began


def attentive(**options: Any) -> Call:
    """Return a session that detects speech and the end of a turn instantly, and notes both.

    A turn is over as soon as its words are there, so that no deliberate wait is measured.
    """
    moments = Moments()
    turns = TurnSettings(
        endpointing=EndpointingSettings(curve=((0.0, 0.0),), floor=0.0),
        speculation=SpeculationSettings(tries=0),
    )
    options = {"turns": turns} | options
    models = {"vad": InstantVAD(moments), "eot": InstantEOT(), "stt": InstantSTT(moments, segmented=True)}
    return Call(agent(**models, **options), moments)


async def start(agent: Agent) -> Call:
    """Start a session."""
    call = Call(agent)
    await call.session.start()
    return call


@asynccontextmanager
async def fed(calls: Sequence[Call], sounds: Iterable[Iterator[bytes]]) -> AsyncGenerator[None, None]:
    """Send every session a frame every 20 ms during the `with` block, then cancel all sessions."""
    feeding = asyncio.create_task(_feed(list(zip(calls, sounds, strict=True))))
    try:
        yield
    finally:
        feeding.cancel()
        await asyncio.gather(*(call.session.cancel() for call in calls))


async def _feed(callers: list[tuple[Call, Iterator[bytes]]]) -> None:
    loop = asyncio.get_running_loop()
    due = loop.time()
    while True:
        for call, sound in callers:
            call.input.hear(next(sound))
        due += FRAME
        await asyncio.sleep(max(0.0, due - loop.time()))
