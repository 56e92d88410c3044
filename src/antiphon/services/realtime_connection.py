"""A connection to a model that hears and speaks, and how it is opened."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress

from ..context import Context
from ..errors import ServiceTimeoutError, TheyErred
from .realtime_codec import CodecEvent, MessagesToSend, RealtimeCodec, RealtimeReady, Resumable
from .websocket_client import Message, MessageStream

__all__ = ["RealtimeConnection", "open_connection"]

READY_WITHIN = 5.0  # seconds until the vendor has taken the settings
LEAVES_WITHIN = 0.2  # seconds in which a connection is taken leave of

Receiver = Callable[["RealtimeConnection", "Message | TheyErred"], Awaitable[None]]
"""Is given each message of a connection, and the error with which it ended."""


class RealtimeConnection:
    """A connection and the task that reads it."""

    def __init__(
        self,
        socket: MessageStream,
        codec: RealtimeCodec,
        receive: Receiver,
        context: Context,
        handle: str | None,
    ) -> None:
        self.socket = socket
        self.codec = codec
        self.context = context
        """The conversation that it began from."""
        self.sent_at = self.received_at = socket.opened_at
        self.handle = handle
        self._reading = asyncio.create_task(self._read(receive))

    async def _read(self, receive: Receiver) -> None:
        try:
            while True:
                message = await self.socket.receive()
                self.received_at = asyncio.get_running_loop().time()
                await receive(self, message)
        except TheyErred as error:
            await receive(self, error)

    async def send(self, messages: Iterable[Message]) -> None:
        """Send messages in order."""
        for message in messages:
            self.sent_at = asyncio.get_running_loop().time()
            await self.socket.send((message,))

    @property
    def due(self) -> float | None:
        """When `tend` has something to do."""
        waits = (
            (self.sent_at, self.codec.keep_alive_every),
            (self.received_at, self.codec.settles_after),
        )
        return min((since + wait for since, wait in waits if wait is not None), default=None)

    async def tend(self) -> Iterable[CodecEvent]:
        """Keep the connection open; return what follows from the vendor's silence."""
        now, codec = asyncio.get_running_loop().time(), self.codec
        if codec.keep_alive_every is not None and now >= self.sent_at + codec.keep_alive_every:
            await self.send(codec.keep_alive())
            self.sent_at = now
        if codec.settles_after is None or now < self.received_at + codec.settles_after:
            return ()
        self.received_at = now
        return codec.settle()

    async def close(self) -> None:
        """Take leave, and close it."""
        self._reading.cancel()
        with suppress(TheyErred, TimeoutError):
            async with asyncio.timeout(LEAVES_WITHIN):
                await self.socket.send(self.codec.end())
        await self.socket.close()


async def open_connection(
    vendor: str,
    dialled: Awaitable[MessageStream],
    codec: RealtimeCodec,
    context: Context,
    receive: Receiver,
) -> RealtimeConnection:
    """Return a connection that takes sound, once the vendor has taken the settings."""
    socket = await dialled
    try:
        async with asyncio.timeout(READY_WITHIN):
            await socket.send(codec.begin(context))
            ready, handle = False, None
            while not ready:
                for event in codec.read(await socket.receive()):
                    ready = ready or isinstance(event, RealtimeReady)
                    handle = event.handle if isinstance(event, Resumable) else handle
                    if isinstance(event, MessagesToSend):
                        await socket.send(event.messages)
    except BaseException as error:
        await socket.close()
        if isinstance(error, TimeoutError):
            raise ServiceTimeoutError(f"{vendor} was not ready within {READY_WITHIN:g} s") from error
        raise
    return RealtimeConnection(socket, codec, receive, context, handle or None)
