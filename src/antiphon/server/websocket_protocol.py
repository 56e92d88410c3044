"""uvicorn's websocket protocol with a fast path for calls, which bypasses ASGI.

A call sends and receives fifty small messages a second. What uvicorn and ASGI do for each of them (a queue, a
dict, pausing and resuming reads, a writer task) costs more than the rest of the call. Therefore unfragmented
messages go directly from the socket to the wire's reader, and from the wire to the socket. Everything else
(handshakes, fragments, pings, closing, protocol errors) goes to `websockets`, one whole frame at a time.
"""

import asyncio
import logging
import socket
from asyncio.transports import BaseTransport
from collections import deque
from typing import Any, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame
from websockets.protocol import State

from ..errors import UnavailableError
from ..transports.wire import READS_TOO_SLOWLY
from .asgi_wire import CLOSE_WITHIN, TOO_SLOW, fit
from .limits import ReadRate
from .websocket_route import DIRECT

try:
    from websockets.speedups import apply_mask
except ImportError:  # the wheel for this platform has no C extension
    from websockets.utils import apply_mask

__all__ = ["DirectWire", "WebSocketProtocol"]

logger = logging.getLogger("antiphon.server")

READ_AHEAD = 1_048_576  # bytes that the session has not read yet, above which reading from the socket pauses
READ_SIZE = 16_384  # bytes; asyncio's own 262144 are mapped and unmapped at each read, at twice the cost
MESSAGE_OVERHEAD = 64  # bytes of memory that a queued message takes besides its content
MOST_FRAGMENTS = 1024  # frames of one message
READ_RATE, READ_BURST = 1_048_576, 4_194_304  # bytes a second, and at once, that one connection may send
FRAMES_AT_ONCE = 32  # frames handled in one turn of the loop
FRAME_COST = 512  # bytes added for each frame when the rate is counted, since small frames are work as well
SEND_BUFFER = 131_072  # bytes of the kernel's send buffer: 2 s of audio
TEXT, BINARY = 0x81, 0x82  # the first byte of a whole message in one frame
MASKED = 0x80


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """A websocket connection, which the ASGI extension DIRECT turns into a Wire."""

    _wire: "DirectWire | None" = None
    _needed = 0  # bytes of the frame that `_rest` begins with; 0 if not known yet
    _data_since_ping = False  # True once anything has come since the last ping
    _put_off: asyncio.TimerHandle | None = None  # goes on with the frames that were not handled yet

    def connection_made(self, transport: BaseTransport) -> None:
        """Limit the kernel's send buffer, so that a slow reader is noticed."""
        super().connection_made(transport)
        self._rest = bytearray()  # an incomplete frame
        if hasattr(transport, "max_size"):
            transport.max_size = READ_SIZE  # pyright: ignore[reportAttributeAccessIssue]  asyncio's, not uvloop's
        raw: socket.socket | None = transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)

    async def run_asgi(self) -> None:
        """Run the application with the extension, and close when it returns."""
        extensions = cast(dict[str, Any], self.scope)["extensions"]
        extensions[DIRECT] = self.take_over
        await super().run_asgi()
        self._abort_soon()

    async def send(self, message: Any) -> None:
        """Send an ASGI message.

        A complete HTTP response counts as the handshake; otherwise uvicorn would log an error.
        """
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body"):
            self.handshake_complete = True

    def take_over(self, queue_bytes: int) -> "DirectWire":
        """Return the wire of the accepted websocket; messages now bypass ASGI."""
        self._wire = DirectWire(self, queue_bytes)
        return self._wire

    def connection_lost(self, exc: Exception | None) -> None:
        """End the wire, if there is one."""
        super().connection_lost(exc)
        if self._wire is not None:
            self._wire.lost()

    def send_keepalive_ping(self) -> None:
        """Send a ping, and watch for any data after it."""
        self._data_since_ping = False
        super().send_keepalive_ping()

    def keepalive_timeout(self) -> None:
        """Close after an unanswered ping, unless other data has arrived since."""
        if self._data_since_ping:
            self.pong_timer = self.pending_ping_payload = None
            self.schedule_ping()
        else:
            super().keepalive_timeout()
            self._abort_soon()

    def handle_parser_exception(self) -> None:
        """Close after a protocol error, even if the peer does not read the close frame."""
        super().handle_parser_exception()
        self._abort_soon()

    def data_received(self, data: bytes) -> None:
        """Pass whole messages to the wire, and all other frames to `websockets`."""
        if self._wire is None:
            super().data_received(data)
            return
        self._data_since_ping = True
        self._wire.count(len(data))
        if self._put_off is not None:
            self._rest += data
        else:
            self._handle_frames(data)

    def _handle_frames(self, data: bytes) -> None:
        """Handle the complete frames, but at most FRAMES_AT_ONCE of them.

        The rest waits for a later turn of the event loop.
        """
        assert self._wire is not None
        frames = 0
        if self._rest:
            self._rest += data
            if len(self._rest) < self._needed:
                return
            data = bytes(self._rest)
            self._rest.clear()
        begin, end = 0, len(data)
        while begin < end and not self.transport.is_closing():
            if frames == FRAMES_AT_ONCE:
                self._needed = 0
                self._wire.pause("much")
                self._put_off = self.loop.call_later(self._wire.ahead(), self._go_on)
                break
            frame = _frame(data, begin, end)
            if frame is None:
                self._needed = 0
                break
            at, size, masked = frame
            if not masked or size > self.config.ws_max_size:
                super().data_received(data[begin:])  # `websockets` rejects the frame
                return
            stop = at + 4 + size
            if stop > end:
                self._needed = stop - begin
                break
            if not self._feed_wire(data, begin, at, stop):
                super().data_received(data[begin:stop])
            begin = stop
            frames += 1
            self._wire.count(FRAME_COST)
        self._rest += data[begin:]

    def _go_on(self) -> None:
        """Handle more of what came in an earlier turn of the loop."""
        self._put_off = None
        if self._wire is not None and not self.transport.is_closing():
            self._wire.resume("much")
            self._handle_frames(b"")

    def _feed_wire(self, data: bytes, begin: int, at: int, stop: int) -> bool:
        """Feed a frame's message to the wire; False if the frame is not a whole message."""
        kind = data[begin]
        if (kind != TEXT and kind != BINARY) or self.conn.current_size is not None or self.close_sent:
            return False
        content = apply_mask(data[at + 4 : stop], data[at : at + 4])
        assert self._wire is not None
        if kind == BINARY:
            self._wire.feed(content)
            return True
        try:
            self._wire.feed(content.decode())
        except UnicodeDecodeError:
            return False
        return True

    def handle_cont(self, event: Frame) -> None:
        """Handle a continuation frame; a message of too many frames is rejected."""
        if len(self.frames) >= MOST_FRAGMENTS:
            self.conn.send_close(1009, "too many fragments")
            self.handle_parser_exception()
        else:
            super().handle_cont(event)

    def send_receive_event_to_app(self) -> None:
        """Feed a message of several frames to the wire."""
        if self._wire is None:
            super().send_receive_event_to_app()
            return
        content, self.frames = b"".join(self.frames), []
        try:
            self._wire.feed(content.decode() if self.curr_msg_data_type == "text" else content)
        except UnicodeDecodeError:
            self.conn.send_close(1007)
            self.handle_parser_exception()

    def finish(self, code: int, reason: str) -> None:
        """Send a close frame, and abort the connection if it is not answered soon."""
        if self.close_sent or self.transport.is_closing() or self.conn.state is not State.OPEN:
            return
        self.stop_keepalive()
        self.conn.send_close(code, fit(reason))
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.close_timer = self.loop.call_later(CLOSE_WITHIN, self.transport.abort)

    def _abort_soon(self) -> None:
        self.loop.call_later(CLOSE_WITHIN, self.transport.abort)


