"""A websocket to a vendor, as the drivers for streaming services use it.

    socket = await dial("deepgram", Handshake(url, {"Authorization": f"Token {key}"}), key_name="THE_KEY")
    await socket.send(['{"type": "KeepAlive"}'])
    message = await socket.receive()

A vendor's messages may hold a second of audio as text, so up to 16 MB are allowed. Connecting takes at most
`CONNECT_WITHIN` seconds, and sending at most `SENT_WITHIN`: a vendor that stops reading is a vendor that
failed. Whatever goes wrong is raised as an error of `errors.py`.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

from ..clock import offload
from ..encodable import encodable
from ..errors import (
    AuthenticationError,
    BadResponseError,
    ConfigurationError,
    ServiceTimeoutError,
    TheyErred,
    UnavailableError,
)
from .http_client import refusal, tls_context
from .vendor_values import reason_in, seconds_in

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection
    from websockets.exceptions import ConnectionClosed, InvalidStatus

__all__ = ["Handshake", "Message", "MessageStream", "VendorSocket", "dial", "load_websockets"]

Message = str | bytes
"""A text message or a binary one."""

CONNECT_WITHIN = 3.0  # seconds, all of DNS, TCP, TLS and the upgrade
SENT_WITHIN = 2.0  # seconds that a message may wait because the vendor does not read
CLOSED_WITHIN = 0.5  # seconds for the closing handshake
MOST = 16 << 20  # bytes of one message
GIVE_WAY_EVERY = 16  # messages
MOST_UNREAD = 64  # messages that wait unread before the vendor is held back
PING_EVERY = 15.0  # seconds; a connection whose ping is not answered within as many is dead, as a rule
IN_ORDER = (1000, 1005)  # codes of a close frame without an error
EXTRA = "services"


@dataclass(frozen=True, slots=True)
class Handshake:
    """What opens a websocket: its address, further headers, and subprotocols."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    subprotocols: Sequence[str] = field(default=(), repr=False)
    pong_within: float = PING_EVERY
    """Seconds without an answer to a ping after which the connection is dead."""


async def load_websockets(vendor: str) -> None:
    """Import the websocket library and make the TLS context, once per process.

    Both are done outside the event loop. Raises ConfigurationError if the library is not installed.
    """
    if tls_context.cache_info().currsize and _IMPORTED:
        return
    try:
        await offload(None, _prepare)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f'{vendor} needs {error.name}, which is not installed: pip install "antiphon[{EXTRA}]"'
        ) from error


_IMPORTED: list[object] = []


def _prepare() -> None:
    import websockets.asyncio.client

    tls_context()
    _IMPORTED.append(websockets.asyncio.client)


class MessageStream(Protocol):
    """What a driver needs of a connection, be it a `VendorSocket` or another kind."""

    opened_at: float

    async def send(self, messages: Iterable[Message]) -> None:
        """Send messages in order. Raises TheyErred if that is not possible."""
        ...

    async def receive(self) -> Message:
        """Return the next message. Raises TheyErred once the connection is closed."""
        ...

    async def close(self) -> None:
        """Close the connection; returns within a second whatever the vendor does."""
        ...


