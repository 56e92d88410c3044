"""Asterisk AudioSocket: messages over TCP, with headers of kind and length.

https://docs.asterisk.org/Configuration/Channel-Drivers/AudioSocket/

It has no authentication: bind it to an address that only Asterisk can reach. Audio that was sent cannot be
discarded, so little is sent ahead of its time.
"""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from uuid import UUID

from ....errors import BadResponseError, UnavailableError
from ...wire import READS_TOO_SLOWLY, Wire
from ..messages import key_pressed
from ..port import (
    AudioFormat,
    CallDetails,
    CallerAudio,
    CallEvent,
    CallStarted,
    CallStopped,
    Provider,
    WireMessage,
)

__all__ = ["PROVIDER", "AudioSocketWire", "serve"]

logger = logging.getLogger("antiphon.telephony")

HANG_UP, NAME, KEY, AUDIO, ERROR = 0x00, 0x01, 0x03, 0x10, 0xFF
BOUND = 1 << 15  # bytes (2 s of audio) that may wait to be sent; with more Asterisk reads too slowly
CLOSING = 2.0  # seconds that the last bytes may take to be sent


class AudioSocket:
    """The codec; a message includes its header of three bytes."""

    packet = 0.02

    def feed(self, message: WireMessage) -> Sequence[CallEvent]:
        """Parse a message."""
        if isinstance(message, str) or len(message) < 3 or len(message) != 3 + int.from_bytes(message[1:3]):
            raise BadResponseError("this is not a message of AudioSocket")
        kind, data = message[0], message[3:]
        if kind == AUDIO:
            return (CallerAudio(data),) if data else ()
        if kind == NAME and len(data) == 16:
            line = AudioFormat("l16", 8000)
            return (CallStarted(CallDetails("audiosocket", str(UUID(bytes=data)), heard=line, spoken=line)),)
        if kind == KEY and len(data) == 1:
            return (key_pressed(data.decode("latin-1")),)
        if kind == HANG_UP:
            return (CallStopped(),)
        if kind == ERROR:
            return (CallStopped(f"Asterisk reports error {data.hex() or 'unknown'}"),)
        if AUDIO < kind < 0x20:
            raise BadResponseError("audio at another rate than 8 kHz: dial AudioSocket with c(slin)")
        raise BadResponseError(f"a message of kind {kind:#04x} and {len(data)} bytes")

    def media(self, data: bytes) -> bytes:
        """Return the message that plays audio."""
        return bytes((AUDIO,)) + len(data).to_bytes(2) + data

    def clear(self) -> None:
        """Return None: the protocol cannot discard audio."""

    def mark(self, name: str) -> None:
        """Return None: the protocol has no marks."""

    def keys(self, keys: str) -> None:
        """Return None: keys are played as tones."""

    def end(self) -> bytes:
        """Return the message that hangs up."""
        return bytes((HANG_UP, 0, 0))

    def transfer(self, to: str) -> None:
        """Return None: the dialplan would have to transfer the call."""


class AudioSocketWire:
    """The `Wire` of one call."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._open = True
        self._is_slow = False  # True once too much was queued for Asterisk
        raw: socket.socket | None = writer.get_extra_info("socket")
        if raw is not None:  # or the kernel would buffer a minute of audio for who does not read
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BOUND)

    async def receive(self) -> bytes | None:
        """Returns the next message with its header; None at the end.

        Raises UnavailableError if Asterisk read too slowly.
        """
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            head = await self._reader.readexactly(3)
            return head + await self._reader.readexactly(int.from_bytes(head[1:3]))
        self._open = False
        if self._is_slow:
            raise UnavailableError(READS_TOO_SLOWLY)
        return None

    def send(self, message: bytes | str) -> None:
        """Send without waiting, and end the call if Asterisk reads too slowly."""
        if not self._open or isinstance(message, str):
            return
        self._writer.write(message)
        if self._writer.transport.get_write_buffer_size() > BOUND:
            self._open, self._is_slow = False, True
            self._writer.transport.abort()

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Send what is buffered, and close."""
        self._open = False
        self._writer.close()
        try:
            async with asyncio.timeout(CLOSING):
                await self._writer.wait_closed()
        except (TimeoutError, ConnectionError):
            self._writer.transport.abort()


async def serve(
    accept: Callable[[Wire], Awaitable[None]], host: str = "127.0.0.1", port: int = 9092
) -> asyncio.Server:
    """Listen for Asterisk's calls.

    `accept` is awaited for each call, and its wire is closed afterwards.
    """

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire = AudioSocketWire(reader, writer)
        try:
            await accept(wire)
        except Exception:  # a failed call must not end the server
            logger.exception("a call over AudioSocket failed")
        finally:
            await wire.close()

    return await asyncio.start_server(connected, host, port)


PROVIDER = Provider(
    name="audiosocket",
    title="Asterisk AudioSocket",
    docs="https://docs.asterisk.org/Configuration/Channel-Drivers/AudioSocket/",
    audio="L16 8 kHz",
    codec=AudioSocket,
    environment={},
    lead=0.04,
)
