"""Has the user finished? All that is known of a turn becomes one probability, and that a time to wait.

Evidence adds up as log-odds, each piece being 0 where it tells nothing:

    log-odds = sound_weight * (log-odds of the model's probability - those of sound_even)
             + effect of the user's last words + effect of what the agent asked
             + hint_weight * log-odds of the vendor's probability

so that with no evidence at all the turn is as likely over as not, and the curve's waiting time at 0.5 is a
plain silence rule.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import exp, isfinite, log

from ..errors import ConfigurationError
from .word_rules import RULES, Hint, WordRule, WordRules

__all__ = ["EndpointingSettings", "Evidence", "Wait", "likely", "wait"]

CERTAIN = 50.0
"""Log-odds beyond which nothing changes any more."""
SURE = 1e-3
"""Probabilities this near to 0 and 1 count as this near: one voice alone never decides everything."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a turn that may be over; whatever is not known is left at its default."""

    sound: float | None = None
    """What the audio end-of-turn model answered when it was asked as speech paused, a tenth of a second after
    the user's last sound. The longer quiet lasts the more it takes any turn for over: later answers, and the
    mean of all, tell holds from ends less well."""
    words: str = ""
    """The user's words of this turn so far, as the newest transcript has them."""
    final: bool = False
    """Whether these words will not change any more."""
    asked: str = ""
    """What the agent said last, as it was heard."""
    spoken: float = 0.0
    """Seconds of the turn so far, from its first sound to its last."""
    hint: float | None = None
    """A vendor's own end-of-turn event, as a probability."""
    pause: float | None = None
    """Seconds that this speaker usually pauses within a turn (`Pauses.floor`)."""


@dataclass(frozen=True, slots=True)
class Wait:
    """When the turn is over: after so many seconds of quiet, counted from its last sound."""

    seconds: float
    reason: str
    """What told most, in a few words."""
    likely: float
    """The probability that the turn is over."""


@dataclass(frozen=True)
class EndpointingSettings:
    """Durations are seconds of quiet after the last sound of the user, probabilities go from 0 to 1.

    Where the numbers come from: weights and effects are those of a logistic regression over the development
    half of the local data of `benchmarks/turns`, rounded, and made milder or stronger where that data is
    unlike conversations; the figures hardly depend on any of them. The curve is straight in log-odds, as is
    best where the chance of a longer pause falls off exponentially: 1 s, less 0.4 s for each unit. It ends at
    1.8 s, because longer waits kept no more holds.
    """

    curve: tuple[tuple[float, float], ...] = (
        (0.12, 1.8),
        (0.3, 1.35),
        (0.5, 1.0),
        (0.7, 0.65),
        (0.88, 0.2),
    )
    """How long to wait at which probability that the turn is over; straight lines between the points."""
    floor: float = 0.2
    """No turn is over before; less than the voice activity detector needs has no effect."""
    ceiling: float = 2.0
    """A turn is over then, whatever the evidence."""
    sound_weight: float = 0.8
    """How much the end-of-turn model counts: below 1, as it is surer of itself than it should be."""
    sound_even: float = 0.75
    """The probability of the end-of-turn model at which it tells nothing: it says "over" too often."""
    sound_needs: float = 2.0
    """Seconds of speech from which the model counts fully; it cannot tell much from a short answer."""
    interim_weight: float = 0.8
    """How much words count that may still change."""
    asked_weight: float = 1.0
    """How much it counts what the agent asked."""
    hint_weight: float = 1.0
    """How much a vendor's own end-of-turn event counts."""
    learn: bool = True
    """Whether this speaker's own pauses raise the waiting time."""
    learned_most: float = 0.8
    """The most that they raise it to."""
    learned_below: float = 0.85
    """They raise nothing for a turn that is as likely over as this: a short answer is a short answer."""
    rules: tuple[WordRule, ...] = RULES
    """What words tell. The first rule that holds counts, for each side."""
    more_rules: tuple[WordRule, ...] = ()
    """Rules that are asked before those."""

    @cached_property
    def table(self) -> WordRules:
        """All rules, ready to be asked."""
        return WordRules((*self.more_rules, *self.rules))

    def __post_init__(self) -> None:
        _ = self.table  # refuses a pattern that is none
        if not 0 <= self.floor <= self.ceiling or not isfinite(self.ceiling):
            raise ConfigurationError("turns: needed is 0 <= floor <= ceiling, in seconds")
        if not self.curve:
            raise ConfigurationError("turns: the curve needs a point, (probability, seconds)")
        for (before, longer), (after, shorter) in pairwise(((-1.0, float("inf")), *self.curve)):
            if not (before < after <= 1 and 0 <= shorter <= longer) or after < 0:
                raise ConfigurationError(
                    "turns: the points of the curve are (probability, seconds), probabilities rising from 0 "
                    f"to 1 and seconds falling; ({after:g}, {shorter:g}) does not fit"
                )
        if not 0 < self.sound_even < 1:
            raise ConfigurationError("turns: sound_even is a probability, above 0 and below 1")
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
    """The probability that the turn is over, from all that is known of it."""
    return _probability(_voices(evidence, settings))


def wait(evidence: Evidence, settings: EndpointingSettings) -> Wait:
    """How long to wait, and why; never longer than the ceiling."""
    voices = _voices(evidence, settings)
    probability = _probability(voices)
    seconds = _on(settings.curve, probability)
    reason = (
        max(voices, key=lambda voice: abs(voice.effect)).reason if voices else f"quiet for {seconds:.2g} s"
    )
    if settings.learn and evidence.pause is not None and probability < settings.learned_below:
        usual = min(evidence.pause, settings.learned_most)
        if seconds < usual:
            seconds, reason = usual, f"this speaker pauses for {usual:.2g} s"
    return Wait(min(max(seconds, settings.floor), settings.ceiling), reason, probability)


def _voices(evidence: Evidence, settings: EndpointingSettings) -> list[Hint]:
    """What each piece of evidence adds to the log-odds."""
    voices: list[Hint] = []
    if (sound := evidence.sound) is not None:
        effect = settings.sound_weight * (_log_odds(sound) - _log_odds(settings.sound_even))
        if 0 < evidence.spoken < settings.sound_needs:
            effect *= evidence.spoken / settings.sound_needs
        says = "finished" if sound >= settings.sound_even else "unfinished"
        voices.append(Hint("sound", effect, f"sounds {says} ({sound:.2f})"))
    weights = {"user": 1.0 if evidence.final else settings.interim_weight, "agent": settings.asked_weight}
    voices += [
        told._replace(effect=weights[told.side] * told.effect)
        for told in settings.table.told(evidence.words, evidence.asked)
    ]
    if (hint := evidence.hint) is not None:
        effect = settings.hint_weight * _log_odds(hint)
        voices.append(Hint("vendor", effect, f"the service says so ({hint:.2f})"))
    return voices


def _probability(voices: list[Hint]) -> float:
    log_odds = sum(voice.effect for voice in voices)
    return 1 / (1 + exp(-min(max(log_odds, -CERTAIN), CERTAIN)))


def _log_odds(probability: float) -> float:
    probability = min(max(probability, SURE), 1 - SURE)
    return log(probability / (1 - probability))


def _on(curve: tuple[tuple[float, float], ...], probability: float) -> float:
    """The curve's seconds at a probability."""
    before, longer = curve[0]
    if probability <= before:
        return longer
    for after, shorter in curve[1:]:
        if probability <= after:
            return longer + (shorter - longer) * (probability - before) / (after - before)
        before, longer = after, shorter
    return longer
