"""How long from the final transcript to a LiveKit agent's first audio, with services that answer at once?

On the one-core clock, with no endpointing delay. "as shipped" lets the model run on an early transcript;
"preemptive TTS" makes the speech early too; "plain" starts with the final transcript.
"""

import asyncio
import time
from collections.abc import Mapping
from statistics import median
from typing import Any

from livekit.agents import Agent

from benchmarks import Values, onecore

from .livekit_session import AT_ONCE, SILENCE, VOICE, Call, InstantSTT, InstantTTS, InstantVAD, Moments

MODES: dict[str, Mapping[str, Any]] = {
    "as shipped": {"enabled": True, "preemptive_tts": False},
    "preemptive TTS": {"enabled": True, "preemptive_tts": True},
    "plain": {"enabled": False},
}
SPOKEN = 30  # frames of the user's speech


def measure(quick: bool) -> Values:
    """`ms`."""
    turns = 8 if quick else 25
    return {
        "ms": {
            mode: 1e3 * median(onecore.run(_delays(preemption, turns))[1:])
            for mode, preemption in MODES.items()
        }
    }


async def _delays(preemption: Mapping[str, Any], turns: int) -> list[float]:
    moments = Moments()
    call = Call(
        InstantVAD(moments),
        InstantSTT(moments, preflight=preemption["enabled"]),
        tts=InstantTTS(0.5),
        turn_handling=AT_ONCE | {"preemptive_generation": preemption},
    )
    await call.session.start(Agent(instructions="x"))
    call.speaker.pace = 50.0
    delays: list[float] = []
    for _ in range(turns):
        for _ in range(5):
            call.microphone.push(SILENCE)
        await asyncio.sleep(0.05)
        moments.clear()
        await take_turn(call)
        delays.append(moments["first_audio"] - moments["final_transcript"])
    await call.session.aclose()
    return delays


async def take_turn(call: Call) -> float:
    """Run a turn and its reply; returns CPU seconds from the end of speech on."""
    for _ in range(SPOKEN):
        call.microphone.push(VOICE)
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.02)
    call.speaker.done.clear()
    began = time.process_time()
    call.microphone.push(SILENCE)
    await asyncio.wait_for(call.speaker.done.wait(), 10)
    cost = time.process_time() - began
    await asyncio.sleep(0.02)
    return cost
