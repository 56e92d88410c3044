"""AWS's language models, Bedrock, by its Converse API, streamed as binary events.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html
"""

import os
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ...context import AgentSaid, Attachment, Context, Entry, ToolAnswered, ToolCall, ToolSpec, UserSaid
from ...encodable import to_json
from ...errors import TheyErred
from ...services.aws_event_stream import AwsEventReader
from ...services.aws_signing import AwsSigner
from ...services.chat_messages import INTERRUPTED, alternating
from ...services.event_stream import ServerEvent
from ...services.http_client import HttpRequest, pieces, refusal
from ...services.http_llm import AnswerCodec, HttpLLM
from ...services.keys import VendorKey
from ...services.ports import TextDelta, TokenUsage
from ...services.tool_call_fragments import ToolCallFragments
from ...services.vendor_values import fields, json_object, string, token_count

if TYPE_CHECKING:
    import httpx

__all__ = ["LLM"]

CACHE = (
    "amazon.nova",
    "claude-haiku",
    "claude-sonnet",
    "claude-opus",
    "claude-3-7-sonnet",
    "claude-3-5-haiku",
)
"""What the ids of models contain whose prompts can be cached; others refuse a request that asks for it.
https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html"""
BEARER = "AWS_BEARER_TOKEN_BEDROCK"
STATUS = {"throttlingException": 429, "validationException": 400, "accessDeniedException": 403}


class LLM(HttpLLM):
    """A model on Bedrock, by its id or the id of an inference profile.

    The key is an API key of Bedrock, if AWS_BEARER_TOKEN_BEDROCK is set, or else signs each request.
    `cached`: whether the vendor caches the conversation so far; None: if the model is known to be able to.
    `options` are further fields of each request, such as `inferenceConfig`.
    """

    def __init__(
        self,
        model: str = "us.amazon.nova-lite-v1:0",
        *,
        region: str | None = None,
        key: str | None = None,
        secret: str | None = None,
        base_url: str | None = None,
        answer_within: float = 30.0,
        cached: bool | None = None,
        **options: Any,
    ) -> None:
        self._signer = AwsSigner("bedrock", region, key=key, secret=secret)
        bearer = key is None and BEARER in os.environ
        key_of = VendorKey("aws", BEARER) if bearer else self._signer.key
        super().__init__("aws", key_of, model, answer_within=answer_within)
        self._bearer = bearer
        self._cached = any(name in model for name in CACHE) if cached is None else cached
        self._path = f"/model/{quote(model, safe='')}/converse-stream"
        self._base_url = base_url
        self._options = options

    async def open(self) -> None:
        """Check that there are a key and a region, and that httpx is installed."""
        if not self._bearer:
            self._signer.check()
        await super().open()

    def request(self, context: Context) -> HttpRequest:
        turns: list[dict[str, Any]] = alternating(context.entries, _content)
        tools = [
            {"toolSpec": {"name": tool.name, "description": tool.description,
                          "inputSchema": {"json": tool.parameters}}}
            for tool in _tools(context)
        ]  # fmt: skip
        point = [{"cachePoint": {"type": "default"}}] if self._cached else []
        if turns:
            turns[-1]["content"] = [*turns[-1]["content"], *point]
        body: dict[str, Any] = {
            "system": [{"text": context.instructions}, *point] if context.instructions else None,
            "messages": turns,
            "toolConfig": {"tools": tools} if tools else None,
        } | self._options
        sent = to_json({name: value for name, value in body.items() if value is not None})
        base = self._base_url or f"https://bedrock-runtime.{self._signer.region}.amazonaws.com"
        url, headers = base + self._path, {"Content-Type": "application/json"}
        if self._bearer:
            return HttpRequest(url, sent, headers | {"Authorization": f"Bearer {self.key.value}"})
        return HttpRequest(url, sent, self._signer.signed_headers("POST", url, headers, sent, at=time.time()))

    def answer(self) -> AnswerCodec:
        return _Answer(self.vendor)

    async def events(self, response: "httpx.Response", answer: AnswerCodec) -> AsyncGenerator[ServerEvent]:
        """Yield the binary events of a response, named by their type."""
        reader = AwsEventReader()
        async with aclosing(pieces(response)) as parts:
            async for part in parts:
                for event in reader.feed(part):
                    name = event.headers.get(":event-type") or event.headers.get(":exception-type", "")
                    yield ServerEvent(event.payload.decode(errors="replace"), name)


def _tools(context: Context) -> Sequence[ToolSpec]:
    """Return the tools.

    The vendor refuses a history with calls and without tools, so what was called stands in.
    """
    called = {call.name for entry in context.entries if isinstance(entry, AgentSaid) for call in entry.calls}
    return context.tools or [
        ToolSpec(name, "Not available any more.", {"type": "object"}) for name in sorted(called)
    ]


def _content(entry: Entry) -> Iterator[dict[str, Any]]:
    match entry:
        case UserSaid(text, attachments):
            yield from map(_image, attachments)
            if text.strip():
                yield {"text": text}
        case AgentSaid(text, calls, interrupted):
            if text.strip():
                yield {"text": text + INTERRUPTED * interrupted}
            for call in calls:
                arguments = json_object(call.arguments or "{}", "arguments of a tool")
                yield {"toolUse": {"toolUseId": call.id, "name": call.name, "input": arguments}}
        case ToolAnswered(call, result):
            yield {"toolResult": {"toolUseId": call.id, "content": [{"text": result}]}}


def _image(image: Attachment) -> dict[str, Any]:
    kind = image.media_type.partition("/")[2]
    return {"image": {"format": kind, "source": {"bytes": to_json(image.data).decode().strip('"')}}}


class _Answer(AnswerCodec):
    """Reads content blocks: text, and tool calls whose input comes in pieces."""

    def __init__(self, vendor: str) -> None:
        super().__init__(vendor)
        self._calls = ToolCallFragments()
        self._why = ""

    @property
    def why_silent(self) -> str:
        return f"stopReason {self._why[:40]!r}" if self._why else "no reason given"

    def read(self, event: ServerEvent) -> Iterator[TextDelta | ToolCall]:
        told = json_object(event.data or "{}", "an event of an answer")
        index = told.get("contentBlockIndex")
        match event.name:
            case "contentBlockStart":
                if tool := fields(fields(told.get("start")).get("toolUse")):
                    self._calls.add({"index": index, "id": tool.get("toolUseId"), "name": tool.get("name")})
            case "contentBlockDelta":
                delta = fields(told.get("delta"))
                if text := string(delta.get("text")):
                    yield self.text(text)
                if tool := fields(delta.get("toolUse")):
                    self._calls.add({"index": index, "arguments": string(tool.get("input"))})
            case "messageStop":
                self.ended, self._why = True, string(told.get("stopReason"))
                for call in self._calls.calls():
                    yield self.call(call)
            case "metadata":
                usage = fields(told.get("usage"))
                names = ("inputTokens", "outputTokens", "cacheReadInputTokens", "cacheWriteInputTokens")
                read, written, cached, stored = (token_count(usage.get(name)) for name in names)
                self.usage = TokenUsage(read + cached + stored, written, cached, stored)
                self.closed = True
            case name if name.endswith("Exception"):
                raise _error(name, string(told.get("message")))
            case _:
                pass


def _error(name: str, said: str) -> TheyErred:
    return refusal("aws", STATUS.get(name, 500), f"{name}: {said[:200]}", key_name="AWS_ACCESS_KEY_ID")
