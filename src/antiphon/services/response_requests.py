"""Which response of a realtime model is being made, and which are still to be."""

from collections import deque

from .realtime_vocabulary import Respond, Say

__all__ = ["ResponseRequests"]


class ResponseRequests:
    """The responses of a conversation, one at a time, over however many connections."""

    def __init__(self) -> None:
        self.responding = False
        """Whether a response has begun."""
        self.owed = False
        """Whether an answer to the results of tools is to begin."""
        self.goes_on = False
        """Whether the response that begins next is the rest of one."""
        self._requested = False  # whether one was asked for that has not begun
        self._cancels = False  # whether the next is to be cancelled as soon as it begins
        self._waiting = deque[Respond | Say]()  # until the response in progress is over

    @property
    def none(self) -> bool:
        """True if none is being made or waited for."""
        making = self.responding or self._requested or self.goes_on
        return not (making or self._waiting or self.owed)

    def ask(self, item: Respond | Say) -> bool:
        """Ask for a response; returns False if it must wait for the one before it."""
        if self._requested or self.responding:
            self._waiting.append(item)
            return False
        self._requested = True
        return True

    def interrupt(self) -> tuple[int, bool]:
        """Cancel all responses.

        Returns how many waiting requests are dropped, and whether the model can be told of the cut now: one
        that was asked for and has not begun is cancelled when it begins.
        """
        dropped = len(self._waiting)
        self._waiting.clear()
        self.owed = False
        self._cancels = self._cancels or self._requested or self.goes_on
        return dropped, not (self._requested or self.goes_on)

    def begin(self) -> tuple[bool, bool]:
        """Note that one begins.

        Returns whether it is the rest of an earlier one, and whether it must be cancelled.
        """
        told = self.goes_on, self._cancels
        self.responding = True
        self._requested = self.owed = self.goes_on = self._cancels = False
        return told

    def end(self) -> Respond | Say | None:
        """Note that it is over; returns what is to be asked for next."""
        self.responding = False
        return self._waiting.popleft() if self._waiting else None

    def move(self) -> bool:
        """Note a new connection; returns whether a cancelled request ended with it."""
        dropped = self._cancels and not self.goes_on
        self._requested, self._cancels = False, self._cancels and self.goes_on
        return dropped

    def forget_waiting(self) -> None:
        """Drop what waits: it is asked for again."""
        self._waiting.clear()
