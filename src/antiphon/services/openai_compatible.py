"""A driver for all language models that speak OpenAI's chat completions.

Protocol: https://platform.openai.com/docs/api-reference/chat/create, streamed as server-sent events. What
endpoints that "speak OpenAI" send differs, and is read leniently where its meaning is plain.
"""

import logging
import os
import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..context import Context
from ..errors import BadResponseError, ConfigurationError, NothingSaidError, TheyErred, UnavailableError
from ..frames import ToolCall
from .chat_messages import messages, tools, with_strict_turns, without_system
from .event_stream import MOST, ServerEvent
from .http_client import HttpClient, body, events, refusal
from .ports import LanguageModel, TextDelta, TokenUsage
from .streams import has_words
from .tool_call_fragments import ToolCallFragments
from .vendor_values import fields, items, json_object, plain_text, reason_in, token_count

if TYPE_CHECKING:
    import httpx

__all__ = ["ChatCompletions"]

logger = logging.getLogger("antiphon.services")

USAGE_WITHIN = 0.5  # seconds after the answer's end in which its usage may come
CLOSED_WITHIN = (
    0.1  # seconds after the last event in which the response may end, so that its connection is kept
)
STRICT_TURNS = re.compile(r"roles? must alternate|alternat\w+ (between )?(roles|user)", re.IGNORECASE)
NO_SYSTEM = re.compile(
    r"\b(system|developer)\W{0,2} (role|message|prompt|instruction)s?( is| are)? not (support|allow|enabl)ed|"
    r"not support (the |a )?\W?(system|developer)\b|unexpected role \W?system\b|"
    r"only user and assistant roles",
    re.IGNORECASE,
)


class ChatCompletions(LanguageModel):
    """A language model behind an HTTP endpoint.

    An option replaces what the driver would send under that name; None leaves the field out. The key is
    `key`, or else the environment variable `key_variable`; an endpoint without keys needs neither.
    `answer_within`: seconds that the first piece of an answer and each further one may take.
    `strict_turns`: for endpoints whose user and assistant must take turns, the user first; set by itself once
    the endpoint says so, as is what suits endpoints without the role "system".
    """

    def __init__(
        self,
        model: str,
        *,
        vendor: str,
        base_url: str,
        key: str | None = None,
        key_variable: str | None = None,
        options: dict[str, Any] | None = None,
        answer_within: float = 30.0,
        strict_turns: bool = False,
    ) -> None:
        self.model = model
        self.vendor = vendor
        self.base_url = base_url.rstrip("/")
        self.options = options or {}
        self.answer_within = answer_within
        self.strict_turns = strict_turns
        self.system_role = True
        """False once the endpoint has said that it does not know the role "system"."""
        self._key = (key or (os.environ.get(key_variable) if key_variable else None) or "").strip()
        self._key_variable = key_variable
        self._http = HttpClient(vendor, extra="openai", key_name=key_variable or "the key")

    async def load(self) -> None:
        """Import the HTTP library and read the system's certificates."""
        await self._http.load()

    async def open(self) -> None:
        """Check that there is a key and that httpx is installed."""
        if not self._key and self._key_variable is not None:
            raise ConfigurationError(
                f"{self.vendor} needs a key: set {self._key_variable} in the environment, or pass key="
            )
        if not self._key.isascii():
            raise ConfigurationError(f"the key for {self.vendor} has characters that no key has")
        await self._http.open()

    async def close(self) -> None:
        """Leave the shared connections."""
        await self._http.close()

    async def generate(self, context: Context) -> AsyncIterator[TextDelta | ToolCall | TokenUsage]:
        """Yield the model's answer to the conversation so far.

        Closing the iterator closes the connection, so that the vendor stops generating.
        """
        await self.open()
        while True:
            begun, strict, system = False, self.strict_turns, self.system_role
            try:
                async with aclosing(self._answer(self._request(context))) as answer:
                    async for item in answer:
                        begun = True
                        yield item
                return
            except TheyErred as error:
                if not begun and not strict and STRICT_TURNS.search(str(error)):
                    logger.info("%s wants user and assistant to take turns: from now on they do", self.vendor)
                    self.strict_turns = True
                elif not begun and system and NO_SYSTEM.search(str(error)):
                    logger.info(
                        "%s knows no role system: the user's first message holds its text", self.vendor
                    )
                    self.system_role = False
                else:
                    raise

    def _request(self, context: Context) -> dict[str, Any]:
        chat = messages(context)
        if not self.system_role:
            chat = without_system(chat)
        if self.strict_turns:
            chat = with_strict_turns(chat)
        request = {
            "model": self.model,
            "messages": chat,
            "stream": True,
            "stream_options": {"include_usage": True},
            "tools": tools(context) or None,
        } | self.options
        return {name: value for name, value in request.items() if value is not None}

    async def _answer(self, request: dict[str, Any]) -> AsyncGenerator[TextDelta | ToolCall | TokenUsage]:
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        answer = _Answer(self.vendor)
        url = f"{self.base_url}/chat/completions"
        async with (
            self._http.stream(
                "POST", url, json=request, headers=headers, within=self.answer_within
            ) as response,
            aclosing(_events(response, answer)) as received,
        ):
            async for event in received:
                for item in answer.read(event):
                    yield item
        if not answer.ended:
            raise UnavailableError(f"{self.vendor} closed the connection in the middle of an answer")
        if answer.usage is not None:
            yield answer.usage
        if not answer.said:
            raise NothingSaidError(f"{self.vendor} ended its answer without a word ({answer.why_silent})")


async def _events(response: "httpx.Response", answer: "_Answer") -> AsyncGenerator[ServerEvent]:
    """Yield the events of a response.

    A response that is not streamed, as some gateways answer, is a single event.
    """
    if "json" in response.headers.get("content-type", ""):
        yield ServerEvent((await body(response, MOST)).decode(errors="replace"))
        return
    async with aclosing(events(response, answer.patience)) as received:
        async for event in received:
            yield event


@dataclass(slots=True)
class _Answer:
    """The state of a streamed answer that is being read."""

    vendor: str
    usage: TokenUsage | None = None
    """The last one that came: some endpoints send it in every chunk."""
    said: bool = False
    """True once there was a word or a tool call."""
    ended: bool = False
    """True once the vendor said that nothing comes any more but usage."""
    closed: bool = False
    """True after the last event."""
    finish: str = ""
    reasoned: bool = False
    unread: str = ""
    """The last chunk that has nothing in it that a chunk has."""
    _calls: ToolCallFragments = field(default_factory=ToolCallFragments)

    def patience(self) -> float | None:
        """Seconds to wait for the next piece; None while the answer goes on."""
        return CLOSED_WITHIN if self.closed else USAGE_WITHIN if self.ended else None

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
            self.said |= has_words(text, voiced=False)
            yield TextDelta(text)
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
            self.said = True
            yield call

    def _count(self, usage: dict[str, Any]) -> None:
        cached = fields(usage.get("prompt_tokens_details")).get("cached_tokens")
        counts = (usage.get("prompt_tokens"), usage.get("completion_tokens"), cached)
        self.usage = TokenUsage(*map(token_count, counts))

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
