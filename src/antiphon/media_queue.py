"""Queues that are bounded in seconds of media, and the inbox of a stage."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any, Generic, Literal, TypeGuard, TypeVar

from .flow import Frame, Signal

__all__ = ["Inbox", "MediaQueue", "Waiters"]

WITHOUT_MEDIA = 0.02  # seconds that a frame without media counts
INBOX_BYTES = 16 * 2**20  # of media of one type that may wait in an inbox

T = TypeVar("T")


class Waiters:
    """Tasks that wait until there is room in a queue."""

    def __init__(self) -> None:
        self.waited_for: list[asyncio.Future[None]] = []

    async def wait(self) -> None:
        """Wait for the next `release`."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waited_for.append(future)
        await future

    def release(self) -> None:
        """Wake all waiting tasks."""
        waiting, self.waited_for = self.waited_for, []
        for future in waiting:
            _wake(future)


class MediaQueue(Generic[T]):
    """A queue for one consumer, bounded in seconds of media.

    `policy` says what happens at the limit: "hold" applies back-pressure (stages that produce for it wait
    after each frame), "drop oldest" drops the oldest items and counts them in `dropped`.
    """

    def __init__(
        self, limit: float, seconds: Callable[[T], float], policy: Literal["hold", "drop oldest"] = "hold"
    ) -> None:
        self.limit = limit
        self.dropped = 0
        self.held = 0.0
        """Seconds of media in the queue."""
        self._seconds = seconds
        self._policy: Literal["hold", "drop oldest"] = policy
        self._items: deque[T] = deque()
        self.closed = False
        """Whether it accepts no more."""
        self._waiting: asyncio.Future[None] | None = None
        self._room = Waiters()

    def put(self, item: T) -> None:
        """Add an item without waiting; producers then check `full` and await `room`."""
        if self.closed:
            return
        self._items.append(item)
        self.held += self._seconds(item)
        if self._policy == "drop oldest":
            while self.held > self.limit and len(self._items) > 1:
                self.held -= self._seconds(self._items.popleft())
                self.dropped += 1
        _wake(self._waiting)

    def close(self) -> None:
        """Accept no more items; iteration ends after those that are left."""
        self.closed = True
        _wake(self._waiting)
        self._room.release()

    def abandon(self) -> None:
        """Drop all items and release the producers: there is no consumer any more."""
        self._items.clear()
        self.held = 0.0
        self.close()

    def renew(self) -> "MediaQueue[T]":
        """Return a queue for another consumer, with what waits in this one.

        This one is abandoned.
        """
        new = MediaQueue(self.limit, self._seconds, self._policy)
        for item in self._items:
            new.put(item)
        if self.closed:
            new.close()
        self.abandon()
        return new

    @property
    def full(self) -> bool:
        """Whether producers should wait for `room`."""
        return self._policy == "hold" and self.held >= self.limit and not self.closed

    async def room(self) -> None:
        """Wait until there is room again."""
        await self._room.wait()

    def __len__(self) -> int:
        return len(self._items)

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        while not self._items:
            if self.closed:
                raise StopAsyncIteration
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        item = self._items.popleft()
        self.held -= self._seconds(item)
        if self._room.waited_for and self.held < self.limit:
            self._room.release()
        return item


InboxEntry = tuple[Callable[[Any], object], Frame | Signal]
"""A handler, and the frame that it is to be called with."""


class Inbox(MediaQueue[InboxEntry]):
    """Frames that wait for the async handlers of a stage, in order.

    Each type of captured media (those whose `late` is "drop oldest") has a limit of its own, beyond which its
    oldest are dropped. Everything else counts together, and holds back its producers at the limit.
    """

    def __init__(self, limit: float, dropped: Callable[[Frame], object]) -> None:
        super().__init__(limit, self._held_seconds)
        self._on_dropped = dropped
        self._captured: dict[type[Frame], float] = {}  # seconds that wait

    def put(self, item: InboxEntry) -> None:
        super().put(item)
        frame = item[1]
        if self.closed or not _is_captured(frame):
            return
        kind = type(frame)
        self._captured[kind] = self._captured.get(kind, 0.0) + self._room_for(frame)
        while self._captured[kind] > self.limit * (1 + 1e-9) and self._drop_oldest(kind, frame):
            pass

    def abandon(self) -> None:
        super().abandon()
        self._captured.clear()

    async def __anext__(self) -> InboxEntry:
        item = await super().__anext__()
        if _is_captured(frame := item[1]):
            self._captured[type(frame)] -= self._room_for(frame)
        return item

    def _drop_oldest(self, kind: type[Frame], newest: Frame) -> bool:
        """Drop the oldest frame of a type, but not `newest`; returns whether it did."""
        for place, (_, frame) in enumerate(self._items):
            if isinstance(frame, kind) and frame is not newest:
                del self._items[place]
                self._captured[kind] -= self._room_for(frame)
                self.dropped += 1
                self._on_dropped(frame)
                return True
        return False

    def _held_seconds(self, item: InboxEntry) -> float:
        frame = item[1]
        return 0.0 if _is_captured(frame) else self._room_for(frame)

    def _room_for(self, frame: Frame | Signal) -> float:
        """Return how many seconds of the limit a frame takes up.

        That is its duration, or more if its size or number counts more.
        """
        if isinstance(frame, Signal) or not frame.media:
            return WITHOUT_MEDIA
        by_number = 0.0 if frame.most_waiting is None else self.limit / frame.most_waiting
        by_size = self.limit * frame.size_bytes / INBOX_BYTES
        return max(frame.duration, by_size, by_number, 1e-6)


def _is_captured(frame: Frame | Signal) -> TypeGuard[Frame]:
    return isinstance(frame, Frame) and frame.media and frame.late == "drop oldest"


def _wake(future: "asyncio.Future[None] | None") -> None:
    if future is not None and not future.done():
        future.set_result(None)
