"""uvicorn's HTTP protocol with limits on the work and time of each client."""

import asyncio
from asyncio.transports import BaseTransport
from typing import Any, cast

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import CLOSE_HEADER
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.server import ServerState

from .limits import ReadRate
from .port import Refused
from .responses import refused

__all__ = ["HttpProtocol"]

HEAD_WITHIN = 10.0  # seconds that the head of a request may take to arrive
REQUEST_WITHIN = 20.0  # seconds that a request, with its body, may take to arrive
EVENTS_AT_ONCE = 32  # parts of requests (a head, a chunk) parsed in one turn of the loop: about 1 ms
READ_RATE, READ_BURST = 1_048_576, 1_048_576  # bytes a second, and at once, that one connection may send
EVENT_COST = 512  # bytes added for each part when the rate is counted, since small chunks are work as well
LINGER = 1.0  # seconds in which a refused client may read the answer, although it is still sending
MOST_DISCARDED = 4_194_304  # bytes that are received meanwhile, and not looked at
MAX_HEAD = 65_536  # bytes
ANSWERABLE = (h11.IDLE, h11.SEND_RESPONSE)


class HttpProtocol(H11Protocol):
    """An HTTP protocol that limits the pace and duration of requests.

    A turn of the event loop parses at most EVENTS_AT_ONCE parts, and the rest waits for the next turns. A
    connection that sends faster than READ_RATE is not read from for a while. A connection closes if its
    request is late or broken, or if the application has answered without reading the whole body.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.conn = self._bounded = _BoundedConnection(config.h11_max_incomplete_event_size or MAX_HEAD)
        self._rate = ReadRate(READ_RATE, READ_BURST)
        self._timeout: asyncio.TimerHandle | None = None
        self._started = 0.0  # when the request at hand began to arrive
        self._put_off: asyncio.TimerHandle | None = None  # goes on with what was not parsed yet
        self._discarded: int | None = None  # bytes received since the connection was hung up
        self._upgraded = False

    def connection_made(self, transport: BaseTransport) -> None:
        """Start the timeout for the first request."""
        super().connection_made(cast(asyncio.Transport, transport))
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop all timers."""
        self._stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what has come, or put it off."""
        if self._discarded is not None:
            self._discarded += len(data)
            if self._discarded > MOST_DISCARDED:
                self.transport.abort()
            return
        if self._put_off is None:
            self._bounded.renew()
        self._rate.spend(len(data), self.loop.time())
        super().data_received(data)

    def handle_events(self) -> None:
        """Handle as many parts of requests as one turn of the loop may."""
        super().handle_events()
        if self._upgraded or self._discarded is not None or self.transport.is_closing():
            return
        self._watch()
        wait = self._rate.spend(EVENT_COST * self._bounded.pop_count(), self.loop.time())
        if self._bounded.is_cut or wait or self._put_off is not None:
            self.transport.pause_reading()
            if self._put_off is None:
                self._put_off = self.loop.call_later(wait, self._go_on)
        names = [name for name, _ in self.headers or ()]
        if b"content-length" in names and b"transfer-encoding" in names and CLOSE_HEADER not in self.headers:
            self.headers.append(CLOSE_HEADER)  # RFC 9112 section 6.1: it may be an attempt at smuggling

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Hand the connection to the websocket protocol, and the timers over to it."""
        self._upgraded = True
        self._stop()
        super().handle_websocket_upgrade(event)

    def on_response_complete(self) -> None:
        """Hang up if the body was not read to its end."""
        unread = self.conn.their_state is h11.SEND_BODY
        super().on_response_complete()
        if unread and not self.transport.is_closing():
            self._hang_up()

    def send_400_response(self, msg: str) -> None:
        """Answer a request that is not valid HTTP with an error in JSON.

        If a response has begun already, only close the connection.
        """
        running = cast(RequestResponseCycle | None, self.cycle)
        if running is not None and not running.response_complete:
            running.disconnected = True
            running.message_event.set()
        if self.conn.our_state in ANSWERABLE:
            answered = refused(Refused(400, f"this is no request in HTTP/1.1: {msg}"))
            headers = [*answered.raw_headers, (b"connection", b"close")]
            for event in (
                h11.Response(status_code=400, headers=headers),
                h11.Data(data=bytes(answered.body)),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
        self._hang_up()

    def _go_on(self) -> None:
        """Parse more of what came in an earlier turn of the loop."""
        self._put_off = None
        if self.transport.is_closing():
            return
        self._bounded.renew()
        if not self.flow.read_paused:
            self.transport.resume_reading()
        self.handle_events()

    def _hang_up(self) -> None:
        """Close the connection once the client has had time to read the answer.

        What the client sends meanwhile is discarded. If the connection closed at once with bytes unread, the
        client could lose the answer.
        """
        self._stop()
        self._unset_keepalive_if_required()
        self._discarded = 0
        if not self.transport.can_write_eof():
            self.transport.close()
            return
        self.transport.write_eof()
        self.transport.resume_reading()
        self._timeout = self.loop.call_later(LINGER, self.transport.abort)

    def _watch(self) -> None:
        """Run the timeout while a request is incomplete."""
        if self.conn.their_state not in (h11.IDLE, h11.SEND_BODY):
            if self._timeout is not None:
                self._timeout.cancel()
                self._timeout = None
        elif self._timeout is None:
            self._started = self.loop.time()
            self._timeout = self.loop.call_later(HEAD_WITHIN, self._check)

    def _check(self) -> None:
        """Abort if the head is still incomplete, or the whole request late."""
        left = self._started + REQUEST_WITHIN - self.loop.time()
        if self.conn.their_state is h11.IDLE or left <= 0:
            self.transport.abort()
        else:
            self._timeout = self.loop.call_later(left, self._check)

    def _stop(self) -> None:
        for timer in (self._timeout, self._put_off):
            if timer is not None:
                timer.cancel()
        self._timeout = self._put_off = None


class _BoundedConnection(h11.Connection):
    """An h11 connection that returns a limited number of events.

    It returns at most EVENTS_AT_ONCE events until `renew` is called.
    """

    def __init__(self, max_head: int) -> None:
        super().__init__(h11.SERVER, max_head)
        self._count = 0
        self._counted = 0
        self.is_cut = False
        """True if there may be more events."""

    def renew(self) -> None:
        """Allow as many events again."""
        self._count = self._counted = 0
        self.is_cut = False

    def pop_count(self) -> int:
        """Return the number of events since the last call."""
        fresh, self._counted = self._count - self._counted, self._count
        return fresh

    def next_event(self) -> Any:
        """Return the next event, or NEED_DATA once there were as many as may be."""
        if self._count >= EVENTS_AT_ONCE:
            self.is_cut = True
            return h11.NEED_DATA
        self._count += 1
        return super().next_event()
