"""The user's speech and pictures as Gemini Live is told of them."""

from collections.abc import Iterator

from ...services.realtime_vocabulary import (
    Discard,
    RealtimeInput,
    SpeechBegan,
    SpeechOver,
    UserPicture,
    UserSound,
)
from ...services.websocket_client import Message
from .live_messages import SPEECH_BEGINS, SPEECH_ENDS, media

__all__ = ["UserActivity", "user_sound"]


def user_sound(pcm: bytes) -> Message:
    """Return a message with sound of the user."""
    return media("audio", pcm, "audio/pcm;rate=16000")


class UserActivity:
    """The user's sound, in activities that hold one turn each.

    If the vendor detects turns there are none.

    The vendor answers an activity as soon as it ends, so it ends when an answer is wanted. Its start
    interrupts the agent, so what the user says over the agent is kept until it is known to be more than a
    cough. An activity that turns out to be one stays open for the next turn, as an empty one must not end.
    """

    def __init__(self, detects: bool) -> None:
        self._detects = detects
        self.open = False
        """Whether the vendor knows of one that has not ended."""
        self.complete = False
        """Whether it holds a whole turn, which waits to be answered."""
        self.turns = 0
        """How many turns were complete."""
        self._kept: list[Message] | None = None
        self._empty = True  # whether the open one holds no sound

    def put(self, item: RealtimeInput, busy: bool) -> Iterator[Message]:
        """Tell of the user's sound, turns and pictures; `busy` while a response is made."""
        match item:
            case UserSound(pcm) if self._detects:
                yield user_sound(pcm)
            case UserSound(pcm):
                yield from self.sound(pcm, busy)
            case SpeechBegan() if not self._detects:
                yield from self.begin(busy)
            case SpeechOver() if not self._detects:
                yield from self.end()
            case UserPicture(image):
                yield media("video", image.data, image.media_type)
            case Discard():
                self._kept = None
            case _:
                pass

    @property
    def heard(self) -> int:
        """The number of the turn that the vendor hears, or has heard last."""
        return self.turns if self.open and not self.complete else max(0, self.turns - 1)

    def begin(self, busy: bool) -> Iterator[Message]:
        """Begin a turn; `busy` while a response is made, which that would interrupt."""
        if self._kept is not None or (self.open and not self.complete):
            return
        if busy or self.complete:
            self._kept = []
            return
        self.open = True
        yield SPEECH_BEGINS

    def sound(self, pcm: bytes, busy: bool) -> Iterator[Message]:
        """Let the vendor hear the user."""
        yield from self.begin(busy)
        if self._kept is None:
            self._empty = False
            yield user_sound(pcm)
        else:
            self._kept.append(user_sound(pcm))

    def release(self) -> Iterator[Message]:
        """Let the vendor hear what was kept, which interrupts it."""
        kept, self._kept = self._kept, None
        if kept is not None:
            if not self.open:
                self.open = True
                yield SPEECH_BEGINS
            self._empty = self._empty and not kept
            yield from kept

    def end(self) -> Iterator[Message]:
        """End a turn."""
        yield from self.release()
        self.complete = self.open and not self._empty
        self.turns += 1

    def interrupt(self) -> Iterator[Message]:
        """Stop the response that is being made."""
        if self._kept is not None:
            yield from self.release()
        elif not self.open:
            self.open = True
            yield SPEECH_BEGINS

    def answer(self) -> Iterator[Message]:
        """Have the turn answered that is complete."""
        self.closed()
        yield SPEECH_ENDS

    def closed(self) -> None:
        """Note that none is open: it was answered, or typed words have ended it."""
        self.open = self.complete = False
        self._empty = True
