"""How long does it take to start a LiveKit Agents session, and to close it, and how many tasks does it hold?

On the one-core clock. "as shipped" has a voice activity detector. Closing waits for a last transcript unless
told not to: "no wait".
"""

import asyncio
import gc
import time
from statistics import median
from typing import Any

from livekit.agents import Agent

from benchmarks import Values, onecore

from .livekit_session import SILENCE, Call, InstantSTT, InstantVAD, Moments

SETTLE = 0.1  # seconds between start and end


def measure(quick: bool) -> Values:
    """`start_ms`, from nothing to running; `close_ms`; `tasks`."""
    times = 6 if quick else 15
    shipped = onecore.run(_lives(times, {}))
    hasty = onecore.run(_lives(times, {"session_close_transcript_timeout": 0.0}))
    detecting = onecore.run(_lives(times, {}, detector=True))
    return {
        "start_ms": {"as shipped": detecting[0], "no VAD": min(shipped[0], hasty[0])},
        "close_ms": {"as shipped": shipped[1], "no wait": hasty[1]},
        "tasks": {"as shipped": detecting[2], "no VAD": shipped[2]},
    }


async def _lives(times: int, options: dict[str, Any], detector: bool = False) -> tuple[float, float, float]:
    starts: list[float] = []
    closes: list[float] = []
    tasks: list[int] = []
    for _ in range(times):
        gc.collect()
        others, began = len(asyncio.all_tasks()), time.perf_counter()
        moments = Moments()
        call = Call(InstantVAD(moments) if detector else None, InstantSTT(moments), **options)
        await call.session.start(Agent(instructions="x"))
        starts.append(time.perf_counter() - began)
        call.microphone.push(SILENCE)
        await asyncio.sleep(SETTLE)
        tasks.append(len(asyncio.all_tasks()) - others)
        began = time.perf_counter()
        await call.session.aclose()
        closes.append(time.perf_counter() - began)
    return 1e3 * median(starts[2:]), 1e3 * median(closes[2:]), median(tasks)
