"""A machine that is late makes answers late, but never changes the turns.

The same recorded caller is heard by a punctual machine and by one whose event loop stalls, whose models take
their time and whose detector falls behind. Each utterance has a loudness of its own, by which the models here
know it, so that what they say depends on the audio alone.
"""

import asyncio
from array import array
from collections.abc import AsyncGenerator, AsyncIterator, Sequence

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from antiphon.clock import LoopClock
from antiphon.frames import Failed, UserTurn
from antiphon.services.eot import EOT
from antiphon.services.ports import AudioChunk, EndOfTurn, Flush, Recognized, SpeechToText
from antiphon.services.stt import STT
from antiphon.services.vad import VAD
from antiphon.testing import VirtualLoop, run_virtual
from antiphon.testing.assertions import HeldCall, no_task_left
from antiphon.testing.scripted import LoudVAD
from antiphon.transports.caller import CallerInput, CallerLine
from antiphon.turns.turn_taking import TurnTaking

sleep = LoopClock().sleep
RATE = 16000

SCRIPT = (  # seconds of silence before it, seconds of speech, words, the score of the pause behind it
    (1.0, 1.2, "I would like to go", 0.02),
    (0.7, 0.9, "to Paris", 0.05),
    (1.2, 0.8, "on the second of May.", 0.99),
    (16.0, 0.6, "Yes please.", 0.98),
    (16.0, 1.5, "And then I need", 0.03),
    (0.5, 0.4, "two", 0.3),
    (0.4, 0.7, "rooms", 0.97),
)
TURNS = ["I would like to go to Paris on the second of May.", "Yes please.", "And then I need two rooms"]
OVER = 16.0  # seconds of silence at the end


def sound(number: int, seconds: float) -> bytes:
    return array("h", [1000 * (number + 1)] * round(seconds * RATE)).tobytes()


CALLER = b"".join(bytes(2 * round(wait * RATE)) + sound(n, s) for n, (wait, s, _, _) in enumerate(SCRIPT))


def utterances(pcm: bytes) -> list[int]:
    """The numbers of the utterances in this audio, in order."""
    counted = np.bincount(np.frombuffer(pcm, "<i2") // 1000)[1:]
    return [number for number, samples in enumerate(counted) if samples > 0.2 * RATE]


class Delays:
    """Delays in a circle."""

    def __init__(self, delays: Sequence[float]) -> None:
        self.delays, self.count = delays, 0

    async def wait(self) -> None:
        self.count += 1
        if seconds := self.delays[self.count % len(self.delays)] if self.delays else 0.0:
            await sleep(seconds)


class Detector(LoudVAD):
    def __init__(self, delays: Sequence[float]) -> None:
        super().__init__()
        self.late = Delays(delays)

    async def detect(self, audio: AsyncIterator[bytes]) -> AsyncGenerator[float]:
        async for window in audio:
            await self.late.wait()
            yield float(any(window))


class Words(SpeechToText):
    sample_rate, segmented = RATE, True

    def __init__(self, delays: Sequence[float]) -> None:
        self.late = Delays(delays)

    async def transcribe(self, audio: AsyncIterator[AudioChunk | Flush]) -> AsyncIterator[Recognized]:
        heard, judged = b"", -1
        async for item in audio:
            if isinstance(item, AudioChunk):
                heard += item.pcm
                continue
            if len(heard) != judged:
                await self.late.wait()
                judged = len(heard)
            yield Recognized(" ".join(SCRIPT[n][2] for n in utterances(heard)), item.final)
            heard = b"" if item.final else heard


class Scores(EndOfTurn):
    sample_rate, seconds = RATE, 8.0

    def __init__(self, delays: Sequence[float]) -> None:
        self.late = Delays(delays)

    async def score(self, pcm: bytes) -> float:
        await self.late.wait()
        return SCRIPT[utterances(pcm)[-1]][3]


async def listen(
    detector: Sequence[float] = (),
    words: Sequence[float] = (0.1,),
    scores: Sequence[float] = (0.05,),
    stalls: Sequence[tuple[float, float]] = (),
) -> HeldCall:
    """Hear the caller; the event loop stalls at these times, for so many seconds."""
    line = CallerLine(CALLER + bytes(round(2 * OVER * RATE)), 0.0, "now")
    caller = CallerInput([line], RATE, None, 0.5, 120.0)
    call = HeldCall([caller, VAD(Detector(detector)), STT(Words(words)), EOT(Scores(scores)), TurnTaking()])
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    async with call:
        for at, seconds in stalls:
            loop.call_later(at, loop.jump, seconds)
        await call.session.wait()
    no_task_left()
    return call


def turns(call: HeldCall) -> list[tuple[str, float, float]]:
    return [(turn.text, round(turn.started, 3), round(turn.ended, 3)) for turn in call.all(UserTurn)]


PUNCTUAL = run_virtual(listen())


def test_the_turns_are_the_callers() -> None:
    assert [text for text, _, _ in turns(PUNCTUAL)] == TURNS


RARELY = st.lists(st.floats(0.0, 0.15), max_size=3).map(lambda delays: [*delays, *[0.0] * 100])


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    detector=RARELY,
    words=st.lists(st.floats(0.0, 3.0), min_size=1, max_size=8),
    scores=st.lists(st.floats(0.0, 1.8), min_size=1, max_size=8),
    stalls=st.lists(st.tuples(st.floats(0.0, 45.0), st.floats(0.05, 4.0)), max_size=6),
)
def test_a_late_machine_hears_the_same_turns(
    detector: list[float], words: list[float], scores: list[float], stalls: list[tuple[float, float]]
) -> None:
    call = run_virtual(listen(detector, words, scores, stalls))
    assert turns(call) == turns(PUNCTUAL)
    assert not call.all(Failed)
    for late, at in zip(call.times(UserTurn), PUNCTUAL.times(UserTurn), strict=True):
        assert late > at - 0.2
