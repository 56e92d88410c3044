"""The buffer between a thread that captures media and the event loop."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from .catching_up import TURNS

__all__ = ["CaptureBuffer"]

T = TypeVar("T")


class CaptureBuffer(Generic[T]):
    """A thread-safe buffer that hands items to `handle` in the event loop.

    `put` never blocks the capturing thread. At most `limit` is buffered, measured by `size` (seconds of
    audio; by default the number of items). If the loop falls further behind, the oldest items are dropped and
    counted in `dropped`.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        handle: Callable[[T], object],
        limit: float,
        size: Callable[[T], float] = lambda item: 1.0,
    ) -> None:
        self.dropped = 0
        self._loop = loop
        self._handle = handle
        self._limit = limit
        self._size = size
        self._lock = threading.Lock()
        self._items: deque[T] = deque()
        self._held = 0.0
        self._scheduled = False
        self._closed = False

    def put(self, item: T) -> None:
        """Add an item, from any thread. Does nothing after `close`."""
        with self._lock:
            if self._closed:
                return
            self._items.append(item)
            self._held += self._size(item)
            while self._held > self._limit and len(self._items) > 1:
                self._held -= self._size(self._items.popleft())
                self.dropped += 1
            if self._scheduled:
                return
            self._scheduled = True
        self._loop.call_soon_threadsafe(self._drain)

    def close(self) -> None:
        """Discard the buffered items, accept no more, and release the handler."""
        with self._lock:
            self._closed = True
            self._items.clear()
            self._handle = _ignore

    def _drain(self) -> None:
        """Handle the oldest item, and the next one once that can have been judged."""
        with self._lock:
            if self._closed:
                return
            item = self._items.popleft()
            self._held -= self._size(item)
            self._scheduled = more = bool(self._items)
        if more:
            self._rest(TURNS)
        self._handle(item)

    def _rest(self, turns: int) -> None:
        if turns > 1:
            self._loop.call_soon(self._rest, turns - 1)
        else:
            self._loop.call_soon(self._drain)


def _ignore(item: object) -> None:
    pass
