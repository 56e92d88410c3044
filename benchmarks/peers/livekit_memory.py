"""How much memory does a LiveKit Agents session take, and how much more for each second that it talks?

"as shipped" has LiveKit's own native voice activity detector, "bare" has none. Growth is that of bare
sessions in dialogue, on the one-core clock.
"""

import asyncio
from collections.abc import Callable

from livekit.agents import Agent, inference
from livekit.agents.vad import VAD

from benchmarks import Values, onecore
from benchmarks.gauges import in_fresh_process, resident_kib

from .livekit_density import feed, silence, turns
from .livekit_session import Call, InstantSTT, Moments


def measure(quick: bool) -> Values:
    """`session_kib`, a started session that listens; `growth_kib_s`, KiB a second of talking."""
    sessions = 10 if quick else 40
    return {
        "session_kib": {
            "as shipped": in_fresh_process(_size, sessions, True),
            "bare": in_fresh_process(_size, sessions, False),
        },
        "growth_kib_s": in_fresh_process(_growth, 10, 60.0 if quick else 300.0),
    }


def _size(sessions: int, detector: bool) -> float:
    return asyncio.run(
        _listening(sessions, (lambda: inference.VAD(model="silero")) if detector else lambda: None)
    )


async def _listening(sessions: int, vad: Callable[[], VAD | None]) -> float:
    first = await _start(vad())
    feeding = asyncio.create_task(feed([first], silence))
    await asyncio.sleep(1.0)
    feeding.cancel()
    one = resident_kib()
    others = [await _start(vad()) for _ in range(sessions - 1)]
    feeding = asyncio.create_task(feed(others, silence))
    await asyncio.sleep(2.0)
    feeding.cancel()
    size = (resident_kib() - one) / (sessions - 1)
    await asyncio.gather(*(call.session.aclose() for call in (first, *others)))
    return size


def _growth(sessions: int, seconds: float) -> float:
    return onecore.run(_talking(sessions, seconds))


async def _talking(sessions: int, seconds: float) -> float:
    calls = [await _start(None) for _ in range(sessions)]
    feeding = asyncio.create_task(feed(calls, turns))
    await asyncio.sleep(seconds / 2)
    half, said = resident_kib(), sum(call.speaker.seconds for call in calls)
    await asyncio.sleep(seconds)
    growth = (resident_kib() - half) / seconds / sessions
    if said == sum(call.speaker.seconds for call in calls):
        raise RuntimeError("no session said anything while it was to talk")
    feeding.cancel()
    await asyncio.gather(*(call.session.aclose() for call in calls))
    return growth


async def _start(vad: VAD | None) -> Call:
    call = Call(vad, InstantSTT(Moments()))
    await call.session.start(Agent(instructions="x"))
    return call
