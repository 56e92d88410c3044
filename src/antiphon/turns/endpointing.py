"""Endpointing: has the user finished, and how long to wait to be sure?

All evidence becomes one probability that the turn is over, and that becomes a time to wait. Evidence adds
up as log-odds; a piece that tells nothing adds 0:

    log-odds = sound_weight * (log-odds of the model's probability - those of sound_even)
             + effect of the user's last words + effect of what the agent asked
             + hint_weight * log-odds of the vendor's probability

Without any evidence the probability is 0.5, and the curve's waiting time at 0.5 acts as a plain silence
timeout.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import exp, isfinite, log

from ..errors import ConfigurationError
from .word_rules import RULES, Hint, WordRule, WordRules

__all__ = ["EndpointingSettings", "Evidence", "Wait", "likely", "wait"]

CERTAIN = 50.0
"""Log-odds are limited to this, so that `exp` does not overflow."""
SURE = 1e-3
"""Probabilities are kept this far from 0 and 1, so that one piece of evidence never decides alone."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known about a turn that may be over."""

    sound: float | None = None
    """The audio end-of-turn model's probability, asked for when speech paused, about 0.1 s after the user's
    last sound. After more quiet the model takes any turn for over: later answers, and the mean of all
    answers, tell pauses from ends less well."""
    words: str = ""
    """The user's words of this turn so far, as the newest transcript has them."""
    final: bool = False
    """True if these words will not change any more."""
    asked: str = ""
    """What the agent said last, as far as it was heard."""
    spoken: float = 0.0
    """Seconds of the turn so far, from its first sound to its last."""
    hint: float | None = None
    """The end-of-turn probability that the speech-to-text service itself reported."""
    pause: float | None = None
    """The usual pause of this speaker within a turn, in seconds (`Pauses.floor`)."""


@dataclass(frozen=True, slots=True)
class Wait:
    """How many seconds of quiet after its last sound end the turn."""

    seconds: float
    reason: str
    """The strongest piece of evidence, in a few words."""
    likely: float
    """The probability that the turn is over."""


@dataclass(frozen=True)
class EndpointingSettings:
    """Durations are seconds of quiet after the last sound of the user,
    probabilities go from 0 to 1.

    Where the numbers come from: weights and effects are those of a logistic regression over the development
    half of the local data of `benchmarks/turns`, rounded, and adjusted by hand where that data is unlike
    conversations; the results hardly depend on any single one. The curve is a straight line in log-odds (1 s
    at 0, less 0.4 s for each unit), which is optimal if the chance of a longer pause decays exponentially. It
    ends at 1.8 s, because longer waits avoided no more false ends.
    """

    curve: tuple[tuple[float, float], ...] = (
        (0.12, 1.8),
        (0.3, 1.35),
        (0.5, 1.0),
        (0.7, 0.65),
        (0.88, 0.2),
    )
    """Points (probability that the turn is over, how long to wait), with straight lines between them."""
    floor: float = 0.2
    """The shortest wait; a value below what the voice activity detector needs has no effect."""
    ceiling: float = 2.0
    """The longest wait, whatever the evidence."""
    sound_weight: float = 0.8
    """The weight of the end-of-turn model: below 1, because the model is overconfident."""
    sound_even: float = 0.75
    """The model's probability that counts as no evidence; above 0.5, because it says "over" too often."""
    sound_needs: float = 2.0
    """Seconds of speech from which the model has its full weight; short answers tell it little."""
    interim_weight: float = 0.8
    """The weight of words that may still change."""
    asked_weight: float = 1.0
    """The weight of what the agent asked."""
    hint_weight: float = 1.0
    """The weight of the end-of-turn probability that the speech-to-text service reports."""
    learn: bool = True
    """Whether this speaker's usual pauses lengthen the wait."""
    learned_most: float = 0.8
    """The longest wait that usual pauses can cause."""
    learned_below: float = 0.85
    """Usual pauses count only if the turn is less likely over than this, so that short answers stay quick."""
    rules: tuple[WordRule, ...] = RULES
    """What words tell. For each side the first rule that matches counts."""
    more_rules: tuple[WordRule, ...] = ()
    """Rules that are tried before `rules`."""

    @cached_property
    def table(self) -> WordRules:
        """All rules, compiled."""
        return WordRules((*self.more_rules, *self.rules))

    def __post_init__(self) -> None:
        _ = self.table  # compiles the rules, which refuses a wrong pattern
        if not 0 <= self.floor <= self.ceiling or not isfinite(self.ceiling):
            raise ConfigurationError("turns: endpointing needs 0 <= floor <= ceiling, in seconds")
        if not self.curve:
            raise ConfigurationError("turns: the curve needs at least one point (probability, seconds)")
        for (before, longer), (after, shorter) in pairwise(((-1.0, float("inf")), *self.curve)):
            if not (before < after <= 1 and 0 <= shorter <= longer) or after < 0:
                raise ConfigurationError(
                    "turns: the points of the curve must be (probability, seconds), with probabilities that "
                    f"rise from 0 to 1 and seconds that fall; ({after:g}, {shorter:g}) does not fit"
                )
        if not 0 < self.sound_even < 1:
            raise ConfigurationError("turns: sound_even must be a probability above 0 and below 1")
        numbers = (
            "sound_weight",
            "sound_needs",
            "interim_weight",
            "asked_weight",
            "hint_weight",
            "learned_most",
            "learned_below",
        )
        for name in numbers:
            if not 0 <= getattr(self, name) < float("inf"):
                raise ConfigurationError(f"turns: {name} must be 0 or more")


