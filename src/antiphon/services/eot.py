"""The stage that asks a model, by the sound of it, whether the user has finished."""

from collections import deque
from collections.abc import AsyncGenerator, Sequence

from ..clock import Timer
from ..errors import BadResponseError
from ..frames import (
    Frame,
    ReplyCommitted,
    ReplyStarted,
    Signal,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    SpeechStopped,
    TurnScored,
    UserAudio,
)
from ..processor import on
from ..stage import Stage, Work
from .matching import ResampledInput, is_probability, load, seconds
from .ports import EndOfTurn

__all__ = ["EOT"]

BEFORE = 1.0  # seconds that are kept while nobody speaks: a session that listens stays small
WITHIN = 2.0  # seconds that an answer may take


class EOT(Stage):
    """Passes frames on and adds TurnScored, as soon as speech pauses.

    `again`: seconds of quiet, one after the other, after which the model is asked once more. By default it is
    not: what it hears in the silence makes it surer, but no more right (docs/decisions/0003).
    """

    def __init__(self, service: EndOfTurn, *, again: Sequence[float] = ()) -> None:
        self.service = service
        self.again = again
        self._matched = ResampledInput(service.sample_rate)
        self._before = deque[
            UserAudio
        ]()  # what was heard since the last turn: as it came, for it may be silence
        self._before_seconds = 0.0
        self._audio = deque[bytes]()  # of the turn, at the model's rate
        self._bytes = 0
        self._most = int(service.seconds * service.sample_rate) * 2
        self._in_turn = self._speaking = False
        self._asked = Work(self)
        self._asked.alive = False
        self._timer: Timer | None = None
        self._quiet_since = -1.0

    async def open(self) -> None:
        """Load the model."""
        await load(self.service)

    @on(UserAudio)
    def audio(self, frame: UserAudio) -> None:
        self.push(frame)
        if self._in_turn:
            self._take(self._matched(frame))
            return
        self._before.append(frame)
        self._before_seconds += seconds(frame)
        while self._before_seconds - (oldest := seconds(self._before[0])) >= BEFORE - 1e-6:
            self._before_seconds -= oldest
            self._before.popleft()

    def _take(self, pcm: bytes) -> None:
        self._audio.append(pcm)
        self._bytes += len(pcm)
        while self._bytes - len(self._audio[0]) >= self._most:
            self._bytes -= len(self._audio.popleft())

    def _catch_up(self) -> None:
        """What was heard before the turn belongs to it."""
        for frame in self._before:
            self._take(self._matched(frame))
        self._before.clear()
        self._before_seconds = 0.0

    @on(SpeechStarted, SpeechResumed)
    def spoke_on(self, frame: SpeechStarted | SpeechResumed) -> None:
        """The question has answered itself."""
        self._in_turn = self._speaking = True
        self._catch_up()
        self._forget()
        self.push(frame)

    @on(ReplyStarted, ReplyCommitted)
    def replied(self, signal: ReplyStarted | ReplyCommitted) -> None:
        """It has been decided, unless the reply is a guess."""
        if isinstance(signal, ReplyStarted) and signal.speculative:
            return
        self._in_turn = self._speaking
        if not self._in_turn:
            self._audio.clear()
            self._bytes = 0
        self._forget()

    def _forget(self) -> None:
        self._asked.cancel()
        self._stop_timer()

    @on(SpeechPaused, SpeechStopped)
    def ask(self, frame: SpeechPaused | SpeechStopped) -> None:
        """Ask, once in a silence."""
        self.push(frame)
        fresh, self._quiet_since = frame.at != self._quiet_since, frame.at
        self._speaking = isinstance(frame, SpeechPaused)
        if fresh:
            self._forget()
            self._ask()
            self._wait(0)

    def _ask(self) -> None:
        self._catch_up()
        self._asked = Work(self)
        self.run(self._asked, self._answer(self._asked, self._quiet_since, b"".join(self._audio)))

    async def _answer(self, work: Work, at: float, pcm: bytes) -> AsyncGenerator[Frame | Signal, None]:
        work.expect("the end-of-turn score", WITHIN)
        probability = await self.service.score(pcm[-self._most :])
        if not is_probability(probability):
            raise BadResponseError(f"the end-of-turn model gave {str(probability)[:40]}, not a probability")
        yield TurnScored(float(probability), at)

    def _wait(self, times: int) -> None:
        self._stop_timer()
        if times < len(self.again):
            self._timer = self.after(self.again[times], lambda: self._again(times))

    def _again(self, times: int) -> None:
        self._timer = None
        if not self._asked.alive:
            self._ask()
        self._wait(times + 1)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
