"""How long from a decision to interrupt a LiveKit agent until its speaker is stopped?

On the one-core clock, with the model and the voice both still at work. "as shipped" the detector's word
pauses the speaker, to be cleared if the interruption proves true; "clear" has that turned off; "by call" is
`session.interrupt()`.
"""

import asyncio
from statistics import median
from typing import Any

from livekit.agents import Agent

from benchmarks import Values, onecore

from .livekit_session import (
    AT_ONCE,
    SILENCE,
    VOICE,
    Call,
    InstantLLM,
    InstantSTT,
    InstantTTS,
    InstantVAD,
    Moments,
)

SPOKEN = 20  # frames of the user's speech


def measure(quick: bool) -> Values:
    """`cleared_ms`, milliseconds until the speaker was told to pause or to clear."""
    times = 6 if quick else 20
    modes: dict[str, tuple[bool, bool]] = {
        "as shipped": (True, False),
        "clear": (False, False),
        "by call": (True, True),
    }
    return {
        "cleared_ms": {
            mode: 1e3 * median(onecore.run(_delays(resume, by_call, times))[1:])
            for mode, (resume, by_call) in modes.items()
        }
    }


async def _delays(resume: bool, by_call: bool, times: int) -> list[float]:
    moments = Moments()
    interruption: dict[str, Any] = {"mode": "vad", "min_duration": 0.0, "resume_false_interruption": resume}
    call = Call(
        InstantVAD(moments),
        InstantSTT(moments),
        InstantLLM(endless=True),
        InstantTTS(1.0, endless=True),
        turn_handling=AT_ONCE | {"interruption": interruption, "preemptive_generation": {"enabled": False}},
    )
    await call.session.start(Agent(instructions="x"))
    delays = [await _interruption(call, by_call) for _ in range(times)]
    await call.session.aclose()
    return delays


async def _interruption(call: Call, by_call: bool) -> float:
    moments = call.moments
    await asyncio.sleep(0.05)
    call.microphone.push(SILENCE)
    call.speaker.playing.clear()
    for _ in range(SPOKEN):
        call.microphone.push(VOICE)
        await asyncio.sleep(0.001)
    call.microphone.push(SILENCE)
    await asyncio.wait_for(call.speaker.playing.wait(), 10)
    await asyncio.sleep(0.15)
    moments.clear()
    call.speaker.done.clear()
    if by_call:
        moments.note("speech_started")
        call.session.interrupt()
        await asyncio.wait_for(call.speaker.done.wait(), 5)
    else:
        await asyncio.wait_for(_speak_until_stopped(call), 5)
    delay = (
        min(moments[name] for name in ("paused", "cleared") if name in moments) - moments["speech_started"]
    )
    call.session.interrupt()
    await asyncio.sleep(0.05)
    return delay


async def _speak_until_stopped(call: Call) -> None:
    while not call.moments.keys() & {"paused", "cleared"}:
        call.microphone.push(VOICE)
        await asyncio.sleep(0)
    await asyncio.sleep(0.02)
    call.microphone.push(SILENCE)
    await call.speaker.done.wait()
