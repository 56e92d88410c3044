"""The stage for a model that hears and speaks, in place of STT, LLM and TTS.

    realtime = Realtime(model)
    [transport.input, VAD(...), realtime.ears, realtime.eyes, EOT(...), TurnTaking(...), conversation,
     realtime, Playout(...), transport.output]

It has two places in a pipeline, as the model has two sides. `ears` gives the user's sound to the model, and
pushes what the model says of the user: words and, if the model detects turns, speech. `eyes` gives pictures
to a model that takes them; a pipeline without them lets the transport ignore video. The stage itself asks
for responses and pushes the agent's voice. A response belongs to a reply of the session, as in a cascade: one
that was asked for by a Prompt, or one of its own if the model begins to speak by itself.
"""

from collections import deque
from collections.abc import AsyncGenerator

from ..context import Context
from ..errors import (
    BadResponseError,
    ConfigurationError,
    ServiceTimeoutError,
    UnavailableError,
)
from ..frames import (
    AudioEnded,
    ContextNote,
    Failed,
    Frame,
    Generated,
    Prime,
    Prompt,
    ReplyEnded,
    ResponseOffered,
    SessionStarted,
    Signal,
    Text,
    TextEnded,
    ToolCall,
    ToolEnded,
    Usage,
    UserText,
    UserTurn,
    VoiceCutOff,
)
from ..processor import on
from ..reply import Reply
from ..stage import MediaQueue, Stage, Work
from .ports import RealtimeModel
from .realtime_ears import RealtimeEars
from .realtime_eyes import RealtimeEyes
from .realtime_response import AskedResponse, ModelCalls, ModelResponse, SpokenResponse
from .realtime_vocabulary import (
    AgentWords,
    Consumed,
    CutShort,
    Faulted,
    RealtimeInput,
    Remember,
    Respond,
    ResponseBegan,
    ResponseOver,
    Say,
    ToolOutput,
    UserCutIn,
    UserHeard,
    UserPicture,
    UserSound,
    UserSpeaks,
    UserWords,
    Voice,
)
from .streams import Backoff, closing, ready

__all__ = ["Realtime"]

WAITING = 60.0  # seconds of the user's sound that may wait for the model
A_PICTURE = 0.5  # seconds of them that a picture counts


