"""Reading a recorded call as far as turn taking is concerned.

That is the user's side, the turns that were taken, and the replies. Everything needed is in every journal,
with media or without.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from ..errors import ConfigurationError
from ..frames import (
    AudioEnded,
    EagerTurn,
    EagerTurnDropped,
    FalseInterruption,
    Interrupted,
    PlayoutPaused,
    PlayoutResumed,
    PlayoutStarted,
    ReplyCommitted,
    ReplyEnded,
    ReplyStarted,
    ScoreAsked,
    SessionStarted,
    SoundHeard,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    SpeechStopped,
    TalkButton,
    Transcript,
    TurnHinted,
    TurnScored,
    UserIdle,
    UserKey,
    UserText,
    UserTurn,
    UserTurnStarted,
)
from ..journal import JournalLine, read
from ..playout.heard import RATE
from .decisions import Fact, SpeculationDropped

__all__ = ["Counts", "RecordedCall", "RecordedReply", "RecordedTurn", "recorded"]

FACTS = (
    SoundHeard, SpeechStarted, SpeechPaused, SpeechResumed, SpeechStopped, Transcript, ScoreAsked, TurnScored,
    TurnHinted, TalkButton, UserKey, UserText, SessionStarted,
)  # fmt: skip
DELAY = 0.6  # seconds from a reply's beginning to its voice, if no voice was heard in the whole call

NEAR = 1e-3  # seconds by which two times of one event may differ
UNSURE = 0.1  # seconds: the weight of the default speaking rate against the voice in the recording
UNWRITTEN = 2.0  # seconds that a reply, or the rest of one, is assumed to take if its text is unknown


@dataclass(slots=True)
class RecordedTurn:
    """A turn of the user.

    Its words, its first and last sound, and when it was decided to be over.
    """

    text: str
    started: float
    ended: float
    closed: float
    reason: str
    answer: "RecordedReply | None" = None


@dataclass(slots=True)
class RecordedReply:
    """A reply as a user who says nothing would hear it.

    Times are seconds since its beginning.
    """

    began: float
    interruptible: bool = True
    text: str = ""
    voice: float | None = None
    """When its voice begins; None if it has none."""
    complete: float | None = None
    """When all of its audio is there; None if that never happened."""
    seconds: float = 0.0
    """The length of its voice; without a voice, how long the reply takes."""
    cut: tuple[float, int] | None = None
    """Where it was interrupted: after so many seconds of its voice, and so many characters."""

    def reached(self, played: float) -> int:
        """Return how many characters have been heard, in whole words.

        `played` is the seconds of its voice that have been heard.
        """
        if self.cut is not None and abs(played - self.cut[0]) < NEAR:
            return self.cut[1]
        share = min(1.0, played / self.seconds) if self.seconds > 0 else 1.0
        offset = round(share * len(self.text))
        if offset == len(self.text) or self.text[offset].isspace():
            return offset
        return len(self.text[:offset].rpartition(" ")[0])


@dataclass(slots=True)
class Counts:
    """How often each thing was decided."""

    interruptions: int = 0
    false_interruptions: int = 0
    guesses: int = 0
    """Speculative replies, begun before the turn was over."""
    guesses_dropped: int = 0


@dataclass(slots=True)
class RecordedCall:
    """What is known about a call."""

    facts: list[tuple[float, Fact]] = field(default_factory=list[tuple[float, Fact]])
    turns: list[RecordedTurn] = field(default_factory=list[RecordedTurn])
    unasked: list[RecordedReply] = field(default_factory=list[RecordedReply])
    """Replies to no turn (greetings, what the program said); they begin at their recorded time."""
    prompts: list[RecordedReply] = field(default_factory=list[RecordedReply])
    """Prompts to a user who was idle."""
    resumed: list[RecordedReply] = field(default_factory=list[RecordedReply])
    """The rest of replies that a noise had interrupted."""
    stops: list[float] = field(default_factory=list[float])
    """When replies were stopped by something other than the user's voice."""
    counts: Counts = field(default_factory=Counts)
    over: float = 0.0
    usual: float = DELAY
    """The median time from a reply's beginning to its voice, in seconds."""
    pace: float = RATE
    """The agent's speaking rate, in characters per second."""

    def seconds_of(self, text: str) -> float:
        """Estimate how long the agent's voice takes for a text."""
        return len(text) / self.pace or UNWRITTEN


def recorded(journal: str | Path | Iterable[bytes]) -> RecordedCall:
    """Read a call from its journal: a file, or `Journal.lines`.

    Raises ConfigurationError if it is no journal.
    """
    reader = _Reader()
    for number, line in enumerate(read(journal), 1):
        reader.call.over = line.at
        try:
            reader.line(line)
        except (msgspec.ValidationError, LookupError, TypeError) as error:
            raise ConfigurationError(f"line {number} of the journal, {line.kind}: {error}") from error
    return reader.finish()


@dataclass(slots=True)
class _Making:
    """A reply that is not over yet, as far as it has been read."""

    reply: RecordedReply
    paused: float = 0.0
    held: float | None = None
    voiced: float | None = None
    whole: float | None = None


