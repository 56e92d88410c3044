"""Audio that comes faster than it was spoken: after a stall, or in long messages.

It is let in piece by piece, each once the detector of speech has kept up. So what hears the audio learns in
time where speech begins and ends in it, as it does on a machine that is never late.
"""

import asyncio
from collections.abc import AsyncIterator

from ..frames import UserAudio
from ..processor import Processor
from ..stage import MediaQueue

__all__ = ["TURNS", "catch_up", "pieces"]

LONGEST = 0.1  # seconds of audio that can be let in at once: that much may be on its way in any case
PIECE = 0.04
TURNS = 4
"""Turns of the event loop in which a detector in this process judges a piece."""


async def catch_up(part: Processor) -> None:
    """Wait until what the part has pushed is judged.

    That takes no time, unless the detector computes elsewhere.
    """
    for _ in range(TURNS):
        await asyncio.sleep(0)
    while (queue := _behind(part)) is not None:
        await queue.room()


def _behind(part: Processor) -> MediaQueue[object] | None:
    """Return the queue of a detector behind this part that has not kept up."""
    for work in part.session.works:
        if work.stage.keeps_up and work.inbox is not None and work.inbox.held > LONGEST:
            return work.inbox
    return None


async def pieces(frame: UserAudio, part: Processor, *, late: bool = False) -> AsyncIterator[UserAudio]:
    """Yield a frame, if it is long in pieces.

    `late` is True if it had to wait: others that waited with it follow at once.
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
