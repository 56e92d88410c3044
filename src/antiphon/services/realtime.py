"""The stage for a model that hears and speaks: it stands where STT, LLM and TTS stand.

    realtime = Realtime(model)
    [transport.input, VAD(...), realtime.ears, EOT(...), TurnTaking(...), conversation, realtime,
     Playout(...), transport.output]

It has two places in a pipeline, as the model has two sides. `ears` gives the user's sound to the model, and
pushes what the model says of the user: words and, if the model detects turns, speech. The stage itself asks
for responses and pushes the agent's voice. A response belongs to a reply of the session, as in a cascade: one
that was asked for by a Prompt, or one of its own if the model begins to speak by itself.
"""

from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import NamedTuple

from ..context import Context, ToolAnswered
from ..errors import (
    BadResponseError,
    ConfigurationError,
    NothingSaidError,
    ServiceTimeoutError,
    TheyErred,
    UnavailableError,
)
from ..frames import (
    AgentAudio,
    AudioEnded,
    ContextNote,
    Failed,
    FalseInterruption,
    Frame,
    Generated,
    Measured,
    Prime,
    Prompt,
    ReplyEnded,
    ResponseOffered,
    SegmentEnded,
    SegmentStarted,
    SessionStarted,
    Signal,
    SpeechStarted,
    SpeechStopped,
    Text,
    TextEnded,
    ToolCall,
    ToolEnded,
    Transcript,
    TurnHinted,
    Usage,
    UserAudio,
    UserText,
    UserTurn,
    VoiceCutOff,
    WordTimed,
    replace,
)
from ..processor import Processor, on
from ..reply import Reply
from ..stage import MediaQueue, Stage, Work
from .ports import RealtimeModel
from .realtime_vocabulary import (
    AgentWords,
    Consumed,
    Discard,
    Faulted,
    Interrupt,
    RealtimeInput,
    Remember,
    Respond,
    ResponseBegan,
    ResponseOver,
    Say,
    SpeechBegan,
    SpeechOver,
    ToolOutput,
    UserCutIn,
    UserHeard,
    UserSound,
    UserSpeaks,
    UserWords,
    Voice,
)
from .resampling import ResampledInput, seconds
from .streams import AudioChunker, Backoff, closing, ready

__all__ = ["Realtime"]

CHUNK = 0.04  # seconds of the user's sound that are given to the model at once
LEAD = 0.3  # seconds before the start of speech that the model hears too
NOISE_AFTER = 8.0  # seconds of quiet after which speech that became no turn is discarded
WAITING = 60.0  # seconds of the user's sound that may wait for the model
AHEAD = 600.0  # seconds of voice that a model may send ahead of playout
SENT_AT_ONCE = 0.2  # seconds of voice that are pushed at once
OPEN = 1 << 30  # the end of a segment whose text is still to come
BROKEN_OFF = ResponseOver("failed", "the model broke off")
SPANS = 64  # turns of the user whose words may still come


class Asked(NamedTuple):
    """A response that was asked for."""

    reply: Reply
    said: str | None
    """What it must say; None if the model finds the words."""
    start: int
    """Where its text begins in the reply's."""
    ends: bool
    """True if the reply is over after it, unless the model calls tools."""


class CallOfModel(NamedTuple):
    """A tool call: the model's id of it, and the reply that it belongs to."""

    id: str
    reply: int


