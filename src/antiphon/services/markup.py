"""Removal of Markdown and emoji from text that is to be spoken.

Models write them although they are asked not to.
"""

import re
from typing import NamedTuple

from ..encodable import encodable
from .respelling import Respelled

__all__ = ["without_markup"]

EMOJI = (
    r"\U0001f000-\U0001faff\u2600-\u2775\u2794-\u27bf\u2b00-\u2bff\u2190-\u21ff\u231a-\u23ff\u25a0-\u25ff"
    r"\U000e0020-\U000e007f"
)
_PLAIN = re.compile(r"(?![ 0-9-])(?: ?[0-9A-Za-z.,;:!?'’\"“”À-\u1fff\u3040-\ud7ff-])*")
_SURROGATE = re.compile("[\ud800-\udbff][\udc00-\udfff]|[\ud800-\udfff]")
_AT_LINE_START = re.compile(
    r"^[ \t]*(?:"
    r"(?:[-*_=~][ \t]*){3,}$|"  # a rule
    r"[`~]{3,}[^\n`]*$|"  # where code begins or ends; the language is no word of it
    r"\|?[ \t]*:?-{2,}:?[ \t]*(?:\|[ \t]*:?-{2,}:?[ \t]*)*\|?[ \t]*$|"  # the line under a table's head
    r"(?:>[ \t]*)*(?:\#{1,6}[ \t]+|[-*+•‣◦▪][ \t]+(?:\[[ xX]\][ \t]+)?)?(?:[*_]{2,3}(?=\w))?"
    r")",
    re.MULTILINE,
)
_HEADING_END = re.compile(r"[ \t]+#+[ \t]*$", re.MULTILINE)
_NUMBERED = re.compile(r"^([ \t]*\d{1,2})[.)](?=[ \t]+\S)", re.MULTILINE)


class _Rule(NamedTuple):
    pattern: re.Pattern[str]
    by: str = ""


_RULES = (
    _Rule(re.compile(r"\\([\\`*_{}\[\]()#+.!|~>-])"), r"\1"),
    _Rule(re.compile(r"!?\[([^\]\n]*)\]\((?:[^()\s]|\([^()\s]*\))*(?:[ \t]+[\"'][^\"'\n]*[\"'])?\)"), r"\1"),
    _Rule(re.compile(r"\]\((?=\w*:|/|#|www)[^)\s]*\)")),  # a link whose text was cut
    _Rule(re.compile(r"!?\[(?=[^\]\n]*$)"), ""),
    _Rule(re.compile(r"<((?:https?://|mailto:)[^\s>]*|[^\s<>@]+@[^\s<>]+)>"), r"\1"),
    _Rule(
        re.compile(r"</?(?:b|i|em|strong|u|s|br|p|sub|sup|small|code|pre|span|ul|ol|li|h[1-6])\s*/?>", re.I)
    ),
    _Rule(re.compile(r"\*{2,}|~~+|__+(?=\w)(?<!\w__)|(?<=[\w.!?,])__+(?!\w)|`+")),
    _Rule(
        re.compile(r"(?<![\w*])[*_]+(?=[^\s*_])|(?<=[^\W_])[*_]+(?![\w*])|(?<=[.!?,:;\"'”’)])[*_]+(?![\w*])")
    ),
    _Rule(re.compile(r"^[ \t]*\|[ \t]*|[ \t]*\|[ \t]*$", re.MULTILINE)),
    _Rule(re.compile(r"[ \t]+\|[ \t]+"), ", "),
    _Rule(re.compile("([0-9#*])\ufe0f?\u20e3"), r"\1"),
    _Rule(re.compile(rf"[ \t]?[{EMOJI}][{EMOJI}\ufe0e\ufe0f\u200d\u20e3]*|\ufe0f")),
    _Rule(re.compile(r"(?<=\S)[ \t]{2,}(?=\S)"), " "),
    _Rule(re.compile(r"^[ \t]+|[ \t]+$", re.MULTILINE)),
)


def without_markup(written: str, *, begins_line: bool = True) -> Respelled:
    """Return the text without markup that should not be spoken.

    This covers headings, lists, emphasis, links, tables, code and emoji. `begins_line` is True if the text
    begins at the start of a line, where "# " is a heading and "- " an item of a list.
    """
    text = Respelled.of(written)
    if _PLAIN.fullmatch(written):  # most text: nothing in it can be markup
        return text
    text = text.sub(_SURROGATE, lambda half: encodable(half[0]))
    if begins_line or "\n" in written:
        start = 0 if begins_line else written.index("\n") + 1
        text = text.sub(_AT_LINE_START, lambda mark: "" if mark.start() >= start else mark[0])
        text = text.sub(_HEADING_END, "")
        text = text.sub(_NUMBERED, lambda mark: f"{mark[1]}," if mark.start() >= start else mark[0])
    for pattern, by in _RULES:
        text = text.sub(pattern, by)
    return text
