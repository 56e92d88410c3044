"""Does a LiveKit agent's turn cost more when many have gone before?

CPU milliseconds from the end of the user's speech until the reply is said, on the one-core clock; half a
second of speech, played at a thousand times real time.
"""

from statistics import median

from livekit.agents import Agent

from benchmarks import Values, onecore

from .livekit_first_audio import take_turn
from .livekit_session import Call, InstantSTT, InstantTTS, InstantVAD, Moments


def measure(quick: bool) -> Values:
    """`turn_ms_N` after N turns, and `growth`: the last of them over the first."""
    return onecore.run(_turns((50, 200) if quick else (50, 200, 400, 800)))


async def _turns(marks: tuple[int, ...]) -> Values:
    moments = Moments()
    call = Call(InstantVAD(moments), InstantSTT(moments), tts=InstantTTS(0.5))
    await call.session.start(Agent(instructions="x"))
    call.speaker.pace = 1000.0
    costs = [await take_turn(call) for _ in range(marks[-1])]
    await call.session.aclose()
    at = {mark: 1e3 * median(costs[mark - 5 : mark]) for mark in marks}
    return {f"turn_ms_{mark}": cost for mark, cost in at.items()} | {"growth": at[marks[-1]] / at[marks[0]]}
