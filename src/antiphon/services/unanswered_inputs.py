"""What a realtime model has not answered, in case that its connection is lost."""

from collections import deque

from .realtime_vocabulary import RealtimeInput, SpeechBegan, SpeechOver, ToolOutput, UserSound, UserWords

__all__ = ["UnansweredInputs"]

KEPT = 30.0  # seconds of the user's sound that are sent again over a new connection


class UnansweredInputs:
    """What was put in and not answered yet, in case that it must be put in again.

    Of a model that detects turns it also keeps the newest sound, since the model says only later that a turn
    has begun: at most `lead` seconds.
    """

    def __init__(self, bytes_per_second: int, detects: bool) -> None:
        self.lead = 0.0
        self._rate = bytes_per_second
        self._detects = detects
        self._answering: list[RealtimeInput] = []  # what the response in progress answers
        self._items = deque[RealtimeInput]()
        self._size = 0
        self._lead = deque[UserSound]()  # the newest sound, while nobody speaks
        self._lead_size = 0

    def add(self, item: RealtimeInput) -> None:
        """Keep an input."""
        if self._detects and not self._items and isinstance(item, UserSound):
            self._keep_lead(item)
            return
        if isinstance(item, SpeechBegan):
            self._items.extend(self._lead)
            self._size += self._lead_size
            self._drop_lead()
        self._items.append(item)
        self._size += len(item.pcm) if isinstance(item, UserSound) else 0
        while self._size > KEPT * self._rate:
            self._size -= len(gone.pcm) if isinstance(gone := self._items.popleft(), UserSound) else 0

    def _keep_lead(self, sound: UserSound) -> None:
        """Keep sound in which a turn may have begun."""
        self._lead.append(sound)
        self._lead_size += len(sound.pcm)
        while self._lead_size > self.lead * self._rate:
            self._lead_size -= len(self._lead.popleft().pcm)

    def _drop_lead(self) -> None:
        self._lead.clear()
        self._lead_size = 0

    def items(self) -> list[RealtimeInput]:
        """Return what a new connection must be told."""
        return [*self._answering, *self._items, *self._lead]

    @property
    def has_turn(self) -> bool:
        """True if it has a turn that is over, which the context may hold already."""
        return any(isinstance(item, SpeechOver | UserWords) for item in (*self._answering, *self._items))

    def forget_results(self) -> None:
        """Leave out the results of tools: the context has them."""
        self._items = deque[RealtimeInput](item for item in self._items if not isinstance(item, ToolOutput))

    def begin_answer(self) -> None:
        """Note that a response answers all this; what comes now is for the next one."""
        self._answering += self._items
        self._items.clear()
        self._size = 0
        self._drop_lead()

    def drop_answered(self) -> None:
        """Forget what has its answer."""
        self._answering.clear()

    def clear(self) -> None:
        """Forget all but the newest sound."""
        self._answering.clear()
        self._items.clear()
        self._size = 0

    def __bool__(self) -> bool:
        return bool(self._answering or self._items)
