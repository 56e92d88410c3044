"""The protocol between the server and its child processes, over sockets.

A frame consists of the content's length (4 bytes, big-endian), one byte for the kind, and the content:

    t  a text message of the session's wire       b  a binary one
    c  the wire's end: code (2 bytes, big-endian), then the reason
    n  a control message as MessagePack, of one of the types that both ends know

Workers run code that is not ours, so malformed data ends the pipe instead of raising.
"""

import asyncio
import os
import select
import socket
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar

import msgspec

from ...errors import UnavailableError
from ...transports.wire import READS_TOO_SLOWLY, Wire

__all__ = ["BINARY", "CLOSE", "CONTROL", "TEXT", "Pipe", "PipeWire", "decode_close", "encode_close", "relay"]

TEXT, BINARY, CLOSE, CONTROL = b"tbcn"
LARGEST = 16 << 20  # bytes of a frame's content
BEHIND = 8 << 20  # unsent bytes above which the other end counts as stuck
HEAD = 5  # bytes before the content
IN_FLIGHT = 4096  # bytes, which the kernel doubles, that may be on their way: 80 ms of a voice

M = TypeVar("M")


class Pipe(asyncio.Protocol, Generic[M]):
    """One end of a pipe.

    `on_message` is called with each control message, which `decoder` decodes; `on_wire` with the kind and
    content of each message of the wire. `gone` is done once the pipe has ended; its result is the other end's
    error, or "".

    An end that `waits` blocks its process in `send` while the other end does not read: a worker stands still
    while its server does. Otherwise playout would go on, and take for heard what is still in the pipe.
    """

    def __init__(
        self,
        decoder: msgspec.msgpack.Decoder[M],
        on_message: Callable[[M], object],
        on_wire: Callable[[int, bytes], object] = lambda kind, content: None,
        *,
        waits: bool = False,
    ) -> None:
        self.gone: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._decoder, self._on_message, self._on_wire = decoder, on_message, on_wire
        self._encode = msgspec.msgpack.Encoder().encode
        self._waits = waits
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None

    async def connect(self, end: socket.socket) -> Self:
        """Start reading from this socket, which the pipe now owns."""
        end.setblocking(False)
        if self._waits:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, IN_FLIGHT)
        await asyncio.get_running_loop().create_unix_connection(lambda: self, sock=end)
        return self

    def send(self, kind: int, content: bytes) -> None:
        """Send a frame; does nothing after the pipe's end.

        If this end does not wait, more than BEHIND unsent bytes end the pipe.
        """
        if self._transport is None or self.gone.done():
            return
        frame = b"%b%c%b" % (len(content).to_bytes(4, "big"), kind, content)
        if self._waits:
            _write(self._transport.get_extra_info("socket").fileno(), frame)
            return
        self._transport.write(frame)
        if self._transport.get_write_buffer_size() > BEHIND:
            self.abort("it does not read what it is sent")

    def tell(self, message: M) -> None:
        """Send a control message."""
        self.send(CONTROL, self._encode(message))

    def close(self) -> None:
        """Send what is still unsent, then end the pipe."""
        if self._transport is not None:
            self._transport.close()

    def abort(self, reason: str) -> None:
        """End the pipe at once."""
        self._end(reason)
        if self._transport is not None:
            self._transport.abort()

    # Callbacks of asyncio.Protocol -----------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._end("")

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= HEAD and not self.gone.done():
            size = int.from_bytes(self._buffer[:4], "big")
            if size > LARGEST:
                self.abort(f"it sent a message of {size} bytes")
                return
            if len(self._buffer) < HEAD + size:
                return
            kind, content = self._buffer[4], bytes(self._buffer[HEAD : HEAD + size])
            del self._buffer[: HEAD + size]
            self._handle(kind, content)

    def _handle(self, kind: int, content: bytes) -> None:
        if kind == CONTROL:
            try:
                message = self._decoder.decode(content)
            except msgspec.MsgspecError as error:
                self.abort(f"it sent a malformed message: {error}")
            else:
                self._on_message(message)
        elif kind in (TEXT, BINARY, CLOSE):
            self._on_wire(kind, content)
        else:
            self.abort(f"it sent a message of the unknown kind {kind}")

    def _end(self, reason: str) -> None:
        if not self.gone.done():
            self.gone.set_result(reason)


def _write(descriptor: int, data: bytes) -> None:
    """Write to a socket, and wait while it is full, unless its other end is closed."""
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:
            ready = select.poll()
            ready.register(descriptor, select.POLLOUT)
            ready.poll()
        except OSError:  # the pipe notices its end when it reads
            return


class PipeWire:
    """A session's wire over a pipe to the process that has the client's connection."""

    def __init__(self, pipe: Pipe[Any]) -> None:
        self._pipe = pipe
        self._received: deque[bytes | str] = deque()
        self._received_bytes = 0
        self._changed = asyncio.Event()
        self._over = False
        self._is_slow = False  # True if the other side read too slowly

    def feed(self, kind: int, content: bytes) -> None:
        """Queue a message from the pipe; too many unread ones end the wire."""
        if kind == CLOSE or self._received_bytes > BEHIND:
            self._is_slow = kind == CLOSE and decode_close(content)[1] == READS_TOO_SLOWLY
            self.end()
        elif not self._over:
            self._received.append(content if kind == BINARY else content.decode(errors="replace"))
            self._received_bytes += len(content)
            self._changed.set()

    def end(self) -> None:
        """End the wire; `receive` returns None once the queue is empty."""
        self._over = True
        self._changed.set()

    async def receive(self) -> bytes | str | None:
        """Return the next message, or None after the connection has closed.

        Either side may have closed it. Raises UnavailableError if the other side read too slowly.
        """
        while not self._received:
            if self._is_slow:
                raise UnavailableError(READS_TOO_SLOWLY)
            if self._over:
                return None
            self._changed.clear()
            await self._changed.wait()
        message = self._received.popleft()
        self._received_bytes -= len(message)
        return message

    def send(self, message: bytes | str) -> None:
        """Send a message without waiting; does nothing after the wire's end."""
        if self._over:
            return
        if isinstance(message, str):
            self._pipe.send(TEXT, message.encode())
        else:
            self._pipe.send(BINARY, message)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Have the process at the other end close the client's connection."""
        if not self._over:
            self._pipe.send(CLOSE, encode_close(code, reason))
            self.end()


async def relay(wire: Wire, pipe: Pipe[Any]) -> None:
    """Send a wire's messages through the pipe until the wire has closed.

    A `PipeWire` at the other end of the pipe receives them.
    """
    reason = ""
    try:
        while (message := await wire.receive()) is not None:
            if isinstance(message, str):
                pipe.send(TEXT, message.encode())
            else:
                pipe.send(BINARY, message)
    except UnavailableError as error:
        reason = str(error)
    pipe.send(CLOSE, encode_close(1000, reason))


def encode_close(code: int, reason: str) -> bytes:
    """Return the content of a CLOSE frame."""
    return code.to_bytes(2, "big") + reason.encode()


def decode_close(content: bytes) -> tuple[int, str]:
    """Return the code and reason in the content of a CLOSE frame."""
    return int.from_bytes(content[:2], "big") or 1000, content[2:].decode(errors="replace")