class _Reader:
    """Builds a `RecordedCall` from the lines of a journal."""

    def __init__(self) -> None:
        self.call = RecordedCall()
        self._making: dict[int, _Making] = {}
        self._uninterruptible: set[str] = set()  # texts that the program said and that cannot be interrupted
        self._unanswered: RecordedTurn | None = None
        self._started = self._closed = self._idle = self._false = -1.0  # the time of the last of each
        self._unheard: list[RecordedReply] = []  # replies that were stopped before their voice began
        self._cut: list[RecordedReply] = []  # replies that were stopped later
        self._characters, self._seconds = RATE * UNSURE, UNSURE  # of the replies that were heard in full

    def line(self, line: JournalLine) -> None:
        """Read a line; most have nothing to do with turns."""
        if line.source == "call":
            if line.kind == "say" and not line.content[1]:
                self._uninterruptible.add(line.content[0])
        elif (kind := _KINDS.get(line.kind)) is not None:
            what = msgspec.convert(line.content, kind)
            if isinstance(what, FACTS):
                self._fact(line, what)
            else:
                self._event(line.at, what)

    def _fact(self, line: JournalLine, fact: Any) -> None:
        """Add a fact of the user's side.

        Words that a part has rewritten replace those that it was given.
        """
        facts = self.call.facts
        if isinstance(fact, Transcript) and not line.is_input and facts:
            at, last = facts[-1]
            if at == line.at and isinstance(last, Transcript):
                facts.pop()
        facts.append((line.at, fact))

    def _event(self, now: float, what: Any) -> None:
        """Note what turn taking and playout did."""
        call, counts = self.call, self.call.counts
        making = self._making.get(getattr(what, "reply", 0))
        match what:
            case UserTurnStarted():
                self._started = now
            case UserTurn():
                self._turn(now, what)
            case EagerTurn():
                counts.guesses += 1
            case EagerTurnDropped():
                counts.guesses_dropped += 1
            case FalseInterruption():
                counts.false_interruptions += 1
                self._false = now
            case UserIdle(action="prompt"):
                self._idle = now
            case ReplyStarted(reply, speculative):
                self._making[reply] = making = _Making(RecordedReply(now))
                if not speculative:
                    self._begun(now, making)
            case ReplyCommitted() if making:
                self._begun(now, making)
            case PlayoutStarted() if making:
                making.voiced = now
            case PlayoutPaused() if making:
                making.held = now
            case PlayoutResumed() if making and making.held is not None:
                making.paused += now - making.held
                making.held = None
            case AudioEnded() if making:
                making.whole = now
            case Interrupted() if now == self._started:
                counts.interruptions += 1
            case ReplyEnded() if what.speculative:
                call.facts.append((now, SpeculationDropped(len(what.text))))
            case ReplyEnded() if making:
                self._ended(now, making, what)
            case _:
                pass

    def _turn(self, now: float, turn: UserTurn) -> None:
        self._closed = now
        taken = RecordedTurn(turn.text, turn.started, turn.ended, now, turn.reason)
        if self.call.turns and (last := self.call.turns[-1]).closed == now and last.started == turn.started:
            self.call.turns.pop()  # a part has rewritten it
        self.call.turns.append(taken)
        self._unanswered = taken

    def _begun(self, now: float, making: _Making) -> None:
        """Note a reply that will be heard, by what it replies to."""
        making.reply.began = now
        if self._unanswered is not None:
            self._unanswered.answer, self._unanswered = making.reply, None
        elif now == self._idle:
            self.call.prompts.append(making.reply)
        elif now == self._false:
            self.call.resumed.append(making.reply)
        else:
            self.call.unasked.append(making.reply)

    def _ended(self, now: float, making: _Making, ended: ReplyEnded) -> None:
        reply = making.reply
        del self._making[ended.reply]
        reply.text, reply.interruptible = ended.text, ended.text not in self._uninterruptible
        if making.whole is not None:
            reply.complete = making.whole - reply.began
        if ended.interrupted and now not in (self._started, self._closed):
            self.call.stops.append(now)
        if making.voiced is None:
            reply.seconds = now - reply.began
            if ended.interrupted:
                self._unheard.append(reply)
            return
        reply.voice = making.voiced - reply.began
        held = 0.0 if making.held is None else now - making.held
        reply.seconds = now - making.voiced - making.paused - held
        if ended.interrupted:
            reply.cut = (reply.seconds, len(ended.heard))
            self._cut.append(reply)
        else:
            self._characters += len(ended.text)
            self._seconds += reply.seconds

    def finish(self) -> RecordedCall:
        """Complete the call, estimating what the recording does not tell."""
        call = self.call
        for number, making in list(self._making.items()):  # if the journal breaks off
            self._ended(call.over, making, ReplyEnded(number, "", "", interrupted=True))
        replies = [turn.answer for turn in call.turns if turn.answer] + call.unasked
        if voices := [reply.voice for reply in replies if reply.voice is not None]:
            call.usual = median(voices)
        call.pace = self._characters / self._seconds
        for reply in self._unheard:
            reply.voice, reply.seconds = max(call.usual, reply.seconds), call.seconds_of(reply.text)
        for reply in self._cut:
            more = UNWRITTEN if reply.complete is None else NEAR
            reply.seconds = max(reply.seconds + more, call.seconds_of(reply.text))
        return call


_KINDS: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        *FACTS, UserTurnStarted, UserTurn, EagerTurn, EagerTurnDropped, FalseInterruption, UserIdle,
        ReplyStarted, ReplyCommitted, PlayoutStarted, PlayoutPaused, PlayoutResumed, AudioEnded,
        Interrupted, ReplyEnded,
    )
}  # fmt: skip
