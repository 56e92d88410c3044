"""How long from a Pipecat user's first sound until the queued speech is dropped?

On the one-core clock. The bot speaks, with more than a second of audio queued at the speaker and the model
still writing; then the detector reports speech. Measured until the speaker has dealt with the interruption.
"""

import asyncio
import time
from statistics import median

from pipecat.frames.frames import Frame, InterruptionFrame, LLMRunFrame
from pipecat.processors.frame_processor import FrameDirection

from benchmarks import Values, onecore

from .pipecat_session import MODES, Call, InstantLLM, InstantTTS, Options

EVERY = 0.005  # seconds between tokens, and between frames of speech
TOKENS = tuple(f"word{n}. " if n % 8 == 7 else f"word{n} " for n in range(4000))


def measure(quick: bool) -> Values:
    """`cleared_ms`, milliseconds."""
    times = 5 if quick else 20
    return {
        "cleared_ms": {
            mode: 1e3 * median(onecore.run(_interruptions(Options(lean=lean), times)))
            for mode, lean in MODES.items()
        }
    }


async def _interruptions(options: Options, times: int) -> list[float]:
    return [await _interruption(options, 1.2 + 0.013 * k / times) for k in range(times)]


async def _interruption(options: Options, after: float) -> float:
    call = Call(options, InstantLLM(TOKENS, EVERY), InstantTTS(seconds=3.0, every=EVERY))
    await call.start()
    cleared = _when_cleared(call)
    call.context.add_message({"role": "user", "content": "hi"})
    await call.worker.queue_frame(LLMRunFrame())
    await asyncio.sleep(after)
    if call.speaker.writes < 6:
        raise RuntimeError("the bot did not speak")
    began = time.perf_counter()
    await call.speech_starts()
    delay = await asyncio.wait_for(cleared, 5) - began
    await call.cancel()
    return delay


def _when_cleared(call: Call) -> "asyncio.Future[float]":
    cleared: asyncio.Future[float] = asyncio.get_running_loop().create_future()
    passed_on = call.speaker.process_frame

    async def watch(frame: Frame, direction: FrameDirection) -> None:
        await passed_on(frame, direction)
        if isinstance(frame, InterruptionFrame) and not cleared.done():
            cleared.set_result(time.perf_counter())

    call.speaker.process_frame = watch
    return cleared
