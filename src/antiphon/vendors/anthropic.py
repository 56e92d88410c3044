"""Anthropic's language models, Claude.

https://docs.anthropic.com/en/api/messages-streaming
"""

from base64 import b64encode
from collections.abc import Iterator
from typing import Any

from ..context import AgentSaid, Attachment, Context, Entry, ToolAnswered, ToolCall, UserSaid
from ..errors import TheyErred
from ..services.chat_messages import INTERRUPTED, alternating
from ..services.event_stream import ServerEvent
from ..services.http_client import HttpRequest, refusal
from ..services.http_llm import AnswerCodec, HttpLLM
from ..services.keys import VendorKey
from ..services.ports import TextDelta, TokenUsage, Vendor
from ..services.tool_call_fragments import ToolCallFragments
from ..services.vendor_values import fields, json_object, string, token_count

THINKS_BY_ITSELF = ("sonnet-5", "haiku-5-5")
"""Models that think before they answer unless they are told not to, which would delay the first word."""
CACHED = {"type": "ephemeral"}
STATUS = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "rate_limit_error": 429,
    "api_error": 500,
    "overloaded_error": 529,
}


class LLM(HttpLLM):
    """Claude.

    The vendor caches the conversation so far, and by itself what all conversations of an agent begin with.
    `options` are further fields of each request, such as cache_control={"type": "ephemeral", "ttl": "1h"};
    None leaves a field out, and cache_control=None caches nothing.
    """

    def __init__(
        self,
        model: str = "claude-haiku-4-5",
        *,
        key: str | None = None,
        base_url: str = "https://api.anthropic.com",
        most_tokens: int = 1024,
        answer_within: float = 30.0,
        **options: Any,
    ) -> None:
        key_of = VendorKey("anthropic", "ANTHROPIC_API_KEY", key)
        super().__init__("anthropic", key_of, model, answer_within=answer_within)
        self._url = f"{base_url.rstrip('/')}/v1/messages"
        thinking = {"type": "disabled"} if any(name in model for name in THINKS_BY_ITSELF) else None
        self._fields = {"max_tokens": most_tokens, "thinking": thinking, "cache_control": CACHED} | options

    def request(self, context: Context) -> HttpRequest:
        tools = [
            {"name": tool.name, "description": tool.description, "input_schema": tool.parameters}
            for tool in context.tools
        ]
        body = {
            "model": self.model,
            "system": self._system(context.instructions),
            "messages": alternating(context.entries, _content),
            "tools": tools or None,
            "stream": True,
        } | self._fields
        headers = {"x-api-key": self.key.value, "anthropic-version": "2023-06-01"}
        sent = {name: value for name, value in body.items() if value is not None}
        return HttpRequest(self._url, sent, headers)

    def _system(self, instructions: str) -> list[dict[str, Any]] | None:
        """Return the instructions, up to which the tools and they are cached."""
        if not instructions:
            return None
        cached = self._fields["cache_control"]
        return [_text(instructions) | ({"cache_control": cached} if cached else {})]

    def answer(self) -> AnswerCodec:
        return _Answer(self.vendor)


def _content(entry: Entry) -> Iterator[dict[str, Any]]:
    match entry:
        case UserSaid(text, attachments):
            yield from map(_image, attachments)
            if text.strip():
                yield _text(text)
        case AgentSaid(text, calls, interrupted):
            if text.strip():
                yield _text(text + INTERRUPTED * interrupted)
            for call in calls:
                arguments = json_object(call.arguments or "{}", "arguments of a tool")
                yield {"type": "tool_use", "id": call.id, "name": call.name, "input": arguments}
        case ToolAnswered(call, result):
            yield {"type": "tool_result", "tool_use_id": call.id, "content": result}


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _image(image: Attachment) -> dict[str, Any]:
    data = b64encode(image.data).decode()
    return {"type": "image", "source": {"type": "base64", "media_type": image.media_type, "data": data}}


class _Answer(AnswerCodec):
    """Reads content blocks: text, and tool calls whose arguments come in pieces."""

    def __init__(self, vendor: str) -> None:
        super().__init__(vendor)
        self._calls = ToolCallFragments()
        self._read = self._cached = self._stored = 0
        self._why = ""

    @property
    def why_silent(self) -> str:
        return f"stop_reason {self._why[:40]!r}" if self._why else "no reason given"

    def read(self, event: ServerEvent) -> Iterator[TextDelta | ToolCall]:
        told = json_object(event.data, "an event of an answer")
        index = told.get("index")
        match told.get("type"):
            case "message_start":
                usage = fields(fields(told.get("message")).get("usage"))
                self._cached = token_count(usage.get("cache_read_input_tokens"))
                self._stored = token_count(usage.get("cache_creation_input_tokens"))
                self._read = token_count(usage.get("input_tokens")) + self._cached + self._stored
            case "content_block_start":
                block = fields(told.get("content_block"))
                if block.get("type") == "tool_use":
                    self._calls.add({"index": index, "id": block.get("id"), "name": block.get("name")})
            case "content_block_delta":
                delta = fields(told.get("delta"))
                if delta.get("type") == "text_delta" and (text := string(delta.get("text"))):
                    yield self.text(text)
                elif delta.get("type") == "input_json_delta":
                    self._calls.add({"index": index, "arguments": string(delta.get("partial_json"))})
            case "message_delta":
                self._why = string(fields(told.get("delta")).get("stop_reason"))
                count = token_count(fields(told.get("usage")).get("output_tokens"))
                self.usage = TokenUsage(self._read, count, self._cached, self._stored)
            case "message_stop":
                self.ended = self.closed = True
                for call in self._calls.calls():
                    yield self.call(call)
            case "error":
                raise _error(fields(told.get("error")))
            case _:
                pass


def _error(told: dict[str, Any]) -> TheyErred:
    kind, said = string(told.get("type")), string(told.get("message"))
    return refusal("anthropic", STATUS.get(kind, 500), f"{kind}: {said[:200]}", key_name="ANTHROPIC_API_KEY")


VENDOR = Vendor(
    name="anthropic",
    provides={"llm": "LLM"},
    docs="https://docs.anthropic.com/en/api/messages",
    env=("ANTHROPIC_API_KEY",),
    extra="services",
    default={"llm": "claude-haiku-4-5"},
    can={"llm": ("tools", "images", "direct")},
    checked="2026-11-30",
)
