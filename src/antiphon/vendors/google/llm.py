"""Google's language models, Gemini.

https://ai.google.dev/api/generate-content#method:-models.streamgeneratecontent
"""

import json
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

from ...context import AgentSaid, Attachment, Context, Entry, ToolAnswered, ToolCall, UserSaid
from ...errors import TheyErred
from ...services.chat_messages import INTERRUPTED, alternating
from ...services.event_stream import ServerEvent
from ...services.http_client import HttpRequest, refusal
from ...services.http_llm import AnswerCodec, HttpLLM
from ...services.keys import VendorKey
from ...services.ports import TextDelta, TokenUsage
from ...services.vendor_values import fields, items, json_object, string, token_count

__all__ = ["LLM"]

SIGNATURE = "|signature|"
"""Stands in a call's id before the signature that the vendor wants back with the call."""
THINKING: tuple[tuple[str, dict[str, Any]], ...] = (
    ("gemini-2.5-flash", {"thinkingBudget": 0}),
    ("gemini-2.5-pro", {"thinkingBudget": 128}),
    ("gemini-3.7", {"thinkingLevel": "low"}),
    ("gemini-3.8", {"thinkingLevel": "low"}),
    ("gemini-flash-latest", {"thinkingLevel": "low"}),
    ("gemini-3", {"thinkingLevel": "minimal"}),
)
"""How little a model can think, by the beginning of its name; thinking delays the first word."""


class LLM(HttpLLM):
    """Gemini.

    `config` is the vendor's `generationConfig`, such as {"temperature": 0.4}; `options` are further fields of
    each request.
    """

    def __init__(
        self,
        model: str = "gemini-2.5-flash",
        *,
        config: dict[str, Any] | None = None,
        key: str | None = None,
        base_url: str = "https://generativelanguage.googleapis.com",
        answer_within: float = 30.0,
        **options: Any,
    ) -> None:
        super().__init__(
            "google", VendorKey("google", "GOOGLE_API_KEY", key), model, answer_within=answer_within
        )
        self._url = f"{base_url.rstrip('/')}/v1beta/models/{model}:streamGenerateContent?alt=sse"
        thinking = next((config for name, config in THINKING if model.startswith(name)), None)
        self._config = ({"thinkingConfig": thinking} if thinking else {}) | (config or {})
        self._options = options

    def request(self, context: Context) -> HttpRequest:
        tools = [
            {"name": tool.name, "description": tool.description, "parametersJsonSchema": tool.parameters}
            for tool in context.tools
        ]
        body: dict[str, Any] = {
            "contents": alternating(context.entries, _parts, agent="model", field="parts"),
            "systemInstruction": {"parts": [{"text": context.instructions}]}
            if context.instructions
            else None,
            "tools": [{"functionDeclarations": tools}] if tools else None,
            "generationConfig": self._config or None,
        } | self._options
        sent = {name: value for name, value in body.items() if value is not None}
        return HttpRequest(self._url, sent, {"x-goog-api-key": self.key.value})

    def answer(self) -> AnswerCodec:
        return _Answer(self.vendor)


def _parts(entry: Entry) -> Iterator[dict[str, Any]]:
    match entry:
        case UserSaid(text, attachments):
            yield from map(_picture, attachments)
            if text.strip():
                yield {"text": text}
        case AgentSaid(text, calls, interrupted):
            if text.strip():
                yield {"text": text + INTERRUPTED * interrupted}
            for call in calls:
                arguments = json_object(call.arguments or "{}", "arguments of a tool")
                _, _, signature = call.id.partition(SIGNATURE)
                part: dict[str, Any] = {"functionCall": {"name": call.name, "args": arguments}}
                yield part | ({"thoughtSignature": signature} if signature else {})
        case ToolAnswered(call, result):
            yield {"functionResponse": {"name": call.name, "response": {"result": result}}}


def _picture(image: Attachment) -> dict[str, Any]:
    return {"inlineData": {"mimeType": image.media_type, "data": b64encode(image.data).decode()}}


class _Answer(AnswerCodec):
    """Reads chunks: parts of text, and calls that come whole."""

    def __init__(self, vendor: str) -> None:
        super().__init__(vendor)
        self._calls = 0
        self._why = ""

    @property
    def why_silent(self) -> str:
        return self._why or "no reason given"

    def read(self, event: ServerEvent) -> Iterator[TextDelta | ToolCall]:
        told = json_object(event.data, "a chunk of an answer")
        if error := fields(told.get("error")):
            raise _error(error)
        if blocked := fields(told.get("promptFeedback")).get("blockReason"):
            self.ended, self._why = True, f"the prompt was blocked: {blocked}"
        for candidate in items(told.get("candidates"))[:1]:
            for part in items(fields(fields(candidate).get("content")).get("parts")):
                yield from self._part(fields(part))
            if finish := string(fields(candidate).get("finishReason")):
                self.ended, self._why = True, f"finishReason {finish[:40]}"
        if usage := fields(told.get("usageMetadata")):
            written = token_count(usage.get("candidatesTokenCount")) + token_count(
                usage.get("thoughtsTokenCount")
            )
            read, cached = usage.get("promptTokenCount"), usage.get("cachedContentTokenCount")
            self.usage = TokenUsage(token_count(read), written, token_count(cached))

    def _part(self, part: dict[str, Any]) -> Iterator[TextDelta | ToolCall]:
        if part.get("thought"):
            return
        if text := string(part.get("text")):
            yield self.text(text)
        if call := fields(part.get("functionCall")):
            self._calls += 1
            identity = string(call.get("id")) or f"call-{self._calls}"
            if signature := string(part.get("thoughtSignature")):
                identity += SIGNATURE + signature
            arguments = json.dumps(fields(call.get("args")), ensure_ascii=False)
            yield self.call(ToolCall(identity, string(call.get("name")), arguments))


def _error(told: dict[str, Any]) -> TheyErred:
    code = told.get("code")
    said = f"{string(told.get('status'))}: {string(told.get('message'))[:200]}"
    return refusal("google", code if isinstance(code, int) else 500, said, key_name="GOOGLE_API_KEY")
