"""Who is compared? Each contestant scores every moment of every silence; policies set a threshold on scores.

Smart Turn's score is its probability. Our score is the elapsed share of our waiting time: at 1 the turn ends,
and another threshold scales all waiting times.
"""

from collections.abc import Callable, Mapping, Sequence

from antiphon.turns.endpointing import EndpointingSettings, Evidence, Wait, wait

from .data import Turn
from .scores import STEP, STOP, Scored

WORDS_AFTER = STOP
"""Seconds of silence from which words count, because the transcript takes that long."""

ASKED = 1
"""Steps of silence after which ours asks Smart Turn, once; later answers tell less (`Evidence.sound`)."""

Judged = list[list[float]]
"""For each silence of a turn, a score every STEP seconds."""

SILENCE, SOUND, OURS, WORDLESS = "silence alone", "Smart Turn alone", "ours", "ours without words"


def evidence(turn: Turn, scored: Scored, *, words: bool = True) -> list[list[Evidence]]:
    """Return the evidence that ours has at each moment of each silence."""
    known: list[list[Evidence]] = []
    for (start, _), sound, said in zip(turn.spans, scored.sound, scored.words, strict=True):
        known.append(
            [
                Evidence(
                    sound=sound[min(step, ASKED)],
                    words=said if (there := words and STEP * step >= WORDS_AFTER - 1e-6) else "",
                    final=there,
                    asked=turn.asked if words else "",
                    spoken=start - turn.begins,
                )
                for step in range(len(sound))
            ]
        )
    return known


def contestants(settings: EndpointingSettings) -> Mapping[str, Callable[[Turn, Scored], Judged]]:
    """Return the contestants by name, each as a function that scores a turn."""

    def ours(turn: Turn, scored: Scored, *, words: bool) -> Judged:
        return [
            [STEP * step / max(wait(known, settings).seconds, STEP) for step, known in enumerate(silence)]
            for silence in evidence(turn, scored, words=words)
        ]

    return {
        SILENCE: lambda _, scored: [[0.0] * len(sound) for sound in scored.sound],
        SOUND: lambda _, scored: scored.sound,
        OURS: lambda turn, scored: ours(turn, scored, words=True),
        WORDLESS: lambda turn, scored: ours(turn, scored, words=False),
    }


def shipped(turn: Turn, scored: Scored, settings: EndpointingSettings, *, words: bool = True) -> list[float]:
    """Return after how many seconds of each silence ours ends the turn.

    `wait` is asked every STEP, as shipped.
    """
    return [
        fires([wait(known, settings) for known in silence]) for silence in evidence(turn, scored, words=words)
    ]


def fires(waits: Sequence[Wait]) -> float:
    """Return after how many seconds of silence the newest wait is over, given one wait for each STEP."""
    for step, asked in enumerate(waits):
        last = step == len(waits) - 1
        if asked.seconds < STEP * (step + 1) or last:
            return max(asked.seconds, STEP * step)
    raise ValueError("a silence without a moment")
