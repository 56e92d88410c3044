"""How long does it take to start a Pipecat session, and to close it, and how many tasks does it hold?

On the one-core clock. "as shipped" has the voice activity detector and the turn model that Pipecat's
quickstart gives each session, loaded while it is built; "no models" has neither; "lean" no observers either.
"""

import asyncio
import gc
import time
from statistics import median

from benchmarks import Values, onecore

from .pipecat_session import Call, Options

SETTLE = 0.1  # seconds between start and end


def measure(quick: bool) -> Values:
    """`start_ms`, from nothing to running; `close_ms`; `tasks`."""
    modes = {
        "as shipped": Options(silero=True, smart_turn=True),
        "no models": Options(),
        "lean": Options(lean=True),
    }
    lives = {mode: onecore.run(_lives(options, 6 if quick else 15)) for mode, options in modes.items()}
    return {
        key: {mode: life[place] for mode, life in lives.items()}
        for place, key in enumerate(("start_ms", "close_ms", "tasks"))
    }


async def _lives(options: Options, times: int) -> tuple[float, float, float]:
    starts: list[float] = []
    closes: list[float] = []
    tasks: list[int] = []
    for _ in range(times):
        gc.collect()
        others, began = len(asyncio.all_tasks()), time.perf_counter()
        call = Call(options)
        await call.start()
        starts.append(time.perf_counter() - began)
        tasks.append(len(asyncio.all_tasks()) - others)
        await asyncio.sleep(SETTLE)
        began = time.perf_counter()
        await call.end()
        closes.append(time.perf_counter() - began)
    return 1e3 * median(starts[2:]), 1e3 * median(closes[2:]), median(tasks)
