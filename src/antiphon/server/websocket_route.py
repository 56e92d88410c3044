"""Websocket routes, whose handlers accept a websocket as a `Wire` or refuse it."""

import logging
from collections.abc import Awaitable, Callable

from starlette.routing import WebSocketRoute
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from ..transports.wire import Wire
from .asgi_wire import AsgiWire
from .port import Refused
from .responses import refused

__all__ = ["DIRECT", "PendingWebSocket", "SocketRoute"]

logger = logging.getLogger("antiphon.server")

DIRECT = "antiphon.wire"
"""Our ASGI extension: a function that takes `queue_bytes` and returns the accepted websocket as a Wire."""
CLOSE_CODES = {429: 1013, 503: 1013, 500: 1011}
"""The close codes of an open websocket, by HTTP status; for any other status, POLICY_VIOLATION."""
POLICY_VIOLATION = 1008


class PendingWebSocket(WebSocket):
    """A requested websocket that is neither accepted nor refused yet."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        super().__init__(scope, receive, send)
        self._raw = receive, send
        self._wire: Wire | None = None

    async def open(self, queue_bytes: int) -> Wire:
        """Accept the websocket and return its Wire."""
        offered: list[str] = self.scope.get("subprotocols") or []
        await self.accept(offered[0] if offered else None)  # Asterisk offers "media", browsers none
        direct: Callable[[int], Wire] | None = self.scope.get("extensions", {}).get(DIRECT)
        self._wire = AsgiWire(*self._raw, queue_bytes) if direct is None else direct(queue_bytes)
        return self._wire

    async def end(self) -> None:
        """Close the websocket if it is open."""
        if self._wire is not None:
            await self._wire.close()

    async def refuse(self, error: Refused) -> None:
        """Answer with the error's HTTP status, or close the websocket if it is open.

        A server without the ASGI extension for HTTP responses can only close it.
        """
        code = CLOSE_CODES.get(error.status, POLICY_VIOLATION)
        if self._wire is not None:
            await self._wire.close(code, error.detail)
        elif "websocket.http.response" in self.scope.get("extensions", {}):
            await self.send_denial_response(refused(error))
        else:
            await self.close(code, error.detail)


class SocketRoute(WebSocketRoute):
    """The route of a websocket; its handler may raise Refused."""

    def __init__(self, path: str, serve: Callable[[PendingWebSocket], Awaitable[None]]) -> None:
        async def endpoint(scope: Scope, receive: Receive, send: Send) -> None:
            pending = PendingWebSocket(scope, receive, send)
            try:
                await serve(pending)
            except Refused as error:
                await pending.refuse(error)
            except Exception:
                logger.exception("a websocket at %s failed", path)
                await pending.refuse(
                    Refused(500, "the server failed to handle this request; its log says why")
                )
            else:
                await pending.end()

        super().__init__(path, endpoint)
        self.app = endpoint  # unwrapped: Starlette's wrapper would hide `receive` and `send`
