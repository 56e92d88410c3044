"""Rules that judge by the last words whether the user has finished.

A rule looks at the last words of one side. For each side the first rule that matches counts, so the special
rules come first.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite
from typing import Literal, NamedTuple

from ..errors import ConfigurationError

__all__ = ["RULES", "Hint", "WordRule", "WordRules"]

Side = Literal["user", "agent"]

TAIL = 64
"""Rules look at so many characters at the end of what the user said, beginning with a whole word."""


@dataclass(frozen=True, slots=True)
class WordRule:
    """A rule: if `pattern` matches, the turn is more or less likely to be over."""

    pattern: str
    """A regular expression; case is ignored. Of the agent's words it sees only the last sentence."""
    side: Side
    effect: float
    """What is added to the log-odds that the turn is over: -3 turns nine in ten into one in three."""
    reason: str
    """Shown to people; `{}` is replaced by what the first group of the pattern matched."""
    asked: str = ""
    """For rules about the user's words: the rule applies only if this matches what the agent asked."""


class Hint(NamedTuple):
    """What one piece of evidence adds to the log-odds that the turn is over."""

    side: Side | Literal["sound", "vendor"]
    effect: float
    reason: str


# Words after which more must come, and words after which more probably comes. Words that people also end
# with ("das", "so", "car", "du") are left out: a wrong rule would make them wait for nothing.
JOINING = (
    # English
    "and|or|but|because|cause|although|unless|until|whether|if|and then|so that|plus|the|a|an|my|your|our"
    "|their|every|as well as|is called|and also"
    # German
    "|und|oder|aber|weil|dass|wenn|denn|sondern|obwohl|der|ein|eine|einen|einem|einer|mein|meine|meinen"
    "|meiner|den|dem|des|zum|zur|ob"
    # French
    "|et|ou|mais|parce que|puisque|que|le|la|les|une?|des|de|mon|mes|aux?|à"
    # Spanish
    "|y|pero|porque|aunque|el|los|las|una?|del|mi|mis|con|para|por|cuando"
)
LEANING = (
    "to|of|for|with|from|at|into|between|about|is|are|was|were|will|would|could|should|can|am|i|we|he|they"
    "|i'm|i'd|i'll|i've|it's|that's|we're|there's|like|some|any|very|basically"
    "|who|which|when|where|than|as|by"
    "|für|mit|von|bei|nach|auf|ich|ist|sind|wir|möchte|würde|kann|sehr"
    "|pour|avec|dans|sur|chez|je|est|suis|voudrais|très|j'ai|c'est"
    "|en|sin|sobre|yo|es|está|quiero|quisiera|muy"
)
FILLERS = (
    "u+m+|u+h+|e+rm?|h+m+|mm+|you know|i mean|let me (?:see|think|check|look)|hold on|one (?:moment|second)"
    "|ä+h+m?|ö+h+m?|na ja|also ich|sozusagen"
    "|e+u+h+|bah|attendez|voyons"
    "|e+h+|o sea|a ver|es que|digamos"
    "|(?<![a-zäöü] )(?:well|moment|ben|enfin|este|pues)"  # but not "I feel well"
)
ANSWERS = (
    "yes|yeah|yep|yup|ya|no|nope|nah|not? (?:really|yet)|okay|ok|sure|right|correct|exactly|absolutely"
    "|definitely|of course|fine|good|great|perfect|maybe later|never|always|today|tomorrow|tonight|none|both"
    "|either|neither|please|hello|hi|hey|thanks|thank you|bye|goodbye|stop|cancel|help|nothing|now|mhm|uh-huh"
    "|i do|i don't|i am|it is|it's not|that's (?:right|all|it|fine|correct)|sounds good"
    "|the (?:first|second|last)(?: one)?"
    "|ja|nein|doch|genau|gerne?|klar|danke|bitte|hallo|tschüss|nichts|heute|morgen|richtig|stimmt"
    "|oui|non|si|d'accord|merci|bonjour|exactement|bien sûr|voilà|aujourd'hui|demain"
    "|sí|claro|vale|gracias|hola|adiós|nada|hoy|mañana|exacto|por supuesto|de acuerdo"
)
GREETINGS = (
    "hello|hi|hey|good (?:morning|afternoon|evening)|yes|yeah|okay|hallo|guten (?:tag|morgen|abend)|ja"
    "|bonjour|bonsoir|oui|hola|buenos días|buenas tardes|sí"
)
DIGIT = r"(?:\d|\b(?:zero|oh|one|two|three|four|five|six|seven|eight|nine|double|triple)\b)"
OTHER = rf"(?:(?!{DIGIT}).)*"  # anything that is no digit
NUMBER = (
    "\\d{1,2}|zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|fifty|hundred"
    "|eins|zwei|drei|vier|fünf|sechs|sieben|acht|neun|zehn|deux|trois|quatre|cinq|sept|huit|neuf|dix"
    "|uno|dos|tres|cuatro|cinco|seis|siete|ocho|nueve|diez"
)
OPEN = r"[\s,.…\-–—]*$"  # punctuation that may follow an unfinished sentence in a transcript
CLOSED = r"[\s.!]*$"
ASKS = r"^(?=.*\?$)"
LAST = (
    r"\b(?=\S++(?:\s++\S++){0,2}+\s*$)"  # at most three words are left: only there the long lists are tried
)

