"""The arguments of a tool call, decoded from the text that a model wrote.

Arguments that are not quite right are accepted if their meaning is plain, and refused otherwise. A refusal
costs the caller a second of silence, and some models repeat the refused call word for word.
"""

import re
from ast import literal_eval
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any

import msgspec
from msgspec import inspect as kinds

from ..encodable import from_json, to_json

__all__ = ["as_json", "decode"]

LONGEST = 200_000  # characters of arguments that are read
_FENCE = re.compile(r"\A\s*```[\w-]*\s*(.*?)\s*(?:```)?\s*\Z", re.DOTALL)
_STRING = r'"(?:[^"\\]|\\.)*+"'
_COMMA = re.compile(rf"({_STRING})|,(?=\s*[}}\]])", re.DOTALL)
_YES = frozenset({"true", "1", "1.0", "yes", "y", "on"})
_NO = frozenset({"false", "0", "0.0", "no", "n", "off"})
_Sequences = (kinds.ListType, kinds.SetType, kinds.FrozenSetType, kinds.VarTupleType)
_Objects = (kinds.StructType, kinds.DataclassType, kinds.TypedDictType)


class _NotPlainError(Exception):
    """A value whose meaning is not plain.

    The value is left unchanged, and is refused if its type does not fit.
    """


def as_json(text: str) -> str:
    """Return the arguments as the text of a JSON object, for the history.

    Returns text that cannot be read unchanged.
    """
    try:
        if isinstance(msgspec.json.decode(text), dict):
            return text
    except (msgspec.MsgspecError, ValueError, RecursionError):
        pass
    try:
        return to_json(_object(text)).decode()
    except (msgspec.MsgspecError, TypeError, ValueError, RecursionError):
        return text


def decode(text: str, into: type[msgspec.Struct]) -> msgspec.Struct:
    """Decode the arguments that a model wrote.

    Raises ValueError, with the reason, if they do not fit the type.
    """
    try:
        given = _object(text)
        return msgspec.convert(_fitted(given, kinds.type_info(into)), type=into, str_keys=True)
    except RecursionError:
        raise ValueError("they are nested too deeply") from None


# The text ----------------------------------------------------------------------------------------------


def _object(text: str) -> dict[str, Any]:
    """Read the object that a text stands for: JSON, or what is nearly that."""
    value: Any = text
    for _ in range(3):  # JSON within a text within JSON
        if not isinstance(value, str):
            break
        value = _read(value)
    if isinstance(value, list) and len(value) == 1:  # pyright: ignore[reportUnknownArgumentType]
        value = value[0]  # pyright: ignore[reportUnknownVariableType]
    if value is None or value == []:
        return {}
    if not isinstance(value, dict):
        raise ValueError("they are not a JSON object")
    return value  # pyright: ignore[reportUnknownVariableType]


def _read(text: str) -> Any:
    if len(text) > LONGEST:
        raise ValueError(f"{len(text)} characters are too many")
    if not text.strip():
        return None
    try:
        return from_json(text)
    except ValueError as error:
        tidied = text
        if (fence := _FENCE.match(text)) is not None:
            tidied = fence[1]
        tidied = _COMMA.sub(lambda match: match[1] or "", tidied)
        try:
            return from_json(tidied)
        except ValueError:
            pass
        try:  # as Python writes it: {'guests': 2, 'outside': True}
            value = literal_eval(tidied.strip())
        except (ValueError, SyntaxError, MemoryError, TypeError):
            raise error from None
        if not isinstance(value, dict | list | str):
            raise error
        return value  # pyright: ignore[reportUnknownVariableType]


# The values --------------------------------------------------------------------------------------------


def _fitted(value: Any, kind: kinds.Type) -> Any:
    """Convert a value to a type if its meaning is plain, else return it unchanged."""
    try:
        return _fit(value, kind)
    except _NotPlainError:
        return value


def _fit(value: Any, kind: kinds.Type) -> Any:
    match kind:
        case kinds.Metadata(type=inner):
            return _fit(value, inner)
        case kinds.UnionType(types=types):
            return _union(value, types)
        case kinds.StructType() | kinds.DataclassType() | kinds.TypedDictType():
            return _fields(_parsed(value, dict), kind.fields)
        case kinds.DictType(value_type=inner):
            found: Mapping[Any, Any] = _parsed(value, dict)
            return {key: _fitted(item, inner) for key, item in found.items()}
        case kinds.ListType() | kinds.SetType() | kinds.FrozenSetType() | kinds.VarTupleType():
            return [_fitted(item, kind.item_type) for item in _list(value)]
        case kinds.TupleType(item_types=inners):
            items: Sequence[Any] = _parsed(value, list)
            if len(items) != len(inners):
                raise _NotPlainError
            return [_fitted(item, inner) for item, inner in zip(items, inners, strict=True)]
        case kinds.LiteralType(values=values):
            return _choice(value, {str(one): one for one in values})
        case kinds.EnumType(cls=cls):
            return _enum(value, cls)
        case kinds.StrType() | kinds.IntType() | kinds.FloatType() | kinds.BoolType():
            return _SCALARS[type(kind)](value)
        case _:
            return value


