"""One connection to a recogniser: what is due on it, and whether it has stalled."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from ..errors import TheyErred
from .ports import SpeechToText
from .recognition_codec import RecognitionCodec
from .websocket_client import Message, VendorSocket

__all__ = ["RecognitionConnection"]

RENEWED_AT = 0.9  # share of the vendor's time limit after which a connection is replaced, in a pause
RENEWAL_DUE = 0.97  # the same, if there is no pause
HEARD_LATELY = 0.5  # seconds before a flush in which the newest words must have come, to be the whole answer
CERTAIN = 1.0  # seconds of speech that no vendor passes over in silence


class RecognitionConnection:
    """A connection and the task that reads it."""

    def __init__(
        self,
        socket: VendorSocket,
        codec: RecognitionCodec,
        service: SpeechToText,
        tell: "Callable[[tuple[RecognitionConnection, Message | TheyErred]], Awaitable[None]]",
    ) -> None:
        self.socket = socket
        self.codec = codec
        self.sent_at = self.heard_at = socket.opened_at
        """When audio was sent last, and when any message came last."""
        self.renewed_from = 0.0
        """When it may be replaced; later after a renewal that failed."""
        self.may_be_mute = False
        """True if the connection before it said nothing either."""
        self.owes_answer = False
        """True once the answer to a flush is not waited for: it would be taken for that to the next."""
        self._flushed_at = 0.0
        self._is_asked = False
        self._rate = service.sample_rate
        self._message = round(service.chunk * service.sample_rate) * 2
        self._unsent = bytearray()  # audio that is not yet as long as a message
        self._tell = tell
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        try:
            while True:
                await self._tell((self, await self.socket.receive()))
        except TheyErred as error:
            await self._tell((self, error))

    async def send(self, pcm: bytes, *, rest: bool = False) -> None:
        """Send samples in messages of one length; with `rest`, a shorter last one too."""
        self._unsent += pcm
        while self._unsent and (rest or len(self._unsent) >= self._message):
            self.sent_at = asyncio.get_running_loop().time()
            message = bytes(self._unsent[: self._message])
            del self._unsent[: self._message]
            await self.socket.send(self.codec.audio(message))

    async def flush(self, messages: Sequence[Message]) -> None:
        """Ask for the words so far, by messages or by silence."""
        self._flushed_at, self._is_asked = asyncio.get_running_loop().time(), bool(messages)
        silence = bytes(round(self.codec.ended_by_silence * self._rate) * 2)
        await self.send(silence, rest=True)
        await self.socket.send(messages)

    @property
    def keep_alive_due(self) -> float | None:
        """When to keep it open; None if the vendor does not need that."""
        every = self.codec.keep_alive_every
        return None if every is None else self.sent_at + every

    def renewal_due(self, is_speech: bool) -> float | None:
        """Return when to replace it, later in an utterance; None if it may stay."""
        if self.owes_answer:
            return self.renewed_from
        if (lasts := self.codec.lasts) is None:
            return None
        share = RENEWAL_DUE if is_speech else RENEWED_AT
        return max(self.renewed_from, self.socket.opened_at + lasts * share)

    @property
    def is_mute(self) -> bool:
        """True if it gets audio and yet says nothing."""
        after = self.codec.mute_after
        return after is not None and self.sent_at - self.heard_at > after

    def _must_answer(self, words: str) -> bool:
        return self._is_asked and (bool(words) or self.codec.always_answers)

    def has_stalled(self, words: str, spoken: float) -> bool:
        """Return whether the flush is unanswered because the vendor has stalled.

        If it has told words of the utterance, the newest should be recent. If it has told none, it would have
        said so if it was asked, and something if there were so many seconds of speech.
        """
        if not words and self._must_answer(words):
            return True
        if self.heard_at >= self._flushed_at:
            return False
        if words:
            return self.heard_at < self._flushed_at - HEARD_LATELY
        return spoken >= CERTAIN or self.is_mute

    def give_up_answer(self, words: str) -> None:
        """Note that the answer to the flush is not waited for any more."""
        self.owes_answer = self._must_answer(words)

    async def close(self) -> None:
        """Close it, and stop reading."""
        self._reading.cancel()
        await self.socket.close()
