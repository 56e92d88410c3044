"""The driver for speech to text over a websocket, one for each conversation.

A vendor is a `SocketSTT`, which says how to connect, and a `RecognitionCodec`, which says what to send and
what messages mean. The codec opens no socket and has no clock. Written once, here: connecting early, waiting
for the vendor's first message, keep-alive, the answer to a Flush also from a vendor that does not answer it,
a lost connection that is opened again and hears the utterance once more, renewal before the vendor's time
limit, messages of the length that the vendor wants, silence for a vendor that ends an utterance only by it,
the words that are still to come when the conversation ends.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import suppress

from ..errors import ServiceTimeoutError, TheyErred, UnavailableError
from .answered_words import after_answered
from .keys import VendorKey
from .ports import AudioChunk, Flush, Recognized, SpeechToText, TurnHint
from .recognition_codec import (
    Drained,
    Flushed,
    Ready,
    RecognitionCodec,
    RecognitionEvent,
    Settled,
    Tentative,
    UtteranceEnded,
)
from .recognition_connection import RecognitionConnection
from .websocket_client import Handshake, Message, VendorSocket, dial, load_websockets

__all__ = ["SocketSTT"]

logger = logging.getLogger("antiphon.services")

READY_WITHIN = 3.0  # seconds until the vendor's first message, if it must be waited for
DRAINED_WITHIN = 2.0  # seconds for the last words when the conversation is over
STABLE = 5.0  # seconds in which a lost connection is opened again at once only one time
KEPT = 30.0  # seconds of audio of one utterance that are sent again over a new connection
QUIET_KEPT = 5.0  # seconds of audio kept while there are no words: a vendor may take a while for the first
CURRENT = 0.2  # seconds after its last message in which the vendor's words are those of all that was said
LIVE = 1.0  # seconds of audio that come at once at most, unless it is heard again
NEWS = 1.0  # seconds after the end of an utterance in which a flush brings no more words
RENEWAL_AGAIN = 5.0  # seconds after a renewal that failed


class SocketSTT(SpeechToText):
    """Speech to text over a websocket.

    A vendor derives from it, and adds `handshake` and `codec`.
    """

    sample_rate = 16000
    segmented = False
    answered_within = 1.6
    chunk = 0.05
    """Seconds of audio in one message; only the last before a flush is shorter."""

    def __init__(self, vendor: str, key: VendorKey, model: str = "") -> None:
        self.vendor = vendor
        self.model = model
        self.key = key

    async def handshake(self) -> Handshake:
        """Return what opens a connection."""
        raise NotImplementedError

    def codec(self) -> RecognitionCodec:
        """Return the codec of a new connection."""
        raise NotImplementedError

    async def connect(self, codec: RecognitionCodec) -> VendorSocket:
        """Open a connection. The default dials what `handshake` says."""
        return await dial(self.vendor, await self.handshake(), key_name=self.key.name, closed=codec.closed)

    async def load(self) -> None:
        """Import the websocket library."""
        await load_websockets(self.vendor)

    async def open(self) -> None:
        """Check the key; connections are made by each conversation."""
        self.key.check()
        await self.load()

    async def transcribe(
        self, audio: AsyncIterator[AudioChunk | Flush]
    ) -> AsyncGenerator[Recognized | TurnHint]:
        """Transcribe one conversation over a connection of its own.

        A connection that is lost is replaced, and hears the utterance again. If that happens twice within
        five seconds, or the vendor stalls, the error is raised: the stage tries again, or a `Switch` lets
        another vendor hear it.
        """
        await self.open()
        listener = _Listener(self)
        feeding = asyncio.create_task(_feed(audio, listener.inbox))
        try:
            await listener.connect()
            while not listener.over:
                for heard in await listener.step():
                    yield heard
        finally:
            feeding.cancel()
            await listener.hang_up()
            with suppress(asyncio.CancelledError, Exception):
                await feeding


# The driver ------------------------------------------------------------------------------------------


_Input = tuple[RecognitionConnection, Message | TheyErred] | AudioChunk | Flush | BaseException | None
"""A message or the end of a connection; an item of the conversation, its failure, or None at its end."""


class _Listener:
    """One conversation: handles audio, messages and time one after another."""

    def __init__(self, service: SocketSTT) -> None:
        self.service = service
        self.over = False
        self.inbox = asyncio.Queue[_Input](256)
        self._clock = asyncio.get_running_loop().time
        self._connection: RecognitionConnection | None = None
        self._utterance = _Utterance()
        self._answered = ""  # words that were answered before the vendor had ended its utterance
        self._answered_by: RecognitionConnection | None = None
        self._flushes = 0  # final flushes that have not been answered
        self._spoken = 0.0  # seconds of speech before the newest flush, as far as the VAD tells
        self._has_missed = False  # True if there is audio of the utterance that the vendor cannot hear
        self._flush_due: float | None = None
        self._replaced_at = -STABLE  # when a lost connection was replaced last
        self._ended_at = -NEWS  # when the vendor ended an utterance last
        self._drains = True  # False for a vendor that has no last message
        self._ending: float | None = None  # by when the last words must have come
        self._kept = _KeptAudio(service.sample_rate * 2)

    @property
    def _is_speech(self) -> bool:
        """Whether there is an utterance, as far as the vendor tells."""
        return bool(self._utterance.text or self._flushes or not self._open().codec.tells_interim)

    async def connect(self) -> None:
        """Open a connection, and wait until it takes audio."""
        self._connection = await _connected(self.service, self.inbox)

    async def hang_up(self) -> None:
        """Close the connection."""
        if (connection := self._connection) is not None:
            self._connection = None
            await connection.close()

    async def step(self) -> list[Recognized | TurnHint]:
        """Wait for the next input or time limit, and return what is heard by it."""
        now = self._clock()
        try:
            if any(due is not None and due <= now for due in (self._flush_due, self._ending)):
                return await self._time()  # also while the inbox is never empty
            try:
                async with asyncio.timeout_at(self._next_due()):
                    item = await self.inbox.get()
            except TimeoutError:
                return await self._time()
            return await self._handle(item)
        except TheyErred as error:
            return await self._lost(error)

    async def _handle(self, item: _Input) -> list[Recognized | TurnHint]:
        match item:
            case AudioChunk(pcm):
                await self._hear(pcm)
            case Flush(final, spoken):
                return await self._flush(final, spoken)
            case (RecognitionConnection() as connection, said):
                if connection is self._connection:
                    connection.heard_at = self._clock()
                    if isinstance(said, TheyErred):
                        raise said
                    return [heard for event in connection.codec.read(said) for heard in self._heard(event)]
            case None:
                await self._end()
            case error:
                raise error
        return []

    # Towards the vendor

    async def _hear(self, pcm: bytes) -> None:
        connection = self._open()
        if not connection.codec.hears_faster and len(pcm) > LIVE * self.service.sample_rate * 2:
            self._has_missed = True
            return
        if connection is not self._answered_by:
            self._answered = ""  # another connection does not say it again
        self._kept.add(pcm, KEPT if self._is_speech else QUIET_KEPT)
        await connection.send(pcm)
        if connection.is_mute and not connection.may_be_mute:
            await self._replace_mute(connection)

    async def _flush(self, final: bool, spoken: float) -> list[Recognized | TurnHint]:
        connection = self._open()
        if not final:
            is_current = connection.heard_at > self._clock() - CURRENT
            return [*self._utterance.interim()] if is_current else []
        if self._has_missed:
            raise UnavailableError(f"{self.service.vendor} cannot hear an utterance again")
        self._flushes += 1
        messages = list(connection.codec.flush())
        if not messages and not self._utterance.text and self._clock() - self._ended_at < NEWS:
            return [self._final()]  # the vendor has just ended the utterance by itself
        self._spoken = spoken
        await self._ask(connection, messages)
        return []

    async def _ask(self, connection: RecognitionConnection, messages: list[Message]) -> None:
        self._flush_due = self._clock() + connection.codec.flush_answered_within
        await connection.flush(messages)

    async def _end(self) -> None:
        connection = self._open()
        self._ending = self._clock() + DRAINED_WITHIN
        await connection.send(b"", rest=True)
        messages = list(connection.codec.end())
        await connection.socket.send(messages)
        self._drains = bool(messages)
        self.over = not self._drains and not self._flushes

    def _open(self) -> RecognitionConnection:
        if self._connection is None:
            raise UnavailableError(f"{self.service.vendor} is not connected")
        return self._connection

    # From the vendor

    def _heard(self, event: RecognitionEvent) -> Iterable[Recognized | TurnHint]:
        utterance = self._utterance
        match event:
            case Settled(text, joint, language):
                utterance.settle(self._news(text), joint, language)
                self._answered = after_answered(text, self._answered)
                yield from self._utterance.interim()
            case Tentative(text, joint):
                utterance.guess(self._news(text), joint)
                yield from self._utterance.interim()
            case UtteranceEnded(text, language):
                is_old = bool(text and self._answered and not self._news(text))
                self._complete(text, language)
                self._ended_at = self._clock()
                if utterance.text or (self._flushes and not is_old):
                    yield self._final()
            case Flushed(text, language):
                self._complete(text, language)
                if self._flushes:
                    yield self._final()
                else:
                    self._flush_due = None
                    yield from self._utterance.interim()
            case TurnHint():
                yield event
            case Drained():
                yield from self._over()
            case Ready():
                pass

    def _news(self, text: str) -> str:
        """Return a text without the words at its beginning that were answered already."""
        return after_answered(self._answered, text) if self._answered else text

    def _complete(self, text: str | None, language: str | None) -> None:
        """Note that the vendor has ended its utterance, and its words if repeated."""
        self._utterance.whole(None if text is None else self._news(text), language)
        self._answered = ""

    def _final(self) -> Recognized:
        """Return the utterance as the answer to the oldest flush, and begin another."""
        answer = Recognized(self._utterance.text, True, self._utterance.language)
        self._utterance = _Utterance()
        self._flushes = max(0, self._flushes - 1)
        if not self._flushes:
            self._flush_due = None
            self._kept.clear()
            self.over = self.over or not self._drains
        return answer

    def _over(self) -> Iterable[Recognized]:
        """End the conversation: whatever was asked is answered with what was heard."""
        self.over = True
        while self._flushes:
            yield self._final()
        if self._utterance.text:
            yield self._final()

    # Time

    def _next_due(self) -> float | None:
        dues = [self._flush_due, self._ending]
        if (connection := self._connection) is not None:
            dues += [connection.keep_alive_due, connection.renewal_due(self._is_speech)]
        return min((due for due in dues if due is not None), default=None)

    async def _time(self) -> list[Recognized | TurnHint]:
        now, connection = self._clock(), self._open()
        if self._ending is not None and now >= self._ending:
            return list(self._over())
        if self._flush_due is not None and now >= self._flush_due:
            self._flush_due = None
            if self._flushes:
                if connection.has_stalled(self._utterance.text, self._spoken):
                    raise ServiceTimeoutError(f"{self.service.vendor} does not answer any more")
                self._answered += " " + self._utterance.tentative
                self._answered_by = connection
                connection.give_up_answer(self._utterance.text)
            return [self._final() for _ in range(self._flushes)]
        if (due := connection.renewal_due(self._is_speech)) is not None and now >= due:
            await self._renew(connection)
        elif (due := connection.keep_alive_due) is not None and now >= due:
            connection.sent_at = now
            await connection.socket.send(connection.codec.keep_alive())
        return []

    async def _renew(self, old: RecognitionConnection) -> None:
        """Replace a connection, without a gap, unless there is no other to be had."""
        try:
            await self.connect()
        except TheyErred as error:
            logger.warning("%s: a connection could not be renewed: %s", self.service.vendor, error)
            old.renewed_from = self._clock() + RENEWAL_AGAIN
            return
        if old.codec.hears_faster:
            await self._send_again()
        await old.close()

    async def _replace_mute(self, old: RecognitionConnection) -> None:
        """Replace a connection that says nothing, and let another hear the utterance.

        If that is quiet too, there may be nothing to say: missing words are noticed when they are asked for.
        """
        if self._utterance.text or not old.codec.hears_faster:
            raise ServiceTimeoutError(f"{self.service.vendor} says nothing any more")
        await self.hang_up()
        await self.connect()
        self._open().may_be_mute = True
        await self._send_again()

    async def _lost(self, error: TheyErred) -> list[Recognized | TurnHint]:
        """Open the connection again after a failure, or raise it."""
        lost = self._connection
        await self.hang_up()
        if self._ending is not None:
            return list(self._over())
        is_again = self._clock() - self._replaced_at < STABLE
        has_stalled = isinstance(error, ServiceTimeoutError)  # the caller may be waiting already
        if lost is None or has_stalled or is_again or not (error.retryable and lost.codec.hears_faster):
            raise error
        self._replaced_at = self._clock()
        await self.connect()
        await self._send_again()
        return []

    async def _send_again(self) -> None:
        """Let a new connection hear the utterance from its beginning."""
        self._utterance, connection = _Utterance(), self._open()
        await connection.send(self._kept.whole())
        if self._flushes:
            await self._ask(connection, list(connection.codec.flush()))


async def _feed(audio: AsyncIterator[AudioChunk | Flush], inbox: "asyncio.Queue[_Input]") -> None:
    """Put the conversation's audio into the inbox, until it ends."""
    try:
        async for item in audio:
            await inbox.put(item)
        await inbox.put(None)
    except Exception as error:  # noqa: BLE001  raised where the conversation is handled
        await inbox.put(error)


