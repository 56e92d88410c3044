"""Hides telephone numbers in log messages."""

import re

__all__ = ["without_numbers"]

_NUMBER = re.compile(r"(?<!\w)(?<!\d[.:])\+?\(?\d(?:[ ()/-]*\d){4,}(?!\w)")
"""Five digits or more, unless they are part of a word, an IP address or its port."""


def without_numbers(text: object) -> str:
    """The text with every number of five digits or more cut to its last three."""
    return _NUMBER.sub(lambda number: "…" + "".join(filter(str.isdigit, number[0]))[-3:], str(text))