class VendorSocket:
    """An open websocket to a vendor."""

    def __init__(self, vendor: str, connection: "ClientConnection", closed: "CloseReader | None") -> None:
        from websockets.exceptions import ConnectionClosed

        self.vendor = vendor
        self.opened_at = asyncio.get_running_loop().time()
        self.ended = False
        """True once the vendor has closed it in good order."""
        self._connection = connection
        self._received = 0
        self._lost = ConnectionClosed
        self._closed = closed

    @property
    def age(self) -> float:
        """Seconds since it was opened."""
        return asyncio.get_running_loop().time() - self.opened_at

    async def send(self, messages: Iterable[Message]) -> None:
        """Send messages in order.

        Raises TheyErred if the connection is gone or not read any more.
        """
        try:
            async with asyncio.timeout(SENT_WITHIN):
                for message in messages:
                    await self._connection.send(encodable(message) if isinstance(message, str) else message)
        except self._lost as error:
            raise self._error(error) from error
        except TimeoutError as error:
            raise ServiceTimeoutError(f"{self.vendor} has stopped reading what it is sent") from error

    async def receive(self) -> Message:
        """Return the next message. Raises TheyErred once the connection is closed."""
        try:
            message = await self._connection.recv()
        except self._lost as error:
            self.ended = error.rcvd is not None and error.rcvd.code in IN_ORDER
            raise self._error(error) from error
        self._received += 1
        if self._received % GIVE_WAY_EVERY == 0:
            await asyncio.sleep(0)  # a burst of messages must not hold up the event loop
        return message

    async def close(self, *, abruptly: bool = False) -> None:
        """Close the connection; returns within a second whatever the vendor does.

        `abruptly` is for a vendor that is not expected to answer: it is not waited for.
        """
        if abruptly:
            self._connection.transport.abort()
        try:
            await self._connection.close()
        finally:
            self._connection.transport.abort()

    def _error(self, error: "ConnectionClosed") -> TheyErred:
        """Return the error for a close frame, or for a connection that just ended."""
        frame = error.rcvd
        if frame is None:
            return UnavailableError(f"{self.vendor} closed the connection without saying why")
        if self._closed is not None and (known := self._closed(frame.code, frame.reason)) is not None:
            return known
        said = f"{self.vendor} closed the connection: {frame.code} {frame.reason[:200]}".rstrip()
        if frame.code in (1002, 1003, 1007, 1009):
            return BadResponseError(said)  # something in what we sent; the same again would be refused again
        if frame.code == 1008:
            wrong_key = any(word in frame.reason.lower() for word in ("auth", "key", "credential", "token"))
            return AuthenticationError(said) if wrong_key else BadResponseError(said)
        return UnavailableError(said)


CloseReader = Callable[[int, str], TheyErred | None]
"""Returns the error that a vendor's own close code stands for; None for the general meaning."""


async def dial(
    vendor: str, handshake: Handshake, *, key_name: str, closed: CloseReader | None = None
) -> VendorSocket:
    """Open a websocket.

    Raises TheyErred, or ConfigurationError for an address that is none.
    """
    await load_websockets(vendor)
    from websockets.asyncio.client import connect
    from websockets.exceptions import InvalidStatus, InvalidURI, WebSocketException

    secure = handshake.url.startswith("wss:")
    options: dict[str, Any] = {"ssl": tls_context()} if secure else {}
    try:
        async with asyncio.timeout(CONNECT_WITHIN):
            connection = await connect(
                handshake.url,
                additional_headers=dict(handshake.headers),
                subprotocols=list(handshake.subprotocols) or None,  # pyright: ignore[reportArgumentType]
                create_connection=_connection_class(),
                compression=None,
                open_timeout=None,
                ping_interval=PING_EVERY,
                ping_timeout=handshake.pong_within,
                close_timeout=CLOSED_WITHIN,
                max_size=MOST,
                max_queue=MOST_UNREAD,
                **options,
            )
    except InvalidURI as error:
        raise ConfigurationError(f"{vendor}: {handshake.url!r} is no address of a websocket") from error
    except InvalidStatus as error:
        raise _refused(vendor, error, key_name) from error
    except TimeoutError as error:
        raise ServiceTimeoutError(f"{vendor} did not connect within {CONNECT_WITHIN:g} s") from error
    except (OSError, WebSocketException) as error:
        where = handshake.url.partition("?")[0]
        raise UnavailableError(f"{vendor} at {where}: {error or type(error).__name__}") from error
    return VendorSocket(vendor, connection, closed)


@cache
def _connection_class() -> "type[ClientConnection]":
    """Return the library's connection, with a time limit for its end.

    The library waits for the end of TCP after a close frame: a vendor that never ends it would look alive.
    """
    from websockets.asyncio.client import ClientConnection

    class Connection(ClientConnection):
        ending = False

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.protocol.close_rcvd is not None and not self.ending:
                self.ending = True
                self.loop.call_later(CLOSED_WITHIN, self.transport.abort)

    return Connection


def _refused(vendor: str, error: "InvalidStatus", key_name: str) -> TheyErred:
    response = error.response
    said = reason_in(bytes(response.body)) if response.body else response.reason_phrase
    told = response.headers.get("dg-error")
    after = seconds_in(response.headers.get("retry-after"))
    return refusal(vendor, response.status_code, told or said, after, key_name)
