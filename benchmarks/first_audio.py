"""How long from the final transcript to the agent's first audio, with services that answer at once?

On the one-core clock, with an agent as shipped except for its models: voice activity, end of turn,
transcript, reply and voice are each there as soon as they are requested.
"""

import asyncio
import time
from itertools import islice
from statistics import median

from . import Values, onecore
from .session import FRAME, NOISE, VOICE, Call, InstantTTS, attentive, frames

SPOKEN = 30  # frames of the user's speech
REPLY = 0.5  # seconds of the agent's


def measure(quick: bool) -> Values:
    """Return `ms`."""
    return {"ms": 1e3 * median(onecore.run(_delays(8 if quick else 25))[1:])}


async def _delays(turns: int) -> list[float]:
    call = attentive(tts=InstantTTS(REPLY))
    delays: list[float] = []
    async with call.session:
        for _ in range(turns):
            await take_turn(call)
            delays.append(call.moments["audio"] - call.moments["words"])
    return delays


async def take_turn(call: Call) -> float:
    """Run a turn and its reply; returns the CPU seconds from the end of the turn until all is said."""
    for pcm in islice(frames(VOICE), SPOKEN):
        call.input.hear(pcm)
        await asyncio.sleep(FRAME)
    call.moments.clear()
    began = await call.hear(frames(NOISE), until="words")
    if (reply := call.session.reply) is None:
        raise RuntimeError("the agent did not answer")
    async with asyncio.timeout(10):
        await reply
    cost = time.process_time() - began
    await asyncio.sleep(FRAME)
    return cost
