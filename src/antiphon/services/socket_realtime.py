"""The driver for models that hear and speak, over a websocket.

A vendor is a `SocketRealtime`, which says how to connect, and a `RealtimeCodec`, which says what to send and
what messages mean. Written once, here: connecting early, one response at a time, cancelling a response that
has not begun, keep-alive, a connection that is replaced in a pause before the vendor's time limit or when it
is lost, with the context carried over and the user's unanswered turn heard again.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import suppress

from ..context import Context
from ..errors import TheyErred, UnavailableError
from ..signals import ToolCall
from .answer_so_far import AnswerSoFar
from .keys import VendorKey
from .ports import RealtimeModel
from .realtime_codec import CodecEvent, GoingAway, MessagesToSend, RealtimeCodec, RealtimeReady, Resumable
from .realtime_connection import RealtimeConnection, open_connection
from .realtime_renewal import ConnectionEnds, OpenCalls, SpareConnection
from .realtime_vocabulary import (
    Consumed,
    CutShort,
    RealtimeEvent,
    RealtimeInput,
    Remember,
    Respond,
    ResponseBegan,
    ResponseOver,
    Say,
    SpeechOver,
    ToolOutput,
    UserWords,
)
from .response_requests import ResponseRequests
from .unanswered_inputs import UnansweredInputs
from .websocket_client import Handshake, Message, MessageStream, dial, load_websockets

__all__ = ["SocketRealtime"]

LOSSES = 3  # connections that may be lost
STABLE = 5.0  # seconds in which no more may be lost
AGAIN_AFTER = 0.25  # seconds after a connection that could not be opened
RENEWED_AGAIN = 5.0  # seconds after a renewal that failed


class SocketRealtime(RealtimeModel):
    """A model that hears and speaks, over a websocket.

    A vendor derives from it, and adds `handshake` and `codec`.
    """

    input_rate = 24000
    output_rate = 24000
    goes_on_after_tools = False
    """True if the vendor's model answers by itself once it has the results of its tools."""
    bills_open: bool = False
    """True if the vendor bills how long a conversation takes, and does not tell it."""

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

        A connection that is lost is replaced. If that happens four times within five seconds, the error is
        raised.
        """
        await self.open()
        talk = _Talk(self, context, detects)
        feeding = asyncio.create_task(_feed(inputs, talk.inbox))
        try:
            await talk.connect()
            told = asyncio.get_running_loop().time()
            while not talk.over:
                for event in await talk.step():
                    yield event
                    if self.bills_open and isinstance(event, ResponseOver):
                        before, told = told, asyncio.get_running_loop().time()
                        yield Consumed("seconds of conversation", told - before)
        finally:
            feeding.cancel()
            await talk.hang_up()
            with suppress(asyncio.CancelledError, Exception):
                await feeding


# The driver ------------------------------------------------------------------------------------------


_Item = (
    tuple[RealtimeConnection, Message | TheyErred]
    | asyncio.Task[RealtimeConnection]
    | RealtimeInput
    | BaseException
    | None
)
"""A message or the end of a connection; one that is ready; an input, their failure, or None at their end."""


class _Talk:
    """One conversation: handles inputs, messages and time one after another."""

    def __init__(self, service: SocketRealtime, context: Context, detects: bool) -> None:
        self.service, self._detects = service, detects
        self.over = False
        self.inbox = asyncio.Queue[_Item](1024)
        self._clock = asyncio.get_running_loop().time
        self._connection: RealtimeConnection | None = None
        self._unanswered = UnansweredInputs(context, service.input_rate * 2, detects)
        self._answer = AnswerSoFar(service.output_rate * 2, self._clock, speaks=service.speaks)
        self._responses = ResponseRequests()
        self._losses = deque[float](maxlen=LOSSES)  # when connections were lost
        self._spare = SpareConnection(lambda opened: self.inbox.full() or self.inbox.put_nowait(opened))
        self._ends = ConnectionEnds()
        self._calls = OpenCalls()
        self._leaving = set[asyncio.Task[None]]()

    async def connect(self) -> None:
        """Open the first connection."""
        self._use(await self._dial(None))

    async def hang_up(self) -> None:
        """Close all connections."""
        await self._spare.drop()
        if (connection := self._connection) is not None:
            self._connection = None
            await connection.close()
        await asyncio.gather(*self._leaving, return_exceptions=True)

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
            case (RealtimeConnection() as connection, said):
                if connection is not self._connection:
                    self._spare.receive(connection, said)
                    return []
                if isinstance(said, TheyErred):
                    raise said
                events: list[RealtimeEvent] = []
                for event in connection.codec.read(said):
                    events += await self._event(connection, event)
                return events
            case asyncio.Task() | None:
                self.over = item is None  # `_tend` uses a task
            case BaseException():
                raise item
            case _:
                return await self._input(item)
        return []

    # Towards the vendor

    async def _input(self, item: RealtimeInput) -> list[RealtimeEvent]:
        self._unanswered.add(item)
        match item:
            case Remember():
                self._answer.remember(item)
                await self._put(item)
                if self._connection is not None and self._connection.codec.outdated:
                    self._ends.renew_at = self._clock()
            case Respond() | Say():
                await self._request(item)
            case CutShort():
                return await self._interrupt(self._answer.cut(item))
            case ToolOutput():
                await self._tell_result(item)
            case _:
                self._responses.owed &= not isinstance(item, SpeechOver | UserWords)
                await self._put(item)
        return []

    async def _tell_result(self, item: ToolOutput) -> None:
        """Tell a result, in words if the call was made over an earlier connection."""
        if self._calls.ended(item) and self.service.goes_on_after_tools:
            await self._put(UserWords(f"(The tool {item.name} has returned: {item.output})"))
        else:
            await self._put(item)
            self._responses.owed = not self._calls

    async def _request(self, item: Respond | Say) -> None:
        """Ask for a response, now or after the one before it."""
        owed = self._responses.owed and isinstance(item, Respond) and self.service.goes_on_after_tools
        if self._responses.ask(item) and not owed:
            await self._put(item)

    async def _interrupt(self, item: CutShort) -> list[RealtimeEvent]:
        dropped, can_tell = self._responses.interrupt()
        if can_tell:
            await self._put(item)
        return [ResponseBegan(), ResponseOver("cancelled")] * dropped

    async def _put(self, item: RealtimeInput) -> None:
        if self._connection is None:
            raise UnavailableError(f"{self.service.vendor} is not connected")
        await self._connection.send(self._connection.codec.put(item))

    # From the vendor

    async def _event(self, connection: RealtimeConnection, event: CodecEvent) -> list[RealtimeEvent]:
        match event:
            case RealtimeReady():
                return []
            case GoingAway():
                self._ends.renew_at = self._ends.spare_at = self._clock()
                return []
            case Resumable(handle):
                connection.handle = handle or None
                return []
            case MessagesToSend(messages):
                await connection.send(messages)
                return []
            case ResponseBegan():
                goes_on, cancels = self._responses.begin()
                if cancels:
                    await self._put(CutShort(0.0))
                if goes_on:
                    self._unanswered.see(event)
                    return []
            case ResponseOver():
                if (waiting := self._responses.end()) is not None:
                    await self._request(waiting)
            case ToolCall():
                self._calls.add(event)
            case _:
                pass
        told = map(self._unanswered.see, self._answer.see(event))
        return [seen for seen in told if seen is not None]

    # A new connection

    async def _lost(self, error: TheyErred) -> list[RealtimeEvent]:
        """Replace a connection that was lost; raises its error if that cannot help."""
        broken = error.retryable and self._responses.responding
        events = _broken_off(self._responses, self._answer, self._unanswered) if broken else []
        for _ in range(LOSSES):
            now = self._clock()
            if not error.retryable or (len(self._losses) == LOSSES and now < self._losses[0] + STABLE):
                break
            self._losses.append(now)
            try:
                spare = await self._spare.take(self._context)
                return events + await self._replace(spare or await self._dial(None))
            except TheyErred as again:
                error = again
                await asyncio.sleep(AGAIN_AFTER)
        raise error

    async def _replace(self, connection: RealtimeConnection) -> list[RealtimeEvent]:
        """Go on over another connection, and let it hear what was not answered."""
        if self._connection is not None:
            self._leave(self._connection)
        self._use(connection)
        self._calls.lose()
        dropped = self._responses.move()
        if connection.codec.carries_context:
            for item in self._unanswered.go_on():
                await self._put(item)
            return []
        self._responses.forget_waiting()
        items, owed = self._unanswered.items(), self._responses.owed and self.service.goes_on_after_tools
        self._responses.owed = False
        if owed and Respond() not in items:
            items.append(Respond())
        for item in items:
            if isinstance(item, Respond | Say):
                await self._request(item)
            else:
                await self._put(item)
        return [ResponseBegan(), ResponseOver("cancelled")] if dropped else []

    def _leave(self, connection: RealtimeConnection) -> None:
        """Close a connection while the next one is used already."""
        leaving = asyncio.create_task(connection.close())
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)

    def _use(self, connection: RealtimeConnection) -> None:
        self._connection = connection
        self._unanswered.lead = connection.codec.tells_within
        self._ends = ConnectionEnds.of(connection)

    @property
    def _context(self) -> Context:
        """The conversation that a new connection begins from."""
        return self._answer.after(self._unanswered.context)

    async def _dial(self, handle: str | None) -> RealtimeConnection:
        codec, context = self.service.codec(self._detects, handle), self._context
        dialled = self.service.dial(context, handle, codec)
        return await open_connection(self.service.vendor, dialled, codec, context, self._receive)

    async def _receive(self, connection: RealtimeConnection, said: Message | TheyErred) -> None:
        await self.inbox.put((connection, said))

    @property
    def _idle(self) -> bool:
        """True if no response is being made or waited for, and no tool works."""
        return self._responses.none and not self._calls

    @property
    def _pausing(self) -> bool:
        """True if nobody speaks, and a new connection would know all that was said."""
        resumes = self._connection is not None and self._connection.handle is not None
        silent = self._idle and not self._unanswered and self._unanswered.is_quiet()
        return silent and (resumes or self._answer.is_over)

    def _next_due(self) -> float | None:
        due, ends = self._connection and self._connection.due, self._ends
        dues = (due, ends.next(self._clock(), self._answer.heard_by))
        return min((due for due in dues if due is not None), default=None)

    async def _settled(self) -> list[RealtimeEvent]:
        if (connection := self._connection) is None:
            return []
        return [one for event in await connection.tend() for one in await self._event(connection, event)]

    async def _tend(self) -> None:
        """Replace the connection before its time is over, or have another ready."""
        now, connection, ends = self._clock(), self._connection, self._ends
        if connection is None or not ends.are_due(now) or not (self._pausing or ends.spare_due(now)):
            return
        if connection.handle is not None and self._pausing and not self._spare:
            self._connection = None  # what is put in meanwhile waits
            await self._replace(await _resumed(self._dial, connection, connection.handle))
            return
        if self._spare.is_open and (self._pausing or (self._idle and not self._detects)):
            if (spare := await self._spare.take(self._context)) is not None:
                await self._replace(spare)
                return
            if self._spare.failed:
                ends.put_off(now + RENEWED_AGAIN)
                return
        if not self._spare:
            self._spare.open(self._dial(None))


def _broken_off(
    responses: ResponseRequests, answer: AnswerSoFar, unanswered: UnansweredInputs
) -> list[RealtimeEvent]:
    """Return what follows if a connection is lost in the middle of a response."""
    responses.responding = False
    if answer.calls or answer.was_cut:  # its tools work, and their results are told; or nobody waits
        over = ResponseOver("cancelled" if answer.was_cut else "completed")
        return [seen for told in answer.see(over) if (seen := unanswered.see(told)) is not None]
    responses.goes_on = True
    unanswered.take_back(*answer.rest(unanswered.asked, detects=unanswered.detects))
    return []


async def _feed(inputs: AsyncIterator[RealtimeInput], inbox: "asyncio.Queue[_Item]") -> None:
    """Put the inputs into the inbox, until they end."""
    try:
        async for item in inputs:
            await inbox.put(item)
        await inbox.put(None)
    except Exception as error:  # noqa: BLE001  raised where the conversation is handled
        await inbox.put(error)


async def _resumed(
    dial: Callable[[str | None], Awaitable[RealtimeConnection]], old: RealtimeConnection, handle: str
) -> RealtimeConnection:
    """Return a connection that goes on with the vendor's conversation.

    A vendor allows one connection for each, so the old one is closed first. If the vendor does not know the
    conversation any more, the new one begins from ours.
    """
    await old.close()
    try:
        return await dial(handle)
    except TheyErred:
        return await dial(None)
