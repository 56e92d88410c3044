"""The port for message connections, such as a websocket or a worker's pipe."""

from typing import Protocol

__all__ = ["READS_TOO_SLOWLY", "Wire"]

READS_TOO_SLOWLY = "the other side reads too slowly"


class Wire(Protocol):
    """A connection that carries messages both ways, in order.

    It has one reader and any number of senders, all in one event loop.
    """

    async def receive(self) -> bytes | str | None:
        """Returns the next message.

        None once the other side has closed, or `close` was called. Raises UnavailableError (READS_TOO_SLOWLY)
        if the wire has ended because the other side did not read.
        """
        ...

    def send(self, message: bytes | str) -> None:
        """Queue a message without waiting. Does nothing after the end.

        If more than the wire's limit is queued, the other side reads too slowly, and the wire ends.
        """
        ...

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Send what is queued, waiting only a short time, and close.

        `code` is a websocket's close code.
        """
        ...
