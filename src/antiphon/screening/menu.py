"""The options that a telephone menu announces, and the choice of a key."""

import re
from collections.abc import Sequence

from .phrases import NUMBER, plain

DIGITS = {
    name: str(number)
    for names in (
        "zero one two three four five six seven eight nine",
        "null eins zwei drei vier fünf sechs sieben acht neun",
        "cero uno dos tres cuatro cinco seis siete ocho nueve",
        "zéro un deux trois quatre cinq six sept huit neuf",
    )
    for number, name in enumerate(names.split())
} | {"star": "*", "pound": "#", "hash": "#", "stern": "*", "raute": "#", "asterisco": "*", "étoile": "*"}

_KEY = rf"(?P<key>{NUMBER}|{'|'.join(DIGITS)})(?!\w)"
_PRESS = (
    r"(?:press|dial|enter|push|select|drücken sie|wählen sie|pulse|marque|presione|oprima"
    r"|tapez|appuyez sur|faites)(?: (?:the|number|die|el|la|le|bitte))*"
)
_NEXT = r"press|dial|(?:for|für|um|para|pour)\b"
_BEFORE = re.compile(  # "for sales, press one"
    rf"\b(?:for|to|if you|für|um|wenn sie|para|si desea|pour) (?P<what>(?:(?!{_NEXT})\w+ ){{1,12}}?)"
    rf"(?:please |bitte )?{_PRESS} {_KEY}"
)
_AFTER = re.compile(  # "press one for sales"
    rf"\b{_PRESS} {_KEY} (?:for|to|if you|für|um|para|pour) "
    r"(?P<what>(?:(?!press|dial|for\b|or\b)\w+ ?){1,8})"
)


def options(text: str) -> list[tuple[str, str]]:
    """Return the options with their keys, in the order of the announcement."""
    words = plain(text).replace("?", "")
    before = [(match["what"].strip(), _digit(match["key"])) for match in _BEFORE.finditer(words)]
    after = [(match["what"].strip(), _digit(match["key"])) for match in _AFTER.finditer(words)]
    return before if len(before) >= len(after) else after


def choose(text: str, wanted: Sequence[str]) -> tuple[str, str] | None:
    """Return the option that fits the wanted words (best first), with its key.

    Returns None if no option contains any of them.
    """
    offers = options(text)
    for wish in wanted:
        for what, key in offers:
            if plain(wish) in what:
                return what, key
    return None


def _digit(word: str) -> str:
    return DIGITS.get(word, word)
