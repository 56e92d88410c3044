"""The events of AWS's Nova Sonic: pieces of content, and what it says of its use."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ...services.aws_event_stream import AwsEvent
from ...services.openai_realtime_response import tool_call_id
from ...services.realtime_vocabulary import Consumed
from ...services.vendor_values import base64_bytes, fields, json_object, string, token_count
from ...signals import ToolCall
from .nova_sonic_events import call_arguments, stated_by_sonic

__all__ = ["SonicBlock", "consumed", "is_last", "told_by", "tool_call"]


def told_by(event: AwsEvent) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the events in one of the stream, by name.

    Raises the error of `errors.py` that it states.
    """
    if event.headers.get(":message-type") != "event":
        raise stated_by_sonic(event)
    if event.headers.get(":event-type") == "chunk":
        told = json_object(base64_bytes(json_object(event.payload).get("bytes")))
        for kind, values in fields(told.get("event")).items():
            yield kind, fields(values)


@dataclass(slots=True)
class SonicBlock:
    """A piece of content that the model sends."""

    kind: str
    role: str
    planned: bool

    @classmethod
    def of(cls, told: dict[str, Any]) -> "SonicBlock":
        """Return the one that a contentStart begins."""
        planned = "SPECULATIVE" in string(told.get("additionalModelFields"))
        return cls(string(told.get("type")), string(told.get("role")), planned)


def is_last(block: SonicBlock, others: Iterable[SonicBlock], *, voiced: bool) -> bool:
    """Return whether a turn that ends with this block has no more voice.

    Its last voice says so, or else what was really said, which follows it.
    """
    sounding = any(other.kind == "AUDIO" for other in others)
    said = block.role == "ASSISTANT" and not block.planned and voiced and not sounding
    return block.kind == "AUDIO" or said


def tool_call(told: dict[str, Any]) -> ToolCall:
    """Return what a toolUse asks for."""
    call = string(told.get("toolUseId")) or tool_call_id()
    return ToolCall(call, string(told.get("toolName")), call_arguments(told.get("content")))


def consumed(told: dict[str, Any]) -> Iterator[Consumed]:
    """Yield what a usageEvent tells."""
    used = fields(fields(told.get("details")).get("delta"))
    for side, done in (("input", "read"), ("output", "written")):
        for kind, name in (("audio", "speechTokens"), ("text", "textTokens")):
            if amount := token_count(fields(used.get(side)).get(name)):
                yield Consumed(f"{kind} tokens {done}", amount)
