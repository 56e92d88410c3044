"""What a realtime model has not answered, to tell it again if need be."""

from collections import deque
from collections.abc import Iterable

from ..context import Context
from .realtime_vocabulary import (
    CutShort,
    Discard,
    RealtimeEvent,
    RealtimeInput,
    Remember,
    Respond,
    ResponseBegan,
    ResponseOver,
    Say,
    SpeechBegan,
    SpeechOver,
    ToolOutput,
    UserHeard,
    UserPicture,
    UserSound,
    UserSpeaks,
    UserWords,
)

__all__ = ["UnansweredInputs"]

KEPT = 60.0  # seconds of the user's sound that are put in again
PICTURES = 2  # of the camera and of the screen
ENDS_TURN = 1.0  # seconds of silence with which a model that detects turns hears the end of one again
QUIET = 15  # pieces of sound, some 0.6 s, without speech
FAINT, LOUD = 400, 4000  # peaks below and above which there is none, and there is, whatever the noise


class UnansweredInputs:
    """The inputs that have no answer yet, and the context before them.

    A conversation that takes the place of another begins from `context` and is told `items()`. Whoever reads
    the events does not notice: `see` leaves out what the new one says of the user once more, and counts turns
    on.

    Of a model that detects turns the newest sound is kept too, at most `lead` seconds, since the model says
    only later that a turn has begun. Pictures have no answer: a new conversation is shown the newest.
    """

    def __init__(self, context: Context, bytes_per_second: int, detects: bool) -> None:
        self.context = context
        """As of the first of what is unanswered."""
        self.lead = 0.0
        self._newest = context
        self._rate = bytes_per_second
        self.detects = detects
        self._answering: list[RealtimeInput] = []  # what the response in progress answers
        self.asked: Respond | Say | None = None
        """What asked for the response in progress."""
        self._items = deque[RealtimeInput]()
        self._size = 0
        self._speaking = False
        self._lead = deque[UserSound]()  # the newest sound, while nobody speaks
        self._lead_size = 0
        self._pictures = deque[UserPicture](maxlen=PICTURES)
        self._turns = 0  # that the model has heard
        self._turns_before = 0  # those before the current conversation
        self._heard = set[int]()  # the turns whose final words have come
        self._repeated = deque[bool]()  # what the model will say again of the user: speaking or not

    # What goes in ------------------------------------------------------------------------------------

    def add(self, item: RealtimeInput) -> None:
        """Keep an input, if it must be put in again."""
        match item:
            case Remember(context):
                self._remember(context)
            case Discard():
                self._clear()
            case CutShort():  # nobody waits for these answers any more
                self._keep(item for item in self._items if not isinstance(item, Respond | Say))
            case UserPicture():
                self._pictures.append(item)
            case UserSound() if self.detects and not self._speaking:
                self._keep_lead(item)
            case _:
                self._add(item)

    def _add(self, item: RealtimeInput) -> None:
        if isinstance(item, SpeechBegan | SpeechOver):
            self._speaking = isinstance(item, SpeechBegan)
        if isinstance(item, SpeechBegan):
            self._items.extend(self._lead)
            self._size += self._lead_size
            self._drop_lead()
        self._turns += isinstance(item, SpeechBegan if self.detects else SpeechOver)
        self._items.append(item)
        self._size += _size(item)
        while self._size > KEPT * self._rate:
            self._size -= _size(self._items.popleft())

    def _remember(self, context: Context) -> None:
        self._newest = context
        has_turn = any(isinstance(item, SpeechOver | UserWords) for item in (*self._answering, *self._items))
        if not has_turn:  # else the context may hold that turn already
            self.context = context
            self._keep(item for item in self._items if not isinstance(item, ToolOutput))

    def _keep(self, items: Iterable[RealtimeInput]) -> None:
        self._items = deque(items)
        self._size = sum(map(_size, self._items))

    def _keep_lead(self, sound: UserSound) -> None:
        """Keep sound in which a turn may have begun."""
        self._lead.append(sound)
        self._lead_size += len(sound.pcm)
        while self._lead_size > self.lead * self._rate:
            self._lead_size -= len(self._lead.popleft().pcm)

    def _drop_lead(self) -> None:
        self._lead.clear()
        self._lead_size = 0

    def _clear(self) -> None:
        self._answering.clear()
        self._keep(())

    # What comes out ----------------------------------------------------------------------------------

    def see(self, event: RealtimeEvent) -> RealtimeEvent | None:
        """Return an event as its reader sees it; None if it says something again."""
        match event:
            case ResponseBegan():
                self._repeated.clear()
                self._begin_answer()
            case ResponseOver(status) if status != "failed":
                self._answering.clear()
                self.context = self._newest
            case UserSpeaks(speaking):
                if self._repeated and self._repeated[0] == speaking:
                    self._repeated.popleft()
                    return None
                self.add(SpeechBegan() if speaking else SpeechOver())
            case UserHeard(turn, text, final):
                number = self._turns_before + turn
                if number in self._heard:
                    return None
                self._heard |= {number} if final else set()
                return UserHeard(number, text, final)
            case _:
                pass
        return event

    def _begin_answer(self) -> None:
        """Note that a response answers all this, up to where it was asked for."""
        self.asked, items = None, list(self._items)
        for at, item in enumerate(items):
            if isinstance(item, Respond | Say):
                self.asked = item
                self._answering += items[:at]
                self._keep(items[at + 1 :])
                break
        else:
            self._answering += items
            self._keep(())
        self._drop_lead()

    def take_back(self, *rest: RealtimeInput) -> None:
        """Give the response in progress up: what it answers is unanswered again.

        `rest` asks for the rest of a response that was heard in part. Then a model that detects turns does
        not hear the turn again, since it would answer it from the beginning.
        """
        answering = [] if rest and self.detects else self._answering
        again = rest
        if not rest and self.asked is not None:
            again = (self.asked,)
        elif not rest and not any(isinstance(item, SpeechOver) for item in answering):
            again = (Respond(),)  # it was made without a turn, after the results of tools
        self._keep([*answering, *again, *self._items])
        self._answering = []

    # A new conversation ------------------------------------------------------------------------------

    def items(self) -> list[RealtimeInput]:
        """Return what a new conversation must be told, which begins from `context`."""
        items = [*self._answering, *self._items]
        turns = [
            isinstance(item, SpeechBegan) for item in items if isinstance(item, SpeechBegan | SpeechOver)
        ]
        self._turns_before = self._turns - turns.count(self.detects)
        if not self.detects:
            return [*self._pictures, *items]
        self._repeated = deque(turns)
        silence = UserSound(bytes(int(ENDS_TURN * self._rate / 2) * 2))
        items = [
            silence if isinstance(item, SpeechOver) else item
            for item in (*self._pictures, *items, *self._lead)
        ]
        return [item for item in items if not isinstance(item, SpeechBegan)]

    def go_on(self) -> list[RealtimeInput]:
        """Return what a connection that resumes the conversation must be told."""
        self._turns_before = self._turns
        self._repeated.clear()
        return list(self._lead)

    def is_quiet(self) -> bool:
        """Return whether the user is silent, as far as one can tell from the sound alone.

        A model that detects turns may say only at the end of one that there was one.
        """
        peaks = [_peak(sound.pcm) for sound in self._lead]
        newest = max(peaks[-QUIET:], default=0)
        return newest < FAINT or (newest < LOUD and newest < 3 * min(peaks))

    def __bool__(self) -> bool:
        return bool(self._answering or self._items)


def _peak(pcm: bytes) -> int:
    return max(memoryview(pcm).cast("h")[::8], default=0)


def _size(item: RealtimeInput) -> int:
    return len(item.pcm) if isinstance(item, UserSound) else 0
