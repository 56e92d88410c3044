"""A connection without a network: what a server writes is kept, and its reading can be seen."""

import asyncio
from typing import Any


class Network(asyncio.Transport):
    """The connection; what is sent stays in its buffer where the other side does not read."""

    def __init__(self) -> None:
        super().__init__()
        self.protocol: asyncio.Protocol
        self.sent = b""
        self.reads = False
        self.closed = self.aborted = self.paused = self.ended = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent += bytes(data)

    def get_write_buffer_size(self) -> int:
        return 0 if self.reads else len(self.sent)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": ("127.0.0.1", 5), "sockname": ("127.0.0.1", 7860)}.get(name, default)

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        """Which takes for ever, if the other side does not read."""
        if not self.closed and self.reads:
            asyncio.get_running_loop().call_soon(self._lost)
        self.closed = True

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.ended = True

    def abort(self) -> None:
        if not self.aborted:
            self.aborted = self.closed = True
            asyncio.get_running_loop().call_soon(self._lost)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        assert isinstance(protocol, asyncio.Protocol)
        self.protocol = protocol

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def _lost(self) -> None:
        protocol, self.protocol = self.protocol, asyncio.Protocol()
        protocol.connection_lost(None)
