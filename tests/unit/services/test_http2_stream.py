"""Streams over HTTP/2, and vendors that do not keep to it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import pytest

from antiphon.errors import (
    AuthenticationError,
    BadResponseError,
    ConfigurationError,
    ServiceTimeoutError,
    TheyErred,
    UnavailableError,
)
from antiphon.services.http2_stream import Http2Stream, open_stream
from antiphon.testing.loopback.http2 import Http2Connection, Http2Server
from antiphon.testing.loopback.server import Fault

pytest.importorskip("h2")


class Echo(Http2Server):
    """It sends back all that it gets, and ends once it has got b"end"."""

    def check_request(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        assert (path, query, headers["x-name"]) == ("/there", {"a": "1"}, "value")

    async def hold(self, connection: Http2Connection) -> None:
        await connection.begin()
        async for piece in connection:
            if piece == b"end":
                await connection.end()
            await connection.greet(piece)


def opened(url: str) -> Awaitable[Http2Stream]:
    return open_stream("echo", f"{url}/there?a=1", {"X-Name": "value"}, key_name="THE_KEY")


def test_more_than_any_window_goes_both_ways() -> None:
    data = bytes(range(256)) * 16384  # 4 MB

    async def main() -> None:
        async with Echo() as server:
            stream = await opened(server.url)
            sending = asyncio.create_task(stream.send([data]))
            assert await stream.receive() == b"", "first comes that the request was accepted"
            came = b""
            while len(came) < len(data):
                came += await stream.receive()
            await sending
            assert came == data
            await stream.send([b"end"])
            with pytest.raises(UnavailableError, match="ended the stream"):
                await stream.receive()
            assert stream.ended
            for _ in range(2):
                await stream.close()
        assert server.open == 0

    asyncio.run(main())


def test_refusal_is_raised_with_its_reason() -> None:
    async def main() -> None:
        async with Echo(Fault.REFUSED) as server:
            stream = await opened(server.url)
            for _ in range(2):
                with pytest.raises(AuthenticationError, match=r"token is invalid.*THE_KEY"):
                    await stream.receive()
            with pytest.raises(AuthenticationError):
                await stream.send([b"more"])
            await stream.close()

    asyncio.run(main())


async def meet(serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> None:
    """Open a stream to such a server, send 16 MB, and receive."""

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except OSError:
            pass
        finally:
            writer.transport.abort()

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        stream = await opened(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        try:
            await stream.send([bytes(1 << 24)])
            await stream.receive()
        finally:
            await stream.close()


async def speaks_http1(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    await writer.drain()
    await reader.read()


async def hangs_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)


async def reads_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("serve", "error"),
    [
        (speaks_http1, BadResponseError),
        (hangs_up, UnavailableError),
        (reads_nothing, ServiceTimeoutError),
    ],
)
def test_vendors_that_do_not_keep_to_it(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
    error: type[TheyErred],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("antiphon.services.http2_stream.SENT_WITHIN", 0.2)
    with pytest.raises(error):
        asyncio.run(meet(serve))


@pytest.mark.parametrize(("patience", "error"), [(0.05, ServiceTimeoutError)])
def test_silent_vendor_is_asked_whether_it_is_there(
    patience: float, error: type[TheyErred], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("antiphon.services.http2_stream.PING_EVERY", patience)

    async def main() -> None:
        async with Echo() as server:  # it answers pings
            stream = await opened(server.url)
            assert await stream.receive() == b""
            receiving = asyncio.ensure_future(stream.receive())
            await asyncio.wait([receiving], timeout=4 * patience)
            assert not receiving.done()
            await stream.send([b"still"])
            assert await receiving == b"still"
            await stream.close()

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.transport.abort()

        async with await asyncio.start_server(accept, "127.0.0.1", 0) as deaf:
            stream = await opened(f"http://127.0.0.1:{deaf.sockets[0].getsockname()[1]}")
            with pytest.raises(error, match="does not answer any more"):
                await stream.receive()
            await stream.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("url", "error"), [("ftp://a", ConfigurationError), ("http://127.0.0.1:9", UnavailableError)]
)
def test_addresses_where_nobody_is(url: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        asyncio.run(opened(url))  # type: ignore[arg-type]
