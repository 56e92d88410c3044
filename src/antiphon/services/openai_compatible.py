"""A driver for all language models that speak OpenAI's chat completions.

Protocol: https://platform.openai.com/docs/api-reference/chat/create, streamed as server-sent events. What
endpoints that "speak OpenAI" send differs, and is read leniently where its meaning is plain.
"""

import logging
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..context import Context
from ..errors import BadResponseError, ConfigurationError, TheyErred, UnavailableError
from ..frames import ToolCall
from .chat_messages import conversation_key, messages, tools, with_strict_turns, without_system
from .event_stream import ServerEvent
from .http_client import HttpRequest, refusal
from .http_llm import AnswerCodec, HttpLLM
from .keys import VendorKey, filled_in
from .ports import TextDelta, TokenUsage
from .streams import closing
from .tool_call_fragments import ToolCallFragments
from .vendor_values import fields, items, json_object, plain_text, reason_in, token_count

__all__ = ["ChatCompletions", "ChatEndpoint"]

logger = logging.getLogger("antiphon.services")

STRICT_TURNS = re.compile(r"roles? must alternate|alternat\w+ (between )?(roles|user)", re.IGNORECASE)
NO_SYSTEM = re.compile(
    r"\b(system|developer)\W{0,2} (role|message|prompt|instruction)s?( is| are)? not (support|allow|enabl)ed|"
    r"not support (the |a )?\W?(system|developer)\b|unexpected role \W?system\b|"
    r"only user and assistant roles",
    re.IGNORECASE,
)
UNKNOWN = {
    "free turns": STRICT_TURNS,
    "a system role": NO_SYSTEM,
    **{
        name: re.compile(rf"answered 400: .*\b{name}\b", re.DOTALL)
        for name in (
            "stream_options",
            "reasoning_effort",
            "parallel_tool_calls",
            "thinking",
            "prompt_cache_key",
        )
    },
}
"""What an endpoint may not know, and how it says so: it is avoided from then on."""


@dataclass(frozen=True, slots=True)
class ChatEndpoint:
    """An endpoint for chat completions: what sets it apart from OpenAI's."""

    vendor: str
    base_url: str
    """Names in braces are variables of the environment: "https://{AZURE_OPENAI_RESOURCE}.openai.azure.com"."""
    key_variable: str | None
    """The environment variable with the key; None for an endpoint that needs none."""
    default: str = ""
    """The model that is used if only the vendor is named."""
    docs: str = ""
    key_header: str = "Authorization"
    key_prefix: str = "Bearer "
    sends_usage: bool = True
    """False if it does not know `stream_options`."""
    cache_key: bool = False
    """True if `prompt_cache_key` leads the requests of a conversation to the cache of those before."""
    tools: bool = True
    """False if its models call no tools."""
    strict_turns: bool = False
    """True if user and assistant must take turns, the user first. Found out by itself otherwise."""
    fields: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    """Fields of the request by what a model's name contains; those of "" are for all models. They turn
    reasoning off where that is possible, since it delays the first word."""

    @property
    def can(self) -> tuple[str, ...]:
        """What it can do: see `vendors/_abilities.py`."""
        tools = ("tools",) if self.tools else ()
        return (*tools, "images", *(("direct",) if self.fields else ()))

    def url(self) -> str:
        """Return the address. Raises ConfigurationError if a variable in it is missing."""
        return filled_in(self.vendor, self.base_url)

    def fields_for(self, model: str) -> dict[str, Any]:
        """Return the fields that requests to this model have."""
        return {
            name: value for part, more in self.fields.items() if part in model for name, value in more.items()
        }


