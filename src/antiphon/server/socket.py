"""A websocket as a Wire: any ASGI server's, by its two functions."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable

from starlette.routing import WebSocketRoute
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from ..transports.wire import Wire
from .host import Refused
from .responses import refused

__all__ = ["DIRECT", "LAST", "TOO_SLOW", "AsgiWire", "PendingWebSocket", "SocketRoute", "fit"]

logger = logging.getLogger("antiphon.server")

DIRECT = "antiphon.wire"
"""An extension of ASGI: called with `queue_bytes`, it gives a websocket that was accepted as a Wire."""
TOO_SLOW = 1013  # the code that a reader who has fallen behind is closed with
CODES = {429: 1013, 503: 1013, 500: 1011}
"""What a websocket that is open already is closed with instead of a status of HTTP; else POLICY."""
POLICY = 1008
LAST = 1.0  # seconds that what still waits may take to be sent when the socket is closed


class AsgiWire:
    """An accepted websocket. It ends when over `queue_bytes` wait to be sent: the reader is too slow."""

    def __init__(self, receive: Receive, send: Send, queue_bytes: int = 524_288) -> None:
        self._receive = receive
        self._send = send
        self._bound = queue_bytes
        self._waiting: deque[bytes | str] = deque()
        self._bytes = 0
        self._more = asyncio.Event()
        self._over = False
        self._writer = asyncio.create_task(self._write(), name="antiphon socket")

    async def receive(self) -> bytes | str | None:
        """The next message; None once the other side has gone, or `close` was called."""
        while not self._over:
            message = await self._receive()
            if message["type"] == "websocket.receive":
                data = message.get("bytes")
                return message.get("text") if data is None else data
            if message["type"] == "websocket.disconnect":
                self._end()
        return None

    def send(self, message: bytes | str) -> None:
        """Send without waiting; after the end it does nothing."""
        if self._over:
            return
        self._waiting.append(message)
        self._bytes += len(message)
        if self._bytes > self._bound:
            logger.warning("a reader was too slow: %d bytes waited for it", self._bytes)
            self._end()
            self._writer = asyncio.create_task(self._shut(TOO_SLOW, "too slow"), name="antiphon socket")
        else:
            self._more.set()

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Send what waits, for a second at most, and end."""
        if self._over:
            await asyncio.wait([self._writer], timeout=LAST)
            return
        self._over = True
        self._more.set()
        await asyncio.wait([self._writer], timeout=LAST)
        self._end()
        await self._shut(code, reason)

    def _end(self) -> None:
        self._over = True
        self._waiting.clear()
        self._writer.cancel()

    async def _shut(self, code: int, reason: str) -> None:
        try:
            async with asyncio.timeout(LAST):
                await self._send({"type": "websocket.close", "code": code, "reason": fit(reason)})
        except (TimeoutError, OSError, RuntimeError):
            pass  # the other side has gone, or reads nothing at all

    async def _write(self) -> None:
        try:
            while True:
                while self._waiting:
                    message = self._waiting.popleft()
                    self._bytes -= len(message)
                    kind = "text" if isinstance(message, str) else "bytes"
                    await self._send({"type": "websocket.send", kind: message})
                if self._over:
                    return
                self._more.clear()
                await self._more.wait()
        except (OSError, RuntimeError):  # the other side has gone
            self._over = True
            self._waiting.clear()


def fit(reason: str) -> str:
    """As much of a reason as a close message can carry: 123 bytes."""
    return reason.encode()[:123].decode(errors="ignore")


class PendingWebSocket(WebSocket):
    """A websocket that somebody has asked for."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        super().__init__(scope, receive, send)
        self._raw = receive, send
        self._wire: Wire | None = None

    async def open(self, queue_bytes: int) -> Wire:
        """Accept it."""
        offered: list[str] = self.scope.get("subprotocols") or []
        await self.accept(offered[0] if offered else None)  # Asterisk's "media"; browsers offer none
        direct: Callable[[int], Wire] | None = self.scope.get("extensions", {}).get(DIRECT)
        self._wire = AsgiWire(*self._raw, queue_bytes) if direct is None else direct(queue_bytes)
        return self._wire

    async def end(self) -> None:
        """Close it, if nobody has yet."""
        if self._wire is not None:
            await self._wire.close()

    async def refuse(self, error: Refused) -> None:
        """Answer in HTTP where it is not open yet and the server can, else close it."""
        code = CODES.get(error.status, POLICY)
        if self._wire is not None:
            await self._wire.close(code, error.detail)
        elif "websocket.http.response" in self.scope.get("extensions", {}):
            await self.send_denial_response(refused(error))
        else:
            await self.close(code, error.detail)


class SocketRoute(WebSocketRoute):
    """A websocket's path, and what serves it, which may raise Refused."""

    def __init__(self, path: str, serve: Callable[[PendingWebSocket], Awaitable[None]]) -> None:
        async def endpoint(scope: Scope, receive: Receive, send: Send) -> None:
            asked = PendingWebSocket(scope, receive, send)
            try:
                await serve(asked)
            except Refused as error:
                await asked.refuse(error)
            except Exception:
                logger.exception("a websocket at %s failed", path)
                await asked.refuse(Refused(500, "the server has failed at this; its log says why"))
            else:
                await asked.end()

        super().__init__(path, endpoint)
        self.app = endpoint  # as it is: Starlette's own wrapper would hide the two functions
