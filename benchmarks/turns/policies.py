"""Which policy is the best within a budget? Sweeps every policy over every turn, with intervals.

A policy is a threshold, a minimum delay and a timeout. Thresholds are quantiles of a contestant's own scores,
so that only their order matters. Intervals reach from the 2.5th to the 97.5th percentile of resamples of
whole turns; the policy is chosen anew in each, and all contestants use the same resamples.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .contestants import Judged
from .data import Turn
from .scores import STEP

THRESHOLDS = 60
DELAYS = np.arange(1, 11) * 0.1
TIMEOUTS = np.arange(1, 21) * 0.1

TOLERANCE = 1e-6

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Sweep:
    """What every policy did, turn by turn."""

    cut: NDArray[np.float32]
    """(policies, turns): the number of holds that were cut off."""
    late: NDArray[np.float32]
    """(policies, turns): the seconds from the end of the turn until the policy fired."""
    holds: NDArray[np.float32]
    """(turns,): the number of holds."""

    def means(self, weights: Floats) -> tuple[Floats, Floats]:
        """Return (policies, resamples): share of holds cut off, and mean latency; `weights` as below."""
        drawn = weights.astype(np.float32)
        holds = np.maximum(self.holds @ drawn, 1)
        return (
            ((self.cut @ drawn) / holds).astype(np.float64),
            ((self.late @ drawn) / drawn.sum(axis=0)).astype(np.float64),
        )


def fired(silence: Sequence[float], thresholds: Floats) -> Floats:
    """Return (thresholds, DELAYS): seconds until the scores of a silence reach the threshold, or inf."""
    scores = np.asarray(silence)
    reached = scores[None, :] >= thresholds[:, None]
    times = np.full((len(thresholds), len(DELAYS)), np.inf)
    for column, delay in enumerate(DELAYS):
        first = round(float(delay) / STEP)
        later = reached[:, first:]
        if later.shape[1]:
            there = later.any(axis=1)
            times[there, column] = STEP * (first + later.argmax(axis=1)[there])
    return times


def sweep(turns: Sequence[Turn], judged: Sequence[Judged]) -> Sweep:
    """Run every policy over every turn."""
    every = np.concatenate([silence for turn in judged for silence in turn])
    thresholds = np.unique(np.append(np.quantile(every, np.linspace(0, 1, THRESHOLDS)), 2.0))
    policies = len(thresholds) * len(DELAYS) * len(TIMEOUTS)
    cut, late = (np.zeros((policies, len(turns)), np.float32) for _ in range(2))
    for number, (turn, scores) in enumerate(zip(turns, judged, strict=True)):
        for index, ((start, end), silence) in enumerate(zip(turn.spans, scores, strict=True)):
            times = np.minimum(fired(silence, thresholds)[:, :, None], TIMEOUTS).reshape(policies)
            if index == len(turn.spans) - 1:
                late[:, number] = times
            else:
                cut[:, number] += times < end - start - 1e-6
    return Sweep(cut, late, np.array([len(turn.spans) - 1 for turn in turns], np.float32))


def weights(turns: int, resamples: int) -> Floats:
    """Return (turns, 1 + resamples): how often each turn counts; in the first column, once each."""
    random = np.random.default_rng(1)
    drawn = random.multinomial(turns, np.full(turns, 1 / turns), size=resamples)
    return np.concatenate((np.ones((turns, 1)), drawn.T.astype(np.float64)), axis=1)


def latency_within(cut: Floats, late: Floats, budget: float) -> Floats:
    """Return (resamples,): the lowest latency with at most this share of holds cut off; inf if none."""
    return np.where(cut <= budget + TOLERANCE, late, np.inf).min(axis=0)


def cutoffs_within(cut: Floats, late: Floats, budget: float) -> Floats:
    """Return (resamples,): the lowest share of holds cut off with at most this mean latency; inf if none."""
    return np.where(late <= budget + TOLERANCE, cut, np.inf).min(axis=0)


def chosen(cut: Floats, late: Floats, budget: float) -> int:
    """Return the index of the policy that `latency_within` chooses on all turns."""
    return int(np.where(cut[:, 0] <= budget + TOLERANCE, late[:, 0], np.inf).argmin())


def interval(resampled: Floats) -> tuple[float, float]:
    """Return the 95 % interval of resampled values, the first of which is the value itself."""
    finite = np.where(np.isfinite(resampled[1:]), resampled[1:], np.nan)
    if not len(finite) or np.isnan(finite).all():
        return (float("nan"), float("nan"))
    low, high = np.nanpercentile(finite, [2.5, 97.5])
    return float(low), float(high)
