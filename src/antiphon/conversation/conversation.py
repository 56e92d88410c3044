"""The conversation: keeps what was said and heard, asks the model, and runs its tools."""

import inspect
import logging
from collections.abc import AsyncGenerator, Awaitable, Sequence
from dataclasses import dataclass

from ..context import AgentSaid, Context, Entry, ToolAnswered, UserSaid
from ..errors import ConfigurationError
from ..frames import (
    EagerTurn,
    EagerTurnDropped,
    Failed,
    FalseInterruption,
    Frame,
    Generated,
    Measured,
    Prime,
    Prompt,
    ReplyEnded,
    ReplyStarted,
    SessionStarted,
    Signal,
    Text,
    TextEnded,
    ToolCall,
    ToolEnded,
    Transcript,
    UserText,
    UserTurn,
    replace,
)
from ..processor import on
from ..reply import Reply
from ..stage import Stage, Work
from ..turns.timing import Exchange, Pace, ResponseTiming
from ..turns.utterance import same_words
from .calls import ToolRunner
from .making import Cut, Generation, Making
from .tools import Tool

__all__ = ["Conversation"]

logger = logging.getLogger("antiphon.conversation")

FILLER_AFTER = 0.8  # seconds that a tool may take before something is said
PACE_WITHIN = 0.5  # seconds after the turn that an answer waits for a response timing that is asked
ROUNDS = 8  # times that one reply may call tools


@dataclass(slots=True)
class Draft:
    """A reply to a turn that is probably over."""

    text: str
    reply: Reply
    begun: float