@dataclass(slots=True)
class Response:
    """A response of the model, as it comes."""

    items: MediaQueue[Voice | AgentWords | ToolCall]
    over: ResponseOver | None = None
    """How it ended; None if the conversation ended before it."""


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
        possible = {"ours": False, "theirs": True}.get(service.detection)
        if detects is not None and possible not in (None, detects):
            who = "only it can decide" if possible else "it cannot decide"
            raise ConfigurationError(
                f"detects={detects}: {who} when a turn is over ({type(service).__name__})"
            )
        self.service = service
        self.detects = bool(possible if detects is None else detects)
        self.within = within
        self.ears = Ears(self, transcripts)
        self._context = Context("")
        self._inputs = self._channel()
        self._work: Work | None = None
        self._backoff = Backoff()
        self._asked = deque[Asked]()  # responses that were asked for, and have not begun
        self._offered = deque[Response]()  # responses that have begun, and are nobody's yet
        self._speaking: Asked | None = None  # the response that is being spoken, or was the last
        self._voice_begins = 0.0  # seconds of the reply's voice before that response's
        self._given = 0.0  # seconds of voice that were pushed for the current reply
        self._said: list[str] = []  # text that the agent must say, until it is complete
        self._typed = False  # whether the turn to be answered was typed
        self._calls: dict[str, CallOfModel] = {}  # calls of tools without a result, by our ids
        self._count = 0  # how many calls there were

    def give(self, item: RealtimeInput) -> None:
        """Put an input for the model into its queue."""
        self._inputs.put(item)

    async def open(self) -> None:
        """Load the model and connect."""
        await ready(self.service)

    # The conversation with the model -----------------------------------------------------------------

    def _channel(self) -> MediaQueue[RealtimeInput]:
        rate = self.service.input_rate * 2
        return MediaQueue[RealtimeInput](
            WAITING, lambda item: len(item.pcm) / rate if isinstance(item, UserSound) else 0.0, "drop oldest"
        )

    @on(SessionStarted)
    def started(self, signal: SessionStarted) -> None:
        self._begin()

    def _begin(self) -> None:
        if self._work is None or not self._work.alive:
            self._inputs = self._channel()
            self._work = Work(self, None, self._inputs)
            self.ears.begin()
            for asked in self._asked:
                self.give(Respond() if asked.said is None else Say(asked.said))
            self.run(self._work, self._converse(self._work, self._inputs))

    async def _converse(
        self, work: Work, inputs: MediaQueue[RealtimeInput]
    ) -> AsyncGenerator[Frame | Signal, None]:
        response: Response | None = None
        try:
            stream = self.service.converse(self._context, inputs, detects=self.detects)
            async with closing(stream) as events:
                async for event in events:
                    match event:
                        case ResponseBegan():
                            self._backoff.reset()
                            response = Response(MediaQueue(AHEAD, self._seconds))
                            self._offered.append(response)
                            yield ResponseOffered(self.name)
                        case Voice() | AgentWords() | ToolCall():
                            if response is None or response.items.full:
                                raise BadResponseError("the model sent a voice for no response, or too much")
                            response.items.put(event)
                        case ResponseOver():
                            if response is not None:
                                response.over = event
                                response.items.close()
                            response = None
                        case UserCutIn():
                            yield VoiceCutOff(self.name)
                        case UserSpeaks() | UserHeard():
                            for fact in self.ears.facts(event):
                                self.session.works.admit(self.ears, fact, work)
                        case Consumed(unit, amount):
                            yield Usage(self.name, unit, amount)
                        case Faulted(error):
                            yield Failed(self.name, type(error).__name__, str(error), recovered=True)
                        case _:
                            raise BadResponseError(f"the model yielded {str(event)[:60]}")
        finally:
            if response is not None:
                response.items.close()
        raise UnavailableError("the model ended the conversation")

    def _seconds(self, item: Voice | AgentWords | ToolCall) -> float:
        return len(item.pcm) / 2 / self.service.output_rate if isinstance(item, Voice) else 0.0

    @on(Failed)
    def failed(self, signal: Failed) -> None:
        """Begin the conversation anew, or end the reply with an apology."""
        if signal.part != self.name or signal.recovered:
            return
        if signal.reply is None:
            self.after(self._backoff.next(), self._begin)
        elif (asked := self._speaking) is not None and asked.reply.number == signal.reply:
            self._give_up(asked)

    def _give_up(self, asked: Asked) -> None:
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
        self.ears.end_turn(frame)
        self.push(frame)

    @on(UserText, ContextNote)
    def typed(self, frame: UserText | ContextNote) -> None:
        self.give(UserWords(frame.text))
        self._typed = isinstance(frame, UserText)
        self.push(frame)

    @on(ToolEnded)
    def tool_ended(self, signal: ToolEnded) -> None:
        self._tell_result(signal.call, signal.result)

    def _tell_result(self, call: ToolCall, result: str) -> bool:
        """Tell the model what a tool has returned; returns False if it knows that."""
        known = self._calls.pop(call.id, None)
        if known is not None:
            self.give(ToolOutput(known.id, call.name, result))
        return known is not None

    @on(Prompt)
    def prompt(self, frame: Prompt) -> None:
        reply = self.session.reply
        if reply is None or reply.number != frame.reply:
            return
        own = {known for known, call in self._calls.items() if call.reply == frame.reply}
        results = [e for e in frame.context.entries if isinstance(e, ToolAnswered) and e.call.id in own]
        for answered in results:
            self._tell_result(answered.call, answered.result)
        self._remember(frame.context)
        by_itself = self.service.goes_on_after_tools if results else self.detects and not self._typed
        self._typed = False
        self._ask(Asked(reply, None, len(reply.text), True), None if by_itself else Respond())

    @on(Text)
    def text(self, frame: Text) -> None:
        """Collect what the agent must say: a greeting, an apology."""
        if self.service.speaks:
            self._said.append(frame.text)
        else:
            self.push(frame)

    @on(TextEnded)
    def text_ended(self, frame: TextEnded) -> None:
        reply, said = self.session.reply, "".join(self._said)
        self._said = []
        if not self.service.speaks or (reply is not None and not reply.voiced):
            self.push(frame)
        elif said.strip() and reply is not None and reply.number == frame.reply:
            start = len(reply.text.rstrip()) - len(said.rstrip())
            self._ask(Asked(reply, said.strip(), max(0, start), not frame.more), Say(said.strip()))

    def _ask(self, asked: Asked, item: Respond | Say | None) -> None:
        self._asked.append(asked)
        if item is not None:
            self.give(item)
        self.after(self.within, lambda: self._late(asked))

    def _late(self, asked: Asked) -> None:
        """Give up a response that has not begun."""
        if asked in self._asked and asked.reply.state == "active":
            self._asked.remove(asked)
            self._speaking = asked
            late = ServiceTimeoutError(f"the model did not answer within {self.within:g} s")
            self.session.failed(self, late, asked.reply.number)

    # What the model says -----------------------------------------------------------------------------

    @on(ResponseOffered)
    def offered(self, signal: ResponseOffered) -> None:
        """Give a response that has begun to the reply that it was asked for, or to a new one."""
        if signal.part != self.name:
            return
        response = self._offered.popleft() if self._offered else None  # None in a replay
        asked = self._asked.popleft() if self._asked else None
        if asked is None:
            self.session.new_reply(lambda reply: self._speak(Asked(reply, None, 0, True), response))
        elif asked.reply.state == "active":
            self._speak(asked, response)

    def _speak(self, asked: Asked, response: Response | None) -> None:
        if self._speaking is None or self._speaking.reply is not asked.reply:
            self._given = 0.0
        self._speaking, self._voice_begins = asked, self._given
        if response is not None:
            work = Work(self, asked.reply.number)
            self.run(work, self._spoken(work, asked, response))

    async def _spoken(
        self, work: Work, asked: Asked, response: Response
    ) -> AsyncGenerator[Frame | Signal, None]:
        """Yield a response as frames of its reply."""
        number, rate, begun = asked.reply.number, self.service.output_rate, self.session.clock.now()
        at, calls, voiced, segment = asked.start, list[ToolCall](), asked.reply.voiced, False
        work.expect("the agent's voice", self.within)
        async for item in response.items:
            work.expect("the agent's voice", self.within)
            if isinstance(item, ToolCall):
                calls.append(self._own(item, number))
                continue
            if voiced and not segment and (isinstance(item, Voice) or item.ends_at is not None):
                segment = True
                end = OPEN if asked.said is None else asked.start + len(asked.said)
                yield SegmentStarted(number, asked.start, end)
            match item:
                case Voice(pcm) if voiced and pcm:
                    if self._given == self._voice_begins:
                        yield Measured(self.name, "first audio", self.session.clock.now() - begun, number)
                    self._given += len(pcm) / 2 / rate
                    yield AgentAudio(number, pcm, rate)
                case AgentWords(text, ends_at) if asked.said is None:
                    yield Text(number, text, at)
                    at += len(text)
                    if ends_at is not None:
                        yield WordTimed(number, at, int(ends_at * rate))
                case _:
                    pass
        work.relax()
        if segment:
            yield SegmentEnded(number, at if asked.said is None else asked.start + len(asked.said))
        if (
            error := _error(response.over or BROKEN_OFF, bool(calls) or segment or at > asked.start)
        ) is not None:
            raise error
        if asked.said is None:
            yield Generated(number, tuple(calls))
        if asked.ends and not calls and self.service.speaks and voiced:
            yield AudioEnded(number)

    def _own(self, call: ToolCall, reply: int) -> ToolCall:
        """Return a call with an id that no other call of the session had."""
        self._count += 1
        own = replace(call, id=f"{self._count}-{call.id}")
        self._calls[own.id] = CallOfModel(call.id, reply)
        return own

    # What was heard ----------------------------------------------------------------------------------

    @on(VoiceCutOff)
    def cut_off(self, signal: VoiceCutOff) -> None:
        """Interrupt the reply: the model has stopped it."""
        if signal.part == self.name:
            self.session.replies.interrupt("the model heard the user", False)

    @on(ReplyEnded)
    def reply_ended(self, signal: ReplyEnded) -> None:
        asked = self._speaking
        if asked is not None and asked.reply.number == signal.reply:
            if signal.interrupted:
                self.give(Interrupt(max(0.0, asked.reply.played - self._voice_begins)))
            self._speaking = None
        elif signal.interrupted and any(one.reply.number == signal.reply for one in self._asked):
            self.give(Interrupt(0.0))
        if self.detects:  # no response will come that was only expected
            self._asked = deque(one for one in self._asked if one.reply.number != signal.reply)


