"""Connections to services are kept for minutes and shared by all; what comes over them is bounded."""

import asyncio
import json
import zlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from antiphon.errors import (
    AuthenticationError,
    BadResponseError,
    ConfigurationError,
    RateLimitError,
    ServiceTimeoutError,
    UnavailableError,
    UsageError,
)
from antiphon.services import http_client
from antiphon.services.http_client import HttpClient, body, events, refusal, tls_context

EVENTS = b"data: one\n\ndata: two\n\n"


class Vendor:
    """A server on loopback; `answer` writes what it answers to a request."""

    def __init__(
        self, answer: Callable[["Vendor", asyncio.StreamWriter], Awaitable[object]] | None = None
    ) -> None:
        self.answer = answer
        self.connections = 0
        self.open = 0
        self.requests: list[tuple[str, Any]] = []
        self.url = ""
        self._left = asyncio.Condition()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[str]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1000)
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        finally:
            server.close()

    async def until_open(self, connections: int) -> None:
        """Wait until so many connections are open."""
        async with self._left, asyncio.timeout(5):
            await self._left.wait_for(lambda: self.open == connections)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = int(head.split("content-length: ")[1].split("\r\n")[0])
                self.requests.append((head, json.loads(await reader.readexactly(length))))
                await (self.answer or stream)(self, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            async with self._left:
                self.open -= 1
                self._left.notify_all()


def whole(data: bytes, headers: str = "", status: int = 200) -> bytes:
    return f"HTTP/1.1 {status} X\r\n{headers}content-length: {len(data)}\r\n\r\n".encode() + data


async def stream(vendor: Vendor, writer: asyncio.StreamWriter) -> None:
    writer.write(whole(EVENTS))


def answering(data: bytes) -> Vendor:
    async def answer(vendor: Vendor, writer: asyncio.StreamWriter) -> None:
        writer.write(data)

    return Vendor(answer)


def client() -> HttpClient:
    return HttpClient("acme", extra="acme", key_name="ACME_KEY")


async def ask(http: HttpClient, url: str, within: float = 5.0, request: object = "hi") -> list[str]:
    async with http.stream("POST", url, json=request, within=within) as response:
        return [event.data async for event in events(response)]


async def asked(vendor: Vendor, **how: Any) -> list[str]:
    """What one request to a vendor brings."""
    http = client()
    async with vendor.running() as url:
        try:
            return await ask(http, url, **how)
        finally:
            await http.close()


# Connections -----------------------------------------------------------------------------------------


def test_connection_is_kept_for_minutes_and_shared_by_all_services() -> None:
    async def main() -> None:
        vendor, one, two = Vendor(), client(), client()
        async with vendor.running() as url:
            for http in (one, two, one):
                assert await ask(http, url) == ["one", "two"]
            assert vendor.connections == 1
            await one.close()
            assert await ask(two, url) == ["one", "two"]
            assert vendor.open == vendor.connections == 1
            await two.close()
            await vendor.until_open(0)

    asyncio.run(main())
    assert http_client.KEPT >= 120


def test_service_that_was_closed_may_be_used_again() -> None:
    async def main() -> None:
        vendor, http = Vendor(), client()
        async with vendor.running() as url:
            for _ in range(2):
                await ask(http, url)
                await http.close()
                await http.close()
            assert vendor.connections == 2

    asyncio.run(main())


def test_hundreds_are_asked_at_the_same_time() -> None:
    async def main() -> None:
        everybody = asyncio.Event()

        async def answer(vendor: Vendor, writer: asyncio.StreamWriter) -> None:
            if len(vendor.requests) == 150:
                everybody.set()
            await everybody.wait()  # nobody is answered before all have asked
            writer.write(whole(EVENTS))

        vendor, http = Vendor(answer), client()
        async with vendor.running() as url, asyncio.timeout(20):
            assert await asyncio.gather(*(ask(http, url) for _ in range(150))) == [["one", "two"]] * 150
            assert await ask(http, url) == ["one", "two"]
            assert vendor.connections == 150, "all are kept"
            await http.close()

    asyncio.run(main())


def test_connections_of_a_rush_are_closed_once_they_are_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client, "SHARD", 1)
    monkeypatch.setattr(http_client, "KEPT", 0.0)

    async def main() -> None:
        vendor, http = Vendor(), client()
        async with vendor.running() as url:
            await asyncio.gather(*(ask(http, url) for _ in range(5)))
            await ask(http, url)
            await vendor.until_open(1)
            await http.close()

    asyncio.run(main())


def test_client_serves_one_event_loop_after_another() -> None:
    http = client()

    async def main() -> None:
        vendor = Vendor()
        async with vendor.running() as url:
            assert await ask(http, url) == ["one", "two"]
            await http.close()

    for _ in range(3):
        asyncio.run(main())


def test_certificates_are_read_once() -> None:
    tls_context.cache_clear()

    async def main() -> None:
        for http in (client(), client()):
            await http.load()
            await http.open()
            await http.close()

    asyncio.run(main())
    assert tls_context.cache_info().misses == 1