class Conversation(Stage):
    """Makes a reply for each turn of the user; its context holds only what was heard.

    `apology` is said when the model fails; None says nothing. `timing` says how long an answer waits; None is
    not at all. `fillers` are said in turn when a tool has run for 0.8 s and the reply has no words yet.
    """

    def __init__(
        self,
        instructions: str,
        tools: Sequence[Tool] = (),
        *,
        greeting: str | None = None,
        apology: str | None = "Sorry, I had a problem just now. Could you say that again?",
        history: Sequence[Entry] = (),
        timing: ResponseTiming | None = None,
        fillers: Sequence[str] = (),
    ) -> None:
        self.instructions = instructions
        self.tools = {tool.spec.name: tool for tool in tools}
        if len(self.tools) < len(tools):
            raise ConfigurationError("two tools have the same name; rename one with @tool(name=...)")
        self.greeting = greeting
        self.apology = apology
        self.timing = timing
        self.fillers = tuple(fillers)
        self.entries: list[Entry] = list(history)
        self._specs = tuple(tool.spec for tool in tools)
        self._making: Making | None = None
        self._answer: Reply | None = None  # to the last turn
        self._draft: Draft | None = None
        self._heard_at = 0.0  # when the last turn ended
        self._pacing: Work | None = None  # asks how long its answer waits
        self._cut: Cut | None = None  # the last reply, if it was interrupted
        used = (entry.call.id for entry in history if isinstance(entry, ToolAnswered))
        self._calls = ToolRunner(self, self.tools, used)

    @property
    def context(self) -> Context:
        """What the model would read now."""
        return Context(self.instructions, tuple(self.entries), self._specs)

    @on(SessionStarted)
    def greet(self, signal: SessionStarted) -> None:
        self.push(Prime(self.context))
        if greeting := self.greeting:
            self.greeting = None  # once, also if this branch is switched off and on
            self.session.say(greeting)

    # The user's turn -------------------------------------------------------------------------------

    @on(Transcript)
    def words(self, frame: Transcript) -> None:
        """What the user is saying can be read while it is said."""
        self.push(frame)
        if not frame.final and frame.text and not self.session.replies.owed:
            self.push(Prime(Context(self.instructions, (*self.entries, UserSaid(frame.text)), self._specs)))

    @on(EagerTurn)
    def eager_turn(self, turn: EagerTurn) -> None:
        """Begin an answer that nobody hears yet, if the agent has nothing else to say."""
        self.push(turn)
        if any(not reply.speculative for reply in self.session.replies.owed):  # others are on their way out
            return
        begun = self.session.new_reply(self._prompt, speculative=True)
        self._draft = Draft(turn.text, begun, self.session.now)

    @on(EagerTurnDropped)
    def eager_turn_dropped(self, frame: EagerTurnDropped) -> None:
        self.push(frame)
        self._drop_draft(frame.reason)

    @on(Failed)
    def failed(self, signal: Failed) -> None:
        """A guess that has failed is put aside: once the turn is over it gets another try."""
        draft = self._draft
        if draft is not None and draft.reply.number == signal.reply and not signal.recovered:
            self._drop_draft("it failed")

    @on(UserTurn, UserText)
    def turn(self, turn: UserTurn | UserText) -> None:
        """Answer; a reply to what was said before is out of date."""
        self.push(turn)
        draft, making = self._draft, self._making
        guessed = isinstance(turn, UserTurn) and draft is not None and same_words(draft.text, turn.text)
        if guessed and draft is not None and making is not None and draft.reply is making.reply:
            self._commit(draft, making, turn)
            return
        self._drop_draft("other words")
        self.session.interrupt("the user said more")
        if self._answer is not None and self._answer.state == "waiting":
            self._answer.interrupt("the user said more")
        self._pace(turn, self._hear(turn, self.session.new_reply(self._prompt)))

    def _hear(self, turn: UserTurn | UserText, reply: Reply) -> Reply:
        self.entries.append(UserSaid(turn.text))
        self._answer, self._cut = reply, None
        return reply

    def _commit(self, draft: Draft, making: Making, turn: UserTurn | UserText) -> None:
        """The guess was right: its reply is the answer, and may do what has consequences."""
        self._draft = None
        self._pace(turn, self._hear(turn, draft.reply))
        making.place = len(self.entries)
        playout, now = self.session.playout, self.session.now
        ready = playout.ready(draft.reply) if playout is not None else None
        self.session.replies.commit(draft.reply, (now if ready is None else ready) - draft.begun)
        self._run_tools(making, [call for made in making.generations for call in made.calls])

    def _drop_draft(self, reason: str) -> None:
        draft, self._draft = self._draft, None
        if draft is not None and draft.reply.state != "ended":
            draft.reply.interrupt(reason)

    def _pace(self, turn: UserTurn | UserText, reply: Reply) -> None:
        """Let the answer wait for as long as it should after this."""
        if self.timing is None or isinstance(turn, UserText):
            return
        if self._pacing is not None:
            self._pacing.cancel()  # it asks about an answer that is out of date
        self._heard_at = turn.ended
        said = next((e.text for e in reversed(self.entries) if isinstance(e, AgentSaid)), "")
        pace = self.timing.pace(Exchange(turn.text, said, turn.ended - turn.started))
        if inspect.isawaitable(pace):
            reply.not_before = turn.ended + PACE_WITHIN
            self._pacing = Work(self)
            self.run(self._pacing, self._ask_pace(pace))
        elif pace.seconds > 0:
            logger.debug("the answer waits %.2f s: %s", pace.seconds, pace.reason)
            reply.not_before = turn.ended + pace.seconds

    async def _ask_pace(self, asked: Awaitable[Pace]) -> AsyncGenerator[Frame | Signal, None]:
        pace = await asked
        yield Measured(self.name, "response timing", pace.seconds)

    @on(Measured)
    def paced(self, signal: Measured) -> None:
        """How long the answer waits is known."""
        if signal.part == self.name and self._answer is not None:
            self._answer.not_before = self._heard_at + signal.seconds
            if (playout := self.session.playout) is not None:
                playout.play()

    @on(FalseInterruption)
    def false_interruption(self, signal: FalseInterruption) -> None:
        """What interrupted the agent was nothing: it says what it was going to say."""
        cut = self._cut
        if cut is None or cut.reply != signal.reply or self.session.replies.owed:
            return
        cut.taken_up = bool(cut.running)
        if cut.taken_up:
            return
        self._cut = None
        if not cut.complete:
            self._answer = self.session.new_reply(self._prompt)
        elif cut.unheard:
            self.session.say(cut.unheard)

    @on(ReplyStarted)
    def reply_started(self, signal: ReplyStarted) -> None:
        reply = self.session.reply
        if reply is not None and reply.number == signal.reply:
            self._making = Making(reply, len(self.entries))

    def _prompt(self, reply: Reply) -> None:
        entries = list(self.entries)
        if reply.speculative and self._draft is not None:
            entries.append(UserSaid(self._draft.text))
        if self._making is not None:
            entries += self._making.entries(self.tools)
            self._making.complete = False
        self.push(Prompt(reply.number, Context(self.instructions, tuple(entries), self._specs)))

    # What the model gives --------------------------------------------------------------------------

    @on(Generated)
    def generated(self, signal: Generated) -> None:
        making = self._making
        if making is None or making.reply.number != signal.reply or making.reply.state == "ended":
            return
        reply = making.reply
        calls = tuple(map(self._calls.named, signal.calls))
        if calls and len(making.generations) >= ROUNDS:
            logger.warning("the model called tools %d times for one reply; no more", ROUNDS)
            calls = ()
        if signal.failed and self.apology and not reply.text[making.unspoken_from :].strip():
            self.push(Text(reply.number, self.apology, reply.write(self.apology)))
        making.generations.append(Generation(len(reply.text), calls))
        making.complete = not calls
        if calls and reply.text:
            reply.write(" ")
        self.push(TextEnded(reply.number, more=bool(calls)))
        if not reply.speculative:  # else they wait until it is the answer
            self._run_tools(making, calls)

    def _run_tools(self, making: Making, calls: Sequence[ToolCall]) -> None:
        for call in calls:
            self._calls.start(call, making.reply.number)
        if calls and self.fillers and not making.reply.text.strip():
            self.after(FILLER_AFTER, lambda: self._fill(making))

    def _fill(self, making: Making) -> None:
        """Say that it takes a moment, if it does and nothing has been said."""
        reply = making.reply
        if making is not self._making or reply.text.strip() or making.has_all_results:
            return
        filler, self.fillers = self.fillers[0], (*self.fillers[1:], self.fillers[0])
        at = reply.write(f"{filler} ")
        making.generations[-1] = replace(making.generations[-1], end=len(reply.text))
        self.push(Text(reply.number, filler, at))
        self.push(TextEnded(reply.number, more=True))

    @on(ToolEnded)
    def tool_ended(self, signal: ToolEnded) -> None:
        """Go on with the reply once all its tools have answered; for an old reply, keep the result."""
        self._calls.ended(signal.call)
        making = self._making
        if making is None or making.reply.number != signal.reply:
            self._settle(signal.call, signal.result)
            if (cut := self._cut) is not None:
                cut.running.discard(signal.call.id)
                if cut.taken_up:
                    self.false_interruption(FalseInterruption(cut.reply, "noise"))
            return
        making.results[signal.call.id] = signal.result
        if making.has_all_results:
            self._prompt(making.reply)

    # What was heard --------------------------------------------------------------------------------

    @on(ReplyEnded)
    def reply_ended(self, signal: ReplyEnded) -> None:
        """Keep of the reply what was heard of it, and what its tools did."""
        making = self._making
        if making is not None and making.reply.number == signal.reply and not signal.speculative:
            self.entries[making.place : making.place] = making.entries(
                self.tools, len(signal.heard), interrupted=signal.interrupted
            )
            self._cut = making.cut_off(self.tools, signal) if signal.interrupted else None
            self.push(Prime(self.context))
        self._making = None

    def _settle(self, call: ToolCall, result: str) -> None:
        for index, entry in enumerate(self.entries):
            if isinstance(entry, ToolAnswered) and entry.call.id == call.id:
                self.entries[index] = ToolAnswered(call, result)
