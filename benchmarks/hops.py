"""What does a frame cost at each part of the pipeline that it passes?

Frames of 20 ms pass one after the other, as in a live call. Measured is the CPU time per frame, lowest of
some tries: that with many parts minus that with one, divided by the number of parts between.
"""

import asyncio
import time

from antiphon import Processor, Session, on
from antiphon.frames import Text, UserAudio

from . import Values
from .session import NOISE, RATE_IN, SAMPLES

FEW, MANY = 1, 51


class Ignore(Processor):
    """Handles text, so that audio passes by."""

    @on(Text)
    def text(self, frame: Text) -> None:
        self.push(frame)


class Touch(Processor):
    """Counts audio frames and passes them on."""

    seen = 0

    @on(UserAudio)
    def audio(self, frame: UserAudio) -> None:
        self.seen += 1
        self.push(frame)


def measure(quick: bool) -> Values:
    """Return microseconds: `ignored` by the part, and `handled` by it."""
    frames = 1000 if quick else 10_000
    return {
        key: max(0.0, (_lowest(part, MANY, frames) - _lowest(part, FEW, frames)) / (MANY - FEW))
        for key, part in (("ignored", Ignore), ("handled", Touch))
    }


def _lowest(part: type[Processor], parts: int, frames: int) -> float:
    return min(asyncio.run(_us_per_frame(part, parts, frames)) for _ in range(8))


async def _us_per_frame(part: type[Processor], parts: int, frames: int) -> float:
    sink = Touch()
    audio = [UserAudio(NOISE[: 2 * SAMPLES], RATE_IN, SAMPLES * tick) for tick in range(frames)]
    async with Session([*(part() for _ in range(parts)), sink]) as session:
        began = time.process_time()
        for frame in audio:
            session.send(frame)
        cost = time.process_time() - began
    if sink.seen != frames:
        raise RuntimeError("frames were lost")
    return 1e6 * cost / frames
