"""A `Wire` over an accepted websocket of any ASGI server."""

import asyncio
import logging
from collections import deque

from starlette.types import Receive, Send

from ..errors import UnavailableError
from ..transports.wire import READS_TOO_SLOWLY

__all__ = ["CLOSE_WITHIN", "TOO_SLOW", "AsgiWire", "fit"]

logger = logging.getLogger("antiphon.server")

TOO_SLOW = 1013  # the close code for a client that reads too slowly
CLOSE_WITHIN = 1.0  # seconds to send what is still queued when the socket is closed


class AsgiWire:
    """An accepted websocket as a `Wire`.

    It closes if more than `queue_bytes` are queued, because the client reads too slowly.
    """

    def __init__(self, receive: Receive, send: Send, queue_bytes: int = 524_288) -> None:
        self._receive = receive
        self._send = send
        self._queue_limit = queue_bytes
        self._queue: deque[bytes | str] = deque()
        self._queued_bytes = 0
        self._queued = asyncio.Event()
        self._over = False
        self._is_slow = False  # True once too much was queued for the client
        self._writer = asyncio.create_task(self._write(), name="antiphon socket")

    async def receive(self) -> bytes | str | None:
        """Return the next message, or None after the connection has closed.

        Either side may have closed it. Raises UnavailableError if the other side read too slowly.
        """
        while not self._over:
            message = await self._receive()
            if message["type"] == "websocket.receive":
                data = message.get("bytes")
                return message.get("text") if data is None else data
            if message["type"] == "websocket.disconnect":
                self._end()
        if self._is_slow:
            raise UnavailableError(READS_TOO_SLOWLY)
        return None

    def send(self, message: bytes | str) -> None:
        """Queue a message without waiting; does nothing once the websocket is closed."""
        if self._over:
            return
        self._queue.append(message)
        self._queued_bytes += len(message)
        if self._queued_bytes > self._queue_limit:
            logger.warning("a client reads too slowly: %d bytes were queued for it", self._queued_bytes)
            self._is_slow = True
            self._end()
            self._writer = asyncio.create_task(self._send_close(TOO_SLOW, "too slow"), name="antiphon socket")
        else:
            self._queued.set()

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Send what is queued, for at most a second, then close."""
        if self._over:
            await asyncio.wait([self._writer], timeout=CLOSE_WITHIN)
            return
        self._over = True
        self._queued.set()
        await asyncio.wait([self._writer], timeout=CLOSE_WITHIN)
        self._end()
        await self._send_close(code, reason)

    def _end(self) -> None:
        self._over = True
        self._queue.clear()
        self._writer.cancel()

    async def _send_close(self, code: int, reason: str) -> None:
        try:
            async with asyncio.timeout(CLOSE_WITHIN):
                await self._send({"type": "websocket.close", "code": code, "reason": fit(reason)})
        except (TimeoutError, OSError, RuntimeError):
            pass  # the other side has gone, or does not read at all

    async def _write(self) -> None:
        try:
            while True:
                while self._queue:
                    message = self._queue.popleft()
                    self._queued_bytes -= len(message)
                    kind = "text" if isinstance(message, str) else "bytes"
                    await self._send({"type": "websocket.send", kind: message})
                if self._over:
                    return
                self._queued.clear()
                await self._queued.wait()
        except (OSError, RuntimeError):  # the other side has gone
            self._over = True
            self._queue.clear()


def fit(reason: str) -> str:
    """Return the reason, cut to the 123 bytes that a close frame can carry."""
    return reason.encode()[:123].decode(errors="ignore")
