"""The conversation as a language model reads it.

Each vendor's driver converts it to its own format.
"""

from typing import Any, TypeAlias

from .flow import frame

__all__ = [
    "AgentSaid",
    "Attachment",
    "Context",
    "Entry",
    "Image",
    "ToolAnswered",
    "ToolCall",
    "ToolSpec",
    "UserSaid",
]


@frame
class Image:
    """A picture as a file in memory, such as a JPEG."""

    data: bytes
    media_type: str = "image/jpeg"


Attachment: TypeAlias = Image
"""What may accompany the text of an entry. A language model that cannot read it raises UsageError."""


@frame
class ToolCall:
    """A call of a tool, as the model wants it.

    `arguments` is the JSON text as the model wrote it.
    """

    id: str
    name: str
    arguments: str


@frame
class UserSaid:
    """A turn of the user."""

    text: str
    attachments: tuple[Attachment, ...] = ()


@frame
class AgentSaid:
    """A reply, or the part of it that was heard, with the tools that it called."""

    text: str
    calls: tuple[ToolCall, ...] = ()
    interrupted: bool = False
    attachments: tuple[Attachment, ...] = ()


@frame
class ToolAnswered:
    """The result of a tool call; it stands after the AgentSaid that holds the call."""

    call: ToolCall
    result: str


Entry: TypeAlias = UserSaid | AgentSaid | ToolAnswered


@frame
class ToolSpec:
    """A tool as a model sees it: `parameters` is a JSON Schema of type object."""

    name: str
    description: str
    parameters: dict[str, Any]


@frame
class Context:
    """An immutable snapshot: instructions, what was said, and the tools to call."""

    instructions: str
    entries: tuple[Entry, ...] = ()
    tools: tuple[ToolSpec, ...] = ()
