"""A scripted caller as a transport: it speaks prepared lines and hangs up."""

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from ..frames import (
    AgentAudio,
    Frame,
    PlayoutStarted,
    ReplyEnded,
    ReplyStarted,
    SessionStarted,
    Signal,
    UserAudio,
    UserTurnStarted,
)
from ..observers import Observer
from ..processor import Processor, on
from ..stage import Stage, Work
from .catching_up import catch_up

__all__ = ["Caller", "CallerLine"]

PIECE = 0.02


@dataclass(frozen=True, slots=True)
class CallerLine:
    """A line of the caller: mono 16-bit samples, spoken `wait` seconds after its cue.

    The cue "now" is the end of the previous line, or the start of the call; "answer" is the end of the
    agent's answer to the previous line; "barge-in" is the beginning of that answer.
    """

    pcm: bytes
    wait: float = 0.0
    cue: Literal["now", "answer", "barge-in"] = "answer"


class Caller:
    """A transport whose user is a script.

    `sample_rate` is that of the lines, `agent_rate` that of the agent's voice. `hear(at, pcm)` is called with
    what the agent says, and `spoke(at, pcm)` with the caller's own audio including its silence; `at` is a
    sample position. The caller hangs up `linger` seconds after the last line or reply, waits `awaits` seconds
    longer if the last line has no answer, and hangs up after `at_most` seconds in any case.
    """

    lead = 0.0
    observers: Sequence[Observer] = ()

    def __init__(
        self,
        lines: Sequence[CallerLine],
        sample_rate: int,
        *,
        agent_rate: int = 24000,
        hear: Callable[[int, bytes], object] | None = None,
        spoke: Callable[[int, bytes], object] | None = None,
        linger: float = 3.0,
        awaits: float = 0.0,
        at_most: float = 600.0,
    ) -> None:
        self.sample_rate = agent_rate
        self.input = CallerInput(lines, sample_rate, spoke, linger, at_most, awaits)
        self.output = CallerOutput(hear)
        self.spoken: list[tuple[float, float]] = self.input.spoken
        """Start and end of each line, in seconds of the session."""


class CallerOutput(Processor):
    """The last part: it passes what the agent says to the callback."""

    def __init__(self, hear: Callable[[int, bytes], object] | None) -> None:
        self.hear = hear

    @on(AgentAudio)
    def audio(self, frame: AgentAudio) -> None:
        if self.hear is not None:
            self.hear(frame.at, frame.pcm)
        self.push(frame)


class CallerInput(Stage):
    """The first part: it speaks the lines at their cues, with silence between them."""

    def __init__(
        self,
        lines: Sequence[CallerLine],
        sample_rate: int,
        spoke: Callable[[int, bytes], object] | None,
        linger: float,
        at_most: float,
        awaits: float = 0.0,
    ) -> None:
        self.lines = list(lines)
        self.rate = sample_rate
        self.spoke = spoke
        self.linger = linger
        self.at_most = at_most
        self.awaits = awaits
        self.spoken: list[tuple[float, float]] = []
        self._spoke_at = 0.0  # when the caller last spoke
        self._busy = False  # True while a reply is being made
        self._voice_at: float | None = None  # when the agent last began to speak
        self._ended_at = 0.0  # when the last reply ended

    @on(SessionStarted)
    def started(self, signal: SessionStarted) -> None:
        self.run(Work(self), self._talk())

    @on(ReplyStarted)
    def reply_started(self, signal: ReplyStarted) -> None:
        self._busy = True

    @on(PlayoutStarted)
    def playout_started(self, signal: PlayoutStarted) -> None:
        self._voice_at = self.session.now

    @on(ReplyEnded)
    def reply_ended(self, signal: ReplyEnded) -> None:
        self._busy = False
        self._ended_at = self.session.now

    @on(UserTurnStarted)
    def turn_started(self, signal: UserTurnStarted) -> None:
        self._ended_at = max(self._ended_at, self.session.now)

    async def _talk(self) -> AsyncGenerator[Frame | Signal, None]:
        session = self.session
        size = int(self.rate * PIECE) * 2
        silence = bytes(size)
        lines = list(self.lines)
        line, said, at = b"", 0, 0
        while True:
            now = at / self.rate
            if not line and lines and self._cued(lines[0], now):
                line, said = lines.pop(0).pcm, 0
                self.spoken.append((now, now + len(line) / 2 / self.rate))
            piece = silence
            if line:
                piece = line[said : said + size].ljust(size, b"\0")
                said += size
                if said >= len(line):
                    line, self._spoke_at = b"", now + PIECE
            elif self._done(lines, now):
                break
            at += size // 2
            if (early := at / self.rate - session.elapsed()) > 0:
                await session.clock.sleep(early)
            else:
                await catch_up(self)
            if self.spoke is not None:
                self.spoke(at - size // 2, piece)
            yield UserAudio(piece, self.rate, at - size // 2)
        await session.end("the caller hung up")

    def _cued(self, line: CallerLine, now: float) -> bool:
        voiced = self._voice_at is not None and self._voice_at >= self._spoke_at
        match line.cue:
            case "now":
                return now >= self._spoke_at + line.wait - 1e-6
            case "answer":
                return voiced and not self._busy and now >= self._ended_at + line.wait - 1e-6
            case "barge-in":
                return voiced and self._voice_at is not None and now >= self._voice_at + line.wait - 1e-6

    def _done(self, lines: list[CallerLine], now: float) -> bool:
        quiet_since = max(self._spoke_at, self._ended_at)
        if (self._voice_at or 0.0) < self._spoke_at:
            quiet_since += self.awaits  # the last line has no answer yet
        return now > self.at_most or (not lines and not self._busy and now > quiet_since + self.linger)
