"""The stage of turn taking: feeds the engine and carries out its decisions."""

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

from ..clock import Timer
from ..frames import (
    AudioAwaited,
    AudioJudged,
    Backchannel,
    EagerTurn,
    EagerTurnDropped,
    FalseInterruption,
    Frame,
    ReplyCommitted,
    ReplyEnded,
    ReplyStarted,
    ScoreAsked,
    SessionStarted,
    Signal,
    SoundHeard,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    SpeechStopped,
    TalkButton,
    Transcript,
    TurnHinted,
    TurnLost,
    TurnScored,
    Usage,
    UserIdle,
    UserKey,
    UserText,
    UserTurn,
    UserTurnStarted,
    UtteranceLost,
)
from ..processor import on
from ..stage import Stage, Work
from .decisions import (
    BeIdle,
    Deadline,
    Decision,
    DropSpeculation,
    EndTurn,
    Interrupt,
    PauseVoice,
    ReplyBegan,
    ReplyOver,
    ResumeVoice,
    SayBackchannel,
    Speculate,
    SpeculationDropped,
    StartTurn,
    VoiceAt,
)
from .engine import TurnEngine
from .floor import SAYING
from .interruption import InterruptionClassifier
from .settings import TurnSettings
from .vad import ON_THE_WAY

if TYPE_CHECKING:
    from ..ports import PlayoutPort

__all__ = ["TurnTaking"]

WORD = 0.5  # the longest wait for the end of a word, in seconds
JUDGED = (SoundHeard, SpeechStarted, SpeechResumed, SpeechPaused, Transcript)
"""Facts whose judgement may depend on where the agent's voice stands."""


