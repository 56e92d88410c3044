"""A model that listens and takes no part: a judge, a coach, a supervisor.

    judge = Listener(model, "Say yes if the agent has said the word bicycle, else no.")
    [transport.input, ..., TurnTaking(...), Parallel([conversation, realtime], [judge]), Playout(...), ...]

It hears the user's turns and reads what was heard of the agent's replies. What it says to each becomes a
`Remarked`, which nobody hears. It stands anywhere behind the turn taking.
"""

from collections import deque
from collections.abc import AsyncGenerator
from typing import Literal

from ..context import Context
from ..errors import BadResponseError, ConfigurationError, ServiceTimeoutError, UnavailableError
from ..frames import (
    Failed,
    FalseInterruption,
    Frame,
    Generated,
    Remarked,
    ReplyEnded,
    SessionStarted,
    Signal,
    SpeechStarted,
    SpeechStopped,
    Usage,
    UserAudio,
    UserText,
    UserTurn,
)
from ..media_queue import MediaQueue
from ..processor import on
from ..stage import Stage, Work
from .ports import RealtimeModel
from .realtime_ears import RealtimeEars
from .realtime_inputs import realtime_inputs
from .realtime_vocabulary import (
    AgentWords,
    Consumed,
    Faulted,
    RealtimeInput,
    Remember,
    Respond,
    ResponseOver,
    SpeechBegan,
    UserWords,
)
from .streams import Backoff, closing, ready

__all__ = ["Listener"]

LONGEST = 10_000  # characters of a remark
OWED = 16  # turns and replies that may wait for their remark; of more, the oldest get none

Speaker = Literal["user", "agent"]


class Listener(Stage):
    """A stage with a model that remarks on each turn and each answer.

    It reads what a program had said, such as a greeting, and does not remark on it. `user` and `agent` are
    the names by which the model is told who speaks. If a remark takes longer than `within` seconds, the
    conversation with the model is begun anew, and what still waited gets no remark.

    Raises ConfigurationError for a model that alone decides on turns.
    """

    def __init__(
        self,
        service: RealtimeModel,
        instructions: str,
        *,
        user: str = "the user",
        agent: str = "the agent",
        within: float = 10.0,
    ) -> None:
        if service.detection == "theirs":
            raise ConfigurationError(
                f"{type(service).__name__} answers when it wants to: a Listener needs a model that is asked"
            )
        self.service = service
        self.within = within
        self._names = {"user": user, "agent": agent}
        self._context = Context(instructions)
        self._inputs = realtime_inputs(service.input_rate)
        self._ears = _Ears(self._hear, service.input_rate, detects=False, transcripts=False)
        self._work: Work | None = None
        self._backoff = Backoff()
        self._owed = deque[Speaker](maxlen=OWED)  # whose words wait for a remark; the first was asked for
        self._asked = 0
        self._answer = 0  # the last reply that a model has written

    def instruct(self, instructions: str) -> None:
        """Give the model new instructions, from now on."""
        self._context = Context(instructions)
        self._inputs.put(Remember(self._context))

    async def open(self) -> None:
        """Load the model and connect."""
        await ready(self.service)

    # What the model hears ----------------------------------------------------------------------------

    @on(UserAudio)
    def audio(self, frame: UserAudio) -> None:
        self.push(frame)
        self._ears.audio(frame)

    @on(SpeechStarted)
    def speech_started(self, frame: SpeechStarted) -> None:
        self.push(frame)
        self._ears.speech_started(frame)

    @on(SpeechStopped)
    def speech_stopped(self, frame: SpeechStopped) -> None:
        self.push(frame)
        self._ears.speech_stopped(frame)

    @on(FalseInterruption)
    def false_interruption(self, signal: FalseInterruption) -> None:
        self._ears.false_interruption(signal)

    def _hear(self, item: RealtimeInput) -> None:
        if isinstance(item, SpeechBegan):
            self._inputs.put(UserWords(f"[Now {self._names['user']} speaks.]"))
        self._inputs.put(item)

    @on(UserTurn)
    def turn(self, frame: UserTurn) -> None:
        self.push(frame)
        self._ears.end_turn(frame)
        self._ask("user")

    @on(UserText)
    def typed(self, frame: UserText) -> None:
        self.push(frame)
        self._read("user", frame.text)
        self._ask("user")

    @on(Generated)
    def generated(self, signal: Generated) -> None:
        if not signal.failed:
            self._answer = signal.reply

    @on(ReplyEnded)
    def replied(self, signal: ReplyEnded) -> None:
        if signal.heard.strip() and not signal.speculative:
            self._read("agent", signal.heard.strip())
            if signal.reply == self._answer:
                self._ask("agent")

    def _read(self, who: Speaker, words: str) -> None:
        self._inputs.put(UserWords(f"[Now {self._names[who]} said:] {words}"))

    # What it remarks ---------------------------------------------------------------------------------

    def _ask(self, about: Speaker) -> None:
        """Ask for a remark, once the model has made those that are owed."""
        self._owed.append(about)
        if len(self._owed) == 1:
            self._ask_now()

    def _ask_now(self) -> None:
        self._asked += 1
        asked = self._asked
        self._inputs.put(Respond())
        self.after(self.within, lambda: self._late(asked))

    def _late(self, asked: int) -> None:
        if self._owed and asked == self._asked:
            if self._work is not None:
                self._work.cancel()
            self.session.failed(self, ServiceTimeoutError(f"the model said nothing for {self.within:g} s"))

    @on(Remarked)
    def remarked(self, signal: Remarked) -> None:
        if signal.part == self.name and self._owed:
            self._owed.popleft()
            if self._owed:
                self._ask_now()

    # The conversation with the model -----------------------------------------------------------------

    @on(SessionStarted)
    def started(self, signal: SessionStarted) -> None:
        self._begin()

    def _begin(self) -> None:
        if self._work is None or not self._work.alive:
            self._owed.clear()
            self._inputs = realtime_inputs(self.service.input_rate)
            self._work = Work(self, None, self._inputs)
            self.run(self._work, self._converse(self._inputs))

    async def _converse(self, inputs: MediaQueue[RealtimeInput]) -> AsyncGenerator[Frame | Signal, None]:
        said = ""
        async with closing(self.service.converse(self._context, inputs)) as events:
            async for event in events:
                match event:
                    case AgentWords(text):
                        said += text
                        if len(said) > LONGEST:
                            raise BadResponseError(f"a remark of more than {LONGEST} characters")
                    case ResponseOver():
                        self._backoff.reset()
                        if self._owed:
                            yield Remarked(self.name, self._owed[0], said.strip())
                        said = ""
                    case Consumed(unit, amount):
                        used = self.service.vendor, self.service.model
                        yield Usage(self.name, unit, amount, None, *used)
                    case Faulted(error):
                        yield Failed(self.name, type(error).__name__, str(error), recovered=True)
                    case _:
                        pass  # its voice, which nobody hears
        raise UnavailableError("the model ended the conversation")

    @on(Failed)
    def failed(self, signal: Failed) -> None:
        """Begin anew: what was owed gets no remark."""
        if signal.part == self.name and not signal.recovered:
            self.after(self._backoff.next(), self._begin)


class _Ears(RealtimeEars):
    """Ears without a place of their own in the pipeline."""

    def push(self, frame: Frame | Signal) -> None:
        """Do nothing: the listener has passed the frame on."""