async def _connected(service: SocketSTT, inbox: "asyncio.Queue[_Input]") -> RecognitionConnection:
    """Open a connection, and wait until it takes audio."""
    codec = service.codec()
    socket = await service.connect(codec)
    try:
        async with asyncio.timeout(READY_WITHIN):
            if codec.waits_for_greeting:
                list(codec.read(await socket.receive()))
            await socket.send(codec.begin())
            while codec.waits_for_ready:
                if any(isinstance(event, Ready) for event in codec.read(await socket.receive())):
                    break
    except BaseException as error:
        await socket.close()
        if isinstance(error, TimeoutError):
            raise ServiceTimeoutError(f"{service.vendor} was not ready within {READY_WITHIN:g} s") from error
        raise
    return RecognitionConnection(socket, codec, service, inbox.put)


class _Utterance:
    """The words of an utterance: those that are settled, and those that may change."""

    def __init__(self) -> None:
        self.language: str | None = None
        self._settled = ""
        self.tentative = ""

    @property
    def text(self) -> str:
        """All words so far."""
        return (self._settled + self.tentative).strip()

    def interim(self) -> Iterable[Recognized]:
        """Yield the words so far, if there are any."""
        if self.text:
            yield Recognized(self.text, False, self.language)

    def settle(self, text: str, joint: str, language: str | None) -> None:
        """Add words that stay."""
        self._settled += joint * bool(self._settled and text) + text
        self.tentative = ""
        self.language = language or self.language

    def guess(self, text: str, joint: str) -> None:
        """Replace the words that may change."""
        self.tentative = joint * bool(self._settled and text) + text

    def whole(self, text: str | None, language: str | None) -> None:
        """Replace all words, if the vendor repeats them at the end."""
        if text is not None:
            self._settled, self.tentative = text, ""
        self.language = language or self.language


class _KeptAudio:
    """The audio of the utterance, in case that another connection must hear it."""

    def __init__(self, bytes_per_second: int) -> None:
        self._rate = bytes_per_second
        self._chunks = deque[bytes]()
        self._size = 0

    def add(self, pcm: bytes, seconds: float) -> None:
        """Keep samples, and forget those that are older than so many seconds."""
        self._chunks.append(pcm)
        self._size += len(pcm)
        while self._chunks and self._size - len(self._chunks[0]) >= seconds * self._rate:
            self._size -= len(self._chunks.popleft())

    def whole(self) -> bytes:
        """Return all that is kept."""
        return b"".join(self._chunks)

    def clear(self) -> None:
        """Forget all: the utterance was answered."""
        self._chunks.clear()
        self._size = 0
