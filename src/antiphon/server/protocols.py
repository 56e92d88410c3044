"""uvicorn's two protocols, for calls: less work for each message, and nobody holds a connection for nothing.

A call is fifty small messages a second each way. What uvicorn and ASGI do for one (a queue, a dict, reading
paused and resumed, a task that writes) costs more than the call itself, so a whole message in one frame goes
straight to who waits for it, and out as straight. Everything else (handshakes, fragments, pings, closing,
whatever is wrong) is left to `websockets`, a whole frame at a time.
"""

import asyncio
import logging
import socket
from asyncio.transports import BaseTransport
from collections import deque
from typing import Any, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame
from websockets.protocol import State

from .host import Refused
from .responses import refused
from .socket import DIRECT, LAST, TOO_SLOW, fit

try:
    from websockets.speedups import apply_mask
except ImportError:  # where there is no wheel with it
    from websockets.utils import apply_mask

__all__ = ["Http", "Sockets"]

logger = logging.getLogger("antiphon.server")

HEADERS_WITHIN = 10.0  # seconds that the head of a request may take
AHEAD = 1_048_576  # bytes that may wait for our reader before the other side has to
READ_AT_ONCE = 16_384  # bytes; with asyncio's own 262144 each read maps and unmaps memory, at double the cost
SLOT = 64  # bytes that a message takes beside its own
PIECES = 1024  # frames that a message may come in
PACE, AT_ONCE = 1_048_576, 4_194_304  # bytes a second, and at once, that one connection may have read
FRAME = 512  # bytes that a frame counts for beside its own: many small ones are work, too
SEND_BUFFER = 131_072  # bytes that the kernel holds of what we send: 2 s of sound
TEXT, BINARY = 0x81, 0x82  # the first byte of a whole message in one frame
MASKED = 0x80


