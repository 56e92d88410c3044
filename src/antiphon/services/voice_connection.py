"""A connection to a vendor's voice, and the utterances that it speaks."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import suppress
from itertools import count

from ..errors import BadResponseError, ServiceTimeoutError, TheyErred, UnavailableError
from ..media_queue import MediaQueue
from .given_text import GivenText
from .pcm_reader import PcmReader
from .ports import Speech, Word
from .spoken_pieces import SpokenPieces
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
from .websocket_client import Message, VendorSocket

__all__ = ["Utterance", "VoiceConnection"]

logger = logging.getLogger("antiphon.services")

READY_WITHIN = 3.0  # seconds until the vendor's first message, if it must be waited for
RELEASED_WITHIN = 2.0  # seconds that the vendor may take to confirm that an utterance was cancelled
TICK = 0.5  # seconds between two looks at what is due on a connection
RENEWED_AT = 0.9  # share of the vendor's time limit after which a connection gets no new utterance
MUTE_AFTER = 1.0  # seconds without any message, while there is text to speak
UNREAD = 2.0  # seconds of audio that wait to be read, above which the vendor gets no further text

Event = VoiceEvent | BaseException


class Utterance:
    """One reply, or one try of it, that a connection speaks."""

    def __init__(
        self,
        connection: "VoiceConnection",
        context: str,
        pieces: SpokenPieces,
        sample_rate: int,
        silent_for: float,
    ) -> None:
        self.context = context
        self.begun = False
        """True once text was sent."""
        self.sounded = False
        """True once there was audio."""
        self.over = False
        """True once it is over at the vendor."""
        self.cancelled_at: float | None = None
        self._connection = connection
        self._pieces = pieces
        self._samples = PcmReader(sample_rate, connection.socket.vendor)
        self._events = MediaQueue[Event](
            UNREAD, lambda event: len(event.pcm) / 2 / sample_rate if isinstance(event, Sound) else 0.0
        )
        self._silent_for = silent_for
        self._unended = 0  # pieces that were sent and whose end was not told
        self._all_sent = False
        self._waits_for_text = False
        self._asked_at: float | None = None  # since when the vendor has text to speak and was not heard
        self._is_read = False  # whether the next event is awaited
        self._watchdog: asyncio.TimerHandle | None = None

    def put(self, event: Event) -> None:
        """Add what the vendor says of it, or an error."""
        if isinstance(event, Finished | SpeechRefused):
            self.over = True
        if self.cancelled_at is None:
            self._events.put(event)
        if isinstance(event, PieceEnded):
            self._unended -= 1
            self._end_with_pieces()

    async def speak(self, text: GivenText) -> AsyncGenerator[Speech | Word]:
        """Send the text, and yield its speech."""
        feeding = asyncio.create_task(self._feed(text))
        try:
            while not isinstance(event := await self._next(), Finished):
                for item in self._read(event):
                    if not self.sounded and isinstance(item, Speech):
                        self.sounded = True
                        text.heard()
                    yield item
            for word in self._pieces.finish():
                yield word
        finally:
            if self._watchdog is not None:
                self._watchdog.cancel()
            if not feeding.done():
                feeding.cancel()
                await asyncio.wait([feeding])

    async def release(self) -> None:
        """Give back its place; an utterance that is not over is cancelled at the vendor."""
        if self.waited >= MUTE_AFTER:
            self._connection.is_mute = True
        await self._connection.release(self)

    def end(self) -> None:
        """Finish, if all text was sent: the vendor will say no more."""
        if self._all_sent and not self.over:
            self.put(Finished())

    @property
    def waited(self) -> float:
        """Seconds in which the vendor had text to speak and said nothing at all."""
        if self._asked_at is None or self.over or self._events:
            return 0.0
        connection = self._connection
        return connection.loop.time() - max(self._asked_at, connection.heard_at)

    async def _feed(self, text: GivenText) -> None:
        connection, codec = self._connection, self._connection.codec
        try:
            async for piece in text.pieces():
                if not self._pieces.add(piece):
                    continue  # what vendors answer to "…" differs, and some answer nothing
                start = () if self.begun else codec.start(self.context)
                self.begun = True
                self._waits_for_text = False
                self._unended += 1
                self._ask()
                await connection.send([*start, *codec.text(self.context, piece)])
                while self._events.full:
                    await self._events.room()
                self._waits_for_text = True
            self._waits_for_text = False
            if self.begun:
                self._ask()
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

    def _ask(self) -> None:
        """Note that the vendor has text to speak, and expect to hear it."""
        loop = self._connection.loop
        if self._asked_at is None:
            self._asked_at = loop.time()
        if self._watchdog is None:
            self._watchdog = loop.call_at(self._asked_at + self._silent_for, self._check)

    def _check(self) -> None:
        """End it if the vendor was silent for too long; look again if it may go on."""
        self._watchdog, loop = None, self._connection.loop
        if self._asked_at is None:
            return
        now, due = loop.time(), self._asked_at + self._silent_for
        if not self._is_read:  # what has come may still wait
            due = max(due, now + TICK)
        if now < due:
            self._watchdog = loop.call_at(due, self._check)
            return
        connection = self._connection
        connection.is_mute |= connection.heard_at <= self._asked_at
        vendor = connection.socket.vendor
        self.put(ServiceTimeoutError(f"{vendor} sent no audio for {self._silent_for:g} s"))

    async def _next(self) -> VoiceEvent:
        """Return the next event. Raises what went wrong."""
        if self._events:
            event = await anext(self._events)
        else:
            self._is_read = True
            event = await anext(self._events)
            self._is_read = False
        if isinstance(event, SpeechRefused):
            raise event.error
        if isinstance(event, BaseException):
            raise event
        if self._may_be_quiet:
            self._asked_at = None
        else:
            self._asked_at = self._connection.loop.time()
            self._ask()
        return event

    @property
    def _may_be_quiet(self) -> bool:
        """True if the vendor may have spoken all that it has."""
        return self._waits_for_text and (self._unended <= 0 or not self._connection.codec.marks_pieces)

    def _read(self, event: VoiceEvent) -> Iterable[Speech | Word]:
        match event:
            case Sound(pcm):
                return self._pieces.sound(self._samples.feed(pcm))
            case SpokenWord(text, start, end):
                return self._pieces.word(text, start, end)
            case PieceEnded():
                self._pieces.end_piece()
            case _:
                pass
        return ()


class VoiceConnection:
    """A connection, its utterances, and the tasks that read it and keep it open."""

    def __init__(self, socket: VendorSocket, codec: VoiceCodec) -> None:
        self.socket = socket
        self.codec = codec
        self.loop = asyncio.get_running_loop()
        self.is_closed = False
        self.is_mute = False
        """True once it let an utterance wait without any message: it gets no further one."""
        self.heard_at = socket.opened_at
        self.freed: Callable[[], object] = lambda: None
        """Called when it may have room for an utterance again."""
        self._utterances: dict[str, Utterance] = {}
        self._ids = count(1)
        self._used = False
        self._sent_at = self.loop.time()
        self._sending = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def room(self) -> int:
        """How many utterances it can begin."""
        codec = self.codec
        is_good = (
            not self.is_closed
            and not self.is_mute
            and not any(one.waited >= MUTE_AFTER for one in self._utterances.values())
            and (codec.reusable or not self._used)
            and (codec.lasts is None or self.socket.age < codec.lasts * RENEWED_AT)
            and codec.takes_utterance()
        )
        return codec.contexts - len(self._utterances) if is_good else 0

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

    def begin(self, pieces: SpokenPieces, sample_rate: int, silent_for: float) -> Utterance:
        """Begin an utterance."""
        self._used = True
        context = f"antiphon-{next(self._ids)}"
        utterance = Utterance(self, context, pieces, sample_rate, silent_for)
        self._utterances[context] = utterance
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

    async def release(self, utterance: Utterance) -> None:
        """End an utterance.

        If it was cancelled, its place is free once the vendor has confirmed that.
        """
        if self.is_closed:
            return
        if utterance.over or not utterance.begun:
            self._leave(utterance)
            if not self.codec.reusable:
                await self.close()
            return
        if self.is_mute:
            self._leave(utterance)
            if not self._utterances:
                await self.close(UnavailableError(f"{self.socket.vendor} went silent"))
            return
        utterance.cancelled_at = self.loop.time()
        if not self.codec.confirms_cancel:
            self._leave(utterance)
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
        await self.socket.close(abruptly=self.is_mute or isinstance(error, ServiceTimeoutError))

    def _leave(self, utterance: Utterance) -> None:
        self._utterances.pop(utterance.context, None)
        self.freed()

    async def _receive(self) -> None:
        socket, codec = self.socket, self.codec
        try:
            while True:
                message = await socket.receive()
                self.heard_at = self.loop.time()
                for event in codec.read(message):
                    if isinstance(event, MessagesDue):
                        await self.send(event.messages)
                    elif not isinstance(event, VoiceReady):
                        self._dispatch(event)
        except TheyErred as error:
            if codec.ends_by_closing and socket.ended:
                for utterance in self._utterances.values():
                    utterance.end()
            await self.close(error)
        except Exception as error:  # a codec that is wrong must not let replies wait in vain
            logger.exception("%s: a message could not be read", socket.vendor)
            await self.close(BadResponseError(f"{socket.vendor} sent what could not be read: {error!r}"))

    def _dispatch(self, event: VoiceEvent) -> None:
        assert not isinstance(event, VoiceReady | MessagesDue)
        if event.context is None:
            utterance = next(iter(self._utterances.values()), None)
        else:
            utterance = self._utterances.get(event.context)
        if utterance is not None:  # else it is over, and this came late
            utterance.put(event)
            if utterance.cancelled_at is not None and utterance.over:
                self._leave(utterance)

    async def _tend(self) -> None:
        """Keep the connection open, and give up what the vendor does not confirm."""
        codec = self.codec
        try:
            while True:
                await asyncio.sleep(TICK)
                now = self.loop.time()
                for utterance in list(self._utterances.values()):
                    if utterance.cancelled_at is not None and now > utterance.cancelled_at + RELEASED_WITHIN:
                        self._leave(utterance)
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
