"""HTTP from strangers: each connection is bounded work, a bounded time, and closed where it is not read."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from uvicorn.config import Config
from uvicorn.server import ServerState

from antiphon.clock import LoopClock
from antiphon.server.http_protocol import EVENT_COST, EVENTS_AT_ONCE, READ_BURST, READ_RATE, HttpProtocol
from antiphon.server.limits import ReadRate
from antiphon.testing.virtual import virtual

from .network import Network

POST = b"POST /%b HTTP/1.1\r\nHost: localhost\r\n%b\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked"
ONE_BYTE = b"1\r\nx\r\n"


async def health(request: Request) -> PlainTextResponse:
    return PlainTextResponse("fine")


async def echo(request: Request) -> PlainTextResponse:
    return PlainTextResponse(await request.body())


async def later(request: Request) -> PlainTextResponse:
    await LoopClock().sleep(1)
    return PlainTextResponse("done")


async def never(request: Request) -> PlainTextResponse:
    await asyncio.Event().wait()
    return PlainTextResponse()


@asynccontextmanager
async def connection() -> AsyncGenerator[tuple[Network, Any]]:
    network = Network()
    network.reads = True
    routes = [
        Route(f"/{view.__name__}", view, methods=["GET", "POST"]) for view in (health, echo, later, never)
    ]
    config = Config(Starlette(routes=routes), http=HttpProtocol, log_config=None)
    config.load()
    protocol = HttpProtocol(config, ServerState(), {})
    network.protocol = protocol
    protocol.connection_made(network)
    yield network, protocol
    network.abort()
    for task in protocol.tasks:
        task.cancel()
    await LoopClock().sleep(0.1)


async def settle() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


@virtual
async def test_a_turn_of_the_loop_parses_little_of_a_flood() -> None:
    async with connection() as (network, protocol):
        protocol.data_received(POST % (b"never", CHUNKED) + ONE_BYTE * 20_000)
        parsed = [0]
        while parsed[-1] < 1000:
            assert network.paused, "and no more is read"
            await asyncio.sleep(0)
            parsed.append(len(protocol.cycle.body))
        assert max(now - before for before, now in pairwise(parsed)) <= EVENTS_AT_ONCE
        await LoopClock().sleep(5)
        size = len(protocol.cycle.body) * EVENT_COST
        assert READ_BURST * 0.5 < size <= READ_BURST + 5 * READ_RATE


@virtual
async def test_a_whole_body_arrives_however_it_is_cut() -> None:
    async with connection() as (network, protocol):
        body = b"".join(b"3\r\n%03d\r\n" % number for number in range(500)) + b"0\r\n\r\n"
        protocol.data_received(POST % (b"echo", CHUNKED) + body)
        await LoopClock().sleep(0.1)
        assert network.sent.endswith(b"".join(b"%03d" % number for number in range(500)))
        assert not network.paused
        protocol.data_received(POST % (b"echo", b"Content-Length: 5") + b"hello")
        await settle()
        assert network.sent.endswith(b"hello"), "the connection goes on"
        assert not network.closed


@virtual
async def test_requests_in_one_piece_are_answered_one_after_another() -> None:
    async with connection() as (network, protocol):
        three = POST % (b"echo", b"Content-Length: 3")
        protocol.data_received(b"".join(three + b"%03d" % number for number in range(100)))
        await LoopClock().sleep(1)
        assert network.sent.count(b"HTTP/1.1 200") == 100
        assert network.sent.endswith(b"099")
        assert not network.paused
        assert not network.ended


@pytest.mark.parametrize(
    ("path", "more", "begun"),
    [
        (b"health", CHUNKED, ONE_BYTE * 10_000),
        (b"health", b"Content-Length: 100", b"x"),
        (b"nowhere", b"Content-Length: 100", b""),
    ],
)
@virtual
async def test_a_body_that_is_not_read_closes_the_connection(path: bytes, more: bytes, begun: bytes) -> None:
    async with connection() as (network, protocol):
        protocol.data_received(POST % (path, more) + begun)
        await settle()
        assert network.sent.startswith(b"HTTP/1.1")
        assert network.sent.count(b"HTTP/1.1 ") == 1
        assert network.ended, "the client may still read the answer"
        assert not network.closed
        protocol.data_received(ONE_BYTE * 10_000)
        await settle()
        assert not protocol.cycle.body[EVENTS_AT_ONCE:], "what it goes on to send is not parsed"
        await LoopClock().sleep(1.1)
        assert network.aborted


@virtual
async def test_who_goes_on_sending_after_a_refusal_is_not_waited_for() -> None:
    async with connection() as (network, protocol):
        protocol.data_received(POST % (b"health", CHUNKED))
        await settle()
        for _ in range(5):
            protocol.data_received(bytes(1 << 20))
        assert network.aborted


@pytest.mark.parametrize("path", [b"never", b"echo"])
@virtual
async def test_a_request_has_a_total_time(path: bytes) -> None:
    async with connection() as (network, protocol):
        protocol.data_received(POST % (path, b"Content-Length: 1000"))
        for _ in range(5):
            assert not network.closed
            await LoopClock().sleep(4.5)
            if not network.closed:
                protocol.data_received(b"x")
        assert network.aborted


@virtual
async def test_a_request_that_has_come_may_take_its_time() -> None:
    async with connection() as (network, protocol):
        protocol.data_received(POST % (b"never", b"Content-Length: 1") + b"x")
        await LoopClock().sleep(100)
        assert not network.closed


@virtual
async def test_a_request_of_two_lengths_is_the_last_of_its_connection() -> None:
    """RFC 9112 section 6.1: it may be an attempt at smuggling."""
    async with connection() as (network, protocol):
        smuggled = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
        protocol.data_received(POST % (b"echo", CHUNKED + b"\r\nContent-Length: 5") + b"0\r\n\r\n" + smuggled)
        await settle()
        assert network.sent.count(b"HTTP/1.1 200") == 1
        assert b"connection: close" in network.sent
        assert network.closed


@pytest.mark.parametrize("apart", [True, False])
@virtual
async def test_a_malformed_chunk_beside_a_running_request_is_no_error_of_ours(
    apart: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async with connection() as (network, protocol):
        protocol.data_received(POST % (b"later", CHUNKED) + (b"" if apart else b"zz\r\n"))
        await settle()
        if apart:
            protocol.data_received(b"zz\r\n")
        await LoopClock().sleep(5)
        assert network.sent.startswith(b"HTTP/1.1 400")
        assert network.sent.count(b"HTTP/1.1 ") == 1
        assert network.closed
    assert [record for record in caplog.records if record.exc_info] == []


def test_a_pace_is_free_for_a_burst_and_then_by_its_rate() -> None:
    pace = ReadRate(rate=100, burst=50)
    assert pace.spend(50, 0.0) == 0
    assert pace.spend(100, 0.0) == 1.0
    assert pace.spend(0, 0.5) == 0.5
    assert pace.spend(0, 1.0) == 0
    assert pace.spend(50, 9.0) == 0
