"""The OpenAI-compatible driver against a server on loopback that speaks the published protocol."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from antiphon.context import AgentSaid, Context, Image, ToolAnswered, UserSaid
from antiphon.errors import (
    AuthenticationError,
    BadResponseError,
    ConfigurationError,
    NothingSaidError,
    RateLimitError,
    ServiceTimeoutError,
    UnavailableError,
    UsageError,
)
from antiphon.frames import ToolCall
from antiphon.services.ports import TextDelta, TokenUsage
from antiphon.testing import check_llm
from antiphon.testing.conformance.llm import TOOL
from antiphon.vendors.openai import LLM

PLAIN = Context("Be brief.", (UserSaid("Hello?"),))


def chunk(**delta: Any) -> str:
    return "data: " + json.dumps({"choices": [{"index": 0, "delta": delta}]}) + "\n\n"


USAGE = {"prompt_tokens": 12, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 8}}
END = (
    'data: {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}\n\n'
    "data: " + json.dumps({"choices": [], "usage": USAGE}) + "\n\ndata: [DONE]\n\n"
)


@dataclass
class Endpoint:
    """Answers POST /v1/chat/completions; checks and keeps what is sent."""

    status: int = 200
    headers: str = ""
    body: Callable[[dict[str, Any]], list[str]] = lambda request: [
        chunk(content="Good "),
        chunk(content="day."),
        END,
    ]
    holds: bool = False
    cut: bool = False
    system: bool = True
    requests: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def service(self, *, answer_within: float = 30.0, **options: Any) -> AsyncGenerator[LLM, None]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        service = LLM(
            "small",
            base_url=f"http://127.0.0.1:{port}/v1",
            key="secret",
            answer_within=answer_within,
            **dict[str, Any](temperature=0) | options,
        )
        try:
            yield service
        finally:
            await service.close()
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                await self._answer(head.decode().lower(), reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.gone.set()
            writer.close()

    async def _answer(self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert head.startswith("post /v1/chat/completions http/1.1\r\n"), head
        assert "authorization: bearer secret\r\n" in head
        length = int(head.split("content-length: ")[1].split("\r\n")[0])
        request = json.loads(await reader.readexactly(length))
        assert request["stream"] is True
        assert request["messages"][0]["role"] == "system" or not self.system
        self.requests.append(request)
        head_out = f"HTTP/1.1 {self.status} X\r\ncontent-type: text/event-stream\r\n{self.headers}"
        writer.write((head_out + "transfer-encoding: chunked\r\n\r\n").encode())
        for piece in self.body(request):
            writer.write(f"{len(piece.encode()):x}\r\n{piece}\r\n".encode())
            await writer.drain()
        if self.holds:
            await reader.read(1)
            raise ConnectionError
        if self.cut:
            raise ConnectionError
        writer.write(b"0\r\n\r\n")


def refused(status: int, headers: str = "") -> Endpoint:
    return Endpoint(status, headers, lambda request: ['{"error": {"message": "no, because"}}'])


def answer(
    endpoint: Endpoint, context: Context = PLAIN, **options: Any
) -> list[TextDelta | ToolCall | TokenUsage]:
    async def ask() -> list[TextDelta | ToolCall | TokenUsage]:
        async with endpoint.service(**options) as service:
            return [item async for item in service.generate(context)]

    return asyncio.run(ask())


def reply(request: dict[str, Any]) -> list[str]:
    """Calls the tool that is offered, in fragments, and speaks after its result."""
    if request.get("tools") and request["messages"][-1]["role"] != "tool":
        first = {"index": 0, "id": "c1", "function": {"name": "opening_hours", "arguments": ""}}
        rest = [{"index": 0, "function": {"arguments": part}} for part in ('{"day"', ': "Monday"}')]
        return [*(chunk(tool_calls=[part]) for part in (first, *rest)), END]
    return [chunk(role="assistant", content=""), chunk(content="Good "), chunk(content="day."), END]


def test_conforms() -> None:
    async def check() -> None:
        async with Endpoint(body=reply).service() as service:
            await check_llm(lambda: service)

    asyncio.run(check())


def test_text_and_usage() -> None:
    assert answer(Endpoint()) == [TextDelta("Good "), TextDelta("day."), TokenUsage(12, 3, 8)]


def test_what_is_sent() -> None:
    endpoint = Endpoint(body=reply)
    call = ToolCall("c1", "opening_hours", '{"day": "Monday"}')
    said = (UserSaid("Monday?"), AgentSaid("One moment.", (call,)), ToolAnswered(call, "nine to five"))
    answer(endpoint, Context("Be brief.", (*said, AgentSaid("From nine", interrupted=True)), (TOOL,)))
    (request,) = endpoint.requests
    assert request["model"] == "small"
    assert request["temperature"] == 0
    assert request["stream_options"] == {"include_usage": True}
    assert request["tools"][0]["function"]["parameters"] == TOOL.parameters
    system, user, agent, result, cut = request["messages"]
    assert (system["content"], user["content"]) == ("Be brief.", "Monday?")
    assert agent["tool_calls"][0]["function"] == {"name": "opening_hours", "arguments": '{"day": "Monday"}'}
    assert result == {"role": "tool", "tool_call_id": "c1", "content": "nine to five"}
    assert cut["content"] == "From nine […]"


def test_pictures_of_the_user_are_sent_as_data() -> None:
    endpoint = Endpoint()
    seen = UserSaid("What is this?", (Image(b"abc", "image/png"),))
    answer(endpoint, Context("Be brief.", (seen, UserSaid("", (Image(b"d"),)))))
    assert [message["content"] for message in endpoint.requests[0]["messages"][1:]] == [
        [
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,YWJj"}},
        ],
        [{"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,ZA=="}}],
    ]
    with pytest.raises(UsageError, match="none of the agent"):
        answer(Endpoint(), Context("Be brief.", (AgentSaid("Look.", attachments=(Image(b"d"),)),)))


def test_two_calls_at_once() -> None:
    def both(request: dict[str, Any]) -> list[str]:
        calls = [
            {"index": n, "id": f"c{n}", "function": {"name": "f", "arguments": f"[{n}]"}} for n in (0, 1)
        ]
        return [chunk(tool_calls=calls), END]

    calls = [item for item in answer(Endpoint(body=both)) if isinstance(item, ToolCall)]
    assert calls == [ToolCall("c0", "f", "[0]"), ToolCall("c1", "f", "[1]")]


def test_leaving_the_answer_closes_the_connection() -> None:
    async def leave() -> None:
        endpoint = Endpoint(body=lambda request: [chunk(content="Well, ")], holds=True)
        async with endpoint.service() as service:
            answer = service.generate(PLAIN)
            assert await anext(answer) == TextDelta("Well, ")
            await answer.aclose()  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
            async with asyncio.timeout(5):
                await endpoint.gone.wait()

    asyncio.run(leave())


def test_refused_key() -> None:
    with pytest.raises(AuthenticationError, match="no, because"):
        answer(refused(401))


def test_too_fast() -> None:
    with pytest.raises(RateLimitError) as raised:
        answer(refused(429, "retry-after: 2.5\r\n"))
    assert raised.value.retry_after == 2.5


@pytest.mark.parametrize(
    ("status", "error"), [(500, UnavailableError), (503, UnavailableError), (400, BadResponseError)]
)
def test_other_refusals(status: int, error: type[Exception]) -> None:
    with pytest.raises(error, match="no, because"):
        answer(refused(status))


@pytest.mark.parametrize(
    "line", ["data: {not json\n\n", 'data: ["a list"]\n\n', 'data: {"choices": [7]}\n\n']
)
def test_nonsense(line: str) -> None:
    with pytest.raises(BadResponseError, match="not a chunk"):
        answer(Endpoint(body=lambda request: [line]))


def test_usage_in_every_chunk_is_told_once() -> None:
    def counting(request: dict[str, Any]) -> list[str]:
        early = {
            "choices": [{"index": 0, "delta": {"content": "Hi"}}],
            "usage": USAGE | {"completion_tokens": 1},
        }
        return [f"data: {json.dumps(early)}\n\n", END]

    assert answer(Endpoint(body=counting)) == [TextDelta("Hi"), TokenUsage(12, 3, 8)]


def test_an_error_within_the_answer() -> None:
    error = 'data: {"error": {"message": "overloaded"}}\n\n'
    with pytest.raises(UnavailableError, match="overloaded"):
        answer(Endpoint(body=lambda request: [chunk(content="Well, "), error]))


def streamed(*pieces: str) -> Endpoint:
    return Endpoint(body=lambda request: list(pieces))


def finished(reason: str, **delta: Any) -> str:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return f"data: {json.dumps({'choices': [choice]})}\n\n"


DONE = "data: [DONE]\n\n"


@pytest.mark.parametrize("sign", ["\u2028", "\u2029", "\u0085"])
def test_signs_that_are_no_line_ends(sign: str) -> None:
    text = f"Nine to five.{sign}Closed on Sunday."
    body = json.dumps({"choices": [{"index": 0, "delta": {"content": text}}]}, ensure_ascii=False)
    assert answer(streamed(f"data: {body}\n\n", finished("stop"), DONE)) == [TextDelta(text)]


def test_event_in_several_lines_and_events_without_blank_lines() -> None:
    body = json.dumps({"choices": [{"index": 0, "delta": {"content": "Hi"}}]}, indent=1)
    lines = "".join(f"data: {line}\n" for line in body.split("\n"))
    assert answer(streamed(lines + "\n", END))[0] == TextDelta("Hi")
    close = chunk(content="Hi").strip() + "\n" + finished("stop").strip() + "\n" + DONE
    assert answer(streamed(close)) == [TextDelta("Hi")]


@pytest.mark.parametrize(
    ("usage", "counted"),
    [
        ({"prompt_tokens": 5, "completion_tokens": None}, TokenUsage(5, 0)),
        ({"prompt_tokens": 5}, TokenUsage(5, 0)),
        ({"total_tokens": 7}, TokenUsage(0, 0)),
        ({"prompt_tokens": "5", "completion_tokens": -1}, TokenUsage(0, 0)),
        ({"prompt_tokens": 5, "completion_tokens": 2, "prompt_tokens_details": 3}, TokenUsage(5, 2)),
        (
            {"prompt_tokens": 5, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": "4"}},
            TokenUsage(5, 2),
        ),
        (None, None),
        (7, None),
        ([], None),
    ],
)
def test_usage_that_cannot_be_counted_costs_no_answer(usage: Any, counted: TokenUsage | None) -> None:
    last = json.dumps({"choices": [], "usage": usage, "error": None})
    said = answer(streamed(chunk(content="Hi"), finished("stop"), f"data: {last}\n\n", DONE))
    assert said == [TextDelta("Hi"), *([counted] if counted else [])]


@pytest.mark.parametrize(
    ("told", "error"),
    [
        ('event: error\ndata: {"code": 503, "details": "queue full"}\n\n', UnavailableError),
        ("event: error\ndata: queue full\n\n", UnavailableError),
        ('data: {"error": {"message": "queue full", "code": 503}}\n\n', UnavailableError),
        ('data: {"error": {"message": "queue full", "code": 429}}\n\n', RateLimitError),
        ('data: {"error": {"message": "queue full", "code": 400}}\n\n', BadResponseError),
        ('data: {"error": "queue full"}\n\n', UnavailableError),
        ('data: {"object": "error", "message": "queue full", "code": 503}\n\n', UnavailableError),
        ('data: {"type": "error", "message": "queue full"}\n\n', UnavailableError),
        (
            'data: {"choices": [{"finish_reason": "error", "error": {"message": "queue full"}}]}\n\n',
            UnavailableError,
        ),
    ],
)
def test_errors_that_are_told_in_the_stream(told: str, error: type[Exception]) -> None:
    with pytest.raises(error, match="queue full"):
        answer(streamed(told, DONE))


@pytest.mark.parametrize(
    ("pieces", "why"),
    [
        ([DONE], "no reason given"),
        ([chunk(role="assistant", content=""), finished("stop"), DONE], "'stop'"),
        ([chunk(content=" \n"), finished("stop"), DONE], "'stop'"),
        ([finished("content_filter"), DONE], "'content_filter'"),
        ([chunk(reasoning_content="Hm."), finished("length"), DONE], "'length', it only reasoned"),
        (['data: {"code": 503, "text": "busy"}\n\n', DONE], "busy"),
    ],
)
def test_nothing_said_is_an_error_that_says_why(pieces: list[str], why: str) -> None:
    with pytest.raises(NothingSaidError, match=why):
        answer(streamed(*pieces))


def test_refusal_is_what_the_model_says() -> None:
    pieces = (chunk(content=None, refusal="I cannot help with that."), finished("stop"), DONE)
    assert answer(streamed(*pieces)) == [TextDelta("I cannot help with that.")]


def test_content_in_parts() -> None:
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "They ask."}]}
    pieces = (chunk(content=[thinking]), chunk(content=[{"type": "text", "text": "Nine."}]), END)
    assert answer(streamed(*pieces))[0] == TextDelta("Nine.")


def test_answer_that_is_not_streamed() -> None:
    message = {
        "role": "assistant",
        "content": "Nine.",
        "tool_calls": [{"id": "c", "function": {"name": "f"}}],
    }
    body = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": USAGE}
    endpoint = Endpoint(headers="content-type: application/json\r\n", body=lambda request: [json.dumps(body)])
    assert answer(endpoint) == [TextDelta("Nine."), ToolCall("c", "f", "{}"), TokenUsage(12, 3, 8)]


@pytest.mark.parametrize("pieces", [[chunk(content="Hi"), finished("stop")], [chunk(content="Hi"), DONE]])
def test_answer_is_over_although_the_connection_stays_open(pieces: list[str]) -> None:
    async def ask() -> list[Any]:
        async with Endpoint(body=lambda request: pieces, holds=True).service() as service, asyncio.timeout(5):
            return [item async for item in service.generate(PLAIN)]

    assert asyncio.run(ask()) == [TextDelta("Hi")]


def test_line_without_an_end_is_refused() -> None:
    with pytest.raises(BadResponseError, match="more than 1048576 bytes"):
        answer(streamed("data: ", *["x" * 65536] * 40))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"stream_options": None}, None),
        ({"stream_options": {}}, {}),
        ({"stream_options": {"include_usage": False}}, {"include_usage": False}),
        ({"temperature": None}, {"include_usage": True}),
    ],
)
def test_options_win_and_none_takes_a_field_out(options: dict[str, Any], expected: Any) -> None:
    endpoint = Endpoint()
    answer(endpoint, **options)
    (request,) = endpoint.requests
    assert request.get("stream_options") == expected
    assert None not in request.values()
    assert ("temperature" in request) == ("temperature" not in options)


GREETED = Context("Be brief.", (AgentSaid("Welcome."), UserSaid("Hello.")))


def test_strict_turns() -> None:
    endpoint = Endpoint()
    answer(endpoint, GREETED, strict_turns=True)
    roles = [message["role"] for message in endpoint.requests[0]["messages"]]
    assert roles == ["system", "user", "assistant", "user"]


def test_endpoint_that_wants_strict_turns_gets_them_from_then_on() -> None:
    def strict(request: dict[str, Any]) -> list[str]:
        if request["messages"][1]["role"] == "assistant":
            return ['data: {"error": {"message": "Conversation roles must alternate", "code": 400}}\n\n']
        return [chunk(content="Hi"), END]

    async def ask() -> None:
        endpoint = Endpoint(body=strict)
        async with endpoint.service() as service:
            for _ in range(2):
                assert TextDelta("Hi") in [item async for item in service.generate(GREETED)]
        assert len(endpoint.requests) == 3

    asyncio.run(ask())


def test_endpoint_without_the_role_system_gets_its_text_from_the_user() -> None:
    def template(request: dict[str, Any]) -> list[str]:
        if request["messages"][0]["role"] == "system":
            return ['data: {"error": {"message": "System role not supported", "code": 400}}\n\n']
        return [chunk(content="Hi"), END]

    async def ask() -> None:
        endpoint = Endpoint(body=template, system=False)
        async with endpoint.service() as service:
            for _ in range(2):
                assert TextDelta("Hi") in [item async for item in service.generate(GREETED)]
        assert len(endpoint.requests) == 3
        assert endpoint.requests[-1]["messages"][0] == {"role": "user", "content": "Be brief."}

    asyncio.run(ask())


def test_key_with_blanks_around_it_is_read_and_a_strange_one_refused() -> None:
    assert LLM(key=" secret\n").key.value == "secret"
    with pytest.raises(ConfigurationError, match="characters that no key has"):
        asyncio.run(LLM(key="gehëim").open())


def test_too_slow() -> None:
    async def ask() -> None:
        async with Endpoint(body=lambda request: [], holds=True).service(answer_within=0.05) as service:
            async for _ in service.generate(PLAIN):
                pass

    with pytest.raises(ServiceTimeoutError, match="openai"):
        asyncio.run(ask())


def test_dropped_connection() -> None:
    with pytest.raises(UnavailableError):
        answer(Endpoint(body=lambda request: [chunk(content="Well, ")], cut=True))


def test_an_answer_without_an_end() -> None:
    with pytest.raises(UnavailableError, match="closed the connection"):
        answer(Endpoint(body=lambda request: [chunk(content="Well, ")]))


def test_nobody_there() -> None:
    async def ask() -> None:
        service = LLM("small", base_url="http://127.0.0.1:9/v1")
        try:
            async for _ in service.generate(PLAIN):
                pass
        finally:
            await service.close()

    with pytest.raises(UnavailableError, match=r"127\.0\.0\.1:9"):
        asyncio.run(ask())


def test_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(ConfigurationError, match="OPENAI_API_KEY"):
        asyncio.run(LLM().open())


def test_usage_has_what_was_put_into_the_cache_in_either_spelling() -> None:
    def used(usage: dict[str, Any]) -> TokenUsage:
        told = [chunk(content="Yes."), END.replace(json.dumps(USAGE), json.dumps(usage))]
        return next(item for item in answer(Endpoint(body=lambda _: told)) if isinstance(item, TokenUsage))

    details = {"cached_tokens": 8, "cache_write_tokens": 2}
    counts = {"prompt_tokens": 12, "completion_tokens": 3}
    assert used(counts | {"prompt_tokens_details": details}) == TokenUsage(12, 3, 8, 2)
    assert used(counts | {"prompt_cache_hit_tokens": 8}) == TokenUsage(12, 3, 8), "as DeepSeek says it"


def test_only_openai_itself_is_sent_a_key_for_its_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    later = Context("Be brief.", (*PLAIN.entries, AgentSaid("Good day."), UserSaid("And now?")))
    bodies = [LLM(key="a key").request(context).body for context in (PLAIN, later)]
    keys = [body["prompt_cache_key"] for body in bodies if isinstance(body, dict)]
    assert keys[0] == keys[1]
    elsewhere = LLM(base_url="http://127.0.0.1:1/v1").request(PLAIN).body
    assert isinstance(elsewhere, dict) and "prompt_cache_key" not in elsewhere
