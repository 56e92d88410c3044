"""Audio that comes faster than it was spoken: after a stall, or in long messages.

It is let in piece by piece, each once the VAD has judged the one before. So turn taking learns of the speech
in it in the same order as on a machine that is never late.
"""

import asyncio
from collections.abc import AsyncGenerator

from ..frames import UserAudio
from ..processor import Processor
from ..stage import MediaQueue

__all__ = ["TURNS", "catch_up", "pieces"]

LONGEST = 0.1  # seconds of audio that may be let in at once; turn taking allows for as much on its way
PIECE = 0.04
TURNS = 4
"""Turns of the event loop in which a detector in this process judges a piece."""


async def catch_up(part: Processor) -> None:
    """Wait until the VAD has judged what the part has pushed.

    That is at once, unless the detector computes in another thread or process.
    """
    for _ in range(TURNS):
        await asyncio.sleep(0)
    while (queue := _behind(part)) is not None:
        await queue.room()


def _behind(part: Processor) -> MediaQueue[object] | None:
    """Return the inbox of a VAD that has not kept up; None if there is none."""
    for work in part.session.works:
        if work.stage.keeps_up and work.inbox is not None and work.inbox.held > LONGEST:
            return work.inbox
    return None


async def pieces(frame: UserAudio, part: Processor, *, late: bool = False) -> AsyncGenerator[UserAudio]:
    """Yield a frame, cut into pieces if it is long.

    `late` is True if the frame waited to be read, so that others which waited with it follow at once.
    """
    size = 2 * round(PIECE * frame.sample_rate)
    if len(frame.pcm) <= 2 * LONGEST * frame.sample_rate:
        yield frame
    else:
        late = True
        for begin in range(0, len(frame.pcm), size):
            if begin:
                await catch_up(part)
            yield UserAudio(frame.pcm[begin : begin + size], frame.sample_rate, frame.at + begin // 2)
    if late:
        await catch_up(part)
