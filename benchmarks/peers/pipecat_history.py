"""Does a Pipecat turn cost more when many have gone before?

CPU milliseconds from the final transcript until the reply is said, on the one-core clock; half a second of
speech, played at a thousand times real time. Without observers.
"""

from statistics import median

from benchmarks import Values, onecore

from .pipecat_first_audio import take_turn
from .pipecat_session import Call, InstantTTS, Options


def measure(quick: bool) -> Values:
    """`turn_ms_N` after N turns, and `growth`: the last of them over the first."""
    return onecore.run(_turns((50, 200) if quick else (50, 200, 400, 800)))


async def _turns(marks: tuple[int, ...]) -> Values:
    options = Options(lean=True, patience=0.0, listening=False, pace=1000.0)
    call = Call(options, tts=InstantTTS(seconds=0.5))
    await call.start()
    costs = [(await take_turn(call, number))[1] for number in range(marks[-1])]
    await call.cancel()
    at = {mark: 1e3 * median(costs[mark - 5 : mark]) for mark in marks}
    return {f"turn_ms_{mark}": cost for mark, cost in at.items()} | {"growth": at[marks[-1]] / at[marks[0]]}
