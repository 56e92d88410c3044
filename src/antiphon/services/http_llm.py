"""The driver for language models that stream an answer over HTTP.

A vendor is an `HttpLLM`, which says how a context becomes a request, and an `AnswerCodec`, which reads the
events of one answer. Written once, here: the key, connections, an answer that ends in the middle or says
nothing, usage that comes late.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing
from typing import TYPE_CHECKING

from ..context import Context
from ..errors import NothingSaidError, UnavailableError
from ..frames import ToolCall
from .event_stream import MOST, ServerEvent
from .http_client import HttpClient, HttpRequest, body, events
from .keys import VendorKey
from .ports import LanguageModel, TextDelta, TokenUsage
from .streams import has_words

if TYPE_CHECKING:
    import httpx

__all__ = ["AnswerCodec", "HttpLLM"]

USAGE_WITHIN = 0.5  # seconds after the answer's end in which its usage may come
CLOSED_WITHIN = (
    0.1  # seconds after the last event in which the response may end, so that its connection is kept
)


class AnswerCodec:
    """Reads the events of one answer; it opens no connection."""

    def __init__(self, vendor: str) -> None:
        self.vendor = vendor
        self.usage: TokenUsage | None = None
        """The last one that came: some endpoints send it in every event."""
        self.said = False
        """True once there was a word or a tool call."""
        self.ended = False
        """True once the vendor said that nothing comes any more but usage."""
        self.closed = False
        """True after the last event."""

    @property
    def why_silent(self) -> str:
        """What is known of an answer without words."""
        return "no reason given"

    def read(self, event: ServerEvent) -> Iterator[TextDelta | ToolCall]:
        """Yield what an event adds.

        Raises TheyErred for an error that is told in the stream.
        """
        raise NotImplementedError

    def patience(self) -> float | None:
        """Return the seconds to wait for the next piece; None while the answer goes on."""
        return CLOSED_WITHIN if self.closed else USAGE_WITHIN if self.ended else None

    def text(self, text: str) -> TextDelta:
        """Return a piece of the answer, and note whether it says something."""
        self.said |= has_words(text, voiced=False)
        return TextDelta(text)

    def call(self, call: ToolCall) -> ToolCall:
        """Return a tool call, and note that there was one."""
        self.said = True
        return call


class HttpLLM(LanguageModel):
    """A language model behind HTTP.

    A vendor derives from it, and adds `request` and `answer`.

    `answer_within`: seconds that the first piece of an answer and each further one may take.
    """

    def __init__(
        self,
        vendor: str,
        key: VendorKey,
        model: str = "",
        *,
        answer_within: float = 30.0,
        extra: str = "services",
    ) -> None:
        self.vendor = vendor
        self.model = model
        self.key = key
        self.answer_within = answer_within
        self._http = HttpClient(vendor, extra=extra, key_name=key.name)

    def request(self, context: Context) -> HttpRequest:
        """Return the request for an answer to a context."""
        raise NotImplementedError

    def answer(self) -> AnswerCodec:
        """Return the reader of a new answer."""
        raise NotImplementedError

    async def load(self) -> None:
        """Import the HTTP library and read the system's certificates."""
        await self._http.load()

    async def open(self) -> None:
        """Check that there is a key and that httpx is installed."""
        self.key.check()
        await self._http.open()

    async def close(self) -> None:
        """Leave the shared connections."""
        await self._http.close()

    async def generate(self, context: Context) -> AsyncIterator[TextDelta | ToolCall | TokenUsage]:
        """Yield the model's answer to the conversation so far.

        Closing the iterator closes the connection, so that the vendor stops generating.
        """
        await self.open()
        async with aclosing(self._ask(self.request(context))) as answer:
            async for item in answer:
                yield item

    async def _ask(self, request: HttpRequest) -> AsyncGenerator[TextDelta | ToolCall | TokenUsage]:
        answer = self.answer()
        async with (
            self._http.post(request, within=self.answer_within) as response,
            aclosing(self.events(response, answer)) as received,
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

    async def events(self, response: "httpx.Response", answer: AnswerCodec) -> AsyncGenerator[ServerEvent]:
        """Yield the events of a response.

        A response that is not streamed, as some gateways answer, is a single event.
        """
        if "json" in response.headers.get("content-type", ""):
            yield ServerEvent((await body(response, MOST)).decode(errors="replace"))
            return
        async with aclosing(events(response, answer.patience)) as received:
            async for event in received:
                yield event
