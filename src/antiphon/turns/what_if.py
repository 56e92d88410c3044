"""What another policy would have done in a recorded call.

Speech, words and scores are those of the recording; the policy decides anew. An answer begins as long after
its turn as in the recording, and lasts as long, unless the policy holds or interrupts it. What the user
would have said to an agent that behaves differently is unknown.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from typing import Literal

from .decisions import (
    BeIdle,
    Deadline,
    DropSpeculation,
    EndTurn,
    Fact,
    Interrupt,
    PauseVoice,
    ReplyBegan,
    ReplyOver,
    ResumeVoice,
    Speculate,
    VoiceAt,
)
from .engine import TurnEngine
from .recorded_call import NEAR, Counts, RecordedCall, RecordedReply, RecordedTurn
from .settings import TurnSettings
from .turn_taking import JUDGED

__all__ = ["Change", "Outcome", "WhatIf", "what_if"]

SAME = 0.01  # seconds by which a timer may be late
AROUND = 200  # characters of a reply on either side of the playout position that the engine is told

Outcome = Literal["same", "earlier", "later", "cut off", "joined", "lost", "new"]
"""What became of a turn. "cut off": it ends while more of it is still to come; "joined": it becomes part of
the next turn; "lost": it is no turn, or is not over when the call ends; "new": it is not in the recording."""


@dataclass(frozen=True, slots=True)
class Change:
    """A turn of the recording and what became of it.

    Times are seconds since the call began.
    """

    outcome: Outcome
    text: str
    ended: float
    """When its last sound was heard."""
    recorded: float | None = None
    """When it was over in the recording."""
    replayed: float | None = None
    """When it is over under the other policy; if it is cut off, when that happens first."""
    reason: str = ""
    """Why it is over under the other policy."""

    @property
    def saved(self) -> float | None:
        """By how many seconds the turn is over earlier; None if it is not the same turn."""
        if self.outcome not in ("same", "earlier", "later") or self.recorded is None or self.replayed is None:
            return None
        return self.recorded - self.replayed


@dataclass(frozen=True, slots=True)
class WhatIf:
    """A recorded call under another policy."""

    changes: tuple[Change, ...]
    recorded: Counts
    replayed: Counts
    hung_up: float | None = None
    """When the policy ends the call because the user is idle, or None."""

    def count(self, outcome: Outcome) -> int:
        """Return how many turns have this outcome."""
        return sum(change.outcome == outcome for change in self.changes)

    @property
    def saved(self) -> list[float]:
        """Seconds saved for each turn that is still the same one, sorted."""
        return sorted(change.saved for change in self.changes if change.saved is not None)


def what_if(call: RecordedCall, settings: TurnSettings) -> WhatIf:
    """Decide a recorded call anew, under other settings."""
    replay = _Replay(call, settings)
    replay.run()
    return WhatIf(tuple(_compare(call.turns, replay.ends)), call.counts, replay.counts, replay.hung_up)


@dataclass(frozen=True, slots=True)
class _End:
    """The end of a turn under the other policy."""

    turn: EndTurn
    at: float


def _compare(turns: Sequence[RecordedTurn], ends: Sequence[_End]) -> list[Change]:
    """Return what became of each recorded turn, and the turns that are new, in order."""
    changes: list[Change] = []
    known: list[_End] = []
    pairs = [next((end for end in ends if _equals(end, turn)), None) for turn in turns]
    whole = [
        pair or next((end for end in ends if end not in pairs and _holds(end, turn)), None)
        for turn, pair in zip(turns, pairs, strict=True)
    ]
    before = 0.0
    for place, turn in enumerate(turns):
        end = whole[place]
        cuts = [end for end in ends if max(turn.started, before) <= end.at < turn.ended - NEAR]
        before = turn.closed + SAME
        known += [*cuts, *([end] if end else [])]
        outcome: Outcome
        if cuts:
            outcome, end = "cut off", cuts[0]
        elif end is None:
            outcome = "lost"
        elif end in whole[place + 1 :]:
            outcome = "joined"
        elif abs(end.at - turn.closed) < SAME:
            outcome = "same"
        else:
            outcome = "earlier" if end.at < turn.closed else "later"
        at, reason = (end.at, end.turn.reason) if end else (None, "")
        changes.append(Change(outcome, turn.text, turn.ended, turn.closed, at, reason))
    changes += [
        Change("new", end.turn.text, end.turn.ended, replayed=end.at, reason=end.turn.reason)
        for end in ends
        if end not in known
    ]
    return sorted(changes, key=lambda change: change.ended)


def _equals(end: _End, turn: RecordedTurn) -> bool:
    """Return True if it is exactly the recorded turn."""
    return abs(end.at - turn.closed) < SAME and end.turn.text == turn.text


def _holds(end: _End, turn: RecordedTurn) -> bool:
    """Return True if the last sound of a recorded turn lies in this turn."""
    return end.turn.started <= turn.ended + NEAR and end.at >= turn.ended - NEAR


class _Speaking:
    """A reply that is being made or heard."""

    def __init__(self, reply: RecordedReply, began: float) -> None:
        self.reply = reply
        self.began = began
        self.voiced: float | None = None
        self.held = False
        self._played = 0.0
        self._since = 0.0

    @property
    def due(self) -> float | None:
        """When its voice begins or ends if nothing else happens; None while it is held."""
        if self.reply.voice is None:
            return self.began + self.reply.seconds
        if self.held:
            return None
        if self.voiced is None:
            return self.began + self.reply.voice
        return self._since + self.reply.seconds - self._played

    def played(self, now: float) -> float:
        """Return how many seconds of its voice have been heard."""
        return self._played + (0.0 if self.held or self.voiced is None else now - self._since)

    def begin(self, now: float) -> None:
        """Note that the first sample is heard."""
        self.voiced = self._since = now

    def hold(self, now: float) -> None:
        """Hold the voice."""
        self._played, self.held = self.played(now), True

    def go_on(self, now: float) -> None:
        """Let the voice go on."""
        self._since, self.held = (now, False) if self.held else (self._since, False)

    def voice_at(self, now: float) -> VoiceAt:
        """Return the fact that says how far the voice has got."""
        if self.voiced is None:
            return VoiceAt()
        reply, played = self.reply, self.played(now)
        whole = reply.complete is not None and now >= self.began + reply.complete - 1e-6
        heard = reply.reached(played)
        text = reply.text
        return VoiceAt(
            played,
            max(0.0, reply.seconds - played) if whole else None,
            text[max(0, heard - AROUND) : heard],
            text[heard : heard + AROUND],
        )


@dataclass(order=True, slots=True)
class _Begin:
    """A reply that will begin.

    One that answers a turn is cancelled if the user says more.
    """

    at: float
    place: int
    reply: RecordedReply = field(compare=False)
    answers: bool = field(default=False, compare=False)


class _Replay:
    """A run of the engine on a recording, with an agent that obeys it."""

    def __init__(self, call: RecordedCall, settings: TurnSettings) -> None:
        self.call = call
        self.ends: list[_End] = []
        self.counts = Counts()
        self.hung_up: float | None = None
        self._engine = TurnEngine(settings)
        self._pauses = settings.interruption.first == "pause"
        self._speaking: _Speaking | None = None
        self._spoke = False
        self._rest: RecordedReply | None = None  # the rest of the reply that was interrupted last
        self._places = count()
        self._begins: list[_Begin] = []
        self._prompts, self._resumed = iter(call.prompts), iter(call.resumed)
        for reply in call.unasked:
            heappush(self._begins, self._begin(reply, reply.began))

    def run(self) -> None:
        """Run from the first fact to the end of the recording."""
        facts, stops = iter(self.call.facts), iter(self.call.stops)
        fact, stop = next(facts, None), next(stops, None)
        now, rung = 0.0, -1.0
        while self.hung_up is None:
            deadline = self._engine.deadline
            if deadline is not None and max(deadline, now) <= rung:
                deadline = None  # the engine was told of it, and decided nothing
            times = (self._due(), stop, fact[0] if fact else None, deadline)
            at, which = min(
                ((at, which) for which, at in enumerate(times) if at is not None), default=(0, -1)
            )
            if which < 0 or at > self.call.over + NEAR:
                return
            now = max(now, round(at, 6))
            if which == 0:
                self._speak(now)
            elif which == 1:
                self._stop(now)
                stop = next(stops, None)
            elif which == 2 and fact:
                if isinstance(fact[1], JUDGED) and self._spoke:
                    self._engine.decide(self._speaking.voice_at(now) if self._speaking else VoiceAt(), now)
                self._tell(fact[1], now)
                fact = next(facts, None)
            else:
                rung = -1.0 if self._tell(Deadline(), now) else now

    def _tell(self, fact: Fact, now: float) -> bool:
        """Let the engine decide about a fact, and carry the decisions out.

        Returns True if there were any.
        """
        stop, follows = False, list[_Begin]()
        decisions = self._engine.decide(fact, now)
        for decision in decisions:
            match decision:
                case EndTurn(text) if text:
                    self.ends.append(_End(decision, now))
                    stop = True
                    if answer := self._answer(decision, now):
                        follows.append(answer)
                case Interrupt():
                    self.counts.interruptions += 1
                    stop = True
                case PauseVoice() if self._speaking and self._pauses:
                    self._speaking.hold(now)
                case ResumeVoice(kind):
                    if self._speaking:
                        self._speaking.go_on(now)
                    if kind:
                        self.counts.false_interruptions += 1
                        if self._speaking is None and self._rest:
                            follows.append(self._begin(next(self._resumed, self._rest), now))
                case Speculate():
                    self.counts.guesses += 1
                case DropSpeculation():
                    self.counts.guesses_dropped += 1
                case BeIdle("prompt", text):
                    follows.append(self._begin(next(self._prompts, self._assumed(text)), now))
                case BeIdle("end"):
                    self.hung_up = now
                case _:
                    pass
        if stop:
            self._begins = [begin for begin in self._begins if not begin.answers and begin.at >= now]
            if self._speaking is None or self._speaking.reply.interruptible:
                self._stop(now)
        for begin in follows:
            heappush(self._begins, begin)
        return bool(decisions)

    # The agent -------------------------------------------------------------------------------------

    def _begin(self, reply: RecordedReply, at: float, *, answers: bool = False) -> _Begin:
        return _Begin(round(at, 6), next(self._places), reply, answers)

    def _answer(self, end: EndTurn, now: float) -> _Begin | None:
        """Return the recorded answer to this turn, or an assumed one.

        A turn that is part of a recorded one gets the answer to that one.
        """
        over = [turn for turn in self.call.turns if _holds(_End(end, now), turn)]
        within = [turn for turn in self.call.turns if turn.started - NEAR <= now < turn.ended]
        if not (turns := over or within):
            return self._begin(self._assumed(""), now, answers=True)
        turn = turns[-1]
        if turn.answer is None:
            return None
        return self._begin(turn.answer, now + turn.answer.began - turn.closed, answers=True)

    def _assumed(self, text: str) -> RecordedReply:
        """Return a plausible reply for one that is not in the recording."""
        return RecordedReply(0.0, text=text, voice=self.call.usual, seconds=self.call.seconds_of(text))

    def _due(self) -> float | None:
        """Return when the agent does something next."""
        if self._speaking is not None:
            return self._speaking.due
        return self._begins[0].at if self._begins else None

    def _speak(self, now: float) -> None:
        """Begin a reply, begin its voice, or end it."""
        speaking = self._speaking
        if speaking is None:
            reply = heappop(self._begins).reply
            self._speaking, self._spoke, self._rest = _Speaking(reply, now), True, None
            self._tell(ReplyBegan(reply.interruptible), now)
        elif speaking.voiced is None and speaking.reply.voice is not None:
            speaking.begin(now)
        else:
            self._speaking = None
            self._tell(ReplyOver(speaking.reply.text), now)

    def _stop(self, now: float) -> None:
        """Interrupt the reply."""
        speaking, self._speaking = self._speaking, None
        if speaking is not None:
            reply, played = speaking.reply, speaking.played(now)
            heard = reply.reached(played) if speaking.voiced is not None else 0
            self._rest = self._assumed(reply.text[heard:].strip())
            self._tell(ReplyOver(reply.text[:heard]), now)
