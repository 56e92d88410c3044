"""The link to the client: a sequence of peer connections, as its network changes."""

import asyncio
import logging
from collections.abc import Callable, Sequence

from ...errors import UsageError
from .data_channel import ClientProtocol, DataChannel
from .engine import Engine, IceCandidate, MakeEngine
from .requests import SdpOffer, names_a_host
from .settings import WebRTCSettings

__all__ = ["WebRTCLink"]

logger = logging.getLogger("antiphon.webrtc")

MOST_CANDIDATES = 100  # addresses that one connection accepts
GOODBYE = 0.2  # seconds that the last messages may take to be sent
STEP = 0.01  # seconds between two checks of whether they have been sent
OVER = "this session is over: begin another"


class WebRTCLink:
    """The link to one client, which the session's input and output share.

    `connected` is set while media can flow.
    """

    def __init__(
        self, settings: WebRTCSettings, make: MakeEngine, protocol: ClientProtocol | None = None
    ) -> None:
        self.settings = settings
        self.channel = DataChannel(protocol)
        self.connected = asyncio.Event()
        self.wants_video = False
        self.on_audio: Callable[[bytes, int], object] = lambda pcm, skipped: None
        self.on_picture: Callable[[bytes, int, int, str], object] = lambda pixels, width, height, source: None
        self.disconnected: str = ""
        """Why the connection ended; "" while there is one, and before the first."""
        self._make = make
        self._connection: _Connection | None = None
        self._closed = False

    @property
    def packets(self) -> tuple[object, int]:
        """A value that changes whenever something arrives from the client."""
        connection = self._connection
        return (connection, connection.engine.packets if connection is not None else 0)

    @property
    def unsent(self) -> int:
        """Bytes of messages that wait to be sent."""
        return self._connection.engine.unsent if self._connection is not None else 0

    async def answer(self, offer: SdpOffer) -> str:
        """Returns the answer to an offer, by a new connection if it asks for one.

        Raises UsageError if the offer is invalid or the session is over.
        """
        if self._closed:
            raise UsageError(OVER)
        before = self._connection
        if before is not None and not offer.restart and not self.disconnected:
            before.accept(offer)
            return await before.engine.answer(offer.sdp)
        connection = _Connection(self)
        try:
            connection.accept(offer)
            sdp = await connection.engine.answer(offer.sdp)
        except BaseException:
            await connection.close()
            raise
        if self._closed:
            await connection.close()
            raise UsageError(OVER)
        self._connection, self.disconnected = connection, ""
        self.connected.clear()
        self.channel.closed()
        if before is not None:
            await before.close()
        return sdp

    async def add_candidates(self, candidates: Sequence[IceCandidate]) -> None:
        """Adds addresses of the client; those with host names are ignored.

        Raises UsageError if one is invalid or there are too many.
        """
        connection = self._connection
        if connection is None:
            raise UsageError("candidates belong to an offer: make that first")
        connection.count(len(candidates))
        known = [one for one in candidates if not names_a_host(one.candidate)]
        connection.hides |= len(known) < len(candidates)
        if connection.hides:  # the engine would give up at the end of the candidates if it has none
            known = [one for one in known if one.candidate]
        await asyncio.gather(*(connection.engine.add_candidate(candidate) for candidate in known))

    def send_audio(self, pcm: bytes | None) -> None:
        """Send PIECE seconds of audio if the client is connected; None is silence."""
        if self._connection is not None and self.connected.is_set():
            self._connection.engine.send_audio(pcm)

    def send_picture(self, pixels: bytes, width: int, height: int, at: float) -> None:
        """Send a picture if the client is connected."""
        if self._connection is not None and self.connected.is_set():
            self._connection.engine.send_picture(pixels, width, height, at)

    async def close(self) -> None:
        """Tell the client that the session is over, and close the connection."""
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
    """The listener of one engine.

    It forwards the engine's events only while it is the link's current connection.
    """

    def __init__(self, link: WebRTCLink) -> None:
        self.link = link
        self.hides = False
        """True if the client has addresses that are not known, since their host names are not looked up."""
        self._candidates = 0
        self._addresses: frozenset[str] = frozenset()
        self.engine: Engine = link._make(link.settings, self)  # pyright: ignore[reportPrivateUsage]

    def accept(self, offer: SdpOffer) -> None:
        """Count the candidates of an offer that were not offered before.

        Raises UsageError if there are too many.
        """
        self.hides |= offer.hides
        self.count(len(offer.addresses - self._addresses))
        self._addresses |= offer.addresses

    def count(self, candidates: int) -> None:
        """Counts candidates. Raises UsageError if there are too many for one connection."""
        self._candidates += candidates
        if self._candidates > MOST_CANDIDATES:
            raise UsageError(f"over {MOST_CANDIDATES} candidates came for one connection")

    async def close(self) -> None:
        """Close the engine and drop the reference to it, which would form a cycle."""
        engine = self.engine
        await engine.close()
        del self.engine

    @property
    def wants_video(self) -> bool:
        return self.link.wants_video

    @property
    def _is_current(self) -> bool:
        return self.link._connection is self  # pyright: ignore[reportPrivateUsage]

    def on_connected(self) -> None:
        if self._is_current:
            self.link.connected.set()

    def on_channel_open(self) -> None:
        if self._is_current:
            self.link.channel.opened(self.engine.send_message)

    def on_audio(self, pcm: bytes, skipped: int = 0) -> None:
        if self._is_current:
            self.link.on_audio(pcm, skipped)

    def on_picture(self, pixels: bytes, width: int, height: int, source: str) -> None:
        if self._is_current and source not in self.link.channel.silenced:
            self.link.on_picture(pixels, width, height, source)

    def on_message(self, text: str) -> None:
        if self._is_current:
            self.link.channel.received(text)

    def on_disconnected(self, reason: str) -> None:
        if self._is_current:
            logger.info("a client is gone: %s", reason)
            self.link.disconnected = reason
            self.link.connected.clear()
            self.link.channel.closed()
