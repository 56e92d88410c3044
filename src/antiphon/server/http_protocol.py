"""uvicorn's HTTP protocol with a timeout for each request's head."""

import asyncio
from asyncio.transports import BaseTransport
from typing import cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from .port import Refused
from .responses import refused

__all__ = ["HttpProtocol"]

HEAD_WITHIN = 10.0  # seconds for the head of a request to arrive


class HttpProtocol(H11Protocol):
    """A connection that is closed if a request's head takes longer than ten seconds."""

    _timeout: asyncio.TimerHandle | None = None

    def connection_made(self, transport: BaseTransport) -> None:
        """Start the timeout for the first request."""
        super().connection_made(cast(asyncio.Transport, transport))
        self._start_timeout()

    def data_received(self, data: bytes) -> None:
        """Restart or stop the timeout, depending on whether the head is complete."""
        super().data_received(data)
        if self.conn.their_state is h11.IDLE:
            self._start_timeout()
        elif self._timeout is not None:
            self._timeout.cancel()
            self._timeout = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timeout."""
        if self._timeout is not None:
            self._timeout.cancel()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Answer a malformed request with a JSON error, like all other errors."""
        answered = refused(Refused(400, f"this is not an HTTP/1.1 request: {msg}"))
        headers = [*answered.raw_headers, (b"connection", b"close")]
        for event in (
            h11.Response(status_code=400, headers=headers),
            h11.Data(data=bytes(answered.body)),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _start_timeout(self) -> None:
        if self._timeout is None:
            self._timeout = self.loop.call_later(HEAD_WITHIN, self._close_if_idle)

    def _close_if_idle(self) -> None:
        self._timeout = None
        if self.conn.their_state is h11.IDLE:
            self.transport.abort()
