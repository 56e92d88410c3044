"""How soon the agent answers: at once, or after a moment of thought.

A `Pace` is the shortest gap between the user's last sound and the agent's first. The reply is made during
that gap, so a short gap costs no time.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from ..errors import AntiphonError, ConfigurationError

__all__ = [
    "RULES",
    "AskedTiming",
    "Exchange",
    "Pace",
    "ResponseTiming",
    "TimingRule",
    "TimingRules",
    "TimingSettings",
]


@dataclass(frozen=True, slots=True)
class Exchange:
    """A turn of the user that the agent is about to answer."""

    user: str
    """What the user said."""
    agent: str = ""
    """What the agent had said before that."""
    seconds: float = 0.0
    """The length of the user's turn."""


@dataclass(frozen=True, slots=True)
class Pace:
    """The shortest gap before an answer, in seconds, and why.

    It is measured from the user's last sound to the agent's first.
    """

    seconds: float
    reason: str


class ResponseTiming(Protocol):
    """A rule for how long the agent waits before an answer."""

    def pace(self, exchange: Exchange) -> Pace | Awaitable[Pace]:
        """Return the pace of an answer.

        Called once the user's words are known, while the reply is made.
        """
        ...


WEIGHTY = {
    "en": r"passed away|(?<!battery )(?<!phone )(?<!laptop )(?<!car )(?<!line )\bdied\b|\bis dying\b|funeral|"
    r"\bdiagnos(ed|is)\b|\bcancer\b|suicid|kill myself|miscarriage|heart attack|heartbroken|in hospice|"
    r"\blost (my|our|her|his|the) (job|husband|wife|mother|mom|mum|father|dad|son|daughter|baby|child|"
    r"brother|sister|friend|dog|cat|home|house)\b|\b(got|been|was) (fired|laid off)\b|\bafraid of\b|"
    r"\b(i'm|i am|feel) (so |really |very )?(scared|terrified|lonely|depressed|desperate)\b|\bgrie(f|ving)\b|"
    r"\bso afraid\b|getting divorced|\b(he|she) left me\b|can't take (it|this) any ?more",
    "de": r"gestorben|verstorben|beerdigung|krebs\b|\bdiagnos(e|tiziert)\b|herzinfarkt|schlaganfall|"
    r"(job|arbeit|stelle|mann|frau|mutter|vater|sohn|tochter|kind|freund|freundin) verloren|fehlgeburt|"
    r"gekündigt worden|\bangst (vor|um)\b|so viel angst|\beinsam\b|verzweifelt|scheidung|kann nicht mehr|"
    r"umbringen",
    "fr": r"\best (décédée?|morte?)\b|enterrement|funérailles|\bcancer\b|\bdiagnostiqué|fausse couche|"
    r"perdu (mon|ma) (travail|emploi|mari|femme|mère|père|fils|fille|ami)|licenciée?\b|infarctus|suicid|"
    r"j'ai (très |si )?peur|désespérée?|si seule?\b|divorce",
    "es": r"\b(falleció|murió|ha muerto|ha fallecido)\b|funeral|\bcáncer\b|\bdiagnosticaron|infarto|suicid|"
    r"perd(í|ido) (el|mi|a mi) (trabajo|empleo|marido|esposo|esposa|mujer|madre|padre|hijo|hija)|aborto|"
    r"despidieron|tengo (mucho )?miedo|desesperad|divorci|no puedo más",
    "it": r"\bè (mort[oa]|mancat[oa])\b|funerale|\bcancro\b|tumore|\bdiagnosticat[oa]\b|infarto|suicid|"
    r"pers[oa] (il lavoro|mi[oa] (marito|moglie|madre|padre))|ho paura|disperat|licenziat|divorzi|"
    r"non ce la faccio più",
    "pt": r"\b(morreu|faleceu)\b|funeral|\bcâncer\b|\bdiagnosticad[oa]\b|enfarte|suic[ií]d|estou com medo|"
    r"perdi (o|a|meu|minha) (emprego|trabalho|marido|mulher|mãe|pai|filho|filha)|demitid|divórcio",
    "nl": r"overleden|begrafenis|\bkanker\b|gediagnosticeerd|hartaanval|miskraam|zelfmoord|ben (zo )?bang|"
    r"(baan|man|vrouw|moeder|vader|zoon|dochter) verloren|ontslagen|eenzaam|wanhopig|scheiding",
}
"""Patterns of something sad or weighty, by language."""

