"""A driver for all language models that speak OpenAI's chat completions.

Protocol: https://platform.openai.com/docs/api-reference/chat/create, streamed as server-sent events. A tool
call comes in fragments by index: its id and name first, then pieces of its arguments.
"""

import json
import os
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..context import AgentSaid, Attachment, Context, ToolAnswered, UserSaid
from ..errors import (
    AuthenticationError,
    BadResponseError,
    ConfigurationError,
    RateLimitError,
    ServiceTimeoutError,
    TheyErred,
    UnavailableError,
    UsageError,
)
from ..frames import ToolCall
from .ports import LanguageModel, TextDelta, TokenUsage

if TYPE_CHECKING:
    import httpx

__all__ = ["ChatCompletions", "messages"]

CONNECT_WITHIN = 5.0  # seconds
INTERRUPTED = " […]"  # follows what was heard of a reply that the user interrupted


class ChatCompletions(LanguageModel):
    """A language model behind an HTTP endpoint.

    `options` are further fields of the request, such as temperature. The key is `key`, or else the
    environment variable `key_variable`; an endpoint without keys needs neither. `answer_within`: seconds that
    the first piece of an answer and each further one may take.
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
    ) -> None:
        self.model = model
        self.vendor = vendor
        self.base_url = base_url.rstrip("/")
        self.options = options or {}
        self.answer_within = answer_within
        self._key = key or (os.environ.get(key_variable) if key_variable else None)
        self._key_variable = key_variable
        self._client: httpx.AsyncClient | None = None

    async def open(self) -> None:
        """Check for the key and for httpx, and make the connection pool."""
        if self._key is None and self._key_variable is not None:
            raise ConfigurationError(
                f"{self.vendor} needs a key: set {self._key_variable} in the environment, or pass key="
            )
        self._connected()

    async def close(self) -> None:
        """Close the connection pool."""
        client, self._client = self._client, None  # an answer that begins meanwhile gets a new pool
        if client is not None:
            await client.aclose()

    async def generate(self, context: Context) -> AsyncIterator[TextDelta | ToolCall | TokenUsage]:
        """Answer the context; closing the iterator also stops the vendor's work."""
        import httpx

        await self.open()
        request = {"model": self.model, "messages": messages(context), "stream": True} | self.options
        request["stream_options"] = {"include_usage": True}
        if context.tools:
            request["tools"] = [
                {
                    "type": "function",
                    "function": {
                        "name": tool.name,
                        "description": tool.description,
                        "parameters": tool.parameters,
                    },
                }
                for tool in context.tools
            ]
        answer = _Answer()
        try:
            async with self._connected().stream("POST", "/chat/completions", json=request) as response:
                if response.status_code != 200:
                    raise self._refused(response.status_code, await response.aread(), response.headers)
                async for line in response.aiter_lines():
                    for item in answer.read(line):
                        yield item
        except httpx.TimeoutException as error:
            raise ServiceTimeoutError(
                f"{self.vendor} did not answer in time ({type(error).__name__})"
            ) from error
        except httpx.HTTPError as error:
            raise UnavailableError(
                f"{self.vendor} at {self.base_url}: {error or type(error).__name__}"
            ) from error
        if not answer.done:
            raise UnavailableError(f"{self.vendor} closed the connection in the middle of an answer")
        if answer.usage is not None:
            yield answer.usage

    def _connected(self) -> "httpx.AsyncClient":
        if self._client is None:
            try:
                import httpx
            except ModuleNotFoundError as error:
                raise ConfigurationError(
                    f'{self.vendor} needs httpx, which is not installed: pip install "antiphon[openai]"'
                ) from error
            headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
            self._client = httpx.AsyncClient(
                base_url=self.base_url,
                headers=headers,
                timeout=httpx.Timeout(self.answer_within, connect=CONNECT_WITHIN),
            )
        return self._client

    def _refused(self, status: int, body: bytes, headers: "httpx.Headers") -> TheyErred:
        said = f"{self.vendor} answered {status}: {_reason(body)}"
        if status in (401, 403):
            return AuthenticationError(f"{said}. Is {self._key_variable or 'the key'} right?")
        if status == 429:
            return RateLimitError(said, _seconds(headers.get("retry-after")))
        return UnavailableError(said) if status >= 500 else BadResponseError(said)