def _fields(given: Mapping[str, Any], fields: Sequence[kinds.Field]) -> dict[str, Any]:
    """Return the members of an object under the names of the fields.

    Leaves out a null that stands for the default value.
    """
    by_name = {_simple(name): name for name in reversed(list(given))}
    fitted: dict[str, Any] = {}
    for field in fields:
        name = field.encode_name
        name_given = name if name in given else by_name.get(_simple(name))
        if name_given is None or (
            name_given != name and any(other.encode_name == name_given for other in fields)
        ):
            continue
        value = given[name_given]
        if value is None and not field.required and not _admits_none(field.type):
            continue
        fitted[name] = _fitted(value, field.type)
    return fitted


def _simple(name: str) -> str:
    return re.sub(r"[\W_]", "", name).casefold()


def _admits_none(kind: kinds.Type) -> bool:
    match kind:
        case kinds.Metadata(type=inner):
            return _admits_none(inner)
        case kinds.UnionType(types=types):
            return any(map(_admits_none, types))
        case _:
            return isinstance(kind, kinds.NoneType | kinds.AnyType)


def _union(value: Any, types: Sequence[kinds.Type]) -> Any:
    """Convert a value to the first type of a union that accepts it.

    A value that already has one of the types keeps that type.
    """
    if any(_is_of(value, kind) for kind in types):
        return next((_fit(value, kind) for kind in types if _is_of(value, kind)), value)
    for kind in types:
        try:
            fitted = _fit(value, kind)
        except _NotPlainError:
            continue
        if _is_of(fitted, kind):
            return fitted
    raise _NotPlainError


def _is_of(value: Any, kind: kinds.Type) -> bool:
    """Whether a value of JSON is of this type by itself."""
    match kind:
        case kinds.Metadata(type=inner):
            return _is_of(value, inner)
        case kinds.AnyType():
            return True
        case kinds.NoneType():
            return value is None
        case kinds.StrType():
            return isinstance(value, str)
        case kinds.BoolType():
            return isinstance(value, bool)
        case kinds.IntType():
            return isinstance(value, int) and not isinstance(value, bool)
        case kinds.FloatType():
            return isinstance(value, int | float) and not isinstance(value, bool)
        case kinds.LiteralType(values=values):
            return value in values
        case kinds.EnumType(cls=cls):
            return any(value == one.value for one in cls)
        case _:
            wanted = dict if isinstance(kind, (*_Objects, kinds.DictType)) else list
            return isinstance(kind, (*_Objects, *_Sequences, kinds.DictType, kinds.TupleType)) and isinstance(
                value, wanted
            )


def _parsed(value: Any, wanted: type) -> Any:
    """An object or a list, also if it was written as a text."""
    if isinstance(value, str):
        try:
            value = _read(value)
        except (ValueError, RecursionError):
            raise _NotPlainError from None
    if wanted is dict and isinstance(value, list) and len(value) == 1:  # pyright: ignore[reportUnknownArgumentType]
        value = value[0]  # pyright: ignore[reportUnknownVariableType]
    if not isinstance(value, wanted):
        raise _NotPlainError
    return value  # pyright: ignore[reportUnknownVariableType]


def _list(value: Any) -> list[Any]:
    """A list; a single value is a list of one."""
    if value is None:
        raise _NotPlainError
    if isinstance(value, str):
        if not value.strip():
            return []
        try:
            return _parsed(value, list)
        except _NotPlainError:
            return [value]
    return value if isinstance(value, list) else [value]  # pyright: ignore[reportUnknownVariableType]


def _single(value: Any) -> Any:
    """The one value of a list of one."""
    if isinstance(value, list) and len(value) == 1:  # pyright: ignore[reportUnknownArgumentType]
        return value[0]  # pyright: ignore[reportUnknownVariableType]
    return value  # pyright: ignore[reportUnknownVariableType]


def _text(value: Any) -> str:
    value = _single(value)
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _NotPlainError
    return str(value)


def _integer(value: Any) -> int:
    number = _number(value)
    if number != int(number):
        raise _NotPlainError
    return int(number)


def _number(value: Any) -> int | float:
    value = _single(value)
    if isinstance(value, bool):
        raise _NotPlainError
    if isinstance(value, str):
        text = value.strip()
        if re.fullmatch(r"[+-]?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?", text):  # 1,200
            text = text.replace(",", "")
        if not re.fullmatch(r"[+-]?[0-9]{1,20}(\.[0-9]{1,20})?", text):
            raise _NotPlainError
        value = float(text) if "." in text else int(text)
    if not isinstance(value, int | float) or value != value or abs(value) == float("inf"):
        raise _NotPlainError
    return value


def _boolean(value: Any) -> bool:
    value = _single(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, str | int | float):
        word = str(value).strip().casefold()
        if word in _YES:
            return True
        if word in _NO:
            return False
    raise _NotPlainError


_SCALARS: dict[type, Callable[[Any], Any]] = {
    kinds.StrType: _text,
    kinds.IntType: _integer,
    kinds.FloatType: _number,
    kinds.BoolType: _boolean,
}


def _choice(value: Any, choices: Mapping[str, Any]) -> Any:
    """Return the choice that a value stands for.

    If no choice is equal to the value, case, blanks and separators are ignored.
    """
    value = _single(value)
    if any(value == one and type(value) is type(one) for one in choices.values()):
        return value
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _NotPlainError
    wanted = _simple(str(value))
    found = [one for name, one in choices.items() if _simple(name) == wanted]
    if len(found) != 1 or not wanted:
        raise _NotPlainError
    return found[0]


def _enum(value: Any, cls: type[Enum]) -> Any:
    by_value = {str(one.value): one.value for one in cls}
    try:
        return _choice(value, by_value)
    except _NotPlainError:
        return _choice(value, {one.name: one.value for one in cls})
