"""A response of a model that hears and speaks, and its frames in a reply."""

import re
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field

from ..clock import Clock
from ..context import Context, ToolAnswered
from ..errors import NothingSaidError, TheyErred, UnavailableError
from ..frames import (
    AgentAudio,
    AudioEnded,
    Frame,
    Generated,
    Measured,
    SegmentEnded,
    SegmentStarted,
    Signal,
    Text,
    ToolCall,
    WordTimed,
    replace,
)
from ..media_queue import MediaQueue
from ..reply import Reply
from .realtime_vocabulary import AgentWords, ResponseOver, Voice

__all__ = ["OPEN", "AskedResponse", "ModelCalls", "ModelResponse", "SpokenResponse"]

AHEAD = 600.0  # seconds of voice that a model may send ahead of playout
UNUSUAL = re.compile(r"[^A-Za-z0-9_-]")  # characters that not all vendors take in ids
RATE = 14.0  # characters that a voice speaks in a second, if it breaks off before its words are spoken
OPEN = 1 << 30
"""The end of a segment whose text is still to come."""
BROKEN_OFF = ResponseOver("failed", "the model broke off")

ResponseItem = Voice | AgentWords | ToolCall


@dataclass(slots=True, eq=False)
class AskedResponse:
    """A response that a reply waits for."""

    reply: Reply
    said: str | None
    """What it must say; None if the model finds the words."""
    start: int
    """Where its text begins in the reply's, in characters."""
    ends: bool
    """True if the reply is over after it, unless the model calls tools."""
    at: float
    """When the wait began, by the session's clock."""
    by_itself: bool = False
    """True if the model begins it without being asked."""
    given_up: bool = False
    """True if it took too long: what comes of it now is not heard."""

    @property
    def is_awaited(self) -> bool:
        """Whether it is to be heard."""
        return self.reply.state == "active" and not self.given_up


class ModelResponse:
    """A response as it comes from the model; complete once it is `over`."""

    def __init__(self, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self.over: ResponseOver | None = None
        """How it ended; None if the conversation ended before it."""
        self.items = MediaQueue[ResponseItem](AHEAD, self._seconds)

    def end(self, over: ResponseOver | None) -> None:
        """Note how it ended."""
        self.over = over
        self.items.close()

    def _seconds(self, item: ResponseItem) -> float:
        return len(item.pcm) / 2 / self.sample_rate if isinstance(item, Voice) else 0.0


class ModelCalls:
    """The tool calls of a model that have no result yet.

    A model may use an id again after a new connection, and another model in the session the same one. So
    each call gets an id of ours, with the part's name and a number, of characters that all vendors take.
    """

    def __init__(self) -> None:
        self._open: dict[str, tuple[str, int]] = {}  # our id to the model's, and the reply's number
        self._count = 0

    def own(self, call: ToolCall, reply: int, part: str) -> ToolCall:
        """Return a call with an id of ours."""
        self._count += 1
        own = replace(call, id=f"{UNUSUAL.sub('-', part)}-{self._count}")
        self._open[own.id] = call.id, reply
        return own

    def made(self, calls: Iterable[ToolCall], reply: int) -> None:
        """Note calls that a response has made; in a replay nobody else does."""
        for call in calls:
            self._open.setdefault(call.id, (call.id.partition("-")[2], reply))

    def ended(self, call: ToolCall) -> str | None:
        """Return the model's id of a call that has a result now; None if it had one."""
        return self._open.pop(call.id, (None,))[0]

    def results(self, reply: int, context: Context) -> list[ToolAnswered]:
        """Return results in the context, of calls of this reply that had none."""
        own = {call for call, (_, number) in self._open.items() if number == reply}
        return [e for e in context.entries if isinstance(e, ToolAnswered) and e.call.id in own]


@dataclass(slots=True)
class SpokenResponse:
    """A response that is spoken for a reply."""

    part: str
    asked: AskedResponse
    response: ModelResponse
    model_calls: ModelCalls
    begins: float
    """Seconds of the reply's voice before this response's."""
    seconds: float = 0.0
    """Seconds of its voice that were pushed."""
    calls: list[ToolCall] = field(default_factory=list[ToolCall])

    async def frames(self, clock: Clock, *, ends_audio: bool) -> AsyncIterator[Frame | Signal]:
        """Yield its frames. Raises TheyErred if it failed or said nothing."""
        asked, number, rate = self.asked, self.asked.reply.number, self.response.sample_rate
        at, voiced, segment, timed = asked.start, asked.reply.voiced, False, False
        end = OPEN if asked.said is None else asked.start + len(asked.said)
        async for item in self.response.items:
            if isinstance(item, ToolCall):
                self.calls.append(self.model_calls.own(item, number, self.part))
                continue
            if voiced and not segment and (isinstance(item, Voice) or item.ends_at is not None):
                segment = True
                yield SegmentStarted(number, asked.start, end)
            match item:
                case Voice(pcm) if voiced and pcm:
                    if not self.seconds:
                        yield Measured(self.part, "first audio", clock.now() - asked.at, number)
                    self.seconds += len(pcm) / 2 / rate
                    yield AgentAudio(number, pcm, rate)
                case AgentWords(text, ends_at) if asked.said is None:
                    yield Text(number, text, at)
                    at += len(text)
                    if ends_at is not None and voiced:
                        timed = True
                        yield WordTimed(number, at, int(ends_at * rate))
                case _:
                    pass
        if segment:
            whole = at if asked.said is None else end
            yield SegmentEnded(number, whole if timed else self._spoken_to(whole))
        if (error := self._error(segment or at > asked.start)) is not None:
            raise error
        if asked.said is None:
            yield Generated(number, tuple(self.calls))
        if asked.ends and not self.calls and voiced and ends_audio:
            yield AudioEnded(number)

    def _spoken_to(self, end: int) -> int:
        """Return where the spoken text ends, also of a voice that has broken off."""
        spoken = self.asked.start + int(self.seconds * RATE + 1e-6)
        if (self.response.over or BROKEN_OFF).status != "failed" or spoken >= end:
            return end
        return max(self.asked.start, self.asked.reply.text.rfind(" ", 0, spoken + 1))

    def _error(self, said: bool) -> TheyErred | None:
        """Return what was wrong with it, now that it has ended; None if nothing."""
        over = self.response.over or BROKEN_OFF
        if over.status == "failed":
            return UnavailableError(f"the model's response failed: {over.reason or 'it did not say why'}")
        if over.status == "completed" and not (said or self.calls):
            return NothingSaidError("the model ended its response without a word")
        return None
