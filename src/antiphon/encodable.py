"""Repair of text that cannot be encoded as UTF-8.

Text from outside may hold one half of a surrogate pair, which has no UTF-8 form. Python's strings can hold
such halves: JSON with an emoji cut in two, a file name that is not UTF-8, text that was cut in UTF-16. One of
them in the history would make every later request fail. So text is mended where it enters a session, and once
more where a request, a message or a line of the journal is written.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from functools import cache
from typing import Any, TypeVar

import msgspec

__all__ = ["SurrogateJoiner", "encodable", "encodable_data", "from_json", "to_json"]

T = TypeVar("T")
WITHOUT_TEXT = (Any, int, float, bool, bytes, int | None, float | None)
"""Types of fields that are not looked into."""


def encodable(text: str) -> str:
    """The text with the halves of a pair joined, and a lone half replaced by U+FFFD."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


class SurrogateJoiner:
    """A filter that makes a stream of text encodable.

    It joins a surrogate pair whose halves come in two pieces.
    """

    def __init__(self) -> None:
        self._held = ""

    def feed(self, text: str) -> str:
        """Returns what is complete: the first half of a pair waits for the next piece."""
        text, self._held = self._held + text, ""
        if text and "\ud800" <= text[-1] <= "\udbff":
            text, self._held = text[:-1], text[-1]
        return encodable(text)

    def flush(self) -> str:
        """Returns what is left when the stream is over."""
        held, self._held = self._held, ""
        return encodable(held)


def encodable_data(value: T) -> T:
    """Return the value with all the text in it made encodable.

    Text is mended in dicts, lists, tuples, frames and dataclasses. Returns the very same object if there is
    nothing to mend. Fields of frames and dataclasses that may hold any value are left alone, since they are
    mended when they are read from JSON or written as JSON.
    """
    return _mender(value.__class__)(value)


@cache
def _mender(kind: type[Any]) -> Callable[[Any], Any]:
    """Return the function that mends the values of one type."""
    if issubclass(kind, msgspec.Struct):
        return _record(msgspec.structs.fields(kind), msgspec.structs.replace)
    if is_dataclass(kind):
        return _record([field for field in fields(kind) if field.init], replace)
    if issubclass(kind, str):
        return encodable
    if issubclass(kind, dict):
        return _dict
    if issubclass(kind, list | tuple):
        return _sequence
    return _unchanged


def _unchanged(value: T) -> T:
    return value


def _dict(value: dict[Any, Any]) -> dict[Any, Any]:
    items = [(encodable_data(key), encodable_data(item)) for key, item in value.items()]
    same = all(
        new is old and now is then for (new, now), (old, then) in zip(items, value.items(), strict=True)
    )
    return value if same else dict(items)


def _sequence(value: list[Any] | tuple[Any, ...]) -> list[Any] | tuple[Any, ...]:
    items = [encodable_data(item) for item in value]
    if all(new is old for new, old in zip(items, value, strict=True)):
        return value
    return items if isinstance(value, list) else tuple(items)


def _record(members: Iterable[Any], changed: Callable[..., Any]) -> Callable[[Any], Any]:
    """Return the function that mends values with these fields."""
    names = [member.name for member in members if member.type not in WITHOUT_TEXT]

    def mend(value: Any) -> Any:
        changes: dict[str, Any] = {}
        for name in names:
            old = getattr(value, name)
            if (new := encodable_data(old)) is not old:
                changes[name] = new
        return changed(value, **changes) if changes else value

    return mend if names else _unchanged


def to_json(
    value: Any,
    encode: Callable[[Any], bytes] = msgspec.json.encode,
    enc_hook: Callable[[Any], Any] | None = None,
) -> bytes:
    """Encode a value as JSON, and mend text that cannot be encoded.

    Raises TypeError or ValueError if `encode` does.
    """
    try:
        return encode(value)
    except UnicodeEncodeError:
        return encode(encodable_data(msgspec.to_builtins(value, enc_hook=enc_hook)))


def from_json(text: str) -> Any:
    """Decode JSON, and mend lone halves of surrogate pairs in it.

    The halves may be escaped or not. Raises ValueError if the text is not JSON.
    """
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeEncodeError):
        if not _has_surrogates(text):
            raise
    import json

    return encodable_data(json.loads(text, parse_constant=_no_number))


def _has_surrogates(text: str) -> bool:
    return "\\ud" in text or "\\uD" in text or encodable(text) is not text


def _no_number(name: str) -> Mapping[str, Any]:
    raise ValueError(f"{name} is not a number in JSON")