class ChatCompletions(HttpLLM):
    """A language model behind an endpoint for chat completions.

    An option replaces what the driver would send under that name; None leaves the field out.
    `answer_within`: seconds that the first piece of an answer and each further one may take.
    """

    def __init__(
        self,
        model: str,
        endpoint: ChatEndpoint,
        *,
        key: str | None = None,
        answer_within: float = 30.0,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(
            endpoint.vendor,
            VendorKey(endpoint.vendor, endpoint.key_variable, key),
            answer_within=answer_within,
        )
        self.model = model or endpoint.default
        if not self.model:
            raise ConfigurationError(f"{endpoint.vendor} needs a model: write {endpoint.vendor}/MODEL")
        self.endpoint = endpoint
        self.options = dict(options or {})
        self._fields = endpoint.fields_for(self.model)
        self.avoided: set[str] = set() if endpoint.sends_usage else {"stream_options"}
        """What the endpoint does not know, by the names in `UNKNOWN`."""
        if endpoint.strict_turns:
            self.avoided.add("free turns")

    async def open(self) -> None:
        """Check the key and the address, and that httpx is installed."""
        self.key.check(self.endpoint.base_url)
        await super().open()

    async def generate(self, context: Context) -> AsyncIterator[TextDelta | ToolCall | TokenUsage]:
        """Yield the model's answer to the conversation so far.

        Closing the iterator closes the connection, so that the vendor stops generating. A request that is
        refused for something that not every endpoint knows is sent again without it.
        """
        while True:
            begun, avoided = False, frozenset(self.avoided)
            try:
                async with closing(super().generate(context)) as answer:
                    async for item in answer:
                        begun = True
                        yield item
                return
            except TheyErred as error:
                unknown = {what for what, told in UNKNOWN.items() if told.search(str(error))}
                unknown -= avoided | self.options.keys()
                if begun or not unknown:
                    raise
                logger.info("%s does not know %s: avoided from now on", self.vendor, ", ".join(unknown))
                self.avoided |= unknown

    def request(self, context: Context) -> HttpRequest:
        """Return the request: what the driver sends, replaced by the options."""
        chat = messages(context)
        if "a system role" in self.avoided:
            chat = without_system(chat)
        if "free turns" in self.avoided:
            chat = with_strict_turns(chat)
        request: dict[str, Any] = {
            "model": self.model,
            "messages": chat,
            "stream": True,
            "stream_options": {"include_usage": True},
            "tools": tools(context) or None,
            "prompt_cache_key": conversation_key(context) if self.endpoint.cache_key else None,
        } | self._fields
        request = {name: value for name, value in request.items() if name not in self.avoided}
        sent = {name: value for name, value in (request | self.options).items() if value is not None}
        endpoint, key = self.endpoint, self.key.value
        headers = {endpoint.key_header: endpoint.key_prefix + key} if key else {}
        return HttpRequest(f"{endpoint.url()}/chat/completions", sent, headers)

    def answer(self) -> AnswerCodec:
        """Return the reader of a new answer."""
        return _ChatAnswer(self.vendor)


class _ChatAnswer(AnswerCodec):
    """The state of a streamed answer that is being read."""

    def __init__(self, vendor: str) -> None:
        super().__init__(vendor)
        self.finish = ""
        self.reasoned = False
        self.unread = ""
        """The last chunk that has nothing in it that a chunk has."""
        self._calls = ToolCallFragments()

    @property
    def why_silent(self) -> str:
        """What is known of an answer without words."""
        known = (
            f"finish_reason {self.finish[:40]!r}" if self.finish else "",
            "it only reasoned" if self.reasoned else "",
            f"it sent {self.unread[:120]}" if self.unread else "",
        )
        return ", ".join(filter(None, known)) or "no reason given"

    def read(self, event: ServerEvent) -> Iterator[TextDelta | ToolCall]:
        """Yield what an event adds."""
        for data in _documents(event.data):
            if data.strip() == "[DONE]":
                yield from self._end()
                self.closed = True
            elif event.name == "error":
                raise self._error(data)
            elif data.strip():
                yield from self._chunk(json_object(data, "a chunk of a chat completion"), data)

    def _chunk(self, chunk: dict[str, Any], data: str) -> Iterator[TextDelta | ToolCall]:
        for choice in items(chunk.get("choices")):
            yield from self._choice(fields(choice), data)
        if usage := fields(chunk.get("usage")):
            self._count(usage)
        elif "choices" not in chunk:
            self.unread = data
        if chunk.get("error") or "error" in (chunk.get("object"), chunk.get("type")):
            raise self._error(data)

    def _choice(self, choice: dict[str, Any], data: str) -> Iterator[TextDelta | ToolCall]:
        if not choice:
            raise BadResponseError(f"not a chunk of a chat completion: {data[:120]!r}")
        delta = fields(choice.get("delta") or choice.get("message"))
        self.reasoned |= bool(delta.get("reasoning_content") or delta.get("reasoning"))
        # A refusal is what the model says to the user instead of an answer.
        if text := plain_text(delta.get("content")) or plain_text(delta.get("refusal")):
            yield self.text(text)
        for fragment in items(delta.get("tool_calls")):
            self._calls.add(fragment)
        if finish := choice.get("finish_reason"):
            self.finish = str(finish)
            if choice.get("error") or self.finish == "error":
                raise self._error(data)
            yield from self._end()

    def _end(self) -> Iterator[ToolCall]:
        self.ended = True
        for call in self._calls.calls():
            yield self.call(call)

    def _count(self, usage: dict[str, Any]) -> None:
        details = fields(usage.get("prompt_tokens_details"))
        cached = details.get("cached_tokens") or usage.get("prompt_cache_hit_tokens")  # the latter: DeepSeek
        self.usage = TokenUsage(
            token_count(usage.get("prompt_tokens")),
            token_count(usage.get("completion_tokens")),
            token_count(cached),
            token_count(details.get("cache_write_tokens")),
        )

    def _error(self, data: str) -> TheyErred:
        """The error that was told in the middle of a stream."""
        reason, code = reason_in(data), None
        try:
            told = json_object(data)
            choice = fields(next(iter(items(told.get("choices"))), None))
            code = (fields(told.get("error") or choice.get("error")) or told).get("code")
        except BadResponseError:
            pass
        if isinstance(code, int) and 400 <= code < 600:
            return refusal(self.vendor, code, reason)
        return UnavailableError(f"{self.vendor} ended its answer with an error: {reason}")


def _documents(data: str) -> list[str]:
    """Split the data of an event into chunks.

    There is usually one, but some servers leave out the blank lines between events.
    """
    if "\n" not in data:
        return [data]
    try:
        json_object(data)
    except BadResponseError:
        return data.split("\n")
    return [data]
