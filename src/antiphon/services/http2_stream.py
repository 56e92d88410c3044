"""A request over HTTP/2 with its body and its response streamed at the same time.

    stream = await open_stream("aws", url, headers, key_name="AWS_ACCESS_KEY_ID")
    await stream.send([b"..."])
    data = await stream.receive()

It offers what `VendorSocket` offers, so that a driver can use either. Both directions are plain bytes: the
pieces in which they arrive mean nothing. The first piece is empty, and says that the request was accepted.
Each stream has a connection of its own. The proxies of the environment are not used.

https://www.rfc-editor.org/rfc/rfc9113
"""

import asyncio
import ssl
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..clock import offload
from ..errors import (
    BadResponseError,
    ConfigurationError,
    ServiceTimeoutError,
    TheyErred,
    UnavailableError,
)
from .http_client import refusal
from .vendor_values import reason_in, seconds_in
from .websocket_client import CLOSED_WITHIN, CONNECT_WITHIN, PING_EVERY, SENT_WITHIN, Message

if TYPE_CHECKING:
    from h2.connection import H2Connection

__all__ = ["Http2Stream", "load_http2", "open_stream"]

EXTRA = "aws-realtime"
PIECE = 1 << 16  # bytes that are read at once
WINDOW = 1 << 20  # bytes of the response that may wait unread before the vendor is held back
REASON = 1 << 16  # bytes of a refusal that are read


class Http2Stream:
    """An open stream to a vendor. `seal` makes of each message what is sent."""

    def __init__(
        self,
        vendor: str,
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        connection: "H2Connection",
        *,
        key_name: str,
        seal: Callable[[bytes], bytes],
    ) -> None:
        self.vendor = vendor
        self.opened_at = asyncio.get_running_loop().time()
        self.ended = False
        """True once the vendor has ended it in good order."""
        self._reader, self._writer = streams
        self._connection = connection
        self._key_name = key_name
        self._seal = seal
        self._inbox = asyncio.Queue[tuple[bytes, int] | None]()  # pieces, and how much room each takes
        self._error: TheyErred | None = None
        self._room = asyncio.Event()  # set when more may be sent, or nothing ever again
        self._refusal: tuple[int, float | None] | None = None  # the status, and when to try again
        self._reason = bytearray()
        self._reading = asyncio.create_task(self._read())

    @property
    def age(self) -> float:
        """Seconds since it was opened."""
        return asyncio.get_running_loop().time() - self.opened_at

    async def send(self, messages: Iterable[Message]) -> None:
        """Send messages in order.

        Raises TheyErred if the connection is gone or not read any more.
        """
        try:
            for message in messages:
                data = message.encode() if isinstance(message, str) else message
                async with asyncio.timeout(SENT_WITHIN):
                    await self._send(self._seal(data))
        except TimeoutError as error:
            raise ServiceTimeoutError(f"{self.vendor} has stopped reading what it is sent") from error
        except OSError as error:
            raise UnavailableError(f"{self.vendor} is gone: {error}") from error

    async def receive(self) -> bytes:
        """Return the next piece of the response. Raises TheyErred once there are no more."""
        item = await self._inbox.get()
        if item is None:
            self._inbox.put_nowait(None)
            assert self._error is not None
            raise self._error
        piece, size = item
        if size and self._error is None:
            self._connection.acknowledge_received_data(size, STREAM)
            self._flush()
        return piece

    async def close(self) -> None:
        """End the stream; returns within a second whatever the vendor does."""
        from h2.exceptions import ProtocolError

        self._reading.cancel()
        try:
            if self._error is None:
                with suppress(ProtocolError):
                    self._connection.end_stream(STREAM)
                    self._connection.close_connection()
                self._flush()
            self._writer.close()
            async with asyncio.timeout(CLOSED_WITHIN):
                await self._writer.wait_closed()
        except (OSError, TimeoutError):
            pass
        finally:
            self._writer.transport.abort()

    async def _send(self, data: bytes) -> None:
        from h2.exceptions import ProtocolError

        connection = self._connection
        try:
            while data:
                if self._error is not None:
                    raise self._error
                self._room.clear()
                room = min(connection.local_flow_control_window(STREAM), connection.max_outbound_frame_size)
                if room <= 0:
                    await self._room.wait()
                    continue
                connection.send_data(STREAM, data[:room])
                data = data[room:]
                self._flush()
        except ProtocolError as error:
            raise UnavailableError(f"{self.vendor} takes no more: {error}") from error
        await self._writer.drain()

    def _flush(self) -> None:
        if sent := self._connection.data_to_send():
            self._writer.write(sent)

    # What the vendor sends

    async def _read(self) -> None:
        from h2.exceptions import ProtocolError

        try:
            first = await self._read_some()
            if first.startswith(b"HTTP/"):
                raise BadResponseError(f"{self.vendor} does not speak HTTP/2: {first[:80]!r}")
            self._take(first)
            while True:
                self._take(await self._read_some())
        except TheyErred as error:
            self._error = error
        except OSError as error:
            self._error = UnavailableError(f"{self.vendor} is gone: {error}")
        except ProtocolError as error:
            self._error = BadResponseError(f"{self.vendor} does not speak HTTP/2: {error}")
        self._room.set()
        self._inbox.put_nowait(None)

    async def _read_some(self) -> bytes:
        """Return what was read.

        A vendor that is silent is asked whether it is still there.
        """
        for asked in (False, True):
            with suppress(TimeoutError):
                async with asyncio.timeout(PING_EVERY):
                    data = await self._reader.read(PIECE)
                if not data:
                    raise UnavailableError(f"{self.vendor} closed the connection without saying why")
                return data
            if not asked:
                self._connection.ping(b"Antiphon")
                self._flush()
        raise ServiceTimeoutError(f"{self.vendor} does not answer any more")

    def _take(self, data: bytes) -> None:
        for event in self._connection.receive_data(data):
            self._handle(event)
        self._flush()

    def _handle(self, event: object) -> None:
        from h2 import events

        match event:
            case events.ResponseReceived(headers=headers):
                self._begin(dict(headers))  # type: ignore[arg-type]
            case events.DataReceived(data=data, flow_controlled_length=size):
                if self._refusal is not None:
                    self._reason += (data or b"")[: REASON - len(self._reason)]
                elif data:
                    self._inbox.put_nowait((data, size or 0))
            case events.StreamEnded() | events.StreamReset() | events.ConnectionTerminated():
                if self._refusal is not None:
                    status, after = self._refusal
                    raise refusal(self.vendor, status, reason_in(bytes(self._reason)), after, self._key_name)
                self.ended = isinstance(event, events.StreamEnded)
                code = getattr(event, "error_code", None)
                why = "" if code is None else f": {getattr(code, 'name', code)}"
                raise UnavailableError(f"{self.vendor} ended the stream{why}")
            case events.WindowUpdated() | events.RemoteSettingsChanged():
                self._room.set()
            case _:
                pass

    def _begin(self, headers: Mapping[str, str]) -> None:
        status = headers.get(":status", "")
        if status.startswith("2"):
            self._inbox.put_nowait((b"", 0))
        else:
            code = int(status) if status.isdecimal() else 500
            self._refusal = code, seconds_in(headers.get("retry-after"))