def _error(over: ResponseOver, said: bool) -> TheyErred | None:
    """Return what was wrong with a response that has ended; None if it was as it should be."""
    if over.status == "failed":
        return UnavailableError(f"the model's response failed: {over.reason or 'it did not say why'}")
    if over.status == "completed" and not said:
        return NothingSaidError("the model ended its response without a word")
    return None


class Ears(Processor):
    """Where a `Realtime` stage hears the user: give it the place of the speech to text."""

    def __init__(self, realtime: Realtime, transcripts: bool) -> None:
        self._realtime = realtime
        self._transcripts = transcripts
        rate = realtime.service.input_rate
        self._matched = ResampledInput(rate)
        self._chunks = AudioChunker(int(CHUNK * rate) * 2)
        self._recent = deque[tuple[float, bytes]]()  # the newest sound, and when each piece ends
        self._open = realtime.detects  # whether the model gets the user's sound
        self._speaking = False
        self._started = self._ended = 0.0
        self._spans = deque[tuple[float, float]](maxlen=SPANS)  # of the turns that the model heard
        self._first = 0  # the number of the oldest of those

    def begin(self) -> None:
        """Begin with a new conversation of the model."""
        self._spans.clear()
        self._first = 0

    @on(UserAudio)
    def audio(self, frame: UserAudio) -> None:
        self.push(frame)
        pcm, ended = self._matched(frame), frame.at / frame.sample_rate + seconds(frame)
        if self._open:
            if chunk := self._chunks.add(pcm):
                self._realtime.give(UserSound(chunk))
            if not self._realtime.detects and not self._speaking and ended > self._ended + NOISE_AFTER:
                self._discard()
            return
        self._recent.append((ended, pcm))
        while self._recent[0][0] < ended - LEAD:
            self._recent.popleft()

    @on(SpeechStarted)
    def speech_started(self, frame: SpeechStarted) -> None:
        self._speaking = True
        if not self._open:
            self._open_at(frame.at)
        self.push(frame)

    @on(SpeechStopped)
    def speech_stopped(self, frame: SpeechStopped) -> None:
        self._speaking, self._ended = False, frame.at
        self.push(frame)

    def _open_at(self, at: float) -> None:
        """Let the model hear the user, from a little before this time."""
        self._open, self._started = True, at
        self._realtime.give(SpeechBegan())
        for _, pcm in self._recent:
            if chunk := self._chunks.add(pcm):
                self._realtime.give(UserSound(chunk))
        self._recent.clear()

    def end_turn(self, turn: UserTurn) -> None:
        """Let the model take what was heard into its context: the user's turn is over."""
        if self._realtime.detects or not self._open:
            return
        self._rest()
        self._realtime.give(SpeechOver())
        self._add_span(turn.started, turn.ended)
        self._open = False
        if self._speaking:  # the turn was ended before its speech was
            self._open_at(turn.ended)

    @on(FalseInterruption)
    def false_interruption(self, signal: FalseInterruption) -> None:
        """Forget a sound that was not meant for the agent."""
        if self._open and not self._realtime.detects and not self._speaking:
            self._discard()

    def _discard(self) -> None:
        self._open = False
        self._chunks.rest()
        self._realtime.give(Discard())

    def _rest(self) -> None:
        if chunk := self._chunks.rest():
            self._realtime.give(UserSound(chunk))

    def _add_span(self, started: float, ended: float) -> None:
        self._first += len(self._spans) == SPANS
        self._spans.append((started, ended))

    # What the model says of the user -----------------------------------------------------------------

    def facts(self, event: UserSpeaks | UserHeard) -> list[Frame]:
        """Return frames for what the model has heard."""
        now = self.session.elapsed()
        match event:
            case UserSpeaks(True):
                self._add_span(now, now)
                return [SpeechStarted(now)]
            case UserSpeaks(False):
                if self._spans:
                    self._spans[-1] = (self._spans[-1][0], now)
                return [SpeechStopped(now), TurnHinted(1.0, now, final=True)]
            case UserHeard(turn, text, final) if self._transcripts:
                started, ended = self._span(turn, now)
                return [Transcript(text, final, started, ended)] if text or final else []
            case _:
                return []

    def _span(self, turn: int, now: float) -> tuple[float, float]:
        place = turn - self._first
        return self._spans[place] if 0 <= place < len(self._spans) else (now, now)
