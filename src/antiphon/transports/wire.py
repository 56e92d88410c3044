"""A connection that carries messages, whatever it is: a websocket, a data channel, a pipe to a worker."""

from typing import Protocol

__all__ = ["Wire"]


class Wire(Protocol):
    """Messages both ways, in order. One reader; any number of senders, all in one event loop."""

    async def receive(self) -> bytes | str | None:
        """The next message; None once the other side has gone, or `close` was called."""
        ...

    def send(self, message: bytes | str) -> None:
        """Send without waiting. After the end it does nothing.

        A reader that falls behind by more than the wire's bound is too slow to talk with: the wire ends.
        """
        ...

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Send what waits, briefly, and end; `code` is that of a websocket."""
        ...
