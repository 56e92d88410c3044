"""Options that are nearly the name of a parameter are typing errors.

A vendor's class sends what it does not know on to the vendor: `TTS(voice="...", pitch=2)`. So a parameter
that is misspelt, as in `TTS(vioce="...")`, would be sent as well, and be ignored there.
"""

from collections.abc import Callable
from difflib import get_close_matches
from functools import wraps
from inspect import CO_VARKEYWORDS, Parameter, signature
from typing import Any

from ..errors import ConfigurationError

__all__ = ["refuse_typos"]

NEAR = 0.8  # similarity of two names by `difflib`, from 0 to 1


def refuse_typos(kind: type) -> None:
    """Let a constructor that takes further options refuse misspelt parameters.

    It then raises ConfigurationError, which names the parameter that is meant.
    """
    make = vars(kind).get("__init__")
    code = getattr(make, "__code__", None)
    if make is not None and code is not None and code.co_flags & CO_VARKEYWORDS:
        kind.__init__ = _checked(kind, make)


def _checked(kind: type, make: Callable[..., None]) -> Callable[..., None]:
    known = [
        name
        for name, parameter in signature(make).parameters.items()
        if parameter.kind not in (Parameter.VAR_KEYWORD, Parameter.VAR_POSITIONAL)
    ]

    @wraps(make)
    def checked(self: Any, *arguments: Any, **options: Any) -> None:
        for name in options.keys() - set(known) if type(self).__init__ is checked else ():
            if near := get_close_matches(name, known, 1, NEAR):
                where = f"{kind.__module__}.{kind.__qualname__}"
                raise ConfigurationError(f"{where} has no parameter {name!r}. Did you mean {near[0]}?")
        make(self, *arguments, **options)

    return checked
