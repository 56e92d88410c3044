"""Hiding telephone numbers in log messages."""

import re

__all__ = ["without_numbers"]

_NUMBER = re.compile(r"(?<!\w)(?<!\d[.:])\+?\(?\d(?:[ ()/-]*\d){4,}(?!\w)")
"""Matches five digits or more, unless they belong to a word, an IP address or a port."""


def without_numbers(text: object) -> str:
    """Return the text with every long number (5+ digits) cut to its last three."""
    return _NUMBER.sub(lambda number: "…" + "".join(filter(str.isdigit, number[0]))[-3:], str(text))
