"""What does a frame cost at each part of a pipeline that it passes?

Live: each 20 ms frame has gone through before the next one comes. CPU time a frame, the lowest of some tries,
with many parts less with one, over the parts between.
"""

import asyncio
import time

from antiphon import Processor, Session, on
from antiphon.frames import Text, UserAudio

from . import Values
from .session import NOISE, RATE_IN, SAMPLES

FEW, MANY = 1, 51


class Ignore(Processor):
    """Handles text: audio passes it by."""

    @on(Text)
    def text(self, frame: Text) -> None:
        self.push(frame)


class Touch(Processor):
    """Handles audio: counts it, and passes it on."""

    seen = 0

    @on(UserAudio)
    def audio(self, frame: UserAudio) -> None:
        self.seen += 1
        self.push(frame)


def measure(quick: bool) -> Values:
    """Microseconds: `ignored` by the part, `handled` by it."""
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
        raise RuntimeError("frames were lost on their way")
    return 1e6 * cost / frames
