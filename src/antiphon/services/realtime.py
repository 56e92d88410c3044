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

from ..errors import ServiceTimeoutError
from ..frames import (
    AudioEnded,
    ContextNote,
    Failed,
    Frame,
    Generated,
    Prompt,
    ReplyEnded,
    ResponseOffered,
    Signal,
    Text,
    TextEnded,
    ToolCall,
    ToolEnded,
    Transcript,
    TurnLost,
    UserText,
    UserTurn,
    VoiceCutOff,
)
from ..processor import on
from ..reply import Reply
from ..stage import Work
from .ports import RealtimeModel
from .realtime_conversation import RealtimeConversation
from .realtime_response import AskedResponse, ModelCalls, ModelResponse, SpokenResponse
from .realtime_vocabulary import (
    CutShort,
    Respond,
    Say,
    ToolOutput,
    UserWords,
)

__all__ = ["Realtime"]


class Realtime(RealtimeConversation):
    """A stage that converses through a model that hears and speaks.

    `detects`: whether the model decides when a turn of the user is over; else the session's turn taking does.
    `transcripts`: whether the model's words of the user are used; else a speech to text in the pipeline gives
    them. `within`: seconds that a response may take to begin, and each further piece of it to come.

    Raises ConfigurationError if the model cannot leave the decision on turns to that side.
    """

    def __init__(
        self,
        service: RealtimeModel,
        *,
        detects: bool | None = None,
        transcripts: bool = True,
        within: float = 7.0,
    ) -> None:
        super().__init__(service, detects, transcripts, within)
        self._speaking: SpokenResponse | None = None  # the response that is being spoken, or was the last
        self._last: AskedResponse | None = None  # the last response that began, or was given up
        self._said: list[str] = []  # text that the agent must say, until it is complete
        self._typed = False  # whether the turn to be answered was typed
        self._broken: int | None = None  # the reply whose response has failed
        self._calls = ModelCalls()

    # Failures ----------------------------------------------------------------------------------------

    @on(Failed)
    def failed(self, signal: Failed) -> None:
        """Begin the conversation anew, or end the reply with an apology."""
        if signal.part != self.name or signal.recovered:
            return
        if signal.reply is None:
            self.after(self._backoff.next(), self._begin)
        elif (asked := self._last) is not None and asked.reply.number == signal.reply:
            self._apologise(asked)

    def _apologise(self, asked: AskedResponse) -> None:
        """Let the conversation apologise, unless the words were its own."""
        if asked.said is None:
            self._broken = asked.reply.number
            self.push(Generated(asked.reply.number, failed=True))
        elif asked.ends:
            self.push(AudioEnded(asked.reply.number))

    # What the model must answer ----------------------------------------------------------------------

    @on(UserTurn)
    def turn(self, frame: UserTurn) -> None:
        self.eyes.end_turn()
        self._typed = self.ears.end_turn(frame) or self._typed
        self.push(frame)

    @on(TurnLost)
    def turn_lost(self, frame: TurnLost) -> None:
        self.ears.lose_turn()
        self.push(frame)

    @on(Transcript)
    def words(self, frame: Transcript) -> None:
        self.ears.take_words(frame)
        self.push(frame)

    @on(UserText, ContextNote)
    def typed(self, frame: UserText | ContextNote) -> None:
        answered = isinstance(frame, UserText) or frame.answered
        self._typed = self._typed or answered
        if answered:
            self.eyes.show()
        self.give(UserWords(frame.text))
        self.push(frame)

    @on(Generated)
    def generated(self, signal: Generated) -> None:
        self._calls.made(signal.calls, signal.reply)

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
        by_itself = self.detects and not (results or self._typed)
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
        elif frame.reply == self._broken and not frame.more:  # there is no apology: it ends as it is
            self.push(AudioEnded(frame.reply))

    def _ask(self, asked: AskedResponse, item: Respond | Say | None) -> None:
        """Wait for a response; with no `item`, the model begins by itself."""
        self._asked.append(asked)
        asked.by_itself = item is None
        if item is not None:
            self.give(item)
        self.after(self.within, lambda: self._late(asked))

    def _late(self, asked: AskedResponse) -> None:
        """Give up a response that has not begun in time."""
        if asked in self._asked and asked.is_awaited:
            asked.given_up = True
            self._last = asked
            self.give(CutShort(0.0))
            if asked.by_itself:
                self._asked.remove(asked)
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
        elif asked.is_awaited:
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
        self._asked = deque(  # no response will come that was only expected
            one for one in self._asked if not (one.by_itself and one.reply.number == signal.reply)
        )
