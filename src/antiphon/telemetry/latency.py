"""The voice-to-voice latency of every turn, part by part.

Six parts follow one another and add up to the latency:

    endpointing      from the user's last sound until it is certain that the turn is over
    stt              until the last words of the turn are there, which ends the turn
    first_token      until the first token of the answer, or its voice if that comes first (after any tools)
    first_sentence   until the first words are sent to the text-to-speech service
    first_audio      until the first sound has been made
    playout          until the first sample is played

Work for an answer that was done before the turn was over, for a speculative reply, takes no time of any part;
`ReplyTiming.saved` says how far ahead it was.

If the caller is a recording, the last sound is where speech ends in it; else it is where the level falls
before the voice activity detector hears the end, some 0.1 s later, or before a model that hears and speaks
says that the turn is over, which is its endpointing; for a typed turn it is the arrival. The
first sample is the one that `Playout` sends: the delays of network, device and room are not included.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Any, ClassVar, Literal

from ..conversation.wordless_turns import WordlessTurns
from ..frames import (
    Failed,
    FalseInterruption,
    Frame,
    Measured,
    PlayoutStarted,
    Prompt,
    ReplyCommitted,
    ReplyEnded,
    ReplyStarted,
    SegmentStarted,
    Signal,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    SpeechStopped,
    Text,
    ToolCall,
    ToolEnded,
    ToolStarted,
    Transcript,
    TurnScored,
    UserText,
    UserTurn,
)

__all__ = ["PARTS", "Latency", "ReplyTiming", "Summary", "ToolRun", "TurnTiming", "percentile", "summarise"]

PARTS: tuple[str, ...] = ("endpointing", "stt", "first_token", "first_sentence", "first_audio", "playout")
SURE = 0.5  # the end-of-turn model's probability from which it says that the turn is over

SpeechEndSource = Literal["recording", "vad", "typed"]


@dataclass(slots=True)
class ToolRun:
    """A tool that was called for a reply; `result` is None while it runs."""

    call: ToolCall
    started: float
    ended: float | None = None
    result: str | None = None
    failed: bool = False


@dataclass(slots=True)
class ReplyTiming:
    """A reply as it was made and heard.

    Times are the session's; None for what never happened.
    """

    reply: int
    started: float
    first_token: float | None = None
    voice_asked: float | None = None
    first_audio: float | None = None
    played: float | None = None
    said: str = ""
    heard: str = ""
    interrupted: bool = False
    reason: str = ""
    saved: float = 0.0
    """How many seconds before the end of the turn it was begun."""
    tools: list[ToolRun] = field(default_factory=list[ToolRun])
    failures: list[str] = field(default_factory=list[str])


@dataclass(slots=True)
class TurnTiming:
    """A turn of the user, and the answer to it."""

    number: int
    user: str
    started: float
    ended: float
    """When its last sound was heard; `measured_from` says how that is known."""
    measured_from: SpeechEndSource
    certain: float
    """When it was certain that the turn was over, words aside."""
    closed: float
    """When it was over and its words were there."""
    reason: str
    answer: ReplyTiming | None = None

    @property
    def marks(self) -> list[float] | None:
        """The seven moments that separate the parts; None if no answer was heard."""
        answer = self.answer
        if answer is None or answer.played is None:
            return None
        steps = (self.certain, self.closed, answer.first_token, answer.voice_asked, answer.first_audio)
        latest = accumulate((step or 0.0 for step in steps), max, initial=self.ended)
        return [*(min(step, answer.played) for step in latest), answer.played]

    @property
    def parts(self) -> dict[str, float] | None:
        """Seconds of each part, which add up to `voice_to_voice`; None without an answer."""
        if (marks := self.marks) is None:
            return None
        return {part: after - before for part, (before, after) in zip(PARTS, pairwise(marks), strict=True)}

    @property
    def voice_to_voice(self) -> float | None:
        """Seconds from the last sound of the turn to the first of the answer, or None."""
        return None if (marks := self.marks) is None else marks[-1] - marks[0]


class Latency:
    """An observer that times the turns of a session.

    `turns` are the turns of the user, `unprompted` the replies that answer no turn.

    `speech` returns the stretches of the caller's speech so far, in seconds of the session, if they are known
    more exactly than a detector can tell.
    """

    media = False

    def __init__(self, speech: Callable[[], Sequence[tuple[float, float]]] = tuple) -> None:
        self.turns: list[TurnTiming] = []
        self.unprompted: list[ReplyTiming] = []
        self.failures: list[str] = []
        """Failures from which nothing recovered, in their order."""
        self.guesses_dropped = 0
        """Speculative replies that were dropped."""
        self.written_in_vain = 0
        """Characters that were generated for dropped replies."""
        self.worded: TurnTiming | None = None
        """The turn whose words are what came last, if they came after its end."""
        self._known_speech = speech
        self._answers: dict[int, ReplyTiming] = {}
        self._guesses: set[int] = set()  # speculative replies that are not committed
        self._asked: TurnTiming | None = None  # the turn whose reply has yet to begin
        self._wordless = WordlessTurns[TurnTiming]()
        self._interrupted: TurnTiming | None = None  # one whose unheard answer a noise interrupted
        self._stopped = self._scored = self._worded = 0.0  # the time of the last of each
        self._sounded = (0.0, 0.0)  # the last end of speech as the detector heard it, and of the sound itself
        self._sure: float | None = None  # since when all scores have said that the turn is over

    def saw(self, now: float, source: str, what: Frame | Signal | tuple[str, Any], is_input: bool) -> None:
        """Note what happened."""
        if (note := self._notes.get(type(what))) is not None:
            note(self, now, what)

    def close(self) -> None:
        """Do nothing: there is nothing to close."""

    def answer(self, reply: int) -> ReplyTiming | None:
        """Return what is known about a reply, or None."""
        return self._answers.get(reply)

    def turn_of(self, reply: int) -> TurnTiming | None:
        """Return the turn that this reply answers, or None."""
        return next((turn for turn in self.turns if turn.answer and turn.answer.reply == reply), None)

    # The user's turn -------------------------------------------------------------------------------

    def _speech(self, now: float, frame: SpeechStarted | SpeechResumed) -> None:
        self._sure = None

    def _speech_paused(self, now: float, frame: SpeechPaused | SpeechStopped) -> None:
        if frame.sounded is not None:
            self._sounded = (frame.at, frame.sounded)

    def _speech_stopped(self, now: float, frame: SpeechStopped) -> None:
        self._speech_paused(now, frame)
        self._stopped = now

    def _turn_scored(self, now: float, frame: TurnScored) -> None:
        self._scored = now
        if frame.probability < SURE:
            self._sure = None
        elif self._sure is None:
            self._sure = now

    def _transcript(self, now: float, frame: Transcript) -> None:
        self.worded = None
        if not frame.final:
            return
        self._worded = now
        if (turn := self._wordless.take(frame)) is not None:
            turn.user, self.worded = frame.text, turn

    def _user_turn(self, now: float, frame: UserTurn) -> None:
        if self._asked is not None and self._asked.started == frame.started:
            self._asked.user = frame.text  # a part has rewritten it
            return
        waited_for_words = self._worded == now
        certain = max(self._stopped, self._sure or self._scored) if waited_for_words else now
        ended, source = self._end_of_speech(frame.ended, certain)
        certain = max(ended, certain)
        turn = TurnTiming(0, frame.text, frame.started, ended, source, certain, now, frame.reason)
        self._add(turn)
        if frame.words_late:
            self._wordless.add(frame, turn)

    def _user_text(self, now: float, frame: UserText) -> None:
        self._add(TurnTiming(0, frame.text, now, now, "typed", now, now, ""))

    def _add(self, turn: TurnTiming) -> None:
        self._interrupted = None
        self.turns.append(turn)
        turn.number = len(self.turns)
        self._asked = turn

    def _end_of_speech(self, detected: float, certain: float) -> tuple[float, SpeechEndSource]:
        """Return the end of the last stretch of known speech in the turn.

        If no speech is known, it is the end that the detector heard.
        """
        known = [end for start, end in self._known_speech() if start < detected]
        if known and known[-1] <= certain:
            return known[-1], "recording"
        at, sounded = self._sounded
        return sounded if at == detected else detected, "vad"

    # The answer ------------------------------------------------------------------------------------

    def _reply_started(self, now: float, signal: ReplyStarted) -> None:
        answer = self._answers[signal.reply] = ReplyTiming(signal.reply, now)
        if signal.speculative:
            self._guesses.add(signal.reply)
        elif self._interrupted is not None:
            self._interrupted.answer, self._interrupted = answer, None

    def _reply_committed(self, now: float, signal: ReplyCommitted) -> None:
        self._guesses.discard(signal.reply)
        self._answers[signal.reply].saved = signal.saved
        self._answered_by(signal.reply)

    def _prompt(self, now: float, frame: Prompt) -> None:
        if frame.reply not in self._guesses:
            self._answered_by(frame.reply)

    def _answered_by(self, reply: int) -> None:
        if self._asked is not None and (answer := self._answers.get(reply)) is not None:
            self._asked.answer, self._asked = answer, None

    def _text(self, now: float, frame: Text) -> None:
        self._mark(frame.reply, "first_token", now)

    def _measured(self, now: float, signal: Measured) -> None:
        if signal.what == "first audio" and signal.reply is not None:
            self._mark(signal.reply, "voice_asked", now - signal.seconds)
            self._mark(signal.reply, "first_audio", now)
            self._mark(signal.reply, "first_token", now)  # a model that speaks before it tells its words

    def _segment_started(self, now: float, frame: SegmentStarted) -> None:
        self._mark(frame.reply, "first_audio", now)

    def _playout_started(self, now: float, signal: PlayoutStarted) -> None:
        self._mark(signal.reply, "played", now)

    def _mark(self, reply: int, what: str, at: float) -> None:
        answer = self._answers.get(reply)
        if answer is not None and getattr(answer, what) is None:
            setattr(answer, what, at)

    def _tool_started(self, now: float, signal: ToolStarted) -> None:
        if (answer := self._answers.get(signal.reply)) is not None:
            answer.tools.append(ToolRun(signal.call, now))

    def _tool_ended(self, now: float, signal: ToolEnded) -> None:
        if (answer := self._answers.get(signal.reply)) is not None:
            for run in answer.tools:
                if run.call.id == signal.call.id:
                    run.ended, run.result, run.failed = now, signal.result, signal.failed

    def _reply_ended(self, now: float, signal: ReplyEnded) -> None:
        if (answer := self._answers.get(signal.reply)) is None:
            return
        if signal.speculative:
            self.guesses_dropped += 1
            self.written_in_vain += len(signal.text)
            return
        answer.said, answer.heard = signal.text, signal.heard
        answer.interrupted, answer.reason = signal.interrupted, signal.reason
        if self.turn_of(signal.reply) is None:
            self.unprompted.append(answer)

    def _false_interruption(self, now: float, signal: FalseInterruption) -> None:
        turn = self.turn_of(signal.reply)
        if turn is not None and turn.answer is not None and turn.answer.played is None:
            self._interrupted = turn

    def _failed(self, now: float, signal: Failed) -> None:
        if signal.recovered:
            return
        failure = f"{signal.part}: {signal.message} ({signal.error})"
        self.failures.append(failure)
        if signal.reply is not None and (answer := self._answers.get(signal.reply)) is not None:
            answer.failures.append(failure)

    _notes: ClassVar[dict[type, Callable[..., None]]] = {
        SpeechStarted: _speech,
        SpeechResumed: _speech,
        SpeechPaused: _speech_paused,
        SpeechStopped: _speech_stopped,
        TurnScored: _turn_scored,
        Transcript: _transcript,
        UserTurn: _user_turn,
        UserText: _user_text,
        ReplyStarted: _reply_started,
        ReplyCommitted: _reply_committed,
        Prompt: _prompt,
        Text: _text,
        Measured: _measured,
        SegmentStarted: _segment_started,
        PlayoutStarted: _playout_started,
        ToolStarted: _tool_started,
        ToolEnded: _tool_ended,
        ReplyEnded: _reply_ended,
        FalseInterruption: _false_interruption,
        Failed: _failed,
    }


@dataclass(frozen=True, slots=True)
class Summary:
    """Seconds for the answered turns, by the names in PARTS and "voice_to_voice"."""

    answered: int
    median: dict[str, float]
    p95: dict[str, float]


def summarise(turns: Sequence[TurnTiming]) -> Summary | None:
    """Return the median and 95th percentile of each part; None without any answer."""
    heard = [parts | {"voice_to_voice": sum(parts.values())} for turn in turns if (parts := turn.parts)]
    if not heard:
        return None
    values = {name: sorted(parts[name] for parts in heard) for name in (*PARTS, "voice_to_voice")}
    return Summary(
        len(heard),
        {name: percentile(of, 0.5) for name, of in values.items()},
        {name: percentile(of, 0.95) for name, of in values.items()},
    )


def percentile(values: Sequence[float], share: float) -> float:
    """Return a percentile of sorted values, with linear interpolation.

    `share` is from 0 to 1.
    """
    place = share * (len(values) - 1)
    below = int(place)
    above = min(below + 1, len(values) - 1)
    return values[below] + (values[above] - values[below]) * (place - below)
