"""Numbers that are read out digit by digit, such as those of telephones.

Other examples are the numbers of cards, accounts, orders and codes. A voice that reads "555 123 4567" as
quantities says "five hundred fifty-five, one hundred...". Such numbers are recognized by how they are
grouped, and by the words before them.
"""

import re

from .respelling import Respelled

__all__ = ["digit_by_digit"]

CONTEXT = 60  # characters before a number in which a word is looked for that says what it is
_GROUP = r"\(?[0-9]++\)?"
_NUMBER = re.compile(
    rf"""(?<![\w.,:/$€£¥₹]) (?<![\w$€£¥₹][-–.]) (?<![0-9][ \u00a0\u202f])
    (?:\+[ ]?)? {_GROUP} (?:(?:[ \u00a0\u202f]|[ ]?[-–./][ ]?)? {_GROUP})*+
    (?![\w%‰°]|[.,:/][0-9]|[ ]?[€$£¥₹%])""",
    re.VERBOSE,
)
_NOUN = (
    r"(?:code|pin|passcode|account|card|phone|telephone|tel|mobile|cell|fax|extension|ext|reference|ref|ticket|"
    r"confirmation|booking|reservation|tracking|invoice|policy|membership|member|customer|routing|passport|"
    r"licen[cs]e|serial|zip|postcode|iban|number|nr|call|dial)"
)
_CUE = re.compile(
    rf"(?:\b(?:{_NOUN}\b\.?|no\.|id\b|end(?:s|ing)?\ (?:in|with)\b)|№|\#)"
    r"(?:[\s:,\"'“]*\b(?:is|are|was|number|code|no|id|ends|ending|in|me|us|on|back|the|your|my|our|again)\b\.?)*"
    r"[\s:,\"'“(]*$",
    re.VERBOSE | re.IGNORECASE,
)
_OF_SOMETHING = re.compile(
    r"[ \u00a0]?(?:[€$£¥₹%]|(?!(?:and|or|then|to|at|on|for|from|if|when|please|is|in|by|with|today|now|again|"
    r"as|but|which|that|who|so)\b)[^\W\d_]{2,})",
    re.IGNORECASE,
)
_YEAR = re.compile(r"(?:19|20)[0-9]{2}$")
_THOUSANDS = re.compile(r"[1-9][0-9]{0,2}(?:[ \u00a0\u202f][0-9]{3})+$")


def digit_by_digit(text: Respelled, before: str = "") -> Respelled:
    """The text with such numbers spelled out: "5 5 5, 1 2 3, 4 5 6 7".

    `before`: what was said before this text, which may say what a number is.
    """

    def spelled(number: re.Match[str]) -> str:
        said = (before[-CONTEXT:] + " " + text.text[: number.start()])[-CONTEXT:]
        written = number[0]
        opened = written.count("(") - written.count(")")
        if opened or not _is_spelled(written, said, text.text[number.end() :]):
            return written
        plus = "+" if written.startswith("+") else ""
        return plus + ", ".join(" ".join(group) for group in re.findall(r"[0-9]+", written))

    return text.sub(_NUMBER, spelled)


def _is_spelled(written: str, before: str, after: str) -> bool:
    """Whether a number is read digit by digit, given what stands around it."""
    groups = re.findall(r"[0-9]+", written)
    sizes = [len(group) for group in groups]
    total, separators = sum(sizes), set(re.findall(r"[^0-9()+\s\u00a0\u202f]", written))
    if max(sizes) == 1 or _is_date(groups, separators):
        return False
    if written.startswith("+") or "(" in written:
        return total >= 7
    if "." in separators and sizes != [3, 3, 4] and groups[0][0] != "0":  # an address, a version
        return False
    if "/" in separators and not (len(groups) == 2 and groups[0][0] == "0" and total >= 7):
        return False
    noun = _OF_SOMETHING.match(after) is not None
    cue = _CUE.search(before) is not None
    if len(groups) == 1:
        return total >= 8 or (groups[0][0] == "0" and total >= 3) or (cue and total >= 3 and not noun)
    if cue and not (noun and _THOUSANDS.match(written)):
        return max(sizes) >= 3 or (min(sizes) == 2 and total >= 6)
    return _looks_grouped(written, groups, noun=noun)


def _looks_grouped(written: str, groups: list[str], *, noun: bool) -> bool:
    """Return True if several groups of digits form one number to be spelled.

    Decides by the groups alone, since no word before them says what they are.
    """
    sizes = [len(group) for group in groups]
    if groups[0][0] == "0" and sizes[0] > 1:
        return sum(sizes) >= 6
    if _THOUSANDS.match(written):
        return not noun and groups[-1] != "000"
    if len(groups) > 2:
        return max(sizes) >= 3 and sum(sizes) >= 7
    if _YEAR.match(groups[0]):
        return False
    if re.search(r"[-–]", written):
        return sizes == [3, 4]
    return min(sizes) >= 3 and not noun


def _is_date(groups: list[str], separators: set[str]) -> bool:
    """Return True if the groups are a day, a month and a year in some order.

    Examples are 2025-03-04 and 3.4.25.
    """
    if len(groups) != 3 or not separators or separators & {"–"}:
        return False
    first, second, third = groups
    small = [first, second] if len(third) != 2 or len(first) <= 2 else [second, third]
    years = third if small[0] is first else first
    return len(years) in (2, 4) and all(len(one) <= 2 and 1 <= int(one) <= 31 for one in small)
