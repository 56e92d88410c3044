"""What does a frame cost at each part of a Pipecat pipeline that it passes?

Live: each 20 ms frame has gone through before the next one comes. CPU time a frame, with ten parts less with
one, over nine. "lean" is without observers; "direct" also without queues between parts: the fastest there is.
"""

import asyncio
import time

from pipecat.frames.frames import EndFrame, Frame, InputAudioRawFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.filters.identity_filter import IdentityFilter
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.workers.runner import WorkerRunner

from benchmarks import Values

from .pipecat_session import LEAN, RATE_IN

PCM = bytes(640)
FEW, MANY = 1, 10


class Touch(FrameProcessor):
    """Handles audio: counts it, and passes it on."""

    def __init__(self, **options: bool) -> None:
        super().__init__(**options)
        self.seen = 0

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, InputAudioRawFrame):
            self.seen += 1
        await self.push_frame(frame, direction)


class Sink(FrameProcessor):
    """The last part: notes that audio came. It has no queue of its own."""

    def __init__(self) -> None:
        super().__init__(enable_direct_mode=True)
        self.arrived = asyncio.Event()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, InputAudioRawFrame):
            self.arrived.set()
        else:
            await self.push_frame(frame, direction)


def measure(quick: bool) -> Values:
    """Microseconds: `ignored` by the part, `handled` by it."""
    frames = 1000 if quick else 4000
    return {
        key: {
            mode: (_lowest(part, MANY, mode, frames) - _lowest(part, FEW, mode, frames)) / (MANY - FEW)
            for mode in ("as shipped", "lean", "direct")
        }
        for key, part in (("ignored", IdentityFilter), ("handled", Touch))
    }


def _lowest(part: type[FrameProcessor], parts: int, mode: str, frames: int) -> float:
    return min(asyncio.run(_us_per_frame(part, parts, mode, frames)) for _ in range(3))


async def _us_per_frame(part: type[FrameProcessor], parts: int, mode: str, frames: int) -> float:
    direct = mode == "direct"
    chain = [part(enable_direct_mode=True) if direct else part() for _ in range(parts)]
    sink = Sink()
    worker = PipelineWorker(
        Pipeline([*chain, sink]), params=PipelineParams(), **({} if mode == "as shipped" else LEAN)
    )
    started = asyncio.Event()

    @worker.event_handler("on_pipeline_started")
    async def _(*_: object) -> None:
        started.set()

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    running = asyncio.create_task(runner.run())
    await started.wait()
    await asyncio.sleep(0.2)
    audio = [InputAudioRawFrame(audio=PCM, sample_rate=RATE_IN, num_channels=1) for _ in range(frames)]
    began = time.process_time()
    for frame in audio:
        sink.arrived.clear()
        await chain[0].queue_frame(frame)
        if not sink.arrived.is_set():
            await sink.arrived.wait()
    cost = time.process_time() - began
    await worker.queue_frame(EndFrame())
    await running
    return 1e6 * cost / frames
