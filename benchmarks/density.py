"""What does a session cost while it listens, and while it talks?

CPU milliseconds per second of a session, with twenty sessions of one agent side by side, on the one-core
clock (`paced` measures the same in real time).
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from antiphon import Agent

from . import Values, onecore
from .gauges import cpu_ms_per_second
from .session import FRAME, NOISE, InstantTTS, agent, fed, frames, start, turns

SESSIONS = 20
WARM = 1.5  # seconds before the measurement begins
APART = 9  # frames from one dialogue's turn to the next dialogue's

Run = Callable[[Coroutine[Any, Any, float]], float]
Sound = Callable[[int], Iterator[bytes]]  # the sound that the session with this number hears


def measure(quick: bool, run: Run = onecore.run) -> Values:
    """Return `listening`, `listening_silero`, `monologue` (of the agent) and `dialogue` (in turns)."""
    seconds = 2.0 if quick else 4.0
    talker = agent(tts=InstantTTS(FRAME, endless=True), greeting="this is a long sentence.")
    return {
        "listening": run(_cost(seconds, agent())),
        "listening_silero": run(_cost(seconds, agent(vad="local"))),
        "monologue": run(_cost(seconds, talker, talks=True)),
        "dialogue": run(_cost(seconds, agent(), lambda number: turns(number * APART), talks=True)),
    }


async def _cost(
    seconds: float, agent: Agent, sound: Sound = lambda _: frames(NOISE), *, talks: bool = False
) -> float:
    calls = [await start(agent) for _ in range(SESSIONS)]
    async with fed(calls, map(sound, range(SESSIONS))):
        await asyncio.sleep(WARM)
        said = sum(call.output.played for call in calls)
        cost = await cpu_ms_per_second(seconds) / SESSIONS
        if talks and said == sum(call.output.played for call in calls):
            raise RuntimeError("no session said anything, although the agents were meant to talk")
    return cost
