"""How long from the final transcript to a Pipecat bot's first audio, with services that answer at once?

On the one-core clock. The speech timeout is 0 and the transcript comes after it has passed, so that nothing
is waited for. "by token" speaks from the model's first token instead of from its first sentence.
"""

import asyncio
import time
from statistics import median

from benchmarks import Values, onecore

from .pipecat_session import FRAME, Call, InstantTTS, Options


def measure(quick: bool) -> Values:
    """`ms`."""
    turns = 8 if quick else 25
    modes = {"as shipped": (False, False), "lean": (True, False), "lean, by token": (True, True)}
    return {
        "ms": {
            mode: 1e3 * median(onecore.run(_delays(lean, by_token, turns))[1:])
            for mode, (lean, by_token) in modes.items()
        }
    }


async def _delays(lean: bool, by_token: bool, turns: int) -> list[float]:
    call = Call(Options(lean=lean, patience=0.0), tts=InstantTTS(seconds=0.5, by_token=by_token))
    await call.start()
    delays = [(await take_turn(call, number))[0] for number in range(turns)]
    await call.cancel()
    return delays


async def take_turn(call: Call, number: int) -> tuple[float, float]:
    """Run a turn; returns seconds to the first audio, and CPU seconds in all."""
    await call.speech_starts()
    await asyncio.sleep(0.6)
    await call.speech_stops()
    await asyncio.sleep(FRAME)
    silent = call.when_silent()
    call.speaker.first_write = None
    began, cpu = time.perf_counter(), time.process_time()
    await call.transcribed(f"hello there number {number}")
    await asyncio.wait_for(silent.wait(), 10)
    cost = time.process_time() - cpu
    if call.speaker.first_write is None:
        raise RuntimeError("the bot did not speak")
    await asyncio.sleep(FRAME)
    return call.speaker.first_write - began, cost
