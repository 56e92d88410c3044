"""How long does it take from a decision to interrupt until playout has stopped and the transport knows?

On the one-core clock, while the language model and the voice are both still working. "by voice": the agent's
voice is held at the first sound that the detector hears, before it is decided what the sound was; "by call":
the program calls `session.interrupt()`.
"""

import asyncio
from statistics import median

from antiphon import Listening
from antiphon.frames import UserText
from antiphon.turns.vad import VADSettings

from . import Values, onecore
from .session import NOISE, VOICE, Call, InstantLLM, InstantTTS, attentive, frames

SPEAK = 0.15  # seconds that the agent speaks before it is interrupted


def measure(quick: bool) -> Values:
    """Return `cleared_ms`, in milliseconds."""
    times = 6 if quick else 20
    return {
        "cleared_ms": {
            mode: 1e3 * median(onecore.run(_delays(mode == "by call", times))[1:])
            for mode in ("by voice", "by call")
        }
    }


async def _delays(by_call: bool, times: int) -> list[float]:
    call = attentive(
        llm=InstantLLM(endless=True),
        tts=InstantTTS(1.0, endless=True),
        listening=Listening(speech=VADSettings(start_after=0.0)),
    )
    async with call.session:
        return [await _interruption(call, by_call) for _ in range(times)]


async def _interruption(call: Call, by_call: bool) -> float:
    moments = call.moments
    moments.clear()
    call.session.send(UserText("go on"))
    await asyncio.sleep(SPEAK)
    if "audio" not in moments:
        raise RuntimeError("the agent did not speak")
    moments.clear()
    if by_call:
        moments.note("voice")
        call.session.interrupt()
    else:
        await call.hear(frames(VOICE), until="cleared")
        cleared = moments["cleared"] - moments["voice"]
        moments.clear()
        await call.hear(frames(NOISE), until="audio")  # the turn is over, and answered
        return cleared
    return moments["cleared"] - moments["voice"]
