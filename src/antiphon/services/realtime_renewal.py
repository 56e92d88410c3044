"""When a connection to a realtime model is replaced, and by which one."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ..context import Context
from ..errors import TheyErred
from ..signals import ToolCall
from .realtime_connection import RealtimeConnection
from .realtime_vocabulary import ToolOutput
from .websocket_client import Message

__all__ = ["ConnectionEnds", "OpenCalls", "SpareConnection"]

RENEWED_AT = 0.9  # share of the vendor's time limit after which a connection is replaced, in a pause
SPARE_AT = 0.97  # share of it after which another one is ready even if there is no pause
SPARE_FOR = 20.0  # seconds before the limit, at most


@dataclass(slots=True)
class ConnectionEnds:
    """When a connection should be replaced; None if its end is not known."""

    renew_at: float | None = None
    """From when on it is replaced in a pause."""
    spare_at: float | None = None
    """From when on another one must be ready in any case."""

    @classmethod
    def of(cls, connection: RealtimeConnection) -> "ConnectionEnds":
        """Return what follows from the vendor's time limit."""
        if (lasts := connection.codec.lasts) is None:
            return cls()
        opened = connection.socket.opened_at
        return cls(opened + lasts * RENEWED_AT, opened + max(lasts * SPARE_AT, lasts - SPARE_FOR))

    def __iter__(self) -> Iterator[float | None]:
        return iter((self.renew_at, self.spare_at))

    def next(self, now: float, *others: float) -> float | None:
        """Return the next, of these and others, that is not reached yet."""
        return min((at for at in (*self, *others) if at is not None and at > now), default=None)

    def are_due(self, now: float) -> bool:
        """Return whether one of them is reached."""
        return any(at is not None and now >= at for at in self)

    def spare_due(self, now: float) -> bool:
        """Return whether another connection must be ready."""
        return self.spare_at is not None and now >= self.spare_at

    def put_off(self, until: float) -> None:
        """Do nothing before this time."""
        self.renew_at = until
        self.spare_at = None if self.spare_at is None else max(until, self.spare_at)


class SpareConnection:
    """A connection that is opened while another is used.

    `wake(task)` is called when it is ready.
    """

    def __init__(self, wake: Callable[[asyncio.Task[RealtimeConnection]], object]) -> None:
        self._wake = wake
        self._opening: asyncio.Task[RealtimeConnection] | None = None
        self._lost = False
        self.failed = False
        """Whether the last one could not be opened, or was lost."""

    def __bool__(self) -> bool:
        return self._opening is not None

    def open(self, dialled: Coroutine[Any, Any, RealtimeConnection]) -> None:
        """Begin to open it."""
        self._lost = False
        self._opening = asyncio.create_task(dialled)
        self._opening.add_done_callback(self._wake)

    def receive(self, connection: RealtimeConnection, said: Message | TheyErred) -> None:
        """Note what the vendor says over it."""
        if self._opening is not None and self._opening.done() and connection is self._result:
            self._lost = self._lost or isinstance(said, TheyErred)

    @property
    def _result(self) -> RealtimeConnection | None:
        opening = self._opening
        if opening is None or not opening.done() or opening.cancelled() or opening.exception() is not None:
            return None
        return opening.result()

    @property
    def is_open(self) -> bool:
        """Whether it is no longer being opened."""
        return self._opening is not None and self._opening.done()

    async def take(self, context: Context) -> RealtimeConnection | None:
        """Return it once it is open; None if there is none that begins from this context."""
        if self._opening is None:
            return None
        await asyncio.wait([self._opening])
        connection = self._result
        self.failed = connection is None or self._lost
        if connection is not None and not self._lost and connection.context == context:
            self._opening = None
            return connection
        await self.drop()
        return None

    async def drop(self) -> None:
        """Close it, if there is one."""
        if (opening := self._opening) is not None:
            self._opening = None
            opening.cancel()
            with suppress(asyncio.CancelledError, TheyErred):
                await (await opening).close()


class OpenCalls:
    """The tool calls without a result, and those whose connection is gone."""

    def __init__(self) -> None:
        self._open = set[str]()
        self._lost = set[str]()

    def add(self, call: ToolCall) -> None:
        """Note a call."""
        self._open.add(call.id)

    def lose(self) -> None:
        """Note that the model does not know the open calls any more."""
        self._lost |= self._open

    def ended(self, item: ToolOutput) -> bool:
        """Note a result; returns whether the model does not know its call."""
        lost = item.id in self._lost
        self._open.discard(item.id)
        self._lost.discard(item.id)
        return lost

    def __bool__(self) -> bool:
        return bool(self._open)
