"""The conversation as a language model reads it; every vendor's format is made from this, just in time."""

from dataclasses import dataclass, field
from typing import Any

from .frames import ToolCall, frame


@frame
class UserSaid:
    """A turn of the user."""

    text: str


@frame
class AgentSaid:
    """A reply, or the part of it that was heard, with the tools that it called."""

    text: str
    calls: tuple[ToolCall, ...] = ()
    interrupted: bool = False


@frame
class ToolAnswered:
    """What a tool gave the model. Stands after the AgentSaid whose call it answers."""

    call: ToolCall
    result: str


Entry = UserSaid | AgentSaid | ToolAnswered


@frame
class ToolSpec:
    """A tool as a model sees it: `parameters` is a JSON Schema of type object."""

    name: str
    description: str
    parameters: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Context:
    """Instructions, what was said so far, and the tools at hand. A snapshot: entries are never changed."""

    instructions: str
    entries: tuple[Entry, ...] = ()
    tools: tuple[ToolSpec, ...] = field(default=())