STREAM = 1  # the number of the first stream that a client opens


async def load_http2(vendor: str) -> None:
    """Import the HTTP/2 library and make the TLS context, once per process.

    Both are done outside the event loop. Raises ConfigurationError if the library is not installed.
    """
    try:
        await offload(None, _tls_context)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f'{vendor} needs {error.name}, which is not installed: pip install "antiphon[{EXTRA}]"'
        ) from error


@cache
def _tls_context() -> ssl.SSLContext:
    import httpx

    import_module("h2.connection")
    context = httpx.create_ssl_context()
    context.set_alpn_protocols(["h2"])
    return context


async def open_stream(
    vendor: str,
    url: str,
    headers: Mapping[str, str],
    *,
    key_name: str,
    seal: Callable[[bytes], bytes] = bytes,
) -> Http2Stream:
    """POST to an address, with a body that is still to come.

    Raises TheyErred, or ConfigurationError for an address that is none. That the request was refused is
    only raised by `receive`.
    """
    await load_http2(vendor)
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(f"{vendor}: {url!r} is no address")
    secure = parts.scheme == "https"
    options: dict[str, Any] = {"ssl": _tls_context()} if secure else {}
    try:
        async with asyncio.timeout(CONNECT_WITHIN):
            reader, writer = await asyncio.open_connection(
                parts.hostname, parts.port or (443 if secure else 80), **options
            )
    except TimeoutError as error:
        raise ServiceTimeoutError(f"{vendor} did not connect within {CONNECT_WITHIN:g} s") from error
    except OSError as error:
        where = url.partition("?")[0]
        raise UnavailableError(f"{vendor} at {where}: {error or type(error).__name__}") from error
    connection = _requested(parts.scheme, parts.netloc, url, headers)
    writer.write(connection.data_to_send())
    return Http2Stream(vendor, (reader, writer), connection, key_name=key_name, seal=seal)


def _requested(scheme: str, host: str, url: str, headers: Mapping[str, str]) -> "H2Connection":
    """Return a connection with the request in it."""
    from h2.config import H2Configuration
    from h2.connection import H2Connection
    from h2.settings import SettingCodes, Settings

    connection = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
    wanted = {SettingCodes.INITIAL_WINDOW_SIZE: WINDOW, SettingCodes.ENABLE_PUSH: 0}
    connection.local_settings = Settings(client=True, initial_values=wanted)
    connection.initiate_connection()
    connection.increment_flow_control_window(WINDOW)
    path = url.partition("://")[2].partition("/")[2]
    first = [(":method", "POST"), (":scheme", scheme), (":authority", host), (":path", f"/{path}")]
    connection.send_headers(STREAM, [*first, *((name.lower(), value) for name, value in headers.items())])
    return connection
