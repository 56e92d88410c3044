"""What does a Pipecat session cost while it listens, and while it talks?

CPU milliseconds a second of a session, ten sessions side by side, on the one-core clock (`pipecat_paced` is
the same in real time). "lean" is without the observers that a worker has by default.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from pipecat.frames.frames import TTSSpeakFrame

from benchmarks import Values, onecore
from benchmarks.gauges import cpu_ms_per_second

from .pipecat_session import FRAME, MODES, Call, InstantTTS, Options

Run = Callable[[Coroutine[Any, Any, float]], float]

SESSIONS = 10
WARM = 1.5  # seconds before the measuring
TURN = 2.0  # seconds that each side of a dialogue speaks
PAUSE = 0.5  # seconds after a reply, in which the speaker notices that it has gone silent
APART = (2 * TURN + PAUSE) / SESSIONS  # seconds from one dialogue's turn to the next dialogue's


def measure(quick: bool, run: Run = onecore.run) -> Values:
    """`listening`, `listening_silero`; talking: `monologue` (of the agent), `dialogue` (in turn)."""
    seconds = 2.0 if quick else 4.0
    values: Values = {}
    for key, behave in (
        ("listening", None),
        ("listening_silero", None),
        ("monologue", speak),
        ("dialogue", converse),
    ):
        values[key] = {
            mode: run(_cost(Options(lean=lean, silero="silero" in key, patience=0.0), behave, seconds))
            for mode, lean in MODES.items()
        }
    return values


async def speak(call: Call) -> None:
    """One long utterance after the other, its audio made as fast as it is played."""
    while True:
        await call.worker.queue_frame(TTSSpeakFrame("this is a long sentence."))
        await asyncio.sleep(call.tts.seconds)


async def converse(call: Call) -> None:
    """Let the user and the agent speak in turn."""
    while True:
        await call.speech_starts()
        await asyncio.sleep(TURN)
        await call.speech_stops()
        await asyncio.sleep(FRAME)
        await call.transcribed("hello there")
        await asyncio.sleep(TURN + PAUSE)


async def _cost(
    options: Options, behave: Callable[[Call], Coroutine[Any, Any, None]] | None, seconds: float
) -> float:
    calls: list[Call] = []
    habits: list[asyncio.Task[None]] = []
    for _ in range(SESSIONS):
        tts = InstantTTS(seconds=60.0, every=FRAME) if behave is speak else InstantTTS(seconds=TURN)
        call = Call(options, tts=tts)
        await call.start()
        calls.append(call)
        if behave:
            habits.append(asyncio.create_task(behave(call)))
        await asyncio.sleep(APART if behave is converse else FRAME / SESSIONS)
    await asyncio.sleep(WARM)
    said = sum(call.speaker.writes for call in calls)
    cost = await cpu_ms_per_second(seconds) / SESSIONS
    if behave and said == sum(call.speaker.writes for call in calls):
        raise RuntimeError("no session said anything while it was to talk")
    for habit in habits:
        habit.cancel()
    for call in calls:
        await call.cancel()
    return cost
