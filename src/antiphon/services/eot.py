"""The stage that asks a model whether the user's turn sounds finished."""

from collections import deque
from collections.abc import AsyncGenerator, Sequence

from ..clock import Timer
from ..errors import BadResponseError
from ..frames import (
    Failed,
    Frame,
    ReplyCommitted,
    ReplyStarted,
    ScoreAsked,
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
from .ports import EndOfTurn
from .resampling import ResampledInput, seconds
from .streams import is_probability, ready

__all__ = ["EOT"]

BEFORE = 1.0  # seconds of audio kept while nobody speaks, which bounds the memory of a silent session
WITHIN = 4.0  # seconds that a score may take, on a machine that is busy


class EOT(Stage):
    """A stage that adds TurnScored as soon as speech pauses.

    `again`: further seconds of silence, each counted from the question before, after which the model is asked
    once more. None by default: silence makes the model more certain, not more correct (docs/decisions/0003).
    """

    def __init__(self, service: EndOfTurn, *, again: Sequence[float] = ()) -> None:
        self.service = service
        self.again = again
        self._matched = ResampledInput(service.sample_rate)
        self._before = deque[UserAudio]()  # audio since the last turn, not resampled: it may be silence
        self._before_seconds = 0.0
        self._audio = deque[bytes]()  # audio of the turn, at the model's rate
        self._bytes = 0
        self._most = int(service.seconds * service.sample_rate) * 2
        self._in_turn = self._speaking = False
        self._asked: Work | None = None
        self._timer: Timer | None = None
        self._quiet_since = -1.0

    async def open(self) -> None:
        """Load the model and connect."""
        await ready(self.service)

    @on(UserAudio)
    def audio(self, frame: UserAudio) -> None:
        self.push(frame)
        if self._in_turn:
            self._keep(self._matched(frame))
            return
        self._before.append(frame)
        self._before_seconds += seconds(frame)
        while self._before_seconds - (oldest := seconds(self._before[0])) >= BEFORE - 1e-6:
            self._before_seconds -= oldest
            self._before.popleft()

    def _keep(self, pcm: bytes) -> None:
        self._audio.append(pcm)
        self._bytes += len(pcm)
        while self._bytes - len(self._audio[0]) >= self._most:
            self._bytes -= len(self._audio.popleft())

    def _catch_up(self) -> None:
        """Move the audio from before the turn into it."""
        for frame in self._before:
            self._keep(self._matched(frame))
        self._before.clear()
        self._before_seconds = 0.0

    @on(SpeechStarted, SpeechResumed)
    def spoke_on(self, frame: SpeechStarted | SpeechResumed) -> None:
        """Cancel the question: the user goes on speaking."""
        self._in_turn = self._speaking = True
        self._catch_up()
        self._forget()
        self.push(frame)

    @on(ReplyStarted, ReplyCommitted)
    def replied(self, signal: ReplyStarted | ReplyCommitted) -> None:
        """Forget the turn, whose end is decided, unless the reply is speculative."""
        if isinstance(signal, ReplyStarted) and signal.speculative:
            return
        self._in_turn = self._speaking
        if not self._in_turn:
            self._audio.clear()
            self._bytes = 0
        self._forget()

    def _forget(self) -> None:
        if self._asked is not None:
            self._asked.cancel()
        self._stop_timer()

    @on(SpeechPaused, SpeechStopped)
    def ask(self, frame: SpeechPaused | SpeechStopped) -> None:
        """Ask the model, once for each silence."""
        fresh, self._quiet_since = frame.at != self._quiet_since, frame.at
        self._speaking = isinstance(frame, SpeechPaused)
        if fresh:
            self.push(ScoreAsked(frame.at))  # before the pause: it is not to be judged without the score
        self.push(frame)
        if fresh:
            self._forget()
            self._ask()
            self._wait(0)

    @on(Failed)
    def failed(self, signal: Failed) -> None:
        """Tell that no score will come."""
        if signal.part == self.name:
            self.push(ScoreAsked(self._quiet_since, failed=True))

    def _ask(self) -> None:
        self._catch_up()
        self._asked = Work(self)
        self.run(self._asked, self._answer(self._asked, self._quiet_since, b"".join(self._audio)))

    async def _answer(self, work: Work, at: float, pcm: bytes) -> AsyncGenerator[Frame | Signal, None]:
        work.expect("the end-of-turn score", WITHIN)
        probability = await self.service.score(pcm[-self._most :])
        if not is_probability(probability):
            raise BadResponseError(
                f"the end-of-turn model returned {str(probability)[:40]}, not a probability"
            )
        yield TurnScored(float(probability), at)

    def _wait(self, times: int) -> None:
        self._stop_timer()
        if times < len(self.again):
            self._timer = self.after(self.again[times], lambda: self._again(times))

    def _again(self, times: int) -> None:
        self._timer = None
        if self._asked is None or not self._asked.alive:
            self._ask()
        self._wait(times + 1)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
