"""How long does it take to start a session and to close it, and how many tasks does it need?

On the one-core clock, from creating the agent to a session that hears; other sessions in the process can be
delayed by no more than that. "as shipped" has the local voice activity detector and end-of-turn model, which
the first session loads for all; "no models" has neither.
"""

import asyncio
import gc
import time
from statistics import median
from typing import Any

from . import Values, onecore
from .session import NOISE, agent, frames, start

SETTLE = 0.1  # seconds between start and end
MODES: dict[str, dict[str, Any]] = {"as shipped": {"vad": "local", "eot": "local"}, "no models": {}}


def measure(quick: bool) -> Values:
    """Return `start_ms`, from nothing to a running session, `close_ms` and `tasks`."""
    lives = {mode: onecore.run(_lives(models, 6 if quick else 15)) for mode, models in MODES.items()}
    return {
        key: {mode: life[place] for mode, life in lives.items()}
        for place, key in enumerate(("start_ms", "close_ms", "tasks"))
    }


async def _lives(models: dict[str, Any], times: int) -> tuple[float, float, float]:
    starts: list[float] = []
    closes: list[float] = []
    tasks: list[int] = []
    for _ in range(times):
        gc.collect()
        others, began = len(asyncio.all_tasks()), time.perf_counter()
        call = await start(agent(**models))
        starts.append(time.perf_counter() - began)
        call.input.hear(next(frames(NOISE)))
        await asyncio.sleep(SETTLE)
        tasks.append(len(asyncio.all_tasks()) - others)
        began = time.perf_counter()
        await call.session.end()
        closes.append(time.perf_counter() - began)
    return 1e3 * median(starts[2:]), 1e3 * median(closes[2:]), median(tasks)
