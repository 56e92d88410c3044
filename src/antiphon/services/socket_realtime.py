"""The driver for models that hear and speak, over a websocket.

A vendor is a `SocketRealtime`, which says how to connect, and a `RealtimeCodec`, which says what to send and
what messages mean. Written once, here: connecting early, one response at a time, cancelling a response that
has not begun, keep-alive, a connection that is replaced in a pause before the vendor's time limit or when it
is lost, with the context carried over and the user's unanswered turn heard again.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterable
from contextlib import suppress

from ..context import Context
from ..errors import ServiceTimeoutError, TheyErred, UnavailableError
from .keys import VendorKey
from .ports import RealtimeModel
from .realtime_codec import CodecEvent, GoingAway, MessagesToSend, RealtimeCodec, RealtimeReady, Resumable
from .realtime_vocabulary import (
    CutShort,
    RealtimeEvent,
    RealtimeInput,
    Remember,
    Respond,
    ResponseBegan,
    ResponseOver,
    Say,
    SpeechOver,
    UserPicture,
    UserSound,
)
from .unanswered_inputs import UnansweredInputs
from .websocket_client import Handshake, Message, MessageStream, dial, load_websockets

__all__ = ["SocketRealtime"]

READY_WITHIN = 5.0  # seconds until the vendor has taken the settings
LEAVES_WITHIN = 0.2  # seconds in which a connection is taken leave of
STABLE = 5.0  # seconds in which a lost connection is replaced only one time
ENDS_TURN = 1.0  # seconds of silence with which a model that detects turns hears the end of one again
RENEWED_AT = 0.9  # share of the vendor's time limit after which a connection is replaced, in a pause
RENEWED_AGAIN = 5.0  # seconds after a renewal that failed or came too late


class SocketRealtime(RealtimeModel):
    """A model that hears and speaks, over a websocket.

    A vendor derives from it, and adds `handshake` and `codec`.
    """

    input_rate = 24000
    output_rate = 24000

    def __init__(self, vendor: str, key: VendorKey, model: str = "") -> None:
        self.vendor = vendor
        self.model = model
        self.key = key

    async def handshake(self, handle: str | None) -> Handshake:
        """Return what opens a connection; `handle` is of the conversation to go on with."""
        raise NotImplementedError

    async def handshake_for(self, context: Context, handle: str | None) -> Handshake:
        """Return what opens a connection that begins with a context.

        A vendor that is told the context before that, by HTTP, overrides it.
        """
        return await self.handshake(handle)

    def codec(self, detects: bool, handle: str | None) -> RealtimeCodec:
        """Return the codec of a new connection."""
        raise NotImplementedError

    async def dial(self, context: Context, handle: str | None, codec: RealtimeCodec) -> MessageStream:
        """Open a connection.

        A vendor whose connections are no websockets overrides it, and `load`.
        """
        handshake = await self.handshake_for(context, handle)
        return await dial(self.vendor, handshake, key_name=self.key.name, closed=codec.closed)

    async def load(self) -> None:
        """Import the websocket library."""
        await load_websockets(self.vendor)

    async def open(self) -> None:
        """Check the key; connections are made by each conversation."""
        self.key.check()
        await self.load()

    async def converse(
        self, context: Context, inputs: AsyncIterator[RealtimeInput], *, detects: bool = False
    ) -> AsyncGenerator[RealtimeEvent]:
        """Hold one conversation over connections of its own.

        A connection that is lost is replaced. If that happens twice within five seconds, the error is raised.
        """
        await self.open()
        talk = _Talk(self, context, detects)
        feeding = asyncio.create_task(_feed(inputs, talk.inbox))
        try:
            await talk.connect()
            while not talk.over:
                for event in await talk.step():
                    yield event
        finally:
            feeding.cancel()
            await talk.hang_up()
            with suppress(asyncio.CancelledError, Exception):
                await feeding


# The driver ------------------------------------------------------------------------------------------


class _Connection:
    """A connection and the task that reads it."""

    def __init__(
        self, socket: MessageStream, codec: RealtimeCodec, inbox: "asyncio.Queue[_Item]", handle: str | None
    ) -> None:
        self.socket = socket
        self.codec = codec
        self.sent_at = self.received_at = socket.opened_at
        self.handle = handle
        self._reading = asyncio.create_task(self._read(inbox))

    async def _read(self, inbox: "asyncio.Queue[_Item]") -> None:
        try:
            while True:
                message = await self.socket.receive()
                self.received_at = asyncio.get_running_loop().time()
                await inbox.put((self, message))
        except TheyErred as error:
            await inbox.put((self, error))

    async def send(self, messages: Iterable[Message]) -> None:
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
        self._reading.cancel()
        with suppress(TheyErred, TimeoutError):
            async with asyncio.timeout(LEAVES_WITHIN):
                await self.socket.send(self.codec.end())
        await self.socket.close()


_Item = (
    tuple[_Connection, Message | TheyErred] | asyncio.Task[_Connection] | RealtimeInput | BaseException | None
)
"""A message or the end of a connection; one that is ready; an input, their failure, or None at their end."""


_Dial = Callable[[str | None], Coroutine[None, None, _Connection]]
"""Opens a connection; with a handle, one that goes on with the vendor's conversation."""


