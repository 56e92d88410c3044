"""The conversation: when the agent answers, what the model reads, its tools."""

import inspect
import logging
import re
from collections.abc import AsyncGenerator, Awaitable, Sequence
from dataclasses import dataclass

from ..context import AgentSaid, Context, Entry, ToolAnswered, ToolCall
from ..frames import (
    AnswerDelayed,
    AnswerPaced,
    ContextNote,
    EagerTurn,
    EagerTurnDropped,
    Failed,
    FalseInterruption,
    Frame,
    Generated,
    Prime,
    Prompt,
    ReplyEnded,
    ReplyStarted,
    SessionStarted,
    Signal,
    Text,
    TextEnded,
    ToolEnded,
    Transcript,
    TurnLost,
    UserText,
    UserTurn,
)
from ..processor import on
from ..reply import Reply
from ..stage import Stage, Work
from ..turns.timing import Exchange, Pace, ResponseTiming
from ..turns.utterance import same_words
from .history import History
from .meanwhile import Meanwhile
from .replies import Generation, InterruptedReply, ReplyInProgress
from .scope import Scope
from .tool_runner import ToolRunner
from .tools import Tool

__all__ = ["Conversation"]

logger = logging.getLogger("antiphon.conversation")

FILLER_AFTER = 0.8  # seconds that tools may run in silence before a filler is said
PACE_WITHIN = 0.5  # seconds after the turn that an answer waits for an asynchronous response timing
ENDED = re.compile(r"[.!?…。！？][\"'”’)\]]*\s*$")  # the end of a sentence
ROUNDS = 8  # generations with tool calls in one reply, at most


@dataclass(slots=True)
class SpeculativeAnswer:
    """A reply to a turn that is probably over."""

    text: str
    reply: Reply
    begun: float