class Http(H11Protocol):
    """A connection that says what it wants, within ten seconds each time."""

    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: BaseTransport) -> None:
        """A clock runs until the head of a request is there."""
        super().connection_made(cast(asyncio.Transport, transport))
        self._expect()

    def data_received(self, data: bytes) -> None:
        """A clock runs while the head of a request is incomplete."""
        super().data_received(data)
        if self.conn.their_state is h11.IDLE:
            self._expect()
        elif self._late is not None:
            self._late.cancel()
            self._late = None

    def connection_lost(self, exc: Exception | None) -> None:
        """No clock runs any more."""
        if self._late is not None:
            self._late.cancel()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP is answered as everything else is."""
        said = refused(Refused(400, f"this is no request in HTTP/1.1: {msg}"))
        headers = [*said.raw_headers, (b"connection", b"close")]
        for event in (
            h11.Response(status_code=400, headers=headers),
            h11.Data(data=bytes(said.body)),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _expect(self) -> None:
        if self._late is None:
            self._late = self.loop.call_later(HEADERS_WITHIN, self._give_up)

    def _give_up(self) -> None:
        self._late = None
        if self.conn.their_state is h11.IDLE:
            self.transport.abort()


class Sockets(WebSocketsSansIOProtocol):
    """A websocket that can be had as a Wire, by the ASGI extension DIRECT."""

    _wire: "_Direct | None" = None
    _need = 0  # bytes that the frame at hand has
    _heard = False  # whether anything has come since the last ping

    def connection_made(self, transport: BaseTransport) -> None:
        """Let the kernel hold little: who reads slowly is to be noticed."""
        super().connection_made(transport)
        self._rest = bytearray()
        if hasattr(transport, "max_size"):
            transport.max_size = READ_AT_ONCE  # pyright: ignore[reportAttributeAccessIssue]  asyncio's own
        raw: socket.socket | None = transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)

    async def run_asgi(self) -> None:
        """Offer the extension, and see that the connection ends with the application."""
        extensions = cast(dict[str, Any], self.scope)["extensions"]
        extensions[DIRECT] = self.take_over
        await super().run_asgi()
        self._abort_soon()

    async def send(self, message: Any) -> None:
        """What is refused in HTTP is no handshake, and no error either, as uvicorn would log it."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body"):
            self.handshake_complete = True

    def take_over(self, queue_bytes: int) -> "_Direct":
        """Once it is accepted: the wire."""
        self._wire = _Direct(self, queue_bytes)
        return self._wire

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the wire."""
        super().connection_lost(exc)
        if self._wire is not None:
            self._wire.lost()

    def send_keepalive_ping(self) -> None:
        """See whether the other side is there."""
        self._heard = False
        super().send_keepalive_ping()

    def keepalive_timeout(self) -> None:
        """A ping was not answered: who says nothing at all has gone, and will not read what waits either."""
        if self._heard:
            self.pong_timer = self.pending_ping_payload = None
            self.schedule_ping()
        else:
            super().keepalive_timeout()
            self._abort_soon()

    def handle_parser_exception(self) -> None:
        """Close, whether the other side reads it or not."""
        super().handle_parser_exception()
        self._abort_soon()

    def data_received(self, data: bytes) -> None:
        """Whole messages to the wire, all other frames to `websockets`, one at a time."""
        if self._wire is None:
            super().data_received(data)
            return
        self._heard = True
        cost = len(data)
        if self._rest:
            self._rest += data
            if len(self._rest) < self._need:
                return
            data = bytes(self._rest)
            self._rest.clear()
        begin, end = 0, len(data)
        while begin < end and not self.transport.is_closing():
            frame = _frame(data, begin, end)
            if frame is None:
                self._need = 0
                break
            at, size, masked = frame
            if not masked or size > self.config.ws_max_size:
                super().data_received(data[begin:])  # which will not have it
                return
            stop = at + 4 + size
            if stop > end:
                self._need = stop - begin
                break
            if not self._message(data, begin, at, stop):
                super().data_received(data[begin:stop])
            begin = stop
            cost += FRAME
        self._rest += data[begin:]
        self._wire.count(cost)

    def _message(self, data: bytes, begin: int, at: int, stop: int) -> bool:
        """Give the wire a message that one frame holds; False where it does not."""
        kind = data[begin]
        if (kind != TEXT and kind != BINARY) or self.conn.current_size is not None or self.close_sent:
            return False
        content = apply_mask(data[at + 4 : stop], data[at : at + 4])
        assert self._wire is not None
        if kind == BINARY:
            self._wire.take(content)
            return True
        try:
            self._wire.take(content.decode())
        except UnicodeDecodeError:
            return False
        return True

    def handle_cont(self, event: Frame) -> None:
        """A further frame of a message, of which there cannot be too many, however small."""
        if len(self.frames) >= PIECES:
            self.conn.send_close(1009, "too many fragments")
            self.handle_parser_exception()
        else:
            super().handle_cont(event)

    def send_receive_event_to_app(self) -> None:
        """A message that came in several frames."""
        if self._wire is None:
            super().send_receive_event_to_app()
            return
        content, self.frames = b"".join(self.frames), []
        try:
            self._wire.take(content.decode() if self.curr_msg_data_type == "text" else content)
        except UnicodeDecodeError:
            self.conn.send_close(1007)
            self.handle_parser_exception()

    def finish(self, code: int, reason: str) -> None:
        """Close, and break off if that is not answered soon."""
        if self.close_sent or self.transport.is_closing() or self.conn.state is not State.OPEN:
            return
        self.stop_keepalive()
        self.conn.send_close(code, fit(reason))
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.close_timer = self.loop.call_later(LAST, self.transport.abort)

    def _abort_soon(self) -> None:
        self.loop.call_later(LAST, self.transport.abort)


def _frame(data: bytes, begin: int, end: int) -> tuple[int, int, bool] | None:
    """Where the mask of a frame stands, how long its content is, and whether it is masked: RFC 6455, 5.2.

    None while its head is incomplete.
    """
    if end - begin < 2:
        return None
    second = data[begin + 1]
    size, masked, at = second & 0x7F, second >= MASKED, begin + 2
    if size < 126:
        return at, size, masked
    wide = 2 if size == 126 else 8
    if end - at < wide:
        return None
    return at + wide, int.from_bytes(data[at : at + wide]), masked


class _Direct:
    """The wire of a websocket, next to its connection."""

    def __init__(self, protocol: Sockets, queue_bytes: int) -> None:
        self._protocol = protocol
        self._bound = queue_bytes
        self._came: deque[bytes | str] = deque()
        self._bytes = 0
        self._held: set[str] = set()  # why the other side has to wait
        self._owed, self._counted = 0.0, 0.0  # bytes that it is ahead of its pace, as of then
        self._over = False
        self._reader: asyncio.Future[None] | None = None
        self._lost: asyncio.Future[None] = protocol.loop.create_future()

    async def receive(self) -> bytes | str | None:
        """The next message; None once the other side has gone, or `close` was called."""
        while not self._came:
            if self._over:
                return None
            self._reader = self._protocol.loop.create_future()
            await self._reader
        message = self._came.popleft()
        self._bytes -= len(message) + SLOT
        if self._held and not self._came:
            self._release("unread")
        return message

    def send(self, message: bytes | str) -> None:
        """Send without waiting; after the end it does nothing."""
        if self._over or self._protocol.transport.is_closing():
            return
        kind, content = (TEXT, message.encode()) if isinstance(message, str) else (BINARY, message)
        size = len(content)
        if size < 126:
            head = bytes((kind, size))
        elif size < 65536:
            head = bytes((kind, 126, size >> 8, size & 255))
        else:
            head = bytes((kind, 127)) + size.to_bytes(8)
        transport = self._protocol.transport
        transport.write(head + content)
        if (waiting := transport.get_write_buffer_size()) > self._bound:
            logger.warning("a reader was too slow: %d bytes waited for it", waiting)
            self._protocol.finish(TOO_SLOW, "too slow")
            self._end()

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Say that it is over, and wait a second at most until the other side has heard it."""
        self._protocol.finish(code, reason)
        self._end()
        await asyncio.wait([self._lost], timeout=2 * LAST)

    def take(self, message: bytes | str) -> None:
        """A message has come."""
        if self._over:
            return
        self._came.append(message)
        self._bytes += len(message) + SLOT
        if self._bytes > AHEAD:
            self._hold("unread")
        self._wake()

    def count(self, cost: int) -> None:
        """So much was read. Whoever sends more than anybody speaks is read later, not at others' cost."""
        now = self._protocol.loop.time()
        self._owed = max(0.0, self._owed - (now - self._counted) * PACE) + cost
        self._counted = now
        if (ahead := self._owed - AT_ONCE) > 0 and not self._over:
            self._hold("fast")
            self._protocol.loop.call_later(ahead / PACE, self._release, "fast")

    def lost(self) -> None:
        """The connection is no more."""
        self._over = True  # what came before may still be read
        self._wake()
        if not self._lost.done():
            self._lost.set_result(None)

    def _end(self) -> None:
        self._over = True
        self._came.clear()
        self._wake()
        for why in list(self._held):
            self._release(why)

    def _hold(self, why: str) -> None:
        self._held.add(why)
        self._protocol.transport.pause_reading()

    def _release(self, why: str) -> None:
        if why in self._held:
            self._held.discard(why)
            if not self._held and not self._protocol.transport.is_closing():
                self._protocol.transport.resume_reading()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
