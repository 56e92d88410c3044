"""What does a decision of the turn engine cost?

An engine as shipped is told random facts of a conversation (with a fixed seed; half of them are transcripts)
at random times; measured is the CPU time of each `decide`, and of a call of an empty function for comparison.
"""

import random
import time
from statistics import median

from antiphon.frames import (
    SoundHeard,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    SpeechStopped,
    Transcript,
    TurnScored,
)
from antiphon.turns.decisions import Deadline, Fact, ReplyBegan, ReplyOver, VoiceAt
from antiphon.turns.engine import TurnEngine

from . import Values

WORDS = "so I would like to know when you are open on Saturday and whether yes no mhm stop please".split()  # noqa: SIM905


def measure(quick: bool) -> Values:
    """Return `decision_us`, in microseconds."""
    engine, chance, now = TurnEngine(), random.Random(1), 0.0
    costs: list[float] = []
    for _ in range(5_000 if quick else 50_000):
        now += chance.expovariate(10)
        fact = _fact(chance, now)
        begun = time.thread_time_ns()
        engine.decide(fact, now)
        costs.append((time.thread_time_ns() - begun) / 1e3)
    costs.sort()
    empty: list[float] = []
    for _ in range(1000):
        begun = time.thread_time_ns()
        _nothing()
        empty.append((time.thread_time_ns() - begun) / 1e3)
    return {
        "decision_us": {
            "median": median(costs),
            "99th": costs[int(0.99 * len(costs))],
            "empty": median(empty),
        }
    }


def _nothing() -> None:
    pass


def _fact(chance: random.Random, now: float) -> Fact:
    if chance.random() < 0.5:
        text = " ".join(chance.choices(WORDS, k=chance.randint(1, 12)))
        return Transcript(text, chance.random() < 0.4, now - 1, now)
    facts: list[Fact] = [
        SoundHeard(now), SoundHeard(now, gone=True), SpeechStarted(now), SpeechPaused(now),
        SpeechResumed(now), SpeechStopped(now), TurnScored(chance.random(), now), ReplyBegan(),
        ReplyOver("Anything else?"), Deadline(), VoiceAt(1.0, 3.0, "We are open from nine", " to five."),
    ]  # fmt: skip
    return chance.choice(facts)
