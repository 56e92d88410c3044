"""Where a sentence ends, in any language: that of a text is not known.

A mark ends a sentence unless the text goes on in small letters behind it, or its full stop belongs to a word:
an abbreviation, an initial, a number. docs/decisions/0010 compares this with libraries.
"""

import re
from collections.abc import Iterator

__all__ = ["sentence_ends"]

WIDE = "。！？"
OPENED, CLOSED = "“「『（«", "”」』）»"
CLOSING = "\"'”’)\\]»›」』）】"
# Marks with a space behind them; those that need none, which CJK, Hindi, Burmese and others have; and lines.
_END = re.compile(rf"[.!?…؟۔։;]+[{CLOSING}]*(?:\s+»)?(?=\s)|[。！？।॥။፧።។]+[{CLOSING}]*|\n+")
_NEXT = re.compile(r"\s*[«‹“\"'(]?(.?)")
_LAST_WORD = re.compile(r"[^\s«“„‘\"'(\[]+\Z")
_GREEK = re.compile(r"[Ͱ-Ͽ]\Z")
_DOTTED = re.compile(r"(?:\w{1,2}\.)+\w{1,2}")  # z.B, a.m, o.a
_ORDINAL = re.compile(
    r"\s+(?:Jan|Feb|März?|Apr|Mai|Jun|Jul|Aug|Sep|Okt|Nov|Dez|Jahrhundert|Stock|Klasse|Etage)", re.IGNORECASE
)  # what a German "3." counts


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


INNER = _words("""
    mr mrs ms dr prof st mt ft rev gen col sgt capt hon pres gov sen mme mlle mm sr sra srta ud uds dra dña
    sig dott dhr mevr hr fr fa dipl ing med phil jr esq डॉ श्री
    vs cf approx aprox env ca bzw evtl ggf inkl exkl zzgl bspw bijv resp usf np tzn tj itd руб ул др тыс млн
    гл стр см dept est eds av ave ul ee
    jan feb mar apr jun jul aug sep sept oct okt nov dec dez mon tue wed thu fri mo di mi sa
""")
"""Abbreviations behind which a sentence goes on."""
NUMBERED = _words("""
    no nr nro núm num n° nº art fig p pp pag pág s vol ch sec par abs kap bd tel godz cap hab ext kl esim hod
    max min
""")
"""Abbreviations before a number; some are words, too."""
LAST = _words("a.m p.m u.s u.k e.u u.n etc inc ltd co corp usw ph.d b.c a.d")
"""Abbreviations that may end a sentence: they do if a capital follows."""


def sentence_ends(text: str, begins_line: bool) -> Iterator[int]:
    """Yield where the sentences of a text end that are certain to.

    `begins_line`: whether the text stands at a line's start, where "1." is a number of a list.
    """
    for match in _END.finditer(text):
        end, mark = match.end(), match.group()
        if mark[0] == "\n" or not text[: match.start()].strip():
            if text[:end].strip():
                yield end
            continue
        following = _NEXT.match(text, end)
        first = following[1] if following else ""
        if mark[0] == ";" and not _GREEK.search(text, 0, match.start()):
            continue
        if (first.islower() or (first and first in CLOSED)) and text[end : end + 1] != "\n":
            continue
        if mark[0] in WIDE and _is_quoting(text[:end]):
            continue
        if (
            mark[0] == "."
            and len(mark.rstrip(CLOSING + " ")) == 1
            and _belongs_to_word(text, match, first, begins_line)
        ):
            continue
        yield end


def _is_quoting(text: str) -> bool:
    """Return True if a quotation is open at the end of a text."""
    return sum(map(text.count, OPENED)) > sum(map(text.count, CLOSED))


def _belongs_to_word(text: str, match: re.Match[str], first: str, begins_line: bool) -> bool:
    """Return True if a full stop belongs to its word, as in "Dr.", "p.m." or "J."."""
    found = _LAST_WORD.search(text, 0, match.start())
    if found is None:
        return False
    word = found.group()
    low = word.lower()
    if word.isdigit():
        if len(word) > 2 or "\n" in text[match.end() : match.end() + 1]:
            return False
        if not first or first.isdigit() or _ORDINAL.match(text, match.end()):
            return True
        _, newline, item = text[: match.start()].rpartition("\n")
        return item.strip() == word and (bool(newline) or begins_line)  # "1. Open it" of a list
    if low in LAST:
        return not first.isupper()
    if low in NUMBERED or low.endswith("str"):
        return not first or first.isdigit()
    return (
        low in INNER or bool(_DOTTED.fullmatch(word)) or (len(word) == 1 and word != "I" and word.isalpha())
    )
