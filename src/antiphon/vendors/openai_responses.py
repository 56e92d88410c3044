"""OpenAI's language models over the Responses API.

https://platform.openai.com/docs/api-reference/responses-streaming
"""

from collections.abc import Iterator
from typing import Any

from ..context import Context, ToolCall
from ..errors import TheyErred, UnavailableError
from ..services.chat_messages import conversation_key, response_items
from ..services.event_stream import ServerEvent
from ..services.http_client import HttpRequest, refusal
from ..services.http_llm import AnswerCodec, HttpLLM
from ..services.keys import VendorKey
from ..services.ports import TextDelta, TokenUsage, Vendor
from ..services.vendor_values import fields, json_object, said_text, string, token_count

STATUS = {
    "rate_limit_exceeded": 429,
    "invalid_api_key": 401,
    "insufficient_quota": 429,
    "invalid_prompt": 400,
}


class LLM(HttpLLM):
    """A model of OpenAI. The conversation is not kept at the vendor.

    `effort` is how much it reasons before it answers; None leaves that to the vendor. `options` are further
    fields of each request.
    """

    def __init__(
        self,
        model: str = "gpt-5.2",
        *,
        effort: str | None = "",
        key: str | None = None,
        base_url: str = "https://api.openai.com/v1",
        answer_within: float = 30.0,
        **options: Any,
    ) -> None:
        super().__init__(
            "openai", VendorKey("openai", "OPENAI_API_KEY", key), model, answer_within=answer_within
        )
        self._url = f"{base_url.rstrip('/')}/responses"
        if effort == "":
            effort = _least_effort(model)
        reasoning = {"effort": effort} if effort is not None else None
        self._fields = {"model": model, "store": False, "stream": True, "reasoning": reasoning} | options

    def request(self, context: Context) -> HttpRequest:
        tools = [
            {"type": "function", "name": tool.name, "description": tool.description,
             "parameters": tool.parameters, "strict": False}
            for tool in context.tools
        ]  # fmt: skip
        body: dict[str, Any] = {
            "instructions": context.instructions or None,
            "input": response_items(context),
            "tools": tools or None,
            "prompt_cache_key": conversation_key(context),
        } | self._fields
        sent = {name: value for name, value in body.items() if value is not None}
        return HttpRequest(self._url, sent, {"Authorization": f"Bearer {self.key.value}"})

    def answer(self) -> AnswerCodec:
        return _Answer(self.vendor)


def _least_effort(model: str) -> str | None:
    """Return the least effort of reasoning; None for a model that does not reason."""
    if not model.startswith("gpt-5"):
        return None
    return "none" if model.startswith("gpt-5.") else "minimal"


class _Answer(AnswerCodec):
    """Reads typed events; a call is whole when its output item is done."""

    why = ""

    @property
    def why_silent(self) -> str:
        return self.why or "no reason given"

    def read(self, event: ServerEvent) -> Iterator[TextDelta | ToolCall]:
        told = json_object(event.data, "an event of an answer")
        match string(told.get("type")):
            case "response.output_text.delta" | "response.refusal.delta":
                if text := said_text(told.get("delta")):
                    yield self.text(text)
            case "response.output_item.done":
                item = fields(told.get("item"))
                if item.get("type") == "function_call":
                    arguments = string(item.get("arguments")) or "{}"
                    yield self.call(
                        ToolCall(string(item.get("call_id")), string(item.get("name")), arguments)
                    )
            case "response.completed" | "response.incomplete":
                response = fields(told.get("response"))
                usage = fields(response.get("usage"))
                details = fields(usage.get("input_tokens_details"))
                counts = (usage.get("input_tokens"), usage.get("output_tokens"),
                          details.get("cached_tokens"), details.get("cache_write_tokens"))  # fmt: skip
                self.usage = TokenUsage(*map(token_count, counts))
                self.why = string(fields(response.get("incomplete_details")).get("reason"))
                self.ended = self.closed = True
            case "response.failed":
                raise _error(fields(fields(told.get("response")).get("error")))
            case "error":
                raise _error(fields(told.get("error")) or told)
            case _:
                pass


def _error(told: dict[str, Any]) -> TheyErred:
    code, said = string(told.get("code")), string(told.get("message"))[:200]
    if code in STATUS:
        return refusal("openai", STATUS[code], said, key_name="OPENAI_API_KEY")
    return UnavailableError(f"openai ended its answer with an error: {code} {said}")


VENDOR = Vendor(
    name="openai_responses",
    provides={"llm": "LLM"},
    docs="https://platform.openai.com/docs/api-reference/responses",
    env=("OPENAI_API_KEY",),
    extra="services",
    default={"llm": "gpt-5.2"},
    can={"llm": ("tools", "images", "direct")},
    checked="2026-11-30",
)