def test_leaving_a_response_closes_its_connection() -> None:
    async def main() -> None:
        async def answer(vendor: Vendor, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\nb\r\ndata: one\n\n\r\n")

        vendor, http = Vendor(answer), client()
        async with vendor.running() as url:
            async with http.stream("POST", url, json=1, within=5) as response:
                async for _ in (received := events(response)):
                    break
                await received.aclose()
            await vendor.until_open(0)
            await http.close()

    asyncio.run(main())


def test_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "httpx", None)
    tls_context.cache_clear()
    with pytest.raises(ConfigurationError, match=r'acme needs httpx.*pip install "antiphon\[acme\]"'):
        asyncio.run(client().load())


# Requests --------------------------------------------------------------------------------------------


def test_half_of_an_emoji_is_sent_as_what_can_be_encoded() -> None:
    vendor = Vendor()
    asyncio.run(asked(vendor, request=["a\ud83d", "\ud83d\ude00", "é"]))
    head, request = vendor.requests[0]
    assert request == ["a\ufffd", "😀", "é"]
    assert "accept-encoding: identity\r\n" in head


@pytest.mark.parametrize("request_", [{1, 2}, float("nan")])
def test_request_that_is_no_json_is_the_programs_error(request_: Any) -> None:
    with pytest.raises(UsageError, match="cannot be sent"):
        asyncio.run(asked(Vendor(), request=request_))


# Responses -------------------------------------------------------------------------------------------


def gzipped(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    return whole(packer.compress(data) + packer.flush(), "content-encoding: gzip\r\n")


def test_response_that_is_compressed_unasked_is_read() -> None:
    assert asyncio.run(asked(answering(gzipped(EVENTS)))) == ["one", "two"]


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (gzipped(b"data: " + b"x" * 20_000_000), "an event of more than"),
        (whole(b"xxxx", "content-encoding: gzip\r\n"), "is not gzip"),
        (whole(b"xxxx", "content-encoding: br\r\n"), "which was not asked for"),
        (whole(b"data: " + b"x" * 2_000_000), "an event of more than"),
    ],
)
def test_response_that_cannot_be_read(response: bytes, reason: str) -> None:
    with pytest.raises(BadResponseError, match=reason):
        asyncio.run(asked(answering(response)))


def test_body_is_bounded() -> None:
    async def main() -> None:
        http = client()
        async with answering(whole(b"x" * 1000)).running() as url:
            async with http.stream("POST", url, json=1, within=5) as response:
                assert await body(response, 1000) == b"x" * 1000
            with pytest.raises(BadResponseError, match="more than 999 bytes"):
                async with http.stream("POST", url, json=1, within=5) as response:
                    await body(response, 999)
            await http.close()

    asyncio.run(main())


def test_refusal_without_an_end_is_bounded() -> None:
    endless = b"HTTP/1.1 503 X\r\ncontent-length: 99999999\r\n\r\n" + b"x" * 200_000
    with pytest.raises(UnavailableError, match="503: more than can be read"):
        asyncio.run(asked(answering(endless)))


def test_patience_ends_the_events() -> None:
    async def main() -> None:
        http = client()
        async with answering(b"HTTP/1.1 200 X\r\ncontent-length: 99\r\n\r\ndata: one\n\n").running() as url:
            async with http.stream("POST", url, json=1, within=5) as response:
                assert [event.data async for event in events(response, lambda: 0.05)] == ["one"]
            with pytest.raises(ServiceTimeoutError, match="acme"):
                await ask(http, url, within=0.05)
            await http.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, BadResponseError),
        (401, AuthenticationError),
        (403, AuthenticationError),
        (404, BadResponseError),
        (408, ServiceTimeoutError),
        (429, RateLimitError),
        (500, UnavailableError),
        (529, UnavailableError),
    ],
)
def test_refusals(status: int, error: type[Exception]) -> None:
    response = whole(b'{"error": {"message": "because"}}', "retry-after: 3\r\n", status)
    with pytest.raises(error, match=f"acme answered {status}: because") as raised:
        asyncio.run(asked(answering(response)))
    if isinstance(raised.value, RateLimitError):
        assert raised.value.retry_after == 3
    if error is AuthenticationError:
        assert "ACME_KEY" in str(raised.value)
    assert type(refusal("acme", status, "because")) is error


def test_connection_that_is_lost() -> None:
    async def lost(vendor: Vendor, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 X\r\ncontent-length: 99\r\n\r\ndata: one\n\n")
        raise ConnectionError

    with pytest.raises(UnavailableError, match=r"acme at http://127\.0\.0\.1"):
        asyncio.run(asked(Vendor(lost)))


def test_address_that_is_none() -> None:
    with pytest.raises((ConfigurationError, UnavailableError), match="acme"):
        asyncio.run(ask(client(), "http://[nowhere/"))