class _Talk:
    """One conversation: handles inputs, messages and time one after another."""

    def __init__(self, service: SocketRealtime, context: Context, detects: bool) -> None:
        self.service = service
        self.over = False
        self._detects = detects
        self.inbox = asyncio.Queue[_Item](1024)
        self._clock = asyncio.get_running_loop().time
        self._connection: _Connection | None = None
        self._unanswered = UnansweredInputs(context, service.input_rate * 2, detects)
        self._waiting = deque[Respond | Say]()  # until the response in progress is over
        self._requested = False  # whether a response was asked for that has not begun
        self._responding = False
        self._cancels = False  # whether that response is to be cancelled as soon as it begins
        self._replaced_at = -STABLE
        self._renewing: asyncio.Task[_Connection] | None = None
        self._renew_at: float | None = None
        self._stale = False  # whether more was said since the renewal began

    async def connect(self) -> None:
        """Open the first connection."""
        self._use(await self._dial(None))

    async def hang_up(self) -> None:
        """Close all connections."""
        if (renewing := self._renewing) is not None:
            renewing.cancel()
            with suppress(asyncio.CancelledError, TheyErred):
                await (await renewing).close()
        if (connection := self._connection) is not None:
            self._connection = None
            await connection.close()

    async def step(self) -> list[RealtimeEvent]:
        """Wait for the next item or time limit, and return what follows from it."""
        try:
            if settled := await self._settled():
                return settled
            await self._tend()
            try:
                async with asyncio.timeout_at(self._next_due()):
                    item = await self.inbox.get()
            except TimeoutError:
                return []
            return await self._handle(item)
        except TheyErred as error:
            return await self._lost(error)

    async def _handle(self, item: _Item) -> list[RealtimeEvent]:
        match item:
            case (_Connection() as connection, said):
                if connection is not self._connection:
                    return []
                if isinstance(said, TheyErred):
                    raise said
                events: list[RealtimeEvent] = []
                for event in connection.codec.read(said):
                    events += await self._event(connection, event)
                return events
            case asyncio.Task():
                pass  # `_tend` uses it
            case None:
                self.over = True
            case BaseException():
                raise item
            case _:
                return await self._input(item)
        return []

    # Towards the vendor

    async def _input(self, item: RealtimeInput) -> list[RealtimeEvent]:
        again = isinstance(item, UserPicture) or (isinstance(item, UserSound) and self._detects)
        if not again:  # else it is put in again anyway
            self._stale = True
        self._unanswered.add(item)
        match item:
            case Remember():
                await self._put(item)
                if self._connection is not None and self._connection.codec.outdated:
                    self._renew_at = self._clock()
            case Respond() | Say():
                await self._request(item)
            case CutShort():
                return await self._interrupt(item)
            case _:
                await self._put(item)
        return []

    async def _request(self, item: Respond | Say) -> None:
        """Ask for a response, now or after the one before it."""
        if self._requested or self._responding:
            self._waiting.append(item)
        else:
            self._requested = True
            await self._put(item)

    async def _interrupt(self, item: CutShort) -> list[RealtimeEvent]:
        dropped = len(self._waiting)
        self._waiting.clear()
        if self._requested:
            self._cancels = True
        else:
            await self._put(item)
        return [ResponseBegan(), ResponseOver("cancelled")] * dropped

    async def _put(self, item: RealtimeInput) -> None:
        if self._connection is None:
            raise UnavailableError(f"{self.service.vendor} is not connected")
        await self._connection.send(self._connection.codec.put(item))

    # From the vendor

    async def _event(self, connection: _Connection, event: CodecEvent) -> list[RealtimeEvent]:
        match event:
            case RealtimeReady():
                return []
            case GoingAway():
                self._renew_at = self._clock()
                return []
            case Resumable(handle):
                connection.handle = handle or None
                return []
            case MessagesToSend(messages):
                await connection.send(messages)
                return []
            case ResponseBegan():
                self._responding, self._requested = True, False
                if self._cancels:
                    self._cancels = False
                    await self._put(CutShort(0.0))
            case ResponseOver():
                self._responding = False
                if self._waiting:
                    await self._request(self._waiting.popleft())
            case _:
                pass
        seen = self._unanswered.see(event)
        return [] if seen is None else [seen]

    # A new connection

    async def _lost(self, error: TheyErred) -> list[RealtimeEvent]:
        """Replace a connection that was lost; raises its error if that cannot help."""
        now = self._clock()
        if not error.retryable or now < self._replaced_at + STABLE:
            raise error
        self._replaced_at = now
        over: list[RealtimeEvent] = [ResponseOver("failed", str(error))] if self._responding else []
        self._responding = False
        return [*over, *await self._replace(await self._dial(None))]

    async def _replace(self, connection: _Connection) -> list[RealtimeEvent]:
        """Go on over another connection, and let it hear what was not answered."""
        old, self._connection = self._connection, None
        if old is not None:
            await old.close()
        self._use(connection)
        dropped, self._requested, self._cancels = self._cancels, False, False
        if connection.codec.carries_context:
            self._unanswered.go_on()
            return []
        self._waiting.clear()
        for item in self._unanswered.items():
            if isinstance(item, SpeechOver) and self._detects:
                await self._put(UserSound(bytes(int(ENDS_TURN * self.service.input_rate) * 2)))
            elif isinstance(item, Respond | Say):
                await self._request(item)
            else:
                await self._put(item)
        return [ResponseBegan(), ResponseOver("cancelled")] if dropped else []

    def _use(self, connection: _Connection) -> None:
        self._connection = connection
        self._unanswered.lead = connection.codec.tells_within
        lasts = connection.codec.lasts
        self._renew_at = None if lasts is None else connection.socket.opened_at + lasts * RENEWED_AT

    def _dial(self, handle: str | None) -> Coroutine[None, None, _Connection]:
        return _connected(self.service, self._unanswered.context, self._detects, handle, self.inbox)

    @property
    def _pausing(self) -> bool:
        """True if nobody speaks, and nothing waits for an answer."""
        return not (self._responding or self._requested or self._waiting or self._unanswered)

    def _next_due(self) -> float | None:
        dues = [self._renew_at] if self._renewing is None and self._pausing else []
        if self._connection is not None:
            dues.append(self._connection.due)
        return min((due for due in dues if due is not None), default=None)

    async def _settled(self) -> list[RealtimeEvent]:
        events: list[RealtimeEvent] = []
        if (connection := self._connection) is not None:
            for event in await connection.tend():
                events += await self._event(connection, event)
        return events

    async def _tend(self) -> None:
        """Replace the connection in a pause before its time is over."""
        now, connection = self._clock(), self._connection
        if connection is None:
            return
        if self._renewing is None:
            if self._renew_at is not None and now >= self._renew_at and self._pausing:
                if connection.handle is not None:  # what is put in meanwhile waits
                    self._connection = None
                    await self._replace(await _resumed(self._dial, connection, connection.handle))
                    return
                self._stale = False
                self._renewing = asyncio.create_task(self._dial(None))
                self._renewing.add_done_callback(self._wake)
            return
        if not self._renewing.done():
            return
        renewed, self._renewing = self._renewing, None
        self._renew_at = now + RENEWED_AGAIN
        if renewed.cancelled() or renewed.exception() is not None:
            return
        if self._pausing and not self._stale:
            await self._replace(renewed.result())
        else:
            await renewed.result().close()

    def _wake(self, renewing: "asyncio.Task[_Connection]") -> None:
        if not self.inbox.full():  # else it is about to be noticed anyway
            self.inbox.put_nowait(renewing)


async def _feed(inputs: AsyncIterator[RealtimeInput], inbox: "asyncio.Queue[_Item]") -> None:
    """Put the inputs into the inbox, until they end."""
    try:
        async for item in inputs:
            await inbox.put(item)
        await inbox.put(None)
    except Exception as error:  # noqa: BLE001  raised where the conversation is handled
        await inbox.put(error)


async def _resumed(dial: _Dial, old: _Connection, handle: str) -> _Connection:
    """Return a connection that goes on with the vendor's conversation.

    A vendor allows one connection for each, so the old one is closed first. If the vendor does not know the
    conversation any more, the new one begins from ours.
    """
    await old.close()
    try:
        return await dial(handle)
    except TheyErred:
        return await dial(None)


async def _connected(
    service: SocketRealtime,
    context: Context,
    detects: bool,
    handle: str | None,
    inbox: "asyncio.Queue[_Item]",
) -> _Connection:
    """Open a connection, and wait until it takes sound."""
    codec = service.codec(detects, handle)
    socket = await service.dial(context, handle, codec)
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
            raise ServiceTimeoutError(f"{service.vendor} was not ready within {READY_WITHIN:g} s") from error
        raise
    return _Connection(socket, codec, inbox, handle or None)
