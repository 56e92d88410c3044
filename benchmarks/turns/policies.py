"""The sweep: every policy over every turn, and the best of them within a budget, with intervals.

A policy is a threshold, a least delay and a timeout. Thresholds are the quantiles of a contestant's own
scores, so that only their order matters. Intervals are those between the 2.5th and 97.5th percentile of
resamples of whole turns, with the policy chosen anew in each, and the same resamples for all contestants.
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
    """(policies, turns): holds that were cut off."""
    late: NDArray[np.float32]
    """(policies, turns): seconds from the end of the turn until the policy fired."""
    holds: NDArray[np.float32]
    """(turns,): holds that there are."""

    def means(self, weights: Floats) -> tuple[Floats, Floats]:
        """(policies, resamples): share of holds cut off, mean latency; `weights` (turns, resamples)."""
        drawn = weights.astype(np.float32)
        holds = np.maximum(self.holds @ drawn, 1)
        return (
            ((self.cut @ drawn) / holds).astype(np.float64),
            ((self.late @ drawn) / drawn.sum(axis=0)).astype(np.float64),
        )


def fired(silence: Sequence[float], thresholds: Floats) -> Floats:
    """(thresholds, DELAYS): seconds after which the scores of a silence reach the threshold, if ever."""
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
    """Every policy over every turn."""
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
    """(turns, 1 + resamples): how often each turn counts; first all once."""
    random = np.random.default_rng(1)
    drawn = random.multinomial(turns, np.full(turns, 1 / turns), size=resamples)
    return np.concatenate((np.ones((turns, 1)), drawn.T.astype(np.float64)), axis=1)


def latency_within(cut: Floats, late: Floats, budget: float) -> Floats:
    """(resamples,): the least latency with at most this share of holds cut off; inf where there is none."""
    return np.where(cut <= budget + TOLERANCE, late, np.inf).min(axis=0)


def cutoffs_within(cut: Floats, late: Floats, budget: float) -> Floats:
    """(resamples,): the least share of holds cut off with at most this mean latency; inf likewise."""
    return np.where(late <= budget + TOLERANCE, cut, np.inf).min(axis=0)


def chosen(cut: Floats, late: Floats, budget: float) -> int:
    """The policy that `latency_within` chooses on all turns."""
    return int(np.where(cut[:, 0] <= budget + TOLERANCE, late[:, 0], np.inf).argmin())


def interval(resampled: Floats) -> tuple[float, float]:
    """Between these lie 95 % of the resamples, which follow the value itself."""
    finite = np.where(np.isfinite(resampled[1:]), resampled[1:], np.nan)
    if not len(finite) or np.isnan(finite).all():
        return (float("nan"), float("nan"))
    low, high = np.nanpercentile(finite, [2.5, 97.5])
    return float(low), float(high)
