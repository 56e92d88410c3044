"""Values on the wire of a vendor: theirs are never believed."""

import json
import math
from binascii import a2b_base64
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlencode

import msgspec

from ..encodable import to_json
from ..errors import BadResponseError

__all__ = [
    "address",
    "base64_bytes",
    "fields",
    "items",
    "json_object",
    "json_text",
    "msgpack_bytes",
    "msgpack_object",
    "number",
    "plain_text",
    "reason_in",
    "said_text",
    "seconds_in",
    "string",
    "token_count",
]

LARGEST = 1 << 53  # what every reader of JSON can count to
TEXT_PARTS = ("text", "output_text", "")


def json_object(text: str | bytes, what: str = "a message") -> dict[str, Any]:
    """Return the JSON object that a text holds.

    Raises BadResponseError, which says that the text is not `what`, if it holds none.
    """
    try:
        value: Any = msgspec.json.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        value = _lenient_json(text, what)
    if not isinstance(value, dict):
        raise BadResponseError(f"not {what}: {text[:120]!r}")
    return cast(dict[str, Any], value)


def _lenient_json(text: str | bytes, what: str) -> Any:
    """Read JSON that the quick reader refuses: NaN, or half of a surrogate pair."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadResponseError(f"not {what}: {text[:120]!r}") from error


def json_text(**values: object) -> str:
    """Return a JSON object as text, without the values that are None."""
    return to_json({name: value for name, value in values.items() if value is not None}).decode()


def msgpack_object(data: str | bytes) -> dict[str, Any]:
    """Return the object that a message holds as MessagePack.

    Raises BadResponseError if it holds none.
    """
    try:
        value = msgspec.msgpack.decode(data.encode() if isinstance(data, str) else data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise BadResponseError(f"not MessagePack: {data[:60]!r}") from error
    if not isinstance(value, dict):
        raise BadResponseError(f"not an object in MessagePack: {data[:60]!r}")
    return cast(dict[str, Any], value)


def msgpack_bytes(**values: object) -> bytes:
    """Return an object as MessagePack, without the values that are None."""
    return msgspec.msgpack.encode({name: value for name, value in values.items() if value is not None})


def address(url: str, query: Mapping[str, object]) -> str:
    """Return a URL with a query.

    None is left out, a list is repeated, True is written as "true".
    """
    pairs = [
        (name, str(one).lower() if isinstance(one, bool) else str(one))
        for name, value in query.items()
        for one in (cast(list[object], value) if isinstance(value, list | tuple) else [value])
        if one is not None
    ]
    return f"{url}?{urlencode(pairs)}" if pairs else url


def string(value: object) -> str:
    """Return a text; "" for what is no text."""
    return value if isinstance(value, str) else ""


def said_text(value: object) -> str:
    """Return a text that somebody said or is to hear; "" for None.

    Raises BadResponseError for what is no text: to lose it in silence would be worse than to fail.
    """
    if value is None or isinstance(value, str):
        return value or ""
    raise BadResponseError(f"{str(value)[:40]!r} where a text should be")


def base64_bytes(value: object) -> bytes:
    """Return the bytes that a text holds as base64; b"" for None.

    Raises BadResponseError for what is not base64.
    """
    text = said_text(value)
    try:
        data = a2b_base64(text)  # leaves out what is not of the alphabet, so that there are fewer bytes
    except ValueError as error:
        raise BadResponseError(f"not base64: {text[:40]!r}") from error
    if len(data) != len(text) // 4 * 3 - text.count("=", -2):
        raise BadResponseError(f"not base64: {text[:40]!r}")
    return data


def number(value: object) -> float | None:
    """Return a finite number; None for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        known = float(value)
    except OverflowError:
        return None
    return known if math.isfinite(known) else None


def fields(value: object) -> dict[str, Any]:
    """Return the fields of an object; none for what is no object."""
    return cast(dict[str, Any], value) if isinstance(value, dict) else {}


def items(value: object) -> list[Any]:
    """Return the items of a list; none for what is no list."""
    return cast(list[Any], value) if isinstance(value, list) else []


def token_count(value: object) -> int:
    """Return a count of tokens for the bill.

    Returns 0 for a value that is not a count, since that should not spoil an answer.
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 <= value < LARGEST else 0


def plain_text(value: object) -> str:
    """Return the text of a message's content.

    The content is a string, or a list of parts. Parts of other types than text, such as reasoning, are left
    out. Raises BadResponseError for a value that cannot be content.
    """
    parts = cast(list[object], value) if isinstance(value, list) else [value]
    return "".join(_text_of(part) for part in parts)


def _text_of(part: object) -> str:
    match part:
        case None:
            return ""
        case str():
            return part
        case int() | float() if not isinstance(part, bool):
            return json.dumps(part)  # a gateway that took "42" for a number
        case {"text": str(text)} if cast(dict[str, object], part).get("type", "") in TEXT_PARTS:
            return text
        case dict():
            return ""
        case _:
            raise BadResponseError(f"the content of a message is neither text nor parts: {str(part)[:80]!r}")


def reason_in(body: str | bytes) -> str:
    """Return the reason for an error that a response states.

    The reason stands in one of the usual places of JSON, or is plain text.
    """
    try:
        said = json_object(body)
    except BadResponseError:
        text = body.decode(errors="replace") if isinstance(body, bytes) else body
        return text[:200].strip() or "nothing"
    error: Any = said.get("error")
    places = fields(error) or said
    found = [places[name] for name in ("message", "detail", "details") if places.get(name)]
    return str(found[0] if found else error or said)[:300]


def seconds_in(header: str | None) -> float | None:
    """Return the number of seconds in a retry-after header.

    Returns None for a date, or for a value that is not a time to wait.
    """
    try:
        seconds = float(header or "")
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
