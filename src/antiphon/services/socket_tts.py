"""The driver for text to speech over websockets, shared by all conversations.

A vendor is a `SocketTTS`, which says how to connect, and a `VoiceCodec`, which says what to send for a
piece of text and what messages mean. The codec opens no socket and has no clock. Written once, here and in
`voice_pool.py` and `voice_connection.py`: a connection that is ready before the first reply, many utterances
on one socket or one on each, their true number until the vendor has acknowledged the end, cancelling at the
vendor, keep-alive, audio of an utterance that is gone, which audio speaks which piece, a vendor that goes
silent.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from ..errors import UnavailableError
from .given_text import GivenText
from .keys import VendorKey
from .ports import Speech, TextToSpeech, Word
from .spoken_pieces import SpeakingPace, SpokenPieces
from .voice_codec import VoiceCodec
from .voice_connection import VoiceConnection
from .voice_pool import VoicePool
from .websocket_client import Handshake, dial, load_websockets

__all__ = ["SocketTTS"]


class SocketTTS(TextToSpeech):
    """Text to speech over websockets.

    A vendor derives from it, and adds `handshake` and `codec`.
    """

    sample_rate = 24000
    silent_for = 2.0
    """Seconds that a vendor may take for the next audio while it has text to speak."""

    def __init__(self, vendor: str, key: VendorKey, model: str = "") -> None:
        self.vendor = vendor
        self.model = model
        self.key = key
        self._pool: VoicePool | None = None
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
        pool = self._pool
        if pool is None or pool.loop is not asyncio.get_running_loop():
            pool = self._pool = VoicePool(self.vendor, self.codec, self._connect)
        pool.stay_ready()

    async def close(self) -> None:
        """Close the connections; replies that are still spoken fail."""
        pool, self._pool = self._pool, None
        if pool is not None and pool.loop is asyncio.get_running_loop():
            await pool.close()

    async def speak(self, text: AsyncIterator[str]) -> AsyncGenerator[Speech | Word]:
        """Speak the pieces of one reply; closing the iterator stops the vendor.

        A connection that fails before there was any audio is replaced once: it may have died unnoticed.
        """
        await self.open()
        pool, given = self._pool, GivenText(text)
        assert pool is not None
        try:
            for tries_left in (1, 0):
                connection = await pool.place()
                pieces = self.pieces(connection.codec)
                utterance = connection.begin(pieces, self.sample_rate, self.silent_for)
                try:
                    async with aclosing(utterance.speak(given)) as spoken:
                        async for item in spoken:
                            yield item
                    return
                except UnavailableError:
                    if utterance.sounded or not tries_left:
                        raise
                finally:
                    await utterance.release()
        finally:
            await given.close()
            pool.stay_ready()

    def pieces(self, codec: VoiceCodec) -> SpokenPieces:
        """Return the pieces of a new utterance."""
        return SpokenPieces(
            self.sample_rate, self._pace, marked=codec.marks_pieces, restarting=codec.times_restart
        )

    async def _connect(self, codec: VoiceCodec) -> VoiceConnection:
        socket = await dial(self.vendor, await self.handshake(), key_name=self.key.name, closed=codec.closed)
        connection = VoiceConnection(socket, codec)
        try:
            await connection.make_ready()
        except BaseException:
            await connection.close()
            raise
        return connection
