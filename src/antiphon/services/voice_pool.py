"""The connections to a vendor's voice, and the replies that wait for a place."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from ..errors import ServiceTimeoutError, TheyErred, UnavailableError
from .voice_codec import VoiceCodec
from .voice_connection import VoiceConnection

__all__ = ["VoicePool"]

logger = logging.getLogger("antiphon.services")

PLACE_WITHIN = 3.0  # seconds that a reply waits for a place
DIAL_SLOW_AFTER = 0.8  # seconds after which another connection is dialled beside one that is not ready

Connect = Callable[[VoiceCodec], Awaitable[VoiceConnection]]


class VoicePool:
    """The connections of one service, in one event loop.

    Replies that find no place share the connections that are dialled: no more of them than are needed.
    """

    def __init__(self, vendor: str, codec: Callable[[], VoiceCodec], connect: Connect) -> None:
        self.loop = asyncio.get_running_loop()
        self._vendor = vendor
        self._codec = codec
        self._connect = connect
        self._closed = False
        self._connections: list[VoiceConnection] = []
        self._dials: dict[asyncio.Task[None], tuple[int, float]] = {}  # to its places, and when it began
        self._waiting: dict[asyncio.Future[None], None] = {}  # replies, the longest waiting first

    def stay_ready(self) -> None:
        """Begin to connect if there is no connection: the next reply should not wait."""
        if not self._closed and not self._dials and not self._usable():
            self._dial()

    async def place(self) -> VoiceConnection:
        """Return a connection that can begin an utterance.

        The caller begins it at once, without waiting for anything before. Raises TheyErred if there is none.
        """
        begun = self.loop.time()
        while True:
            if self._closed:
                raise UnavailableError(f"{self._vendor} was closed")
            if (found := next((one for one in self._usable() if one.room > 0), None)) is not None:
                return found
            if self.loop.time() >= begun + PLACE_WITHIN:
                raise ServiceTimeoutError(f"{self._vendor} did not connect within {PLACE_WITHIN:g} s")
            turn: asyncio.Future[None] = self.loop.create_future()
            self._waiting[turn] = None
            self._dial_enough()
            try:
                async with asyncio.timeout(DIAL_SLOW_AFTER):
                    await turn
            except TimeoutError:
                pass  # looks again, and dials beside those that are slow
            finally:
                self._waiting.pop(turn, None)

    async def close(self) -> None:
        """Close the connections; replies that are spoken or wait fail."""
        self._closed = True
        error = UnavailableError(f"the connection to {self._vendor} was closed")
        self._fail(len(self._waiting), error)
        dials = list(self._dials)
        for dial in dials:
            dial.cancel()
        if dials:
            await asyncio.wait(dials)
        for connection in self._usable():
            await connection.close(error)

    def _usable(self) -> list[VoiceConnection]:
        """Return the connections that are open."""
        if any(one.is_closed for one in self._connections):
            self._connections = [one for one in self._connections if not one.is_closed]
        return self._connections

    def _places(self) -> int:
        """Return how many replies the dials will serve that are not slow."""
        since = self.loop.time() - DIAL_SLOW_AFTER
        return sum(places for places, begun in self._dials.values() if begun > since)

    def _dial_enough(self) -> None:
        while len(self._waiting) > self._places():
            self._dial()

    def _dial(self) -> None:
        codec = self._codec()
        dial = asyncio.create_task(self._add(codec), name=f"antiphon {self._vendor}")
        self._dials[dial] = codec.contexts, self.loop.time()
        dial.add_done_callback(self._dialled)

    async def _add(self, codec: VoiceCodec) -> None:
        connection = await self._connect(codec)
        connection.freed = self._give_turns
        self._connections.append(connection)

    def _dialled(self, dial: asyncio.Task[None]) -> None:
        del self._dials[dial]
        error = None if dial.cancelled() else dial.exception()
        if error is None:
            self._give_turns()
        elif missing := len(self._waiting) - self._places():
            self._fail(max(0, missing), error)
        elif isinstance(error, TheyErred):  # nobody waits: the first reply tries again, and fails aloud
            logger.info("%s: could not connect early: %s", self._vendor, error)

    def _give_turns(self) -> None:
        """Let as many replies look again as there are places, the longest waiting first."""
        room = sum(max(0, one.room) for one in self._usable()) if self._waiting else 0
        for turn in list(self._waiting)[:room]:
            del self._waiting[turn]
            if not turn.done():
                turn.set_result(None)

    def _fail(self, count: int, error: BaseException) -> None:
        """End the waiting of so many replies, those that came last."""
        for turn in list(self._waiting)[len(self._waiting) - count :]:
            del self._waiting[turn]
            if not turn.done():
                turn.set_exception(error)
