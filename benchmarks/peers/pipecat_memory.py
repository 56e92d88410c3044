"""How much memory does a Pipecat session take, and how much more for each second that it talks?

"as shipped" has the voice activity detector and the turn model that Pipecat's quickstart gives each session;
"bare" has neither. Growth is that of bare sessions in dialogue, on the one-core clock.
"""

import asyncio

from benchmarks import Values, onecore
from benchmarks.gauges import in_fresh_process, resident_kib

from .pipecat_density import converse
from .pipecat_session import Call, Options


def measure(quick: bool) -> Values:
    """`session_kib`, a started session that listens; `growth_kib_s`, KiB a second of talking."""
    return {
        "session_kib": {
            "as shipped": in_fresh_process(_size, Options(silero=True, smart_turn=True), 5),
            "bare": in_fresh_process(_size, Options(), 5 if quick else 20),
        },
        "growth_kib_s": in_fresh_process(_growth, 5, 30.0 if quick else 240.0),
    }


def _size(options: Options, sessions: int) -> float:
    return asyncio.run(_listening(options, sessions))


async def _listening(options: Options, sessions: int) -> float:
    calls = [await _start(options)]
    await asyncio.sleep(1.0)
    one = resident_kib()
    calls += [await _start(options) for _ in range(sessions - 1)]
    await asyncio.sleep(2.0)
    size = (resident_kib() - one) / (sessions - 1)
    for call in calls:
        await call.cancel()
    return size


def _growth(sessions: int, seconds: float) -> float:
    return onecore.run(_talking(sessions, seconds))


async def _talking(sessions: int, seconds: float) -> float:
    calls = [await _start(Options(patience=0.0)) for _ in range(sessions)]
    habits = [asyncio.create_task(converse(call)) for call in calls]
    await asyncio.sleep(seconds / 2)
    half, said = resident_kib(), sum(call.speaker.writes for call in calls)
    await asyncio.sleep(seconds)
    growth = (resident_kib() - half) / seconds / sessions
    if said == sum(call.speaker.writes for call in calls):
        raise RuntimeError("no session said anything while it was to talk")
    for habit in habits:
        habit.cancel()
    for call in calls:
        await call.cancel()
    return growth


async def _start(options: Options) -> Call:
    call = Call(options)
    await call.start()
    return call