class Conversation(Stage):
    """A stage that replies to each turn of the user.

    Its `history` holds only what was heard. `greeting` is said when the session starts; `apology` when the
    model fails or the user's words are lost. `history`: entries of an earlier conversation. `timing` says how
    long an answer waits (None: not at all). `fillers` are said in turn when tools have run for 0.8 s and the
    reply has no words yet; `please_wait` when the model writes nothing and nothing is heard. With None,
    nothing is said.
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
        please_wait: str | None = "One moment, please.",
    ) -> None:
        self.history = History(instructions, tools, history)
        self.greeting, self.apology, self.timing = greeting, apology, timing
        self._meanwhile = Meanwhile(fillers, please_wait)
        self._answer: Reply | None = None  # to the user's last turn
        self._speculative: SpeculativeAnswer | None = None
        self._turn_ended = 0.0
        self._pacing: Work | None = None  # awaits the response timing for the last turn
        self._interrupted: InterruptedReply | None = None  # the last reply, if it was interrupted
        used = (entry.call.id for entry in history if isinstance(entry, ToolAnswered))
        self._runner = ToolRunner(self.history.tools, used)

    @property
    def context(self) -> Context:
        """The context that the model would read now."""
        return self.history.context

    @on(SessionStarted)
    def greet(self, signal: SessionStarted) -> None:
        self.push(Prime(self.context))
        if greeting := self.greeting:
            self.greeting = None  # once, even if this branch is switched off and on again
            self.session.say(greeting)

    # The user's turn -------------------------------------------------------------------------------

    @on(Transcript)
    def words(self, frame: Transcript) -> None:
        """Let the model read the user's words while they are still being said."""
        self.push(frame)
        if not frame.final and frame.text and not self.session.replies.owed:
            self.push(Prime(self.history.context_after(frame.text), eager=True))
        if frame.final and self.history.mend(frame):  # they came late
            self.push(Prime(self.context))

    @on(ContextNote)
    def note(self, frame: ContextNote) -> None:
        self.push(frame)
        self.history.record_user(frame.text)
        if frame.answered:
            self.session.new_reply(self._prompt)

    @on(TurnLost)
    def turn_lost(self, frame: TurnLost) -> None:
        self.push(frame)
        if self.apology:
            self.session.say(self.apology)

    @on(EagerTurn)
    def eager_turn(self, turn: EagerTurn) -> None:
        """Begin a speculative answer, unless the agent has something else to say."""
        self.push(turn)
        if any(not reply.speculative for reply in self.session.replies.owed):  # others are being dropped
            return
        begun = self.session.new_reply(self._prompt, speculative=True)
        self._speculative = SpeculativeAnswer(turn.text, begun, self.session.now)

    @on(EagerTurnDropped)
    def eager_turn_dropped(self, frame: EagerTurnDropped) -> None:
        self.push(frame)
        self._drop_speculative(frame.reason)

    @on(Failed)
    def failed(self, signal: Failed) -> None:
        """Drop a speculative answer that failed, so that the turn gets a new one."""
        guess = self._speculative
        if guess is not None and guess.reply.number == signal.reply and not signal.recovered:
            self._drop_speculative("it failed")

    @on(UserTurn, UserText)
    def turn(self, turn: UserTurn | UserText) -> None:
        """Answer the turn, and drop replies to earlier ones."""
        self.push(turn)
        guess, current = self._speculative, self.history.in_progress
        guessed = isinstance(turn, UserTurn) and guess is not None and same_words(guess.text, turn.text)
        if guessed and guess is not None and current is not None and guess.reply is current.reply:
            self._commit(guess, current, turn)
            return
        self._drop_speculative("other words")
        self.session.interrupt("the user said more")
        if self._answer is not None and self._answer.state == "waiting":
            self._answer.interrupt("the user said more")
        voiced = isinstance(turn, UserTurn) or turn.aloud
        self._answer_with(self.session.new_reply(self._prompt, voiced=voiced), turn)

    def _commit(self, guess: SpeculativeAnswer, current: ReplyInProgress, turn: UserTurn | UserText) -> None:
        """Make the speculative reply the answer, and run its tools."""
        self._speculative = None
        self._answer_with(guess.reply, turn)
        current.place = len(self.history.entries)
        playout, now = self.session.playout, self.session.now
        ready = playout.ready(guess.reply) if playout is not None else None
        self.session.replies.commit(guess.reply, (now if ready is None else ready) - guess.begun)
        self._run_tools(current, [call for made in current.generations for call in made.calls])

    def _answer_with(self, reply: Reply, turn: UserTurn | UserText) -> None:
        """Record the turn, and let this reply answer it when its time has come."""
        self.history.record_turn(turn)
        self._answer, self._interrupted = reply, None
        if isinstance(turn, UserTurn):
            self._pace(turn, reply)

    def _drop_speculative(self, reason: str) -> None:
        guess, self._speculative = self._speculative, None
        if guess is not None and guess.reply.state != "ended":
            guess.reply.interrupt(reason)

    def _prompt(self, reply: Reply) -> None:
        """Ask the model to begin this reply, or to go on with it."""
        guess = self._speculative.text if reply.speculative and self._speculative is not None else None
        if (current := self.history.in_progress) is not None:
            current.complete = False
        self.push(Prompt(reply.number, self.history.prompt(guess)))

    @on(ReplyStarted)
    def reply_started(self, signal: ReplyStarted) -> None:
        reply = self.session.reply
        if reply is not None and reply.number == signal.reply:
            self.history.begin_reply(reply)

    def _pace(self, turn: UserTurn, reply: Reply) -> None:
        """Let the answer wait for as long as the response timing says."""
        if self.timing is None:
            return
        if self._pacing is not None:
            self._pacing.cancel()  # the answer that it was for is out of date
        self._turn_ended = turn.ended
        said = next((e.text for e in reversed(self.history.entries) if isinstance(e, AgentSaid)), "")
        pace = self.timing.pace(Exchange(turn.text, said, turn.ended - turn.started))
        if inspect.isawaitable(pace):
            reply.not_before = turn.ended + PACE_WITHIN
            self._pacing = Work(self)
            self.run(self._pacing, self._await_pace(pace))
        elif pace.seconds > 0:
            logger.debug("the answer waits %.2f s: %s", pace.seconds, pace.reason)
            reply.not_before = turn.ended + pace.seconds

    async def _await_pace(self, awaited: Awaitable[Pace]) -> AsyncGenerator[Frame | Signal, None]:
        pace = await awaited
        yield AnswerPaced(self.name, pace.seconds, pace.reason)

    @on(AnswerPaced)
    def paced(self, signal: AnswerPaced) -> None:
        """Let the answer begin at the time that the response timing has chosen."""
        if signal.part == self.name and self._answer is not None:
            self._answer.not_before = self._turn_ended + signal.seconds
            if (playout := self.session.playout) is not None:
                playout.play()

    # What the model answers ------------------------------------------------------------------------

    @on(Generated)
    def generated(self, signal: Generated) -> None:
        """Run the tools that the model called; without any, the reply's text is complete."""
        current = self.history.reply_in_progress(signal.reply)
        if current is None or current.reply.state == "ended":
            return
        reply = current.reply
        calls = tuple(map(self._runner.with_unique_id, signal.calls))
        if calls and len(current.generations) >= ROUNDS:
            logger.warning("the model called tools %d times in one reply; further calls are dropped", ROUNDS)
            calls = ()
        if signal.failed and self.apology and not ENDED.search(said := reply.text[current.unspoken_from :]):
            sorry = f" {self.apology}" if said and not said[-1].isspace() else self.apology
            self.push(Text(reply.number, sorry, reply.write(sorry)))
        current.generations.append(Generation(len(reply.text), calls))
        current.complete = not calls
        if calls and reply.text:
            reply.write(" ")
        self.push(TextEnded(reply.number, more=bool(calls)))
        if not reply.speculative:  # else they run once it is committed
            self._run_tools(current, calls)

    def _run_tools(self, current: ReplyInProgress, calls: Sequence[ToolCall]) -> None:
        for call in calls:
            scope = Scope(self.session, call, current.reply.number, self.history.prompt())
            self._runner.start(self, scope)
        if calls and self._meanwhile.fillers and not current.reply.text.strip():
            self.after(FILLER_AFTER, lambda: self._meanwhile.fill(current, self.push))

    @on(AnswerDelayed)
    def delayed(self, signal: AnswerDelayed) -> None:
        """Ask the caller to wait, if nothing is heard."""
        current, playout = self.history.reply_in_progress(signal.reply), self.session.playout
        if current is not None and not (playout is not None and playout.plays):
            self._meanwhile.ask_to_wait(current, self.session.now, self.push)

    @on(ToolEnded)
    def tool_ended(self, signal: ToolEnded) -> None:
        """Prompt again once all tools of the reply have ended; record late results."""
        self._runner.ended(signal.call)
        current = self.history.reply_in_progress(signal.reply)
        if current is None:
            self.history.settle(signal.call, signal.result)
            if (cut := self._interrupted) is not None:
                cut.running.discard(signal.call.id)
                if cut.resumes:
                    self._resume(cut)
            return
        current.results[signal.call.id] = signal.result
        if current.has_all_results:
            self._prompt(current.reply)

    @on(ReplyEnded)
    def reply_ended(self, signal: ReplyEnded) -> None:
        ended = self.history.end_reply(signal)
        if ended is not None:
            self._interrupted = ended.interrupted(self.history.tools, signal) if signal.interrupted else None
            self.push(Prime(self.context))

    @on(FalseInterruption)
    def false_interruption(self, signal: FalseInterruption) -> None:
        """Resume the reply that was interrupted by mistake."""
        cut = self._interrupted
        if cut is not None and cut.reply == signal.reply:
            self._resume(cut)

    def _resume(self, cut: InterruptedReply) -> None:
        """Say the rest of a reply, once its tools have ended."""
        if self.session.replies.owed:
            return
        cut.resumes = bool(cut.running)
        if cut.resumes:
            return
        self._interrupted = None
        if not cut.complete:
            self._answer = self.session.new_reply(self._prompt, voiced=cut.voiced)
        elif cut.unheard:
            self.session.say(cut.unheard)
