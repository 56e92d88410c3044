"""Pieces put back into order, for providers that do not promise one."""

__all__ = ["Order"]

WAITING = 5  # pieces that may wait for one that is missing: 100 ms
FAR = 50  # pieces that a number may be ahead; beyond, the count has begun anew


class Order:
    """Gives pieces by their numbers. One that stays away is filled with the piece before it."""

    def __init__(self) -> None:
        self.missed = 0
        self._next: int | None = None
        self._waiting: dict[int, bytes] = {}
        self._last = b""

    def put(self, number: int | None, data: bytes) -> list[bytes]:
        """The pieces whose turn it is now that this one is there."""
        if number is None:
            return [data]
        if self._next is None or abs(number - self._next) > FAR:
            self._waiting.clear()
            self._next = number
        if number < self._next:
            return []
        self._waiting[number] = data
        ready = self._ready()
        while len(self._waiting) > WAITING:
            self.missed += 1
            self._next += 1
            ready += [self._last, *self._ready()]
        return ready

    def _ready(self) -> list[bytes]:
        ready: list[bytes] = []
        while self._next is not None and (piece := self._waiting.pop(self._next, None)) is not None:
            ready.append(piece)
            self._next += 1
        if ready:
            self._last = ready[-1]
        return ready
