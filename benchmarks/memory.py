"""How much memory does a session take, and how much does it grow for each second of talk?

"as shipped" has the local voice activity detector and end-of-turn model, shared by all sessions; "bare" has
neither. Growth is measured on sessions in dialogue, over an hour of virtual time.
"""

import asyncio

from antiphon import Agent
from antiphon.testing import run_virtual

from . import Values
from .gauges import Moments, in_fresh_process, resident_kib
from .session import NOISE, InstantSTT, agent, fed, frames, start, turns

LISTEN = 12.0  # seconds, longer than any part buffers audio


def measure(quick: bool) -> Values:
    """Return `session_kib`, a session that listens, and `growth_kib_s`, KiB per second of talk."""
    sessions = 10 if quick else 40
    return {
        "session_kib": {
            "as shipped": in_fresh_process(_size, sessions, True),
            "bare": in_fresh_process(_size, sessions, False),
        },
        "growth_kib_s": in_fresh_process(_growth, 4, 300.0 if quick else 3600.0),
    }


def _size(sessions: int, models: bool) -> float:
    shipped = agent(vad="local", eot="local", stt=InstantSTT(Moments(), segmented=True))
    return run_virtual(_listening(sessions, shipped if models else agent()))


async def _listening(sessions: int, agent: Agent) -> float:
    async with fed([await start(agent)], [frames(NOISE)]):
        await asyncio.sleep(LISTEN)
        one = resident_kib()
        others = [await start(agent) for _ in range(sessions)]
        async with fed(others, [frames(NOISE) for _ in others]):
            await asyncio.sleep(LISTEN)
            return (resident_kib() - one) / sessions


def _growth(sessions: int, seconds: float) -> float:
    return run_virtual(_talking(sessions, seconds))


async def _talking(sessions: int, seconds: float) -> float:
    shared = agent()
    calls = [await start(shared) for _ in range(sessions)]
    async with fed(calls, [turns() for _ in calls]):
        await asyncio.sleep(seconds / 20)
        before, said = resident_kib(), sum(call.output.played for call in calls)
        await asyncio.sleep(seconds)
        growth = (resident_kib() - before) / seconds / sessions
        if said == sum(call.output.played for call in calls):
            raise RuntimeError("no session said anything, although the agents were meant to talk")
    return growth
