"""How good is each contestant? Its operating points on a group of turns, and how ours compares."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from antiphon.turns.endpointing import EndpointingSettings

from .contestants import OURS, SOUND, contestants, shipped
from .data import Turn
from .policies import Floats, chosen, cutoffs_within, interval, latency_within, sweep, weights
from .scores import Scored

RATIO = 0.7
"""Target: at 5 % false cutoffs, our latency is at most this part of Smart Turn's."""
BUDGETS = (0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.12, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)
"""False cutoffs at which the curves of ours and of Smart Turn alone are compared."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A value with its 95 % interval over resamples."""

    value: float
    low: float
    high: float


def figure(resampled: Floats) -> Figure:
    """Return the figure of resampled values, the first of which is the value itself."""
    return Figure(float(resampled[0]), *interval(resampled))


@dataclass(frozen=True, slots=True)
class Point:
    """The best policy with at most 5 % of the holds cut off; in seconds and shares."""

    latency: Figure
    p95: float
    turns_cut: float
    """The share of turns with at least one false cutoff."""


@dataclass(frozen=True, slots=True)
class Curve:
    """The figures of one contestant."""

    at_5: Point
    latency_at_10: Figure
    cutoffs_at_300: Figure
    cutoffs_at_600: Figure
    curve: dict[str, float]
    """The latency by budget of false cutoffs."""


@dataclass(frozen=True, slots=True)
class Shipped:
    """Ours with its own waiting times as shipped, without a policy."""

    cutoffs: Figure
    turns_cut: float
    latency: Figure
    p95: float


@dataclass(frozen=True, slots=True)
class Report:
    """The figures of a group of turns."""

    turns: int
    holds: int
    contestants: dict[str, Curve]
    shipped: Shipped
    ratio: Figure
    """Our latency divided by that of Smart Turn alone, at 5 % false cutoffs."""
    worse: dict[str, Figure]
    """By budget: how many seconds ours is later than Smart Turn alone, if that is significant."""
    sound_ms: float
    words_ms: float
    """CPU milliseconds of a score and of a transcript (median over turns)."""


def groups(turns: Sequence[Turn]) -> dict[str, list[int]]:
    """Return the turns of each group, by name; the held-out "test" half comes first if there is one."""
    every = list(range(len(turns)))
    halves = sorted({turn.half for turn in turns if turn.half}, reverse=True)
    named = {f"{half} half": [at for at in every if turns[at].half == half] for half in halves} or {
        "all": every
    }
    judged = next(iter(named.values()))
    for kind in dict.fromkeys(turns[at].kind for at in judged if turns[at].kind):
        named[f"of it: {kind}"] = [at for at in judged if turns[at].kind == kind]
    languages = sorted({turn.language for turn in turns})
    if len(languages) > 1:
        named |= {language: [at for at in every if turns[at].language == language] for language in languages}
    return named


def judge(
    turns: Sequence[Turn], scored: Sequence[Scored], settings: EndpointingSettings, resamples: int
) -> Report:
    """Sweep the policies of all contestants over the same turns."""
    drawn = weights(len(turns), resamples)
    curves, latencies = dict[str, Curve](), dict[str, dict[float, Floats]]()
    for name, judges in contestants(settings).items():
        swept = sweep(turns, [judges(turn, known) for turn, known in zip(turns, scored, strict=True)])
        cut, late = swept.means(drawn)
        best = chosen(cut, late, 0.05)
        latencies[name] = {budget: latency_within(cut, late, budget) for budget in BUDGETS}
        curves[name] = Curve(
            at_5=Point(
                figure(latencies[name][0.05]),
                float(np.quantile(swept.late[best], 0.95)),
                float((swept.cut[best] > 0).mean()),
            ),
            latency_at_10=figure(latencies[name][0.1]),
            cutoffs_at_300=figure(cutoffs_within(cut, late, 0.3)),
            cutoffs_at_600=figure(cutoffs_within(cut, late, 0.6)),
            curve={f"{budget:g}": float(latencies[name][budget][0]) for budget in BUDGETS},
        )
    ours, theirs = latencies[OURS], latencies[SOUND]
    with np.errstate(invalid="ignore"):  # inf - inf, if no policy is within a budget
        later = {f"{budget:g}": figure(ours[budget] - theirs[budget]) for budget in BUDGETS}
        ratio = figure(ours[0.05] / theirs[0.05])
    return Report(
        turns=len(turns),
        holds=sum(len(turn.spans) - 1 for turn in turns),
        contestants=curves,
        shipped=_shipped(turns, scored, settings, drawn),
        ratio=ratio,
        worse={budget: by for budget, by in later.items() if by.low > 0},
        sound_ms=float(np.median([known.sound_ms for known in scored])),
        words_ms=float(np.median([known.words_ms for known in scored])),
    )


def _shipped(
    turns: Sequence[Turn], scored: Sequence[Scored], settings: EndpointingSettings, drawn: Floats
) -> Shipped:
    ended = [shipped(turn, known, settings) for turn, known in zip(turns, scored, strict=True)]
    cut = np.array(
        [
            sum(at < end - start - 1e-6 for at, (start, end) in zip(times[:-1], turn.spans, strict=False))
            for times, turn in zip(ended, turns, strict=True)
        ]
    )
    late = np.array([times[-1] for times in ended])
    holds = np.array([len(turn.spans) - 1 for turn in turns])
    return Shipped(
        cutoffs=figure((cut @ drawn) / np.maximum(holds @ drawn, 1)),
        turns_cut=float((cut > 0).mean()),
        latency=figure((late @ drawn) / drawn.sum(axis=0)),
        p95=float(np.quantile(late, 0.95)),
    )