def _frame(data: bytes, begin: int, end: int) -> tuple[int, int, bool] | None:
    """Parse the head of a frame (RFC 6455 section 5.2); None if it is incomplete.

    Returns the position of the mask, the size of the content in bytes, and whether it is masked.
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


class DirectWire:
    """A websocket's wire that reads from and writes to its connection directly."""

    def __init__(self, protocol: WebSocketProtocol, queue_bytes: int) -> None:
        self._protocol = protocol
        self._queue_limit = queue_bytes
        self._received: deque[bytes | str] = deque()
        self._received_bytes = 0
        self._pauses: set[str] = set()
        """Why reading is paused: "unread" (the session is behind), "fast" (the client exceeds READ_RATE),
        "much" (this turn of the loop has handled enough)."""
        self._rate = ReadRate(READ_RATE, READ_BURST)
        self._over = False
        self._is_slow = False  # True once too much was queued for the client
        self._reader: asyncio.Future[None] | None = None
        self._lost: asyncio.Future[None] = protocol.loop.create_future()

    async def receive(self) -> bytes | str | None:
        """Return the next message, or None after the connection has closed.

        Either side may have closed it. Raises UnavailableError if the other side read too slowly.
        """
        while not self._received:
            if self._is_slow:
                raise UnavailableError(READS_TOO_SLOWLY)
            if self._over:
                return None
            self._reader = self._protocol.loop.create_future()
            await self._reader
        message = self._received.popleft()
        self._received_bytes -= len(message) + MESSAGE_OVERHEAD
        if self._pauses and not self._received:
            self.resume("unread")
        return message

    def send(self, message: bytes | str) -> None:
        """Write a message without waiting; does nothing once the websocket is closed."""
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
        if (waiting := transport.get_write_buffer_size()) > self._queue_limit:
            logger.warning("a client reads too slowly: %d bytes were queued for it", waiting)
            self._is_slow = True
            self._protocol.finish(TOO_SLOW, "too slow")
            self._end()

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close, and wait at most two seconds for the peer to close as well."""
        self._protocol.finish(code, reason)
        self._end()
        await asyncio.wait([self._lost], timeout=2 * CLOSE_WITHIN)

    def feed(self, message: bytes | str) -> None:
        """Queue a received message for the reader."""
        if self._over:
            return
        self._received.append(message)
        self._received_bytes += len(message) + MESSAGE_OVERHEAD
        if self._received_bytes > READ_AHEAD:
            self.pause("unread")
        self._wake()

    def count(self, cost: int) -> None:
        """Count received bytes, and pause reading if the client exceeds READ_RATE.

        This protects other calls from a client that sends too much.
        """
        self._rate.spend(cost, self._protocol.loop.time())
        if self.ahead() and not self._over and "fast" not in self._pauses:
            self.pause("fast")
            self._end_pause()

    def ahead(self) -> float:
        """Seconds in which no more should be handled, by READ_RATE; 0 for none."""
        return self._rate.spend(0.0, self._protocol.loop.time())

    def _end_pause(self) -> None:
        """End the pause of a fast client once it is ahead no more."""
        if wait := self.ahead():
            self._protocol.loop.call_later(wait, self._end_pause)
        else:
            self.resume("fast")

    def lost(self) -> None:
        """End the wire after the connection was lost."""
        self._over = True  # messages that were received can still be read
        self._wake()
        if not self._lost.done():
            self._lost.set_result(None)

    def _end(self) -> None:
        self._over = True
        self._received.clear()
        self._wake()
        for why in list(self._pauses):
            self.resume(why)

    def pause(self, why: str) -> None:
        """Read no more from the socket, for this reason."""
        self._pauses.add(why)
        self._protocol.transport.pause_reading()

    def resume(self, why: str) -> None:
        """Read again, if there is no other reason not to."""
        if why in self._pauses:
            self._pauses.discard(why)
            if not self._pauses and not self._protocol.transport.is_closing():
                self._protocol.transport.resume_reading()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
