"""Assembly of tool calls from the fragments that vendors stream.

Vendors of the same protocol send fragments in different shapes. OpenAI sends a call's id and name first, then
pieces of its arguments, all with the call's index. Others give all calls one index, or none; repeat id and
name in each fragment; send empty ids; or send the arguments as an object. All agree on this: a new id begins
a call, and so does a name that comes with whole arguments.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ..errors import BadResponseError
from ..frames import ToolCall
from .vendor_values import fields

__all__ = ["ToolCallFragments"]

MOST_CALLS = 128
MOST_ARGUMENTS = 1 << 18  # characters, of all calls of an answer


@dataclass(slots=True)
class _Json:
    """JSON text that comes in pieces, and whether it is whole."""

    text: list[str] = field(default_factory=list[str])
    depth: int = 0
    quoted: bool = False
    escaped: bool = False
    whole: bool = False

    def add(self, text: str) -> None:
        """Append a piece; what follows a whole value, and blanks before it, are left out."""
        if not self.text:
            text = text.lstrip()
        for place, char in enumerate(text):
            if self.whole:
                text = text[:place]
                break
            self._read(char)
        if text:
            self.text.append(text)

    def _read(self, char: str) -> None:
        if self.escaped:
            self.escaped = False
        elif self.quoted:
            self.escaped = char == "\\"
            self.quoted = char != '"'
        elif char == '"':
            self.quoted = True
        elif char in "{[":
            self.depth += 1
        elif char in "}]":
            self.depth -= 1
            self.whole = self.depth <= 0


@dataclass(slots=True)
class _Call:
    index: Any
    id: str
    name: str = ""
    arguments: _Json = field(default_factory=_Json)

    @property
    def written(self) -> str:
        return "".join(self.arguments.text)


class ToolCallFragments:
    """Fragments in, calls out, in the order in which they began."""

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._begun = 0
        self._characters = 0

    def add(self, fragment: object) -> None:
        """Read one element of `tool_calls`.

        Raises BadResponseError if it is not a fragment of a tool call, or if the calls exceed a limit.
        """
        found = fields(fragment)
        if not found:
            raise BadResponseError(f"not a fragment of a tool call: {str(fragment)[:80]!r}")
        function = fields(found.get("function")) or found
        index, identity = found.get("index"), _string(found.get("id"))
        name, arguments = _string(function.get("name")), _json(function.get("arguments"))
        self._characters += len(arguments)
        if self._characters > MOST_ARGUMENTS:
            raise BadResponseError(f"tool calls with more than {MOST_ARGUMENTS} characters of arguments")
        call = self._continued(index, identity, name, arguments)
        if call is None:
            if not (identity or name):
                return  # it belongs to no call, or to one that is whole
            call = self._begin(index, identity)
        call.id = call.id or identity
        call.name = name or call.name
        if call.written == "{}" and arguments.lstrip().startswith("{"):
            call.arguments = _Json()  # it stood for "no arguments yet"
        call.arguments.add(arguments)

    def calls(self) -> Iterator[ToolCall]:
        """Yield the calls and forget them: the answer, or this part of it, is over."""
        begun, self._calls = self._calls, []
        for number, call in enumerate(begun, self._begun - len(begun)):
            yield ToolCall(call.id or f"call-{number}", call.name, call.written or "{}")

    def _begin(self, index: Any, identity: str) -> _Call:
        if self._begun == MOST_CALLS:
            raise BadResponseError(f"an answer with more than {MOST_CALLS} tool calls")
        self._begun += 1
        self._calls.append(call := _Call(index, identity))
        return call

    def _continued(self, index: Any, identity: str, name: str, arguments: str) -> _Call | None:
        """The call that a fragment goes on with; None if it begins one."""
        call = self._last(lambda call: bool(identity) and (call.id, call.index) == (identity, index))
        call = call or self._last(lambda call: call.id == identity != "" and not call.arguments.whole)
        call = call or self._last(lambda call: index is None or call.index == index)
        if not identity and not name:
            return call or self._last(lambda call: not call.arguments.whole)
        if call is None or (identity and call.id and identity != call.id):
            return None
        if not name or not call.name:
            return call
        if identity and identity == call.id and arguments == call.written:
            return call  # told once more
        if name != call.name and not name.startswith(call.name):
            return None
        return None if call.arguments.whole and _is_whole(arguments) else call

    def _last(self, fits: Callable[[_Call], bool]) -> _Call | None:
        return next((call for call in reversed(self._calls) if fits(call)), None)


def _is_whole(arguments: str) -> bool:
    read = _Json()
    read.add(arguments)
    return read.whole


def _json(arguments: object) -> str:
    """The arguments as JSON text: some send them as an object."""
    if arguments is None:
        return ""
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""