# What the agent may have asked for.
SPELT = r"\b(?:spell|spelled|buchstabier\w*|épel\w*|deletre\w*|letter by letter)\b"
PHONE = r"\b(?:(?:phone|mobile|cell|callback|contact) number|telefonnummer|numéro de téléphone|teléfono)\b"
CARD = r"\b(?:card number|kartennummer|numéro de carte|número de tarjeta|iban)\b"
EMAIL = r"\b(?:what|your|spell|give|tell)\b.*\be-?mail|\bcorreo\b"
DICTATED = (
    rf"{PHONE}|{CARD}|{EMAIL}|\b(?:(?:account|order|reference|serial|policy|tracking|customer|your) number"
    r"|the number|\w+ code|postcode|address|date of birth|full name|digits|\w*nummer|adresse"
    r"|numéro|dirección|número)\b"
)
TOLD = (
    r"\b(?:tell (?:me|us)|describe|explain|walk me through|what happened|what went wrong|what can i do"
    r"|how (?:can|may) i help|what brings you|erzähl\w*|beschreib\w*|wie kann ich"
    r"|racontez|expliquez|comment puis-je|cuénte(?:me)?|explique|en qué puedo)\b"
)

RULES: tuple[WordRule, ...] = (
    WordRule(rf"^\W*(?:{GREETINGS})(?:,? there)?{CLOSED}", "user", -1.0, "has hardly begun", asked=TOLD),
    # If something long is dictated, the words so far tell whether it is complete.
    WordRule(rf"^(?:{OTHER}{DIGIT}){{9,}}", "user", 1.5, "the number is whole", asked=PHONE),
    WordRule(rf"^(?:{OTHER}{DIGIT}){{1,6}}{OTHER}$", "user", -3.0, "in the middle of a number", asked=PHONE),
    WordRule(rf"^(?:{OTHER}{DIGIT}){{1,14}}{OTHER}$", "user", -3.0, "in the middle of a number", asked=CARD),
    WordRule(rf"^\W*(?:(?:{NUMBER})[\s,.-]*){{1,2}}$", "user", -2.0, "begins a number", asked=DICTATED),
    WordRule(
        r"(?:\.|\bdot\b|\bpunkt\b|\bpoint\b|\bpunto\b)\s*\w{2,4}\W*$",
        "user",
        1.5,
        "the address is whole",
        asked=EMAIL,
    ),
    WordRule(r"^\W*(?:[^\W\d]\b[\s,.-]*){1,2}$", "user", -3.0, "begins to spell", asked=SPELT),
    # A recogniser also writes a question mark after half a question.
    WordRule(rf"{ASKS}.*?{LAST}({JOINING})\s*\?$", "user", -2.0, 'ends with "{}"'),
    WordRule(rf"{ASKS}.*?{LAST}({LEANING})\s*\?$", "user", -0.5, 'ends with "{}"'),
    WordRule(r"\?[\"'”’)\]]*\s*$", "user", 0.2, "asks"),
    WordRule(rf"{LAST}({FILLERS}){OPEN}", "user", -3.0, 'hesitates: "{}"'),
    WordRule(rf"^\W*((?:(?:{ANSWERS}|{NUMBER})\b[\s,]*){{1,3}}){CLOSED}", "user", 3.5, "short answer"),
    WordRule(r"\b(?:it's|is|at|dot)\b[^@]*$", "user", -1.5, "in the middle of an address", asked=EMAIL),
    WordRule(
        rf"\b(?:number|phone|code|card|account|zip|postcode)(?: is|'s)\W*(?:{DIGIT}[\s,.-]*){{1,6}}$",
        "user",
        -3.0,
        "in the middle of a number",
    ),
    WordRule(
        rf"^(?=.*{DIGIT}[\s,.-]*$).*?(?:^|\b(?!{DIGIT})[^\W\d]++\W++)(?:{DIGIT}[\s,.-]*){{3,8}}$",
        "user",
        -1.0,
        "seems to be dictating",
    ),
    WordRule(r"(?:\b[^\W\d_]\b[\s,.-]*){3,}$|\b(?:[^\W\d_][ -]){2,}[^\W\d_]\W*$", "user", -2.0, "spells"),
    WordRule(rf"{LAST}({JOINING}){OPEN}", "user", -2.5, 'ends with "{}"'),
    WordRule(rf"{LAST}({LEANING}){OPEN}", "user", -1.5, 'ends with "{}"'),
    WordRule(r"(?:[,…:;–—-]|\.\.\.?)\s*$", "user", -1.5, "the sentence goes on"),
    WordRule(
        r"\b(thanks|thank you|please|bye|goodbye|that's (?:all|it)|danke|bitte|merci|gracias)" + CLOSED,
        "user",
        1.5,
        'ends with "{}"',
    ),
    WordRule(r"[.!。！？]\s*$", "user", 0.2, "the sentence is whole"),
    # From here on the words end without punctuation. That is evidence only if the recogniser writes
    # punctuation and capitals at all, and after more than three words: a few often have none.
    WordRule(
        r"^(?=.*(?:(?-i:[A-ZÄÖÜÉÈ])|[.,?!]))(?:\S++\s++){3,}\S*[^\W_]$",
        "user",
        -0.5,
        "the sentence is not whole",
    ),
    WordRule(
        r"^\W*(?:is|are|was) (?:that|this|it|these|those|your|the)\b"
        r"|^\W*(?:did|does|do|have|has|shall|should)\b",
        "agent",
        0.7,
        "asked yes or no",
    ),
    WordRule(SPELT, "agent", -1.5, "asked to spell"),
    WordRule(DICTATED, "agent", -0.7, "asked for something to be dictated"),
    WordRule(TOLD, "agent", -0.3, "asked to tell"),
    WordRule(
        r"^\W*(?:(?:and|so|okay|great|well|now)\W+)?(?:is|are|was|were|am|can|could|would|will|may|might"
        r"|isn't|aren't|don't|ist|sind|haben sie|möchten sie|kann|können|soll|est-ce que|voulez|avez|es|está"
        r"|quiere|puede)\b.*\?",
        "agent",
        0.7,
        "asked yes or no",
    ),
    WordRule(
        r"\b(?:which|how (?:many|much|old|long)|what (?:time|day|size|colou?r)|when|or"
        r"|welche\w*|wie viele?|wann|oder|quell?e?s?|combien|quand|ou|cuál|cuánt[oa]s?|cuándo)\b.*\?",
        "agent",
        0.5,
        "asked for a word",
    ),
)
"""English first, then German, French and Spanish. `EndpointingSettings` can replace or extend the table."""