THINKING = {
    "en": r"what do you (think|make of|recommend|suggest)|what would you (do|say|choose)|your opinion|"
    r"\bwhy (do|does|did|is|are|was|were|should|would|can't|don't) (\S+ ){2,}\S|\bshould i really\b|"
    r"pros and cons|\bexplain (to me )?(why|how)\b",
    "de": r"was (denken|meinen|halten|würden) sie|was (denkst|meinst|hältst|würdest) du|"
    r"\b(warum|wieso|weshalb) (\S+ ){2,}\S|vor- und nachteile|erklären? (sie )?mir,? (warum|wie)",
    "fr": r"qu'en (pensez|penses)|que (pensez|penses|feriez|ferais)[- ](vous|tu)|(votre|ton) avis|"
    r"\bpourquoi (\S+ ){2,}\S",
    "es": r"qué (piensa|opina|crees|haría)|\bpor qué (\S+ ){2,}\S|qué me recomienda",
    "it": r"(cosa|che) (ne )?pens[ai]|\bperché (\S+ ){2,}\S+\?|cosa fare(sti|bbe)",
    "pt": r"o que (você|o senhor|a senhora)? ?acha|\bpor que (\S+ ){2,}\S|o que (você )?faria",
    "nl": r"wat (vind|denk|vindt|denkt|zou) (je|jij|u)|\bwaarom (\S+ ){2,}\S",
}
"""Patterns of a question that needs thought, by language."""


@dataclass(frozen=True, slots=True)
class TimingRule:
    """A rule: the agent waits after a turn that matches `pattern`.

    The pattern is a regular expression; case is ignored.
    """

    pattern: str
    seconds: float
    reason: str


RULES = (
    *(TimingRule(pattern, 0.9, "something weighty was said") for pattern in WEIGHTY.values()),
    *(TimingRule(pattern, 0.4, "a question to think about") for pattern in THINKING.values()),
)
"""The first rule that matches counts."""

_LOOKED_AT = 400  # the last characters of a turn, which rules search: a rule must take under a millisecond


@dataclass(frozen=True, slots=True)
class TimingSettings:
    """Settings of `TimingRules`, with durations in seconds."""

    enabled: bool = True
    """If False, the agent never waits."""
    otherwise: float = 0.0
    """The gap if no rule matches."""
    longest: float = 2.0
    """The longest gap, whatever a rule or a model says."""
    rules: tuple[TimingRule, ...] = RULES

    def __post_init__(self) -> None:
        for seconds in (self.otherwise, self.longest, *(rule.seconds for rule in self.rules)):
            if not seconds >= 0:
                raise ConfigurationError("response timing: durations must be 0 seconds or more")


class TimingRules:
    """The default timing: patterns in what the user said."""

    def __init__(self, settings: TimingSettings | None = None) -> None:
        self.settings = settings or TimingSettings()
        self._rules = [(_compiled(rule), rule) for rule in self.settings.rules]

    def pace(self, exchange: Exchange) -> Pace:
        settings = self.settings
        if not settings.enabled:
            return Pace(0.0, "switched off")
        said = exchange.user[-_LOOKED_AT:].replace("’", "'")
        for pattern, rule in self._rules:
            if pattern.search(said):
                return Pace(min(rule.seconds, settings.longest), rule.reason)
        return Pace(min(settings.otherwise, settings.longest), "nothing to wait for")


def _compiled(rule: TimingRule) -> re.Pattern[str]:
    try:
        return re.compile(rule.pattern, re.IGNORECASE)
    except re.error as error:
        raise ConfigurationError(
            f"response timing: {rule.pattern!r} is not a valid regular expression: {error}"
        ) from error


class AskedTiming:
    """A timing that asks a function, such as one that asks a language model.

    `otherwise` decides if no answer comes in time. `ask` returns seconds. `bound` awaits it and raises
    TimeoutError after `within` seconds, as `asyncio.wait_for` does; it is passed in because this package has
    no clock of its own.
    """

    def __init__(
        self,
        ask: Callable[[Exchange], Awaitable[float]],
        bound: Callable[[Awaitable[float], float], Awaitable[float]],
        *,
        within: float = 0.3,
        otherwise: TimingRules | None = None,
    ) -> None:
        if not within > 0:
            raise ConfigurationError("response timing: within must be above 0 seconds")
        self._ask, self._bound, self._within = ask, bound, within
        self._otherwise = otherwise or TimingRules()

    async def pace(self, exchange: Exchange) -> Pace:
        rules = self._otherwise.pace(exchange)
        if not self._otherwise.settings.enabled:
            return rules
        try:
            seconds = await self._bound(self._ask(exchange), self._within)
        except (TimeoutError, AntiphonError, ValueError) as error:
            return Pace(rules.seconds, f"{rules.reason} (asked in vain: {type(error).__name__})")
        if not seconds >= 0:
            return Pace(rules.seconds, f"{rules.reason} (the answer was {seconds})")
        return Pace(min(seconds, self._otherwise.settings.longest), "as the model says")
