"""Telephone numbers, as logs may show them."""

import re

__all__ = ["without_numbers"]

_NUMBER = re.compile(r"(?<!\w)(?<!\d[.:])\+?\(?\d(?:[ ()/-]*\d){4,}(?!\w)")
"""Five digits or more that are no part of a name, an address or its port."""


def without_numbers(text: object) -> str:
    """A text with no more than the last three digits of each number of five or more."""
    return _NUMBER.sub(lambda number: "…" + "".join(filter(str.isdigit, number[0]))[-3:], str(text))
