"""An HTTP client for services, with one shared connection pool per event loop.

A service keeps an `HttpClient`, opens it in its `open`, and closes it in its `close`:

    async with self._http.stream("POST", url, json=request, headers=headers, within=30) as response:
        async for event in events(response):
            ...

The library's defaults suit batch work: five seconds of keep-alive, a hundred connections, a TLS context for
each client. In a conversation people speak and think between two requests, so connections are kept for
minutes; hundreds of conversations may ask at once; and a TLS context, some 50 ms of work, is made once.
"""

import asyncio
import json
import socket
import ssl
import urllib.request
import zlib
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakSet

from ..clock import offload
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
from .event_stream import EventReader, ServerEvent
from .vendor_values import reason_in, seconds_in, string

if TYPE_CHECKING:
    import httpx

__all__ = ["HttpClient", "HttpRequest", "body", "events", "pieces", "refusal", "stated_error", "tls_context"]

CONNECT_WITHIN = 5.0  # seconds
KEPT = 300.0  # seconds that a connection without a request stays open
PROBED = 30  # seconds of quiet after which TCP asks whether the other side still exists
SHARD = 16  # requests at a time that one pool of the library serves
PIECE = 8192  # bytes of a body that are handled in one turn of the event loop
REASON = 1 << 16  # bytes of a refusal that are read


@cache
def tls_context() -> ssl.SSLContext:
    """Return the TLS context that the whole process shares.

    The first call reads the system's certificates.
    """
    import httpx

    return httpx.create_ssl_context()


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A POST of a JSON body, or of bytes, whose type a header then states."""

    url: str
    body: dict[str, Any] | bytes
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)


class HttpClient:
    """One service's access to the shared connections of the running event loop.

    All services of the event loop share them. Messages name the `vendor` that is asked, and the `extra` of
    the package that installs what it needs.
    """

    def __init__(self, vendor: str, *, extra: str, key_name: str = "the key") -> None:
        self.vendor = vendor
        self.extra = extra
        self.key_name = key_name

    async def load(self) -> None:
        """Import the HTTP library and make the TLS context, once per process.

        Both are done outside the event loop.
        """
        if tls_context.cache_info().currsize:
            return
        try:
            await offload(None, _prepare)
        except ModuleNotFoundError as error:
            raise ConfigurationError(
                f"{self.vendor} needs {error.name}, which is not installed: "
                f'pip install "antiphon[{self.extra}]"'
            ) from error

    async def open(self) -> None:
        """Join the connection pool of the running event loop.

        The pool stays until its last user has closed.
        """
        await self.load()
        _pool().users.add(self)

    async def close(self) -> None:
        """Leave the pool; the last to leave closes its connections."""
        loop = asyncio.get_running_loop()
        pool = _POOLS.get(loop)
        if pool is None:
            return
        pool.users.discard(self)
        if not pool.users:
            del _POOLS[loop]
            await pool.close()

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        url: str,
        *,
        within: float,
        headers: Mapping[str, str] | None = None,
        json: object = None,
        content: bytes | None = None,
    ) -> AsyncGenerator["httpx.Response"]:
        """Send a request, and yield the response once its head has arrived.

        Read the body with `events` or `pieces`. The head and each further piece may take `within` seconds.
        Leaving the context closes the connection unless the response was read to its end, so that the vendor
        stops. Raises TheyErred, also for a status that is not 2xx.
        """
        import httpx

        await self.open()
        sent = {"Accept-Encoding": "identity", **(headers or {})}
        if json is not None:
            content, sent["Content-Type"] = _encoded(json), "application/json"
        timeout = httpx.Timeout(within, connect=min(CONNECT_WITHIN, within), pool=None)
        try:
            async with (
                _pool().client() as client,
                client.stream(method, url, headers=sent, content=content, timeout=timeout) as response,
            ):
                if not response.is_success:
                    raise await self._refused(response)
                yield response
        except httpx.TimeoutException as error:
            raise ServiceTimeoutError(
                f"{self.vendor} did not answer in time ({type(error).__name__})"
            ) from error
        except httpx.HTTPError as error:
            where = url.partition("?")[0]
            raise UnavailableError(f"{self.vendor} at {where}: {error or type(error).__name__}") from error
        except httpx.InvalidURL as error:
            raise ConfigurationError(f"{self.vendor}: {url!r} is no address: {error}") from error

    def post(self, request: HttpRequest, *, within: float) -> AbstractAsyncContextManager["httpx.Response"]:
        """Send a request by POST, as `stream` does."""
        sent = request.body
        content, told = (sent, None) if isinstance(sent, bytes) else (None, sent)
        return self.stream(
            "POST", request.url, within=within, headers=request.headers, json=told, content=content
        )

    async def _refused(self, response: "httpx.Response") -> TheyErred:
        try:
            said = reason_in(await body(response, REASON))
        except BadResponseError:
            said = "more than can be read"
        after = seconds_in(response.headers.get("retry-after"))
        return refusal(self.vendor, response.status_code, said, after, self.key_name)


def _prepare() -> None:
    import httpx

    httpx.AsyncClient(verify=tls_context())  # the first one imports a lot


def refusal(
    vendor: str, status: int, reason: str, retry_after: float | None = None, key_name: str = "the key"
) -> TheyErred:
    """Return the error that stands for a status code.

    The status may come as that of an HTTP response, or inside a stream.
    """
    said = f"{vendor} answered {status}: {reason}"
    if status in (401, 403):
        return AuthenticationError(f"{said}. Is {key_name} right?")
    if status == 429:
        return RateLimitError(said, retry_after)
    if status == 408:
        return ServiceTimeoutError(said)
    return UnavailableError(said) if status >= 500 else BadResponseError(said)


def stated_error(vendor: str, status: object, reason: object, key_name: str = "the key") -> TheyErred:
    """Return the error that a message states, perhaps with a status as in HTTP."""
    said = string(reason)[:300] or "no reason"
    if isinstance(status, int) and 400 <= status < 600:
        return refusal(vendor, status, said, key_name=key_name)
    return BadResponseError(f"{vendor}: {said}")


# Reading a response ----------------------------------------------------------------------------------


async def pieces(response: "httpx.Response") -> AsyncGenerator[bytes]:
    """Yield the body of a response in pieces of a bounded size.

    Each piece takes its own turn of the event loop.
    """
    inflate = _inflater(response.headers.get("content-encoding", ""))
    async with aclosing(cast(AsyncGenerator[bytes], response.aiter_raw())) as raw:
        async for received in raw:
            for piece in inflate(received):
                yield piece
                await asyncio.sleep(0)


async def body(response: "httpx.Response", most: int) -> bytes:
    """Return the whole body of a response.

    Raises BadResponseError if it has more than `most` bytes.
    """
    read = bytearray()
    async with aclosing(pieces(response)) as parts:
        async for piece in parts:
            read += piece
            if len(read) > most:
                raise BadResponseError(f"a response of more than {most} bytes")
    return bytes(read)


async def events(
    response: "httpx.Response", patience: Callable[[], float | None] = lambda: None
) -> AsyncGenerator[ServerEvent]:
    """Yield the server-sent events of a response.

    `patience` is asked before each read: so many seconds may pass until more comes, then the events end as
    if the response had ended; None waits as long as the request's `within`.
    """
    reader = EventReader()
    async with aclosing(pieces(response)) as parts:
        while True:
            try:
                async with asyncio.timeout(patience()):
                    piece = await anext(parts, b"")
            except TimeoutError:
                return
            if not piece:
                break
            for event in reader.feed(piece):
                yield event
    for event in reader.end():
        yield event


def _inflater(encoding: str) -> Callable[[bytes], Iterator[bytes]]:
    """Return a function that decodes a response's bytes in bounded pieces.

    Some vendors compress a response although the request does not allow it.
    """
    if encoding.strip().lower() in ("", "identity"):
        return lambda data: (data[at : at + PIECE] for at in range(0, len(data), PIECE))
    if encoding.strip().lower() not in ("gzip", "x-gzip", "deflate"):
        raise BadResponseError(f"the response is compressed with {encoding[:40]!r}, which was not asked for")
    inflating = zlib.decompressobj(zlib.MAX_WBITS | 32)

    def inflate(data: bytes) -> Iterator[bytes]:
        try:
            while data:
                if piece := inflating.decompress(data, PIECE):
                    yield piece
                data = inflating.unconsumed_tail
        except zlib.error as error:
            raise BadResponseError(f"the response is not {encoding}: {error}") from error

    return inflate


def _encoded(value: object) -> bytes:
    """Encode the JSON of a request.

    Half of a surrogate pair, which no encoding allows, becomes U+FFFD.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"a request cannot be sent as JSON: {error}") from error
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


