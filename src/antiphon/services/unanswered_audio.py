"""What the user has said that a recogniser has not answered."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ..frames import Frame, SpeechStarted, SpeechStopped, UserAudio
from .resampling import seconds

__all__ = ["Asked", "UnansweredAudio", "end_of"]

MOST = 30.0  # seconds of audio
BEFORE = 1.0  # seconds of audio kept while nobody speaks, as speech is noticed later than it starts


class Asked(NamedTuple):
    """An utterance whose final words are missing, and by when they must have come."""

    started: float
    ended: float
    due: float

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.ended - self.started


class UnansweredAudio:
    """The user's audio since the last answer, and where utterances end in it.

    Another stream hears it if the one that was to answer fails. While nobody speaks it is the last second.
    """

    def __init__(self) -> None:
        self.speaking = False
        """True from SpeechStarted to SpeechStopped."""
        self.has_words = False
        """True if there are words that may still change: somebody speaks, even if no VAD tells."""
        self.asked = deque[Asked]()
        """The utterances that have ended, oldest first."""
        self._frames = deque[UserAudio | SpeechStopped]()
        self._seconds = 0.0
        self._ends = 0  # frames that are no audio

    def __iter__(self) -> Iterator[UserAudio | SpeechStopped]:
        return iter(self._frames)

    def add(self, frame: UserAudio) -> None:
        """Keep audio, and forget what is too old."""
        self._frames.append(frame)
        self._seconds += seconds(frame)
        self._trim()

    def _trim(self) -> None:
        most = MOST if self.speaking or self.has_words or self._ends else BEFORE
        while self._frames and self._seconds - _seconds(oldest := self._frames[0]) >= most - 1e-6:
            self._frames.popleft()
            self._seconds -= _seconds(oldest)
            self._ends -= isinstance(oldest, SpeechStopped)

    def end(self, frame: SpeechStopped, started: float, due: float) -> None:
        """Note that an utterance has ended, and must be answered by `due`."""
        self.speaking = False
        self.asked.append(Asked(started, frame.at, due))
        self._frames.append(frame)
        self._ends += 1

    def take(self, frames: Iterable[Frame], due: float) -> tuple[float, float]:
        """Keep the `facts` of another, whose utterances must be answered by `due`.

        Returns when the last one began and ended; 0 if that is not among them.
        """
        started = ended = 0.0
        for frame in frames:
            match frame:
                case UserAudio():
                    self.add(frame)
                case SpeechStarted(at):
                    started, self.speaking = at, True
                case SpeechStopped(at):
                    ended = at
                    self.end(frame, started or at, due)
                case _:
                    pass
        return started, ended

    def since(self, time: float) -> list[UserAudio]:
        """Return the newest audio, as far as it comes after a time."""
        newest: list[UserAudio] = []
        for frame in reversed(self._frames):
            if isinstance(frame, UserAudio):
                if end_of(frame) <= time + 1e-6:
                    break
                newest.append(frame)
        return newest[::-1]

    def forget_before(self, time: float) -> None:
        """Forget what came before a time, back to the end of the last utterance."""
        kept: list[UserAudio] = []
        while self._frames and isinstance(frame := self._frames[-1], UserAudio):
            self._frames.pop()
            if end_of(frame) > time + 1e-6:
                kept.append(frame)
        self._replace([*self._frames, *reversed(kept)])

    def answered(self, due: float) -> None:
        """Forget the oldest utterance that has ended; if none has, all until now.

        The next one may be answered by `due`: the service has only now come to it.
        """
        self.has_words = False
        if self.asked:
            self.asked.popleft()
        if self.asked:
            self.asked[0] = self.asked[0]._replace(due=due)
        if not self._ends:
            self._replace([])
            return
        quiet: list[UserAudio] = []  # since the end of the utterance
        while isinstance(frame := self._frames.popleft(), UserAudio):
            quiet.append(frame)
        self._replace([*(one for one in quiet if end_of(one) > frame.at + 1e-6), *self._frames])

    def clear(self) -> None:
        """Forget everything."""
        self.speaking = self.has_words = False
        self.asked.clear()
        self._replace([])

    def facts(self, started: float) -> Iterator[Frame]:
        """Yield the audio, and when each utterance in it began and ended.

        `started` is when the one began that has not ended.
        """
        asked = list(self.asked)
        for frame in self._frames:
            if isinstance(frame, SpeechStopped) and asked:
                yield SpeechStarted(asked.pop(0).started)
            yield frame
        if self.speaking:
            yield SpeechStarted(started)

    def _replace(self, frames: Iterable[UserAudio | SpeechStopped]) -> None:
        self._frames = deque(frames)
        self._seconds = sum(map(_seconds, self._frames))
        self._ends = sum(isinstance(frame, SpeechStopped) for frame in self._frames)
        self._trim()


def end_of(frame: UserAudio) -> float:
    """Return where a frame ends, in the session's time."""
    return frame.at / frame.sample_rate + seconds(frame)


def _seconds(frame: UserAudio | SpeechStopped) -> float:
    return seconds(frame) if isinstance(frame, UserAudio) else 0.0
