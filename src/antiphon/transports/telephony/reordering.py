"""A reorder buffer for audio from providers that do not guarantee its order."""

__all__ = ["ReorderBuffer"]

WAITING = 5  # pieces that may wait for a missing one: 100 ms
FAR = 50  # a number that is further off than this starts a new count


class ReorderBuffer:
    """A reorder buffer for numbered pieces of audio.

    A missing piece is concealed by a repeat of the one before it. At most WAITING pieces are held; `missed`
    counts the pieces that were given up.
    """

    def __init__(self) -> None:
        self.missed = 0
        self._next: int | None = None
        self._waiting: dict[int, bytes] = {}
        self._last = b""

    def put(self, number: int | None, data: bytes) -> list[bytes]:
        """Add a piece and return the pieces that are now in order.

        A piece without a number is passed on at once.
        """
        if number is None:
            return [data]
        if self._next is None or abs(number - self._next) > FAR:
            self._waiting.clear()
            self._next = number
        if number < self._next:
            return []
        self._waiting[number] = data
        ready = self._in_order()
        while len(self._waiting) > WAITING:
            self.missed += 1
            self._next += 1
            ready += [self._last, *self._in_order()]
        return ready

    def _in_order(self) -> list[bytes]:
        ready: list[bytes] = []
        while self._next is not None and (piece := self._waiting.pop(self._next, None)) is not None:
            ready.append(piece)
            self._next += 1
        if ready:
            self._last = ready[-1]
        return ready
