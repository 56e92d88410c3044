"""The line to the client: one connection after another, as its network changes."""

import asyncio
import logging
from collections.abc import Callable, Sequence

from ...errors import UsageError
from .channel import ClientProtocol, DataChannel
from .engine import Engine, IceCandidate, MakeEngine
from .settings import WebRTCSettings

__all__ = ["WebRTCLink"]

logger = logging.getLogger("antiphon.webrtc")

MOST_CANDIDATES = 100  # addresses that one connection tries
GOODBYE = 0.2  # seconds that the last messages may take
STEP = 0.01
OVER = "this session is over: begin another"


class WebRTCLink:
    """What the parts of a session speak through; `connected` is set while media can flow."""

    def __init__(
        self, settings: WebRTCSettings, make: MakeEngine, protocol: ClientProtocol | None = None
    ) -> None:
        self.settings = settings
        self.channel = DataChannel(protocol)
        self.connected = asyncio.Event()
        self.wants_video = False
        self.hear: Callable[[bytes], object] = lambda pcm: None
        self.see: Callable[[bytes, int, int, str], object] = lambda pixels, width, height, source: None
        self.gone: str = ""
        """Why there is no connection any more, where the client has closed it."""
        self._make = make
        self._connection: _Connection | None = None
        self._closed = False

    @property
    def packets(self) -> tuple[object, int]:
        """What changes as long as something comes from the client."""
        connection = self._connection
        return (connection, connection.engine.packets if connection is not None else 0)

    @property
    def unsent(self) -> int:
        """Bytes of messages that the client has not taken yet."""
        return self._connection.engine.unsent if self._connection is not None else 0

    async def answer(self, offer: str, *, anew: bool) -> str:
        """The answer to an offer; `anew`: of a new connection. Raises UsageError for what is no offer."""
        if self._closed:
            raise UsageError(OVER)
        before = self._connection
        if before is not None and not anew and not self.gone:
            return await before.engine.answer(offer)
        connection = _Connection(self)
        try:
            sdp = await connection.engine.answer(offer)
        except BaseException:
            await connection.close()
            raise
        if self._closed:
            await connection.close()
            raise UsageError(OVER)
        self._connection, self.gone = connection, ""
        self.connected.clear()
        self.channel.closed()
        if before is not None:
            await before.close()
        return sdp

    async def add(self, candidates: Sequence[IceCandidate]) -> None:
        """Try these addresses too. Raises UsageError for one that is none, or for too many."""
        connection = self._connection
        if connection is None:
            raise UsageError("candidates belong to an offer: make that first")
        connection.tried += len(candidates)
        if connection.tried > MOST_CANDIDATES:
            raise UsageError(f"over {MOST_CANDIDATES} candidates came for one connection")
        await asyncio.gather(*(connection.engine.add(candidate) for candidate in candidates))

    def say(self, pcm: bytes | None) -> None:
        """Send 20 ms, if there is anybody to hear it."""
        if self._connection is not None and self.connected.is_set():
            self._connection.engine.say(pcm)

    def show(self, pixels: bytes, width: int, height: int, at: float) -> None:
        """Send a picture, if there is anybody to see it."""
        if self._connection is not None and self.connected.is_set():
            self._connection.engine.show(pixels, width, height, at)

    async def close(self) -> None:
        """Tell the client that nobody is here any more, and hang up."""
        self._closed = True
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self.connected.is_set():
            self.channel.signal("peerLeft")
            for _ in range(round(GOODBYE / STEP)):
                if not connection.engine.unsent:
                    break
                await asyncio.sleep(STEP)
        self.channel.closed()
        self.connected.clear()
        await connection.close()


class _Connection:
    """The ear of one engine: what it says counts only as long as it is the line's connection."""

    def __init__(self, line: WebRTCLink) -> None:
        self.line = line
        self.tried = 0
        self.is_up = False
        self.engine: Engine = line._make(line.settings, self)  # pyright: ignore[reportPrivateUsage]

    async def close(self) -> None:
        """Close the engine and let go of it, which knows us in turn."""
        engine = self.engine
        await engine.close()
        del self.engine

    @property
    def wants_video(self) -> bool:
        return self.line.wants_video

    @property
    def _counts(self) -> bool:
        return self.line._connection is self  # pyright: ignore[reportPrivateUsage]

    def connected(self) -> None:
        if self._counts:
            self.line.connected.set()

    def opened(self) -> None:
        if self._counts:
            self.line.channel.opened(self.engine.tell)

    def heard(self, pcm: bytes) -> None:
        if self._counts:
            self.line.hear(pcm)

    def saw(self, pixels: bytes, width: int, height: int, source: str) -> None:
        if self._counts and source not in self.line.channel.silenced:
            self.line.see(pixels, width, height, source)

    def told(self, text: str) -> None:
        if self._counts:
            self.line.channel.received(text)

    def lost(self, reason: str) -> None:
        if self._counts:
            logger.info("a client is gone: %s", reason)
            self.line.gone = reason
            self.line.connected.clear()
            self.line.channel.closed()