def likely(evidence: Evidence, settings: EndpointingSettings) -> float:
    """Return the probability that the turn is over."""
    return _probability(_evidence_hints(evidence, settings))


def wait(evidence: Evidence, settings: EndpointingSettings) -> Wait:
    """Return how long to wait, and why; between the policy's floor and ceiling."""
    hints = _evidence_hints(evidence, settings)
    probability = _probability(hints)
    seconds = _interpolate(settings.curve, probability)
    reason = max(hints, key=lambda hint: abs(hint.effect)).reason if hints else f"quiet for {seconds:.2g} s"
    if settings.learn and evidence.pause is not None and probability < settings.learned_below:
        usual = min(evidence.pause, settings.learned_most)
        if seconds < usual:
            seconds, reason = usual, f"this speaker pauses for {usual:.2g} s"
    return Wait(min(max(seconds, settings.floor), settings.ceiling), reason, probability)


def _evidence_hints(evidence: Evidence, settings: EndpointingSettings) -> list[Hint]:
    """Return what each piece of evidence adds to the log-odds."""
    hints: list[Hint] = []
    if (sound := evidence.sound) is not None:
        effect = settings.sound_weight * (_log_odds(sound) - _log_odds(settings.sound_even))
        if 0 < evidence.spoken < settings.sound_needs:
            effect *= evidence.spoken / settings.sound_needs
        says = "finished" if sound >= settings.sound_even else "unfinished"
        hints.append(Hint("sound", effect, f"sounds {says} ({sound:.2f})"))
    weights = {"user": 1.0 if evidence.final else settings.interim_weight, "agent": settings.asked_weight}
    hints += [
        told._replace(effect=weights[told.side] * told.effect)
        for told in settings.table.told(evidence.words, evidence.asked)
    ]
    if (reported := evidence.hint) is not None:
        effect = settings.hint_weight * _log_odds(reported)
        hints.append(Hint("vendor", effect, f"the service says so ({reported:.2f})"))
    return hints


def _probability(hints: list[Hint]) -> float:
    log_odds = sum(hint.effect for hint in hints)
    return 1 / (1 + exp(-min(max(log_odds, -CERTAIN), CERTAIN)))


def _log_odds(probability: float) -> float:
    probability = min(max(probability, SURE), 1 - SURE)
    return log(probability / (1 - probability))


def _interpolate(curve: tuple[tuple[float, float], ...], probability: float) -> float:
    """Return the curve's seconds at a probability."""
    before, longer = curve[0]
    if probability <= before:
        return longer
    for after, shorter in curve[1:]:
        if probability <= after:
            return longer + (shorter - longer) * (probability - before) / (after - before)
        before, longer = after, shorter
    return longer
