"""What goes between the server and its processes: framed messages over a socket pair.

Each message is its length (4 bytes, big-endian), one byte that says what it is, and its content:

    t  a text message of the session's wire       b  a binary one
    c  the wire's end: code (2 bytes, big-endian), then the reason
    n  a note: one of the closed list that the two ends have agreed on, as MessagePack

A worker runs other people's code: what does not fit ends the pipe, and nothing of it is raised.
"""

import asyncio
import socket
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar

import msgspec

__all__ = ["BINARY", "CLOSE", "NOTE", "TEXT", "Pipe", "PipeWire"]

TEXT, BINARY, CLOSE, NOTE = b"tbcn"
LARGEST = 16 << 20  # bytes of a message
BEHIND = 8 << 20  # bytes that may wait for the other end before it counts as stuck
HEAD = 5

N = TypeVar("N")


class Pipe(asyncio.Protocol, Generic[N]):
    """One end of a pipe. `take` is called with each message of the wire, `note` with each note.

    `gone` is done once nothing comes any more; its result is what the other end did wrong, if that was why.
    """

    def __init__(
        self,
        notes: msgspec.msgpack.Decoder[N],
        note: Callable[[N], object],
        take: Callable[[int, bytes], object] = lambda kind, content: None,
    ) -> None:
        self.gone: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._notes, self._note, self._take = notes, note, take
        self._encode = msgspec.msgpack.Encoder().encode
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None

    async def connect(self, end: socket.socket) -> Self:
        """Begin to read from this socket, which is the pipe's from now on."""
        end.setblocking(False)
        await asyncio.get_running_loop().create_unix_connection(lambda: self, sock=end)
        return self

    def send(self, kind: int, content: bytes) -> None:
        """Send without waiting. After the end it does nothing; too much that waits is the end."""
        if self._transport is None or self.gone.done():
            return
        self._transport.write(b"%b%c%b" % (len(content).to_bytes(4, "big"), kind, content))
        if self._transport.get_write_buffer_size() > BEHIND:
            self.abort("it does not read what it is sent")

    def tell(self, note: N) -> None:
        """Send a note."""
        self.send(NOTE, self._encode(note))

    def close(self) -> None:
        """Send what waits, then end."""
        if self._transport is not None:
            self._transport.close()

    def abort(self, reason: str) -> None:
        """End at once."""
        self._end(reason)
        if self._transport is not None:
            self._transport.abort()

    # What the event loop calls ---------------------------------------------------------------------

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
        if kind == NOTE:
            try:
                note = self._notes.decode(content)
            except msgspec.MsgspecError as error:
                self.abort(f"it sent a note that is none: {error}")
            else:
                self._note(note)
        elif kind in (TEXT, BINARY, CLOSE):
            self._take(kind, content)
        else:
            self.abort(f"it sent a message of the unknown kind {kind}")

    def _end(self, reason: str) -> None:
        if not self.gone.done():
            self.gone.set_result(reason)


class PipeWire:
    """The wire of a session whose connection is in the process at the other end of a pipe."""

    def __init__(self, pipe: Pipe[Any]) -> None:
        self._pipe = pipe
        self._waiting: deque[bytes | str] = deque()
        self._waiting_bytes = 0
        self._something = asyncio.Event()
        self._over = False

    def take(self, kind: int, content: bytes) -> None:
        """A message has come through the pipe."""
        if kind == CLOSE or self._waiting_bytes > BEHIND:
            self.end()
        elif not self._over:
            self._waiting.append(content if kind == BINARY else content.decode(errors="replace"))
            self._waiting_bytes += len(content)
            self._something.set()

    def end(self) -> None:
        """Nothing more comes."""
        self._over = True
        self._something.set()

    async def receive(self) -> bytes | str | None:
        """The next message; None once the other side has gone, or `close` was called."""
        while not self._waiting:
            if self._over:
                return None
            self._something.clear()
            await self._something.wait()
        message = self._waiting.popleft()
        self._waiting_bytes -= len(message)
        return message

    def send(self, message: bytes | str) -> None:
        """Send without waiting. After the end it does nothing."""
        if self._over:
            return
        if isinstance(message, str):
            self._pipe.send(TEXT, message.encode())
        else:
            self._pipe.send(BINARY, message)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Let the process that has the connection end it."""
        if not self._over:
            self._pipe.send(CLOSE, closing(code, reason))
            self.end()


def closing(code: int, reason: str) -> bytes:
    """The content of a message that ends a wire."""
    return code.to_bytes(2, "big") + reason.encode()


def closed(content: bytes) -> tuple[int, str]:
    """Code and reason of a message that ends a wire."""
    return int.from_bytes(content[:2], "big") or 1000, content[2:].decode(errors="replace")