# The connections -------------------------------------------------------------------------------------


class _Shard:
    """One client of the library, with a pool of its own."""

    def __init__(self) -> None:
        import httpx

        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=KEPT)
        direct = (
            None
            if urllib.request.getproxies()
            else httpx.AsyncHTTPTransport(verify=tls_context(), limits=limits, socket_options=_probes())
        )  # with a transport of our own, the library ignores the proxies of the environment
        self.client = httpx.AsyncClient(verify=tls_context(), limits=limits, transport=direct)
        self.busy = 0
        self.used = 0.0  # when a request ended last


class _Pool:
    """The connections of one event loop.

    The library's pool looks at all its connections, for each one, at each request: 150 ms with 500 of them.
    So requests are spread over pools that hold a few each. The first with room is used, so that little
    traffic keeps to connections that are open.
    """

    def __init__(self) -> None:
        self.users = WeakSet[HttpClient]()  # a service that nobody closed goes with its agent
        self._shards: list[_Shard] = []

    @asynccontextmanager
    async def client(self) -> AsyncGenerator["httpx.AsyncClient"]:
        """Reserve room for one request."""
        shard = next((shard for shard in self._shards if shard.busy < SHARD), None)
        if shard is None:
            self._shards.append(shard := _Shard())
        shard.busy += 1
        try:
            yield shard.client
        finally:
            shard.busy -= 1
            shard.used = asyncio.get_running_loop().time()
            await self._close_unused(shard.used - KEPT)

    async def _close_unused(self, since: float) -> None:
        while len(self._shards) > 1 and not (last := self._shards[-1]).busy and last.used < since:
            self._shards.remove(last)
            await last.client.aclose()

    async def close(self) -> None:
        """Close all connections; requests that are still running fail."""
        shards, self._shards = self._shards, []
        for shard in shards:
            await shard.client.aclose()


_POOLS: dict[asyncio.AbstractEventLoop, _Pool] = {}


def _pool() -> _Pool:
    """Return the connection pool of the running event loop.

    Discards the pools of event loops that are closed.
    """
    for loop in [loop for loop in _POOLS if loop.is_closed()]:
        _POOLS.pop(loop, None)
    return _POOLS.setdefault(asyncio.get_running_loop(), _Pool())


def _probes() -> list[tuple[int, int, int]]:
    """Return the socket options for TCP keep-alive probes.

    The probes keep a quiet connection known to routers, and detect one that is dead.
    """
    wanted = {"TCP_KEEPIDLE": PROBED, "TCP_KEEPALIVE": PROBED, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
    known = [(number, value) for name, value in wanted.items() if (number := getattr(socket, name, None))]
    return [
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        *((socket.IPPROTO_TCP, number, value) for number, value in known),
    ]
