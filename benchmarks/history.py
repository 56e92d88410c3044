"""Does a turn cost more after many others?

CPU milliseconds from the end of the user's turn until the reply, half a second of speech, has been said; on
the one-core clock.
"""

from statistics import median

from . import Values, onecore
from .first_audio import REPLY, take_turn
from .session import InstantTTS, attentive


def measure(quick: bool) -> Values:
    """Return `turn_ms_N`, a turn after N others, and `growth`, the last of these divided by the first."""
    return onecore.run(_turns((50, 200) if quick else (50, 200, 400, 800)))


async def _turns(marks: tuple[int, ...]) -> Values:
    call = attentive(tts=InstantTTS(REPLY))
    async with call.session:
        costs = [await take_turn(call) for _ in range(marks[-1])]
    at = {mark: 1e3 * median(costs[mark - 20 : mark]) for mark in marks}
    growth: Values = {"growth": at[marks[-1]] / at[marks[0]]}
    return {f"turn_ms_{mark}": cost for mark, cost in at.items()} | growth
