"""The stage that asks a model, by the sound of it, whether the user has finished."""

from collections import deque
from collections.abc import AsyncGenerator

from ..clock import Timer
from ..errors import BadResponseError
from ..frames import (
    Frame,
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
from .matching import Matched, is_probability, load
from .ports import EndOfTurn

__all__ = ["EOT"]

AGAIN = (0.4, 0.4, 0.6)  # seconds of quiet after which the model is asked once more
BEFORE = 1.0  # seconds that are kept while nobody speaks: a session that listens stays small
WITHIN = 2.0  # seconds that an answer may take


class EOT(Stage):
    """Passes frames on and adds TurnScored: when speech pauses, when it stops, and while quiet lasts."""

    def __init__(self, service: EndOfTurn) -> None:
        self.service = service
        self._matched = Matched(service.sample_rate)
        self._audio = deque[bytes]()
        self._bytes = 0
        self._most = int(service.seconds * service.sample_rate) * 2
        self._before = int(BEFORE * service.sample_rate) * 2
        self._in_turn = self._speaking = False
        self._asked = Work(self)
        self._asked.alive = False
        self._timer: Timer | None = None
        self._quiet_since = 0.0

    async def open(self) -> None:
        """Load the model."""
        await load(self.service)

    @on(UserAudio)
    def audio(self, frame: UserAudio) -> None:
        self.push(frame)
        pcm = self._matched(frame)
        self._audio.append(pcm)
        self._bytes += len(pcm)
        most = self._most if self._in_turn else self._before
        while self._bytes - len(self._audio[0]) >= most:
            self._bytes -= len(self._audio.popleft())

    @on(SpeechStarted, SpeechResumed)
    def spoke_on(self, frame: SpeechStarted | SpeechResumed) -> None:
        """The question has answered itself."""
        self._in_turn = self._speaking = True
        self._forget()
        self.push(frame)

    @on(ReplyStarted)
    def replied(self, signal: ReplyStarted) -> None:
        """It has been decided."""
        self._in_turn = self._speaking
        self._forget()

    def _forget(self) -> None:
        self._asked.cancel()
        self._stop_timer()

    @on(SpeechPaused, SpeechStopped)
    def ask(self, frame: SpeechPaused | SpeechStopped) -> None:
        """Ask, unless the answer to the last question is still to come."""
        self.push(frame)
        self._quiet_since = frame.at
        self._speaking = isinstance(frame, SpeechPaused)
        if not self._asked.alive:
            self._ask()
        if isinstance(frame, SpeechStopped):
            self._wait(0)

    def _ask(self) -> None:
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
        if times < len(AGAIN):
            self._timer = self.after(AGAIN[times], lambda: self._again(times))

    def _again(self, times: int) -> None:
        self._timer = None
        if not self._asked.alive:
            self._ask()
        self._wait(times + 1)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
