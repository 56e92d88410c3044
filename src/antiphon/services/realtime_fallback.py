"""Realtime models of which one converses, and the next goes on where it fails.

    Agent("...", realtime=("openai", "google", "local"))

A conversation that fails is replaced by another, with the same model or the next. It begins from the
context as it was heard, and hears again what the user said without an answer. Every `Realtime` stage
converses through it, with one model too.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ..context import Context
from ..errors import BadResponseError, ConfigurationError, ServiceTimeoutError, TheyErred, UnavailableError
from ..flow import replace
from ..service_health import shared_health
from ..signals import ToolCall
from .life import close_services, open_services
from .ports import RealtimeModel, verified
from .realtime_inputs import realtime_inputs
from .realtime_vocabulary import (
    AgentWords,
    Consumed,
    CutShort,
    Faulted,
    RealtimeEvent,
    RealtimeInput,
    Respond,
    ResponseBegan,
    ResponseOver,
    Say,
    UserCutIn,
    UserHeard,
    UserSound,
    UserSpeaks,
    Voice,
)
from .streams import Backoff, closing
from .unanswered_inputs import UnansweredInputs

if TYPE_CHECKING:
    from ..audio.resample import Resampler

__all__ = ["Fallback"]

logger = logging.getLogger("antiphon.realtime")

LEAD = 2.0  # seconds of sound from before a model that detects turns tells of one
STOPS_WITHIN = 2.0  # seconds that a model may take to end its conversation
EVENTS = 256  # events and inputs that may wait to be handled


class Fallback(RealtimeModel):
    """Several models as one: the first that works converses.

    A model that fails, or does not begin to answer within `within` seconds, hands over at once; what it was
    asked and nobody heard is answered by the next. It rests for 30 s, then 60, up to 300, in all sessions of
    the process, and after that takes over again in a pause. A single model is begun anew.

    Raises ConfigurationError for models that cannot stand in for each other.
    """

    def __init__(self, *models: RealtimeModel, within: float = 5.0) -> None:
        if not models:
            raise ConfigurationError("a Fallback needs at least one model")
        self.models = tuple(verified("realtime", model) for model in models)
        self.within = within
        first = models[0]
        self.vendor, self.model = first.vendor, first.model
        self.input_rate = max(model.input_rate for model in models)
        self.output_rate = max(model.output_rate for model in models)
        self.detection = _common_detection(models)
        if len({model.speaks for model in models}) > 1:
            raise ConfigurationError("all models of a Fallback must speak, or none of them")
        self.speaks = first.speaks
        self.takes_words = all(model.takes_words for model in models)
        self.calls_tools = all(model.calls_tools for model in models)
        sees = {model.sees for model in models}
        self.sees = "turns" if "turns" in sees else "video" if "video" in sees else "nothing"
        self.resident = any(model.resident for model in models)

    async def load(self) -> None:
        """Load all of them."""
        for model in self.models:
            await model.load()

    async def open(self) -> None:
        """Open all of them."""
        await open_services(self.models)

    async def close(self) -> None:
        """Close all of them."""
        await close_services(self.models)

    async def converse(
        self, context: Context, inputs: AsyncIterator[RealtimeInput], *, detects: bool = False
    ) -> AsyncGenerator[RealtimeEvent]:
        """Hold one conversation, which lasts until its inputs end."""
        talk = _LastingTalk(self, context, detects)
        async with closing(talk.events(inputs)) as events:
            async for event in events:
                yield event


def _common_detection(models: Sequence[RealtimeModel]) -> Literal["ours", "theirs", "either"]:
    kinds = {model.detection for model in models}
    if {"ours", "theirs"} <= kinds:
        names = ", ".join(f"{type(model).__module__}: {model.detection}" for model in models)
        raise ConfigurationError(f"models that cannot decide on turns in the same way ({names})")
    return "ours" if "ours" in kinds else "theirs" if "theirs" in kinds else "either"


def _resampler(given: int, wanted: int) -> "Resampler | None":
    if given == wanted:
        return None
    from ..audio.resample import Resampler  # imports numpy, so only if the rates differ

    return Resampler(given, wanted)


class _Run:
    """One conversation with one of the models."""

    def __init__(self, number: int, whole: Fallback, inbox: "asyncio.Queue[_Item]") -> None:
        self.number = number
        model = self.model = whole.models[number]
        self.inputs = realtime_inputs(model.input_rate)
        self._inbox = inbox
        self._in = _resampler(whole.input_rate, model.input_rate)
        self._out = _resampler(model.output_rate, whole.output_rate)
        self._task: asyncio.Task[None] | None = None

    def begin(self, context: Context, detects: bool) -> None:
        self._task = asyncio.create_task(self._converse(context, detects))

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def put(self, item: RealtimeInput) -> None:
        if self._in is not None and isinstance(item, UserSound):
            item = UserSound(self._in(item.pcm))
        self.inputs.put(item)

    async def _converse(self, context: Context, detects: bool) -> None:
        try:
            stream = self.model.converse(context, self.inputs, detects=detects)
            async with closing(stream) as events:
                async for event in events:
                    await self._inbox.put((self, self._told(event)))
            raise UnavailableError("the model ended the conversation")
        except Exception as error:  # noqa: BLE001  another conversation takes its place
            await self._inbox.put((self, error))

    def _told(self, event: RealtimeEvent) -> RealtimeEvent:
        match event:
            case Voice(bytes(pcm)) if self._out is not None:
                return Voice(self._out(pcm))
            case Consumed(vendor="", model=""):
                return replace(event, vendor=self.model.vendor, model=self.model.model)
            case _:
                return event


_Item = tuple[_Run, RealtimeEvent | Exception] | RealtimeInput | None
"""An event of a conversation, or its failure; an input; None at the end of the inputs."""


@dataclass(slots=True)
class _Asked:
    """A response that was asked for, and that the current model has not begun."""

    begun: bool = False
    """True if a model that failed had begun it, so that whoever reads the events knows of it."""
    cancelled: bool = False
    """True if a CutShort came for it: nobody waits for it any more."""


class _LastingTalk:
    """A conversation that outlives those with the models.

    It handles inputs, events and time one after another.
    """

    def __init__(self, whole: Fallback, context: Context, detects: bool) -> None:
        self._whole = whole
        self._detects = detects
        self._health = [shared_health(model) for model in whole.models]
        self._inbox = asyncio.Queue[_Item](EVENTS)
        self._clock = asyncio.get_running_loop().time
        self._unanswered = UnansweredInputs(context, whole.input_rate * 2, detects)
        self._unanswered.lead = LEAD
        self._run: _Run | None = None
        self._stopping = set[asyncio.Task[None]]()
        self._begin_at: float | None = None  # when the next conversation begins, while there is none
        self._backoff = Backoff()
        self._failed = set[int]()  # the models that have failed since the last answer
        self._asked = deque[_Asked]()
        self._responding = False  # whether a response is being made
        self._heard = False  # whether it has said something
        self._calls: list[ToolCall] = []  # of the response: they are run once it is complete
        self._waits_since: float | None = None  # for a response to begin; any event starts the wait again

    async def events(self, inputs: AsyncIterator[RealtimeInput]) -> AsyncGenerator[RealtimeEvent]:
        """Yield events until the inputs end."""
        feeding = asyncio.create_task(self._feed(inputs))
        try:
            self._begin()
            while True:
                item = await self._next()
                if item is None and feeding.done():
                    break
                for event in self._handle(item):
                    yield event
        finally:
            feeding.cancel()
            self._stop()
            await asyncio.wait([feeding, *self._stopping], timeout=STOPS_WITHIN)
        await feeding

    async def _feed(self, inputs: AsyncIterator[RealtimeInput]) -> None:
        try:
            async for item in inputs:
                await self._inbox.put(item)
        finally:
            if self._inbox.full():
                self._inbox.get_nowait()
            self._inbox.put_nowait(None)

    async def _next(self) -> _Item:
        """Return the next item, or None when it is time to do something."""
        try:
            async with asyncio.timeout_at(self._due()):
                return await self._inbox.get()
        except TimeoutError:
            return None

    def _handle(self, item: _Item) -> Iterator[RealtimeEvent]:
        match item:
            case None:
                yield from self._on_time()
            case (_Run() as run, said):
                if run is self._run:
                    yield from self._fail(said) if isinstance(said, Exception) else self._event(said)
            case _:
                self._put(item)

    # Time --------------------------------------------------------------------------------------------

    def _due(self) -> float | None:
        """Return when there is something to do although nothing comes."""
        if self._run is None:
            return self._begin_at
        if self._waits_since is not None:
            return None if self._responding else self._waits_since + self._whole.within
        better = self._health[: self._run.number] if self._pausing else []
        return min((health.rests_until for health in better), default=None)

    def _on_time(self) -> Iterator[RealtimeEvent]:
        if self._run is None:
            self._begin()
        elif self._waits_since is not None:
            yield from self._fail(ServiceTimeoutError(f"no answer within {self._whole.within:g} s"))
        elif self._pausing:  # a better model has rested
            self._failed.clear()
            if self._best() != self._run.number:
                self._stop()
                self._begin()

    @property
    def _pausing(self) -> bool:
        """True if nobody speaks, and nothing waits for an answer."""
        return not (self._responding or self._asked or self._unanswered)

    # Conversations -----------------------------------------------------------------------------------

    def _best(self) -> int:
        """Return the first model that does not rest, or that failed longest ago."""
        now, numbers = self._clock(), [n for n in range(len(self._health)) if n not in self._failed]
        healthy = (number for number in numbers if not self._health[number].rests_at(now))
        return next(healthy, min(numbers, key=lambda number: self._health[number].failed_at))

    def _begin(self) -> None:
        """Begin a conversation with the best model, and tell it what has no answer."""
        number = self._best()
        run = self._run = _Run(number, self._whole, self._inbox)
        for item in self._unanswered.items():
            run.put(item)
        if self._waits_since is not None:
            self._waits_since = self._clock()
        run.begin(self._unanswered.context, self._detects)

    def _stop(self) -> None:
        run, self._run = self._run, None
        if run is not None:
            stopping = asyncio.create_task(run.stop())
            self._stopping.add(stopping)
            stopping.add_done_callback(self._stopping.discard)

    def _fail(self, error: Exception) -> Iterator[RealtimeEvent]:
        """Give a conversation up, and begin another, at once if there is a spare."""
        assert self._run is not None
        if not isinstance(error, TheyErred):
            logger.error("a realtime model failed", exc_info=error)
        self._failed.add(self._run.number)
        self._health[self._run.number].fail(self._clock())
        self._stop()
        yield Faulted(error)
        has_spare = len(self._failed) < len(self._health)
        if self._responding and has_spare and not self._heard:
            self._unanswered.take_back()
            self._asked.appendleft(_Asked(begun=True))
            self._waits_since = self._clock()
        elif self._responding:
            self._unanswered.see(over := ResponseOver("failed", str(error)))
            yield over
        self._responding = False
        yield from self._settle(error, hopeless=not (has_spare or getattr(error, "retryable", False)))
        if has_spare:
            self._begin()
        else:
            self._failed.clear()
            self._begin_at = self._clock() + self._backoff.next()

    def _settle(self, error: Exception, *, hopeless: bool) -> Iterator[RealtimeEvent]:
        """End the responses that nobody waits for; all of them if it is hopeless."""
        if hopeless:
            self._unanswered.add(CutShort(0.0))
        kept = deque[_Asked]()
        for asked in self._asked:
            if not (asked.cancelled or hopeless):
                kept.append(asked)
                continue
            if not asked.begun:
                yield ResponseBegan()
            yield ResponseOver("cancelled") if asked.cancelled else ResponseOver("failed", str(error))
        self._asked = kept
        if not kept:
            self._waits_since = None

    # Inputs and events -------------------------------------------------------------------------------

    def _put(self, item: RealtimeInput) -> None:
        self._unanswered.add(item)
        match item:
            case Respond() | Say():
                self._asked.append(_Asked())
                if self._waits_since is None:
                    self._waits_since = self._clock()
            case CutShort():
                for asked in self._asked:
                    asked.cancelled = True
                if not self._asked:
                    self._waits_since = None
            case _:
                pass
        if self._run is not None:
            self._run.put(item)
        elif isinstance(item, Respond | Say):  # it is worth a try at once
            self._begin()

    def _event(self, event: RealtimeEvent) -> Iterator[RealtimeEvent]:
        if self._waits_since is not None:
            self._waits_since = self._clock()
        continues = False  # whether it is told already that this response has begun
        match event:
            case ResponseBegan() if not self._responding:
                self._responding, self._heard, self._calls = True, False, []
                continues = bool(self._asked) and self._asked.popleft().begun
            case Voice(bytes()) | AgentWords() if self._responding:
                self._heard = True
            case ToolCall() if self._responding:
                self._calls.append(event)
                return
            case ResponseOver("failed", reason) if self._responding and not self._heard and self._spares:
                yield from self._fail(UnavailableError(f"the response failed: {reason}"))
                return
            case ResponseOver() if self._responding:
                yield from self._calls
                self._over(event)
            case UserSpeaks(speaking):
                self._waits_since = self._clock() if self._asked or not speaking else None
            case UserHeard() | UserCutIn() | Consumed() | Faulted():
                pass
            case _:
                yield from self._fail(BadResponseError(f"the model yielded {str(event)[:60]} out of place"))
                return
        if (seen := self._unanswered.see(event)) is not None and not continues:
            yield seen

    @property
    def _spares(self) -> bool:
        """True if there is a model that has not failed."""
        assert self._run is not None
        return len(self._failed | {self._run.number}) < len(self._health)

    def _over(self, event: ResponseOver) -> None:
        """Note that a response has ended."""
        self._responding = False
        self._waits_since = self._clock() if self._asked else None
        if event.status == "completed" and self._run is not None:
            self._failed.clear()
            self._backoff.reset()
            self._health[self._run.number].recover()
