"""A conversation with a realtime model, which may be changed in mid-call."""

from collections import deque
from collections.abc import AsyncGenerator

from ..context import Context
from ..errors import ConfigurationError, UnavailableError
from ..frames import (
    Failed,
    Frame,
    Prime,
    ResponseOffered,
    ServiceChanged,
    SessionStarted,
    Signal,
    ToolCall,
    Usage,
    VoiceCutOff,
)
from ..processor import on
from ..stage import MediaQueue, Work
from .ports import RealtimeModel
from .realtime_ears import RealtimeEars
from .realtime_eyes import RealtimeEyes
from .realtime_fallback import Fallback
from .realtime_inputs import realtime_inputs
from .realtime_response import AskedResponse, ModelResponse
from .realtime_vocabulary import (
    AgentWords,
    Consumed,
    CutShort,
    Faulted,
    RealtimeInput,
    Remember,
    Respond,
    ResponseBegan,
    ResponseOver,
    Say,
    UserCutIn,
    UserHeard,
    UserSpeaks,
    Voice,
)
from .service_stage import ServiceStage
from .streams import Backoff, closing

__all__ = ["RealtimeConversation"]

FREE_AGAIN = 0.2  # seconds after which a model that waits to take over tries again
BEGUN_ANEW = 0.7  # share of the time that a response may take to begin after which the model is begun anew


class RealtimeConversation(ServiceStage[RealtimeModel]):
    """The side of the `Realtime` stage that talks with the model.

    It gives inputs to the model, and offers its responses to replies.
    """

    port = "realtime"

    def __init__(
        self, service: RealtimeModel, detects: bool | None, transcripts: bool, within: float
    ) -> None:
        super().__init__(service)
        self.detects = _detects(service, detects)
        self.within = within
        self._model = self._lasting(service)
        self.ears = RealtimeEars(
            self.give, self._model.input_rate, detects=self.detects, transcripts=transcripts
        )
        self.eyes = RealtimeEyes(self.give, self.ears, service.sees, detects=self.detects)
        self._context = Context("")
        self._inputs = realtime_inputs(self._model.input_rate)
        self._work: Work | None = None
        self._before: tuple[RealtimeModel, ...] = ()  # the model before a change, if it is still open
        self._backoff = Backoff()
        self._asked = deque[AskedResponse]()  # responses that replies wait for, and that have not begun
        self._offered = deque[ModelResponse]()  # responses that have begun, and belong to no reply yet

    def give(self, item: RealtimeInput) -> None:
        """Put an input for the model into its queue."""
        self._inputs.put(item)

    @on(SessionStarted)
    def started(self, signal: SessionStarted) -> None:
        self._begin()

    def _begin(self) -> None:
        if self._work is None or not self._work.alive:
            self._inputs = realtime_inputs(self._model.input_rate)
            self._work = Work(self, None, self._inputs)
            self.ears.begin()
            self.eyes.begin()
            self._asked = deque(one for one in self._asked if one.is_awaited)
            for asked in self._asked:
                self.give(Respond() if asked.said is None else Say(asked.said))
            self.run(self._work, self._converse(self._work, self._inputs))

    async def _converse(
        self, work: Work, inputs: MediaQueue[RealtimeInput]
    ) -> AsyncGenerator[Frame | Signal, None]:
        response: ModelResponse | None = None
        rate = self._model.output_rate
        try:
            stream = self._model.converse(self._context, inputs, detects=self.detects)
            async with closing(stream) as events:
                async for event in events:
                    match event:
                        case ResponseBegan():
                            self._backoff.reset()
                            response = ModelResponse(rate)
                            self._offered.append(response)
                            yield ResponseOffered(self.name)
                        case Voice() | AgentWords() | ToolCall():
                            if response is not None and response.items.full:
                                response.end(ResponseOver("failed", "the model sent too much at once"))
                                response = None
                                self.give(CutShort(0.0))
                            elif response is not None:
                                response.items.put(event)
                        case ResponseOver():
                            if response is not None:
                                response.end(event)
                            response = None
                        case UserCutIn():
                            yield VoiceCutOff(self.name)
                        case UserSpeaks() | UserHeard():
                            for fact in self.ears.facts(event):
                                self.session.works.admit(self.ears, fact, work)
                        case Consumed(unit, amount, vendor, name):
                            yield Usage(self.name, unit, amount, None, vendor, name)
                        case Faulted(error):
                            kind, again = type(error).__name__, getattr(error, "retryable", False)
                            failed = Failed(self.name, kind, str(error), None, again, True, True)
                            self.session.signals.report(self, failed)
        finally:
            if response is not None:
                response.end(None)
        raise UnavailableError("the model ended the conversation")

    @on(Prime)
    def prime(self, frame: Prime) -> None:
        if not frame.eager:
            self._remember(frame.context)

    def _remember(self, context: Context) -> None:
        if context != self._context:
            self._context = context
            self.give(Remember(context))

    # A change of the model ---------------------------------------------------------------------------

    def check(self, service: RealtimeModel) -> None:
        """Raise ConfigurationError for a model that does not fit this pipeline."""
        _detects(service, self.detects)
        if service.speaks != self.service.speaks:
            raise ConfigurationError(
                "one model speaks, the other answers with text alone: they cannot change"
            )

    @property
    def is_free(self) -> bool:
        """Whether nobody speaks, nothing waits for an answer, and all words have come.

        A reply whose tools still work is no pause. Whether a task runs does not matter: in a replay none
        does.
        """
        busy = self.ears.is_busy or self._asked or self._offered
        return not (busy or self.session.replies.owed)

    @on(ServiceChanged)
    def service_changed(self, signal: ServiceChanged) -> None:
        if signal.part == self.name:
            self._take_when_free()

    def _take_when_free(self) -> None:
        if self.is_free:
            self.take_next()
        else:
            self.after(FREE_AGAIN, self._take_when_free)

    def take_next(self) -> None:
        """Let the model that waits take over; the old one is its spare, if it stays open."""
        self._before = () if any(one is self.service for one in self._made) else (self.service,)
        super().take_next()

    def adopt(self) -> None:
        """Go on with another model, from what was heard so far."""
        if self._work is not None:
            self._work.cancel()
        self._model = self._lasting(self.service, *self._before)
        self.ears.fit(self._model.input_rate)
        self.eyes.sees = self._model.sees
        self._begin()

    def _lasting(self, service: RealtimeModel, *spares: RealtimeModel) -> Fallback:
        """Return the model as one that is begun anew, or replaced, if it fails."""
        if isinstance(service, Fallback):
            return service
        return Fallback(service, *spares, within=self.within * BEGUN_ANEW)


def _detects(service: RealtimeModel, wanted: bool | None) -> bool:
    """Return whether the model decides on turns.

    Raises ConfigurationError if that is not possible.
    """
    must = {"ours": False, "theirs": True}.get(service.detection)
    if wanted is not None and must not in (None, wanted):
        who = "only it can decide" if must else "it cannot decide"
        raise ConfigurationError(f"detects={wanted}: {who} when a turn is over ({type(service).__name__})")
    return bool(must if wanted is None else wanted)