class Realtime(Stage):
    """A stage that converses through a model that hears and speaks.

    `detects`: whether the model decides when a turn of the user is over; else the session's turn taking does.
    `transcripts`: whether the model's words of the user are used; else a speech to text in the pipeline gives
    them. `within`: seconds that a response may take to begin, and each further piece of it to come.
    """

    def __init__(
        self,
        service: RealtimeModel,
        *,
        detects: bool | None = None,
        transcripts: bool = True,
        within: float = 7.0,
    ) -> None:
        self.service = service
        self.detects = _detects(service, detects)
        self.within = within
        self.ears = RealtimeEars(self.give, service.input_rate, detects=self.detects, transcripts=transcripts)
        self.eyes = RealtimeEyes(self.give, self.ears, service.sees, detects=self.detects)
        self._context = Context("")
        self._inputs = _channel(self.service.input_rate * 2)
        self._work: Work | None = None
        self._backoff = Backoff()
        self._asked = deque[AskedResponse]()  # responses that were asked for, and have not begun
        self._offered = deque[ModelResponse]()  # responses that have begun, and are nobody's yet
        self._speaking: SpokenResponse | None = None  # the response that is being spoken, or was the last
        self._last: AskedResponse | None = None  # the last response that began, or was given up
        self._said: list[str] = []  # text that the agent must say, until it is complete
        self._typed = False  # whether the turn to be answered was typed
        self._calls = ModelCalls()

    def give(self, item: RealtimeInput) -> None:
        """Put an input for the model into its queue."""
        self._inputs.put(item)

    async def open(self) -> None:
        """Load the model and connect."""
        await ready(self.service)

    # The conversation with the model -----------------------------------------------------------------

    @on(SessionStarted)
    def started(self, signal: SessionStarted) -> None:
        self._begin()

    def _begin(self) -> None:
        if self._work is None or not self._work.alive:
            self._inputs = _channel(self.service.input_rate * 2)
            self._work = Work(self, None, self._inputs)
            self.ears.begin()
            self.eyes.begin()
            self._asked = deque(one for one in self._asked if one.reply.state == "active")
            for asked in self._asked:
                self.give(Respond() if asked.said is None else Say(asked.said))
            self.run(self._work, self._converse(self._work, self._inputs))

    async def _converse(
        self, work: Work, inputs: MediaQueue[RealtimeInput]
    ) -> AsyncGenerator[Frame | Signal, None]:
        response: ModelResponse | None = None
        try:
            stream = self.service.converse(self._context, inputs, detects=self.detects)
            async with closing(stream) as events:
                async for event in events:
                    match event:
                        case ResponseBegan():
                            self._backoff.reset()
                            response = ModelResponse(self.service.output_rate)
                            self._offered.append(response)
                            yield ResponseOffered(self.name)
                        case Voice() | AgentWords() | ToolCall():
                            if response is None or response.items.full:
                                raise BadResponseError("the model sent a voice for no response, or too much")
                            response.items.put(event)
                        case ResponseOver():
                            if response is not None:
                                response.end(event)
                            response = None
                        case UserCutIn():
                            yield VoiceCutOff(self.name)
                        case UserSpeaks() | UserHeard():
                            for fact in self.ears.facts(event):
                                self.session.works.admit(self.ears, fact, work)
                        case Consumed(unit, amount):
                            used = self.service.vendor, self.service.model
                            yield Usage(self.name, unit, amount, None, *used)
                        case Faulted(error):
                            yield Failed(self.name, type(error).__name__, str(error), recovered=True)
                        case _:
                            raise BadResponseError(f"the model yielded {str(event)[:60]}")
        finally:
            if response is not None:
                response.end(None)
        raise UnavailableError("the model ended the conversation")

    @on(Failed)
    def failed(self, signal: Failed) -> None:
        """Begin the conversation anew, or end the reply with an apology."""
        if signal.part != self.name or signal.recovered:
            return
        if signal.reply is None:
            self.after(self._backoff.next(), self._begin)
        elif (asked := self._last) is not None and asked.reply.number == signal.reply:
            self._give_up(asked)

    def _give_up(self, asked: AskedResponse) -> None:
        """Let the conversation apologise, unless the words were its own."""
        if asked.said is None:
            self.push(Generated(asked.reply.number, failed=True))
        elif asked.ends:
            self.push(AudioEnded(asked.reply.number))

    @on(Prime)
    def prime(self, frame: Prime) -> None:
        if not frame.eager:
            self._remember(frame.context)

    def _remember(self, context: Context) -> None:
        if context != self._context:
            self._context = context
            self.give(Remember(context))

    # What the model must answer ----------------------------------------------------------------------

    @on(UserTurn)
    def turn(self, frame: UserTurn) -> None:
        self.eyes.end_turn()
        self.ears.end_turn(frame)
        self.push(frame)

    @on(UserText, ContextNote)
    def typed(self, frame: UserText | ContextNote) -> None:
        self._typed = self._typed or isinstance(frame, UserText)
        self.eyes.show()
        self.give(UserWords(frame.text))
        self.push(frame)

    @on(ToolEnded)
    def tool_ended(self, signal: ToolEnded) -> None:
        self._tell_result(signal.call, signal.result)

    def _tell_result(self, call: ToolCall, result: str) -> None:
        if (known := self._calls.ended(call)) is not None:
            self.give(ToolOutput(known, call.name, result))

    @on(Prompt)
    def prompt(self, frame: Prompt) -> None:
        reply = self.session.reply
        if reply is None or reply.number != frame.reply:
            return
        results = self._calls.results(frame.reply, frame.context)
        for answered in results:
            self._tell_result(answered.call, answered.result)
        self._remember(frame.context)
        by_itself = self.service.goes_on_after_tools if results else self.detects and not self._typed
        self._typed = False
        self._ask(self._asked_for(reply), None if by_itself else Respond())

    def _asked_for(self, reply: Reply) -> AskedResponse:
        return AskedResponse(reply, None, len(reply.text), True, self.session.clock.now())

    @on(Text)
    def text(self, frame: Text) -> None:
        """Collect what the agent must say: a greeting, an apology."""
        if self._is_spoken():
            self._said.append(frame.text)
        else:
            self.push(frame)

    def _is_spoken(self) -> bool:
        reply = self.session.reply
        return self.service.speaks and (reply is None or reply.voiced)

    @on(TextEnded)
    def text_ended(self, frame: TextEnded) -> None:
        reply, said = self.session.reply, "".join(self._said)
        self._said = []
        if not self._is_spoken():
            self.push(frame)
        elif said.strip() and reply is not None and reply.number == frame.reply:
            start = len(reply.text.rstrip()) - len(said.rstrip())
            at = self.session.clock.now()
            asked = AskedResponse(reply, said.strip(), max(0, start), not frame.more, at)
            self._ask(asked, Say(said.strip()))

    def _ask(self, asked: AskedResponse, item: Respond | Say | None) -> None:
        self._asked.append(asked)
        if item is not None:
            self.give(item)
        self.after(self.within, lambda: self._late(asked))

    def _late(self, asked: AskedResponse) -> None:
        if asked in self._asked and asked.reply.state == "active":
            self._asked.remove(asked)
            self._last = asked
            late = ServiceTimeoutError(f"the model did not answer within {self.within:g} s")
            self.session.failed(self, late, asked.reply.number)

    @on(ResponseOffered)
    def offered(self, signal: ResponseOffered) -> None:
        """Give a response that has begun to its reply, or to a new one."""
        if signal.part != self.name:
            return
        response = self._offered.popleft() if self._offered else None  # None in a replay
        asked = self._asked.popleft() if self._asked else None
        if asked is None:
            self.session.new_reply(lambda reply: self._speak(self._asked_for(reply), response))
        elif asked.reply.state == "active":
            self._speak(asked, response)
        elif response is not None:
            response.items.abandon()

    def _speak(self, asked: AskedResponse, response: ModelResponse | None) -> None:
        self._last = asked
        if response is None:
            return
        last = self._speaking
        begins = last.begins + last.seconds if last is not None and last.asked.reply is asked.reply else 0.0
        spoken = self._speaking = SpokenResponse(self.name, asked, response, self._calls, begins)
        work = Work(self, asked.reply.number)
        self.run(work, self._spoken(work, spoken))

    async def _spoken(self, work: Work, spoken: SpokenResponse) -> AsyncGenerator[Frame | Signal, None]:
        work.expect("the agent's voice", self.within)
        frames = spoken.frames(self.session.clock, ends_audio=self.service.speaks)
        async for frame in frames:
            work.expect("the agent's voice", self.within + spoken.seconds)  # it may be far ahead of playout
            yield frame
        work.relax()

    @on(VoiceCutOff)
    def cut_off(self, signal: VoiceCutOff) -> None:
        """Interrupt the reply: the model has stopped it."""
        if signal.part == self.name:
            self.session.replies.interrupt("the model heard the user", False)

    @on(ReplyEnded)
    def reply_ended(self, signal: ReplyEnded) -> None:
        spoken = self._speaking
        if spoken is not None and spoken.asked.reply.number == signal.reply:
            if signal.interrupted:
                spoken.response.items.abandon()
                self.give(CutShort(max(0.0, spoken.asked.reply.played - spoken.begins)))
            self._speaking = None
        elif signal.interrupted and any(one.reply.number == signal.reply for one in self._asked):
            self.give(CutShort(0.0))
        if self.detects:  # no response will come that was only expected
            self._asked = deque(one for one in self._asked if one.reply.number != signal.reply)


def _detects(service: RealtimeModel, wanted: bool | None) -> bool:
    """Return whether the model decides on turns.

    Raises ConfigurationError if that is not possible.
    """
    must = {"ours": False, "theirs": True}.get(service.detection)
    if wanted is not None and must not in (None, wanted):
        who = "only it can decide" if must else "it cannot decide"
        raise ConfigurationError(f"detects={wanted}: {who} when a turn is over ({type(service).__name__})")
    return bool(must if wanted is None else wanted)


def _channel(bytes_per_second: int) -> MediaQueue[RealtimeInput]:
    def seconds(item: RealtimeInput) -> float:
        if isinstance(item, UserPicture):
            return A_PICTURE
        return len(item.pcm) / bytes_per_second if isinstance(item, UserSound) else 0.0

    return MediaQueue[RealtimeInput](WAITING, seconds, "drop oldest")
