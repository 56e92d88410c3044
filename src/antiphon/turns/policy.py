"""Reading a turn policy from a TOML file with the names of `TurnSettings`.

    wake_phrase = "hey shop"

    [endpointing]
    floor = 0.3

A setting that the file leaves out has its default. `false` stands for None if a setting may be None.
"""

import tomllib
from dataclasses import fields, is_dataclass, replace
from difflib import get_close_matches
from math import isnan
from pathlib import Path
from types import NoneType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from ..errors import ConfigurationError
from .settings import TurnSettings

__all__ = ["load_policy", "parse_policy"]

T = TypeVar("T")


def load_policy(path: str | Path) -> TurnSettings:
    """Read the policy in a TOML file.

    Raises ConfigurationError, which names the file, the key and what is wrong.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"the policy {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"the policy {path} is not text in UTF-8") from error
    try:
        return parse_policy(text)
    except ConfigurationError as error:
        raise ConfigurationError(f"the policy {path}: {error}") from error


def parse_policy(text: str) -> TurnSettings:
    """Read the policy in a TOML text. Raises ConfigurationError."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"not TOML: {error}") from error
    return _changed(TurnSettings(), content, "")


def _changed(settings: T, table: dict[str, Any], place: str) -> T:
    """Return the settings with the changes that a table makes."""
    kind: Any = type(settings)
    _known(kind, table, place)
    hints = get_type_hints(kind)
    changes: dict[str, Any] = {}
    for key, value in table.items():
        old, where = getattr(settings, key), f"{place}{key}"
        if not is_dataclass(old):
            changes[key] = _value(value, hints[key], where)
        elif isinstance(value, dict):
            changes[key] = _changed(old, value, f"{where}.")  # pyright: ignore[reportUnknownArgumentType]  TOML
        else:
            raise ConfigurationError(f"{where} is a table: write [{where}] and its keys below it")
    return replace(settings, **changes)  # pyright: ignore[reportUnknownVariableType, reportArgumentType]


def _known(kind: Any, table: dict[str, Any], place: str) -> None:
    known = [field.name for field in fields(kind)]
    for key in table:
        if key not in known:
            close = get_close_matches(key, known, 1)
            meant = f"; did you mean {close[0]}?" if close else ""
            raise ConfigurationError(f"there is no key {place}{key}{meant} (known: {', '.join(known)})")


def _value(value: Any, hint: Any, where: str) -> Any:
    options = get_args(hint)
    if get_origin(hint) is Literal and value not in options:
        raise ConfigurationError(f"{where} must be {' or '.join(map(repr, options))}, not {value!r}")
    if value is False and NoneType in options:
        return None
    if isinstance(value, float) and isnan(value):
        raise ConfigurationError(f"{where}: nan is not a number")
    if options and is_dataclass(options[0]) and isinstance(value, list):
        for number, row in enumerate(value, 1):  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
            if isinstance(row, dict):
                _known(options[0], row, f"{where}[{number}].")  # pyright: ignore[reportUnknownArgumentType]
    try:
        return msgspec.convert(value, hint)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"{where}: {str(error)[0].lower()}{str(error)[1:]}") from error