class TurnTaking(Stage):
    """A stage that makes the user's turns, and holds or interrupts the agent.

    Turns are made from speech, words and end-of-turn scores. `classifier` decides what a sound over the
    agent's voice is; None means the rules of the policy.

    How long the user has been quiet is measured in audio that has been judged. A deadline that comes while
    audio is still on its way waits for that: a machine that is late must not take for silence what it has not
    heard (docs/decisions/0009).
    """

    def __init__(
        self, settings: TurnSettings | None = None, *, classifier: InterruptionClassifier | None = None
    ) -> None:
        self.engine = TurnEngine(settings, classifier=classifier)
        self._timer: Timer | None = None
        self._due: float | None = None
        self._judged: float | None = None  # up to when audio has been judged; None without a VAD
        self._word_end: Timer | None = None  # holds the voice at the end of a word
        self._reply = 0  # the number of the last reply that was not speculative
        self._quiet_since = 0.0

    @on(
        SoundHeard, SpeechStarted, SpeechPaused, SpeechResumed, SpeechStopped, Transcript, UtteranceLost,
        ScoreAsked, TurnScored, TurnHinted, TalkButton, UserKey, UserText,
    )  # fmt: skip
    def fact(self, fact: Any) -> None:
        self.push(fact)
        if (judged := getattr(fact, "judged", None)) is not None:
            self._judged = judged
        if isinstance(fact, JUDGED) and self._reply:
            self.engine.decide(self._voice_at(), self.session.now, self._heard())
        self._decide(fact)

    @on(AudioJudged)
    def audio_judged(self, frame: AudioJudged) -> None:
        self.push(frame)
        self._judged = frame.judged
        if self._due is not None and self._due <= self._heard() + 1e-6:
            self._reach_deadline()

    @on(SessionStarted)
    def session_started(self, signal: SessionStarted) -> None:
        self._decide(signal)

    @on(ReplyStarted)
    def reply_started(self, signal: ReplyStarted) -> None:
        if not signal.speculative:
            self._reply_began(signal.reply)

    @on(ReplyCommitted)
    def reply_committed(self, signal: ReplyCommitted) -> None:
        self._reply_began(signal.reply)

    def _reply_began(self, number: int) -> None:
        reply = self.session.reply
        if reply is not None and reply.number == number:
            self._reply = number
            self._decide(ReplyBegan(reply.interruptible))

    @on(ReplyEnded)
    def reply_ended(self, signal: ReplyEnded) -> None:
        if signal.speculative:
            self.push(Usage(self.name, "characters written in vain", len(signal.text)))
            self._decide(SpeculationDropped(len(signal.text)))
        else:
            self._cancel_hold()
            self._quiet_since = self.session.now
            self._decide(ReplyOver(signal.heard))

    def _voice_at(self) -> VoiceAt:
        reply, playout = self.session.reply, self.session.playout
        if reply is None or reply.speculative or playout is None:
            return VoiceAt()
        voiced, left = playout.progress(reply)
        heard = playout.heard(reply)
        return VoiceAt(
            voiced, left, reply.text[max(0, heard - SAYING) : heard], reply.text[heard : heard + SAYING]
        )

    def _decide(self, fact: Any) -> None:
        for decision in self.engine.decide(fact, self.session.now, self._heard()):
            self._carry_out(decision)
        due = self.engine.deadline
        if due == self._due:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._due = due
        self._timer = None if due is None else self.session.timer(self, due, self._deadline_came)

    def _deadline_came(self) -> None:
        assert self._due is not None
        self._timer = None
        if self._due <= self._heard() + 1e-6:
            self._reach_deadline()
        elif self._judged is None:  # nobody judges audio: only the clock was set back
            self._timer = self.session.timer(self, self._due, self._deadline_came)
        else:
            self.push(AudioAwaited(self._due))

    def _reach_deadline(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._due = None
        self._decide(Deadline())

    def _heard(self) -> float:
        """Return the time up to which it is known whether the user spoke.

        That is now, unless the machine is late.
        """
        now = self.session.now
        return now if self._judged is None else min(now, self._judged + ON_THE_WAY)

    def _carry_out(self, decision: Decision) -> None:
        session, playout = self.session, self.session.playout
        match decision:
            case StartTurn(at):
                self.push(UserTurnStarted(at))
            case EndTurn(text, started, ended, reason, lost, words_late):
                self._quiet_since = session.now
                if text or words_late:
                    self.push(UserTurn(text, started, ended, reason, words_late))
                elif lost:  # else it was a noise
                    self.push(TurnLost(started, ended))
            case Speculate(text, started, ended, reason):
                self.push(EagerTurn(text, started, ended, reason))
            case DropSpeculation(reason):
                self.push(EagerTurnDropped(reason))
            case PauseVoice() if playout is not None:
                self._hold(playout)
            case ResumeVoice(kind, text):
                self._cancel_hold()
                if playout is not None:
                    playout.resume()
                if kind:
                    self.push(FalseInterruption(self._reply, kind, text))
            case Interrupt(reason):
                self._cancel_hold()
                session.interrupt(reason)
            case SayBackchannel(text):
                self.push(Backchannel(text))
            case BeIdle(action, text):
                self.push(UserIdle(session.now - self._quiet_since, action))
                if action == "prompt":
                    session.say(text)
                elif action == "end":
                    self.run(Work(self), self._hang_up())
            case _:
                pass

    def _hold(self, playout: "PlayoutPort") -> None:
        """Hold the agent's voice as the policy says."""
        rules, reply = self.engine.settings.interruption, self.session.reply
        if rules.first == "duck":
            playout.duck(rules.duck_to)
            return
        rest = min(playout.word_end(reply), WORD) if rules.finish_word and reply is not None else 0.0
        if rest > 0:
            self._word_end = self.session.timer(self, self.session.now + rest, playout.pause)
        else:
            playout.pause()

    def _cancel_hold(self) -> None:
        if self._word_end is not None:
            self._word_end.cancel()
            self._word_end = None

    async def _hang_up(self) -> AsyncGenerator[Frame | Signal, None]:
        await self.session.end("the user was idle")
        return
        yield