@dataclass(slots=True)
class _Answer:
    """The state of a streamed answer that is being read."""

    done: bool = False
    usage: TokenUsage | None = None
    """The last one that came: some endpoints send it in every chunk."""
    calls: dict[int, dict[str, str]] = field(default_factory=dict[int, dict[str, str]])

    def read(self, line: str) -> Iterator[TextDelta | ToolCall]:
        """Yield what a line of the event stream adds."""
        if not line.startswith("data:"):
            return
        data = line[5:].strip()
        if data == "[DONE]":
            yield from self._whole_calls()
            self.done = True
            return
        try:
            chunk: dict[str, Any] = json.loads(data)
            failed = "error" in chunk
            choices: list[dict[str, Any]] = chunk.get("choices") or []
            usage: dict[str, Any] = chunk.get("usage") or {}
            for choice in choices:
                delta: dict[str, Any] = choice.get("delta") or {}
                if text := delta.get("content"):
                    yield TextDelta(text)
                fragments: list[dict[str, Any]] = delta.get("tool_calls") or []
                for fragment in fragments:
                    self._add(fragment)
                if choice.get("finish_reason"):
                    yield from self._whole_calls()
                    self.done = True
            if usage:
                details: dict[str, int] = usage.get("prompt_tokens_details") or {}
                cached = details.get("cached_tokens") or 0
                self.usage = TokenUsage(usage["prompt_tokens"], usage["completion_tokens"], cached)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BadResponseError(f"not a chunk of a chat completion: {data[:120]!r}") from error
        if failed:
            raise UnavailableError(f"the answer ended with an error: {_reason(data.encode())}")

    def _add(self, fragment: dict[str, Any]) -> None:
        call = self.calls.setdefault(fragment.get("index", 0), {"id": "", "name": "", "arguments": ""})
        function: dict[str, str] = fragment.get("function") or {}
        call["id"] = fragment.get("id") or call["id"]
        call["name"] += function.get("name") or ""
        call["arguments"] += function.get("arguments") or ""

    def _whole_calls(self) -> Iterator[ToolCall]:
        for index, call in sorted(self.calls.items()):
            yield ToolCall(call["id"] or f"call-{index}", call["name"], call["arguments"] or "{}")
        self.calls.clear()


def messages(context: Context) -> list[dict[str, Any]]:
    """Return the context as chat messages."""
    chat: list[dict[str, Any]] = [{"role": "system", "content": context.instructions}]
    for entry in context.entries:
        match entry:
            case UserSaid(text, attachments):
                chat.append({"role": "user", "content": _content(text, attachments)})
            case AgentSaid(text, calls, interrupted, attachments):
                if attachments:
                    raise UsageError("a chat completion accepts pictures of the user, but none of the agent")
                message: dict[str, Any] = {"role": "assistant", "content": text + INTERRUPTED * interrupted}
                if calls:
                    message["tool_calls"] = [
                        {
                            "id": call.id,
                            "type": "function",
                            "function": {"name": call.name, "arguments": call.arguments},
                        }
                        for call in calls
                    ]
                chat.append(message)
            case ToolAnswered(call, result):
                chat.append({"role": "tool", "tool_call_id": call.id, "content": result})
    return chat


def _content(text: str, attachments: Sequence[Attachment]) -> str | list[dict[str, Any]]:
    """Return the content of a message: text, or a list of parts with pictures."""
    if not attachments:
        return text
    urls = [f"data:{image.media_type};base64,{b64encode(image.data).decode()}" for image in attachments]
    pictures = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return [*([{"type": "text", "text": text}] if text else []), *pictures]


def _reason(body: bytes) -> str:
    try:
        error = json.loads(body)["error"]
        return str(error.get("message") or error)[:300]
    except (ValueError, KeyError, TypeError, AttributeError):
        return body[:200].decode(errors="replace").strip() or "nothing"


def _seconds(retry_after: str | None) -> float | None:
    try:
        return float(retry_after) if retry_after else None
    except ValueError:
        return None  # an HTTP date: the caller then uses a delay of its own