@lru_cache(512)
def _told(rules: "WordRules", words: str, asked: str) -> list[Hint]:
    """Return `rules.first`, cached: a pause judges the same words at each fact."""
    return rules.first(words, asked)


class WordRules:
    """A compiled table of rules."""

    __slots__ = ("_agent", "_newest", "_user")

    def __init__(self, rules: Sequence[WordRule]) -> None:
        ready = [(_compiled(rule, rule.pattern), _compiled(rule, rule.asked), rule) for rule in rules]
        self._user = [row for row in ready if row[-1].side == "user"]
        self._agent = [row for row in ready if row[-1].side == "agent"]
        self._newest = self._after("")

    def told(self, words: str, asked: str) -> list[Hint]:
        """Return the hints in the user's words and in the agent's question.

        The list is empty if no rule matches.
        """
        return _told(self, last_words(words), asked)

    def first(self, words: str, asked: str) -> list[Hint]:
        """Return the same without the cache; `words` as `last_words` returns them."""
        if asked != self._newest.asked:
            self._newest = self._after(asked)
        question = self._newest
        found = (_first(question.rules, words), question.hint)
        return [hint for hint in found if hint is not None]

    def _after(self, asked: str) -> "_Question":
        """Prepare what is the same for every answer to a question."""
        question = last_sentence(asked)
        rules = [(pattern, rule) for pattern, when, rule in self._user if when.search(question)]
        agent = [(pattern, rule) for pattern, _, rule in self._agent]
        return _Question(asked, rules, _first(agent, question))


class _Question(NamedTuple):
    """A question of the agent, the rules that apply to answers, and its own hint."""

    asked: str
    rules: list[tuple[re.Pattern[str], WordRule]]
    hint: Hint | None


def last_words(text: str) -> str:
    """Return the end of a text, beginning with a whole word."""
    tail = " ".join(text[-2 * TAIL :].split())
    if len(text) <= 2 * TAIL and len(tail) <= TAIL:
        return tail
    start = max(0, len(tail) - TAIL)
    return "… " + tail[tail.find(" ", start) + 1 or start :]


def last_sentence(text: str) -> str:
    """Return the last sentence of a text, with its punctuation."""
    text = " ".join(text[-3 * TAIL :].split())
    ends = [text.rfind(mark, 0, -1) for mark in (". ", "! ", "? ")]
    return text[max(ends) + 1 :].lstrip()


def _compiled(rule: WordRule, pattern: str) -> re.Pattern[str]:
    if not isfinite(rule.effect):
        raise ConfigurationError(f"turns: the effect of the rule {rule.reason!r} must be a finite number")
    try:
        return re.compile(pattern, re.IGNORECASE)
    except re.error as error:
        raise ConfigurationError(
            f"turns: the rule {rule.reason!r} has no valid regular expression: {error}"
        ) from error


def _first(rules: Sequence[tuple[re.Pattern[str], WordRule]], text: str) -> Hint | None:
    if not text:
        return None
    for pattern, rule in rules:
        if (found := pattern.search(text)) is not None:
            matched = found[1] if found.re.groups else ""
            return Hint(rule.side, rule.effect, rule.reason.replace("{}", (matched or "").strip()))
    return None
