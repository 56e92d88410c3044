"""The driver for text to speech over websockets, shared by all conversations.

A vendor is a `SocketTTS`, which says how to connect, and a `VoiceCodec`, which says what to send for a
piece of text and what messages mean. The codec opens no socket and has no clock. Written once, here: a
connection that is ready before the first reply, many utterances on one socket or one on each, their true
number until the vendor has acknowledged the end, cancelling at the vendor, keep-alive, audio of an utterance
that is gone, which audio speaks which piece, a vendor that goes silent.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import suppress
from itertools import count

from ..errors import BadResponseError, ServiceTimeoutError, TheyErred, UnavailableError
from .keys import VendorKey
from .pcm_reader import PcmReader
from .ports import Speech, TextToSpeech, Word
from .spoken_pieces import SpeakingPace, SpokenPieces
from .voice_codec import (
    Finished,
    MessagesDue,
    PieceEnded,
    Sound,
    SpeechRefused,
    SpokenWord,
    VoiceCodec,
    VoiceEvent,
    VoiceReady,
)
from .websocket_client import Handshake, Message, VendorSocket, dial, load_websockets

__all__ = ["SocketTTS"]

logger = logging.getLogger("antiphon.services")

READY_WITHIN = 3.0  # seconds until the vendor's first message, if it must be waited for
RELEASED_WITHIN = 2.0  # seconds that the vendor may take to confirm that an utterance was cancelled
TICK = 0.5  # seconds between two looks at what is due on a connection
RENEWED_AT = 0.9  # share of the vendor's time limit after which a connection gets no new utterance


class SocketTTS(TextToSpeech):
    """Text to speech over websockets.

    A vendor derives from it, and adds `handshake` and `codec`.
    """

    sample_rate = 24000
    silent_for = 2.0
    """Seconds that a vendor may take for the next audio while it has text to speak."""

    def __init__(self, vendor: str, key: VendorKey) -> None:
        self.vendor = vendor
        self.key = key
        self._connections: list[_Connection] = []
        self._warming: asyncio.Task[None] | None = None
        self._opened = False
        self._pace = SpeakingPace()

    async def handshake(self) -> Handshake:
        """Return what opens a connection."""
        raise NotImplementedError

    def codec(self) -> VoiceCodec:
        """Return the codec of a new connection."""
        raise NotImplementedError

    async def load(self) -> None:
        """Import the websocket library."""
        await load_websockets(self.vendor)

    async def open(self) -> None:
        """Check the key, and begin to connect for the first reply."""
        self.key.check()
        await self.load()
        self._opened = True
        self._stay_ready()

    async def close(self) -> None:
        """Close the connections; replies that are still spoken fail."""
        self._opened = False
        if (early := self._early) is not None:
            early.cancel()
            await asyncio.wait([early])
        connections, self._connections = self._usable(), []
        for connection in connections:
            await connection.close(UnavailableError(f"the connection to {self.vendor} was closed"))

    async def speak(self, text: AsyncIterator[str]) -> AsyncGenerator[Speech | Word]:
        """Speak the pieces of one reply; closing the iterator stops the vendor.

        A connection that fails before there was any audio is replaced once: it may have died unnoticed.
        """
        await self.open()
        given = _GivenText(text)
        try:
            for tries_left in (1, 0):
                utterance = (await self._with_room()).begin(self)
                try:
                    async for item in utterance.speak(given, self.silent_for):
                        yield item
                    return
                except UnavailableError:
                    if utterance.sounded or not tries_left:
                        raise
                finally:
                    await utterance.release()
        finally:
            await given.close()
            self._stay_ready()

    def pieces(self, codec: VoiceCodec) -> SpokenPieces:
        """Return the pieces of a new utterance."""
        return SpokenPieces(
            self.sample_rate, self._pace, marked=codec.marks_pieces, restarting=codec.times_restart
        )

    def _stay_ready(self) -> None:
        """Begin to connect if no connection is left: the next reply should not wait."""
        if self._opened and self._early is None and not self._usable():
            self._warming = asyncio.create_task(self._warm(), name=f"antiphon {self.vendor}")

    @property
    def _early(self) -> "asyncio.Task[None] | None":
        """The task that connects early, if it runs, in this event loop."""
        task = self._warming
        if task is None or task.done() or task.get_loop() is not asyncio.get_running_loop():
            return None
        return task

    def _usable(self) -> "list[_Connection]":
        """Return the connections that are open, in this event loop."""
        loop = asyncio.get_running_loop()
        self._connections = [one for one in self._connections if one.loop is loop and not one.is_closed]
        return self._connections

    async def _with_room(self) -> "_Connection":
        """Return a connection that can begin an utterance."""
        if (early := self._early) is not None:
            await asyncio.wait([early])
        for connection in self._usable():
            if connection.has_room:
                return connection
        return await self._connect()

    async def _connect(self) -> "_Connection":
        """Open a connection. Raises UnavailableError if the service was closed meanwhile."""
        codec = self.codec()
        socket = await dial(self.vendor, await self.handshake(), key_name=self.key.name, closed=codec.closed)
        connection = _Connection(socket, codec)
        try:
            await connection.make_ready()
            if not self._opened:
                raise UnavailableError(f"{self.vendor} was closed")
        except BaseException:
            await connection.close()
            raise
        self._connections.append(connection)
        return connection

    async def _warm(self) -> None:
        try:
            await self._connect()
        except TheyErred as error:  # the first reply tries again, and fails aloud
            logger.info("%s: could not connect early: %s", self.vendor, error)


# The driver ------------------------------------------------------------------------------------------


class _GivenText:
    """The pieces of a reply, as they come; they can be read again from the beginning."""

    def __init__(self, text: AsyncIterator[str]) -> None:
        self._pieces: list[str] = []
        self._more = asyncio.Event()
        self._over = False
        self._error: Exception | None = None
        self._pulling = asyncio.create_task(self._pull(text))

    async def _pull(self, text: AsyncIterator[str]) -> None:
        try:
            async for piece in text:
                self._pieces.append(piece)
                self._more.set()
        except Exception as error:  # noqa: BLE001  raised where the text is read
            self._error = error
        self._over = True
        self._more.set()

    async def __aiter__(self) -> AsyncGenerator[str]:
        at = 0
        while True:
            while at < len(self._pieces):
                yield self._pieces[at]
                at += 1
            if self._over:
                break
            self._more.clear()
            await self._more.wait()
        if self._error is not None:
            raise self._error

    async def close(self) -> None:
        """Take no more pieces."""
        self._pulling.cancel()
        await asyncio.wait([self._pulling])


class _Utterance:
    """One reply, or one try of it, that a connection speaks."""

    def __init__(self, connection: "_Connection", context: str, service: SocketTTS) -> None:
        self.context = context
        self.sounded = False
        """True once there was audio."""
        self.over = False
        """True once it is over at the vendor."""
        self.cancelled_at: float | None = None
        self._connection = connection
        self._pieces = service.pieces(connection.codec)
        self._samples = PcmReader(service.sample_rate, service.vendor)
        self._events = asyncio.Queue[VoiceEvent | BaseException | None]()
        self.begun = False
        """True once text was sent."""
        self._unended = 0  # pieces that were sent and whose end was not told
        self._all_sent = False
        self._waits_for_text = False
        self._asked_at: float | None = None  # since when the vendor has text to speak and was not heard

    def put(self, event: VoiceEvent | BaseException | None) -> None:
        """Add what the vendor says of it, or an error; None means that it has text."""
        if isinstance(event, PieceEnded):
            self._unended -= 1
        self.over = self.over or isinstance(event, Finished | SpeechRefused)
        if self.cancelled_at is None:
            self._events.put_nowait(event)
        if isinstance(event, PieceEnded):
            self._end_with_pieces()

    async def speak(self, text: _GivenText, silent_for: float) -> AsyncGenerator[Speech | Word]:
        """Send the text, and yield its speech."""
        feeding = asyncio.create_task(self._feed(text))
        try:
            while not isinstance(event := await self._next(silent_for), Finished):
                for item in self._read(event):
                    self.sounded = self.sounded or isinstance(item, Speech)
                    yield item
            for word in self._pieces.finish():
                yield word
        finally:
            feeding.cancel()
            await asyncio.wait([feeding])

    async def release(self) -> None:
        """Give back its place; an utterance that is not over is cancelled at the vendor."""
        await self._connection.release(self)

    async def _feed(self, text: _GivenText) -> None:
        connection, codec = self._connection, self._connection.codec
        try:
            async for piece in text:
                if not self._pieces.add(piece):
                    continue  # what vendors answer to "…" differs, and some answer nothing
                start = () if self.begun else codec.start(self.context)
                self.begun = True
                self._waits_for_text = False
                self._unended += 1
                self.put(None)
                await connection.send([*start, *codec.text(self.context, piece)])
                self._waits_for_text = True
            self._waits_for_text = False
            if self.begun:
                self.put(None)
                await connection.send(codec.finish(self.context))
                self._all_sent = True
                self._end_with_pieces()
            else:
                self.put(Finished())
        except Exception as error:  # noqa: BLE001  raised where the speech is read
            self.put(error)

    def _end_with_pieces(self) -> None:
        if self._connection.codec.ends_with_pieces and self._unended <= 0:
            self.end()

    def end(self) -> None:
        """Finish, if all text was sent: the vendor will say no more."""
        if self._all_sent and not self.over:
            self.put(Finished())

    async def _next(self, silent_for: float) -> VoiceEvent:
        """Return the next event. Raises ServiceTimeoutError if the vendor goes silent."""
        now = asyncio.get_running_loop().time
        while True:
            event = await self._event(silent_for) if self._events.empty() else self._events.get_nowait()
            match event:
                case None:
                    self._asked_at = self._asked_at or now()
                case BaseException():
                    raise event
                case SpeechRefused(error):
                    raise error
                case _:
                    self._asked_at = None if self._may_be_quiet else now()
                    return event

    async def _event(self, silent_for: float) -> VoiceEvent | BaseException | None:
        due = None if self._asked_at is None else self._asked_at + silent_for
        try:
            async with asyncio.timeout_at(due):
                return await self._events.get()
        except TimeoutError as error:
            connection = self._connection
            connection.is_mute |= due is not None and connection.heard_at < due - silent_for
            raise ServiceTimeoutError(
                f"{connection.socket.vendor} sent no audio for {silent_for:g} s"
            ) from error

    @property
    def _may_be_quiet(self) -> bool:
        """True if the vendor may have spoken all that it has."""
        marked = self._connection.codec.marks_pieces
        return self._waits_for_text and (self._unended <= 0 or not marked)

    def _read(self, event: VoiceEvent) -> Iterable[Speech | Word]:
        match event:
            case Sound(pcm):
                yield from self._pieces.sound(self._samples.feed(pcm))
            case SpokenWord(text, start, end):
                yield from self._pieces.word(text, start, end)
            case PieceEnded():
                self._pieces.end_piece()
            case _:
                pass


class _Connection:
    """A connection, its utterances, and the tasks that read it and keep it open."""

    def __init__(self, socket: VendorSocket, codec: VoiceCodec) -> None:
        self.socket = socket
        self.codec = codec
        self.loop = asyncio.get_running_loop()
        self.is_closed = False
        self.is_mute = False
        """True once it let an utterance wait without any message: it gets no further one."""
        self.heard_at = socket.opened_at
        self._utterances: dict[str, _Utterance] = {}
        self._ids = count(1)
        self._used = False
        self._sent_at = self.loop.time()
        self._sending = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def has_room(self) -> bool:
        """True if it can begin an utterance."""
        codec = self.codec
        return (
            not self.is_closed
            and not self.is_mute
            and len(self._utterances) < codec.contexts
            and (codec.reusable or not self._used)
            and (codec.lasts is None or self.socket.age < codec.lasts * RENEWED_AT)
            and codec.takes_utterance()
        )

    async def make_ready(self) -> None:
        """Begin the conversation with the vendor, and wait until it takes text."""
        codec, socket = self.codec, self.socket
        await socket.send(codec.begin())
        try:
            async with asyncio.timeout(READY_WITHIN):
                ready = not codec.waits_for_ready
                while not ready:
                    for event in codec.read(await socket.receive()):
                        if isinstance(event, MessagesDue):
                            await socket.send(event.messages)
                        ready = ready or isinstance(event, VoiceReady)
        except TimeoutError as error:
            raise ServiceTimeoutError(f"{socket.vendor} was not ready within {READY_WITHIN:g} s") from error
        self._tasks = [asyncio.create_task(self._receive()), asyncio.create_task(self._tend())]

    def begin(self, service: SocketTTS) -> _Utterance:
        """Begin an utterance."""
        self._used = True
        context = f"antiphon-{next(self._ids)}"
        utterance = self._utterances[context] = _Utterance(self, context, service)
        return utterance

    async def send(self, messages: Iterable[Message]) -> None:
        """Send messages that belong together. If that fails, the connection is closed."""
        try:
            async with self._sending:
                self._sent_at = self.loop.time()
                await self.socket.send(messages)
        except TheyErred as error:
            await self.close(error)
            raise

    async def release(self, utterance: _Utterance) -> None:
        """End an utterance.

        If it was cancelled, its place is free once the vendor has confirmed that.
        """
        if self.is_closed:
            return
        if utterance.over or not utterance.begun:
            self._utterances.pop(utterance.context, None)
            if not self.codec.reusable:
                await self.close()
            return
        utterance.cancelled_at = self.loop.time()
        if not self.codec.confirms_cancel:
            del self._utterances[utterance.context]
        messages = list(self.codec.cancel(utterance.context))
        if not messages and self.codec.contexts == 1:
            await self.close()
            return
        with suppress(TheyErred):
            await self.send(messages)

    async def close(self, error: TheyErred | None = None) -> None:
        """Close the connection; its utterances fail with the error."""
        self.is_closed = True
        for utterance in self._utterances.values():
            utterance.put(error or UnavailableError(f"the connection to {self.socket.vendor} was closed"))
        self._utterances.clear()
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()
        await self.socket.close()

    async def _receive(self) -> None:
        try:
            while True:
                message = await self.socket.receive()
                self.heard_at = self.loop.time()
                for event in self.codec.read(message):
                    if isinstance(event, MessagesDue):
                        await self.send(event.messages)
                    else:
                        self._dispatch(event)
        except TheyErred as error:
            if self.codec.ends_by_closing and self.socket.ended:
                for utterance in self._utterances.values():
                    utterance.end()
            await self.close(error)
        except Exception as error:  # a codec that is wrong must not let replies wait in vain
            logger.exception("%s: a message could not be read", self.socket.vendor)
            await self.close(BadResponseError(f"{self.socket.vendor} sent what could not be read: {error!r}"))

    def _dispatch(self, event: VoiceEvent) -> None:
        if isinstance(event, VoiceReady | MessagesDue):
            return
        if event.context is None:
            utterance = next(iter(self._utterances.values()), None)
        else:
            utterance = self._utterances.get(event.context)
        if utterance is not None:  # else it is over, and this came late
            utterance.put(event)
            if utterance.cancelled_at is not None and utterance.over:
                del self._utterances[utterance.context]

    async def _tend(self) -> None:
        """Keep the connection open, and give up what the vendor does not confirm."""
        codec = self.codec
        try:
            while True:
                await asyncio.sleep(TICK)
                now = self.loop.time()
                for utterance in list(self._utterances.values()):
                    if utterance.cancelled_at is not None and now > utterance.cancelled_at + RELEASED_WITHIN:
                        del self._utterances[utterance.context]
                        if codec.contexts == 1:
                            raise UnavailableError(f"{self.socket.vendor} does not stop speaking")
                unused = self.is_mute or now > self._sent_at + codec.unused_for
                if unused and not self._utterances:
                    await self.close()
                    return
                if codec.keep_alive_every is not None and now > self._sent_at + codec.keep_alive_every:
                    await self.send(codec.keep_alive())
        except TheyErred as error:
            await self.close(error)
