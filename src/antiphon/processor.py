"""Processors, the parts of a pipeline that handle each frame at once.

    class Shout(Processor):
        @on(Text)
        def shout(self, frame: Text):
            yield replace(frame, text=frame.text.upper())

A handler returns nothing and calls `self.push(...)`, or it is a generator, and each frame that it yields is
pushed. Frames go to the next part that handles their type, signals to all parts that subscribed. A part that
does not handle a type is not called at all. A handler that takes more than a millisecond holds up the whole
session, which counts it and names the part in the log: work that waits or computes belongs in a `Stage`.
"""

import inspect
import logging
from asyncio import CancelledError
from collections.abc import Callable, Iterable, Sequence
from time import perf_counter
from typing import Any, ClassVar, Literal, Protocol, TypeVar

from .client import Client
from .clock import Clock, Timer
from .delivery import Signals
from .errors import ConfigurationError, UsageError
from .flow import Frame, Signal
from .frames import AgentAudio, Failed
from .inputs import Inputs
from .observers import Observers
from .ports import BranchPort, PartPort, PlayoutPort
from .replies import Replies
from .reply import Reply
from .service_change import ServiceChange
from .work import Works

__all__ = ["Hop", "Processor", "Route", "SessionPort", "on"]

logger = logging.getLogger("antiphon.session")

Hop = Callable[[Any], object]
"""A function that calls the next handler of a frame."""

Route = Callable[[type], Hop | None]
"""A function that returns the hop for a frame type, or None if no later part handles it."""

Handler = TypeVar("Handler", bound=Callable[..., Any])

MOMENT, AT_ONCE = 0.25, 1.0  # seconds of audio that a part after playout may send in one moment
SLOW = 0.001  # seconds that a handler may take


def on(*kinds: type) -> Callable[[Handler], Handler]:
    """Declare a method to be the handler of these exact frame or signal types."""

    def declare(method: Handler) -> Handler:
        method.__handles__ = kinds  # type: ignore[attr-defined]
        return method

    return declare


class SessionPort(Protocol):
    """The session as its parts see it: their attribute `session`.

    A part hands on what it makes with its own `push`, at any time: in a handler, in a task or in a callback.
    """

    clock: Clock
    """For waiting and measuring. Never read the time from anywhere else."""
    state: Literal["new", "starting", "running", "ending", "ended"]
    create: Callable[[str, str], Any] | None
    """Makes the service of a port that "vendor/model" names."""
    client: Client | None
    """The program at the user's side; None on the phone."""
    parts: list["Processor"]
    """All parts, in the order of the pipeline."""

    @property
    def now(self) -> float:
        """Seconds since the start, as of the input that is being handled."""
        ...

    def elapsed(self) -> float:
        """Return the seconds since the start by the clock, for use outside of inputs."""
        ...

    @property
    def playout(self) -> PlayoutPort | None:
        """The part that plays the agent's voice, if the pipeline has one."""
        ...

    @property
    def reply(self) -> Reply | None:
        """The reply that is being made, or None."""
        ...

    def send(self, frame: Frame | Signal) -> None:
        """Send a frame to the beginning of the pipeline, or a signal to subscribers."""
        ...

    def say(self, text: str, *, interruptible: bool = True) -> Reply:
        """Speak this text, once the replies before it have ended."""
        ...

    def new_reply(
        self,
        begin: Callable[[Reply], object],
        *,
        interruptible: bool = True,
        speculative: bool = False,
        voiced: bool = True,
    ) -> Reply:
        """Queue a reply; `begin` is called with it once those before it have ended.

        A `speculative` one is not heard before it is committed; one that is not `voiced` is text to be read.
        """
        ...

    def interrupt(self, reason: str = "asked to", *, force: bool = False) -> None:
        """Stop the reply at once, and drop those that wait.

        `force` stops even a reply that the user may not interrupt.
        """
        ...

    def use(self, **services: Any) -> ServiceChange:
        """Change services in mid-call: use(tts="cartesia/sonic-3:VOICE"), or an object.

        Each takes over once it is open and its stage is free; await the result to know whether it is open.
        """
        ...

    async def end(self, reason: str = "ended", *, within: float = 120.0) -> None:
        """Speak what was promised, then close.

        Returns at once if called from a stage's task.
        """
        ...

    async def cancel(self, reason: str = "cancelled") -> None:
        """Close at once."""
        ...

    def on(self, kind: type, listen: Callable[[Any], object]) -> None:
        """Call a function with each signal of this type."""
        ...

    def timer(self, part: PartPort, when: float, call: Callable[[], object]) -> Timer:
        """Schedule a call for the session's time `when`.

        An exception in it is reported as a failure of the part.
        """
        ...

    def failed(self, part: PartPort, error: BaseException, reply: int | None = None) -> None:
        """Report a failure of a part; in a `Switch`, the next alternative takes over."""
        ...

    # The inner workings, for the building blocks (`Processor`, `Stage`, `Parallel`, `Playout`) ------

    inputs: Inputs
    signals: Signals
    replies: Replies
    works: Works
    observers: Observers
    reach: frozenset["Processor"]
    """The parts placed so far while the pipeline is linked, last part first."""

    def adopt(self, part: "Processor", branches: tuple[BranchPort, ...]) -> None:
        """Add a part to the session while the pipeline is linked."""
        ...


class Processor:
    """A part of a pipeline that answers at once. Belongs to one session."""

    handlers: ClassVar[dict[type, str]] = {}
    """Frame type to method name, collected from `@on`."""
    waits: ClassVar[bool] = False
    """Whether its handlers may be async."""

    session: SessionPort
    """Set when the part is placed in a session."""
    name: str = ""
    """Unique in its session; by default the name of the class."""
    downstream: frozenset[PartPort] = frozenset()
    """The parts that frames from here can reach."""
    branches: tuple[BranchPort, ...] = ()
    """The branches of `Parallel` that it lies in, outermost first."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        own: dict[type, str] = {}
        for name, member in vars(cls).items():
            kinds = getattr(member, "__handles__", ())
            if kinds and not cls.waits and is_async(member):
                raise ConfigurationError(f"{cls.__name__}.{name} is async: what waits is a Stage")
            for kind in kinds:
                if (other := own.setdefault(kind, name)) != name:
                    raise ConfigurationError(
                        f"{cls.__name__} handles {kind.__name__} twice, in {other} and in {name}: make it one"
                    )
        cls.handlers = cls.handlers | own

    def handler(self, kind: type) -> Hop | None:
        """Return the bound handler of an exact type, or None.

        Override it to handle types chosen at run time.
        """
        name = self.handlers.get(kind)
        return None if name is None else getattr(self, name)

    def signals(self) -> Iterable[type]:
        """Return the signal types that it subscribes to."""
        return [kind for kind in self.handlers if issubclass(kind, Signal)]

    def push(self, frame: Frame | Signal) -> None:
        """Pass a frame to the next part that handles it, or a signal to all subscribers."""
        raise UsageError(
            f"{type(self).__name__} was used outside a session: put it in a Session([...]) first"
        )

    def after(self, seconds: float, call: Callable[[], object]) -> Timer:
        """Schedule a call for this many seconds after the input at hand."""
        return self.session.timer(self, self.session.now + seconds, call)

    def hand_over(self) -> Sequence[Frame]:
        """Return, and forget, the frames to which an answer is missing.

        They have been passed on already. Called by a `Switch` when another part takes the place of this one.
        """
        return ()

    def take_over(self, frames: Sequence[Frame]) -> None:
        """Answer frames that another part has handed over, and passed on already."""

    async def open(self) -> None:
        """Get ready. All parts open concurrently; the session starts once all are ready."""

    async def close(self) -> None:
        """Release everything. Called once, whatever happened."""

    def link(self, session: SessionPort, after: Route, branches: tuple[BranchPort, ...]) -> Route:
        """Take a place in a pipeline before `after`; returns the route into this part."""
        session.adopt(self, branches)
        setattr(self, "push", _pusher(session, self, after))  # noqa: B010  bound once, called at every frame
        entries: dict[type, Hop | None] = {}

        def entry(kind: type) -> Hop | None:
            if kind not in entries:
                handler = self.handler(kind)
                entries[kind] = after(kind) if handler is None else guarded(session, self, handler)
            return entries[kind]

        for kind in self.signals():
            handler = self.handler(kind)
            if handler is not None:
                session.signals.subscribe(kind, guarded(session, self, handler), branches)
        return entry

    def leave(self, session: SessionPort) -> None:
        """Give up the place in a session that is over: drop what is pushed from now on.

        `session` is a weak reference to it, in place of the one that kept it alive.
        """
        self.session = session
        setattr(self, "push", _dropped)  # noqa: B010


class _Hops(dict[type, Hop | None]):
    """Hops by exact type, each resolved when its type is first pushed."""

    def __init__(self, resolve: Route) -> None:
        super().__init__()
        self.resolve = resolve

    def __missing__(self, kind: type) -> Hop | None:
        hop = self[kind] = self.resolve(kind)
        return hop


def _pusher(session: SessionPort, part: Processor, after: Route) -> Hop:
    hops = _Hops(lambda kind: departure(session, part, kind, after))
    inputs, works = session.inputs, session.works

    def push(frame: Frame | Signal) -> None:
        if not inputs.busy:  # in a task or a callback: the frame is an input of its own
            works.admit(part, frame, works.running())
            return
        hop = hops[type(frame)]
        if hop is not None:
            hop(frame)

    return push


def _dropped(frame: Frame | Signal) -> None:
    """Take the place of `push` when the session is over."""


def departure(session: SessionPort, part: Processor, kind: type, after: Route) -> Hop | None:
    """Return the hop for frames of a type that a part pushes.

    Observers see a frame before the next part handles it.
    """
    if issubclass(kind, Signal):
        signals, branches = session.signals, part.branches
        if not branches:
            return lambda signal: signals.tell(signal, part.name)

        def tell(signal: Signal) -> None:
            if all(branch.sends(signal) for branch in branches):
                signals.tell(signal, part.name)

        return tell
    if not issubclass(kind, Frame):
        raise UsageError(f"{part.name} pushed a {kind.__name__}; only frames and signals can be pushed")
    hop, inputs, observers = after(kind), session.inputs, session.observers
    if kind is AgentAudio and hop is not None:
        hop = _paced(session, part, hop)
    if not observers.sees(kind):
        return hop

    def seen(frame: Frame) -> None:
        observers.show(inputs.now, part.name, frame)
        if hop is not None:
            hop(frame)

    return seen


def _paced(session: SessionPort, part: Processor, hop: Hop) -> Hop:
    """Warn if a part after playout makes audio faster than it can be heard."""
    playout = session.playout
    if playout is None or playout in part.downstream | {part}:
        return hop
    since, sent, warned = 0.0, 0.0, False

    def watched(frame: AgentAudio) -> None:
        nonlocal since, sent, warned
        if session.now > since + MOMENT:
            since, sent = session.now, 0.0
        sent += len(frame.pcm) / 2 / frame.sample_rate
        if sent > playout.lead + AT_ONCE and not warned:
            warned = True
            logger.warning(
                "%s pushes audio after playout, %.1f s at once: nothing paces it there, and no interruption "
                "stops it; put the part before Playout, its audio in a reply (docs/guides/play-audio.md)",
                part.name,
                sent,
            )
        hop(frame)

    return watched


def guarded(session: SessionPort, part: Processor, handler: Hop) -> Hop:
    """Wrap a handler: exceptions become `Failed` signals, and slow calls are counted."""
    call = _pushing(part, handler) if inspect.isgeneratorfunction(function_of(handler)) else handler

    def hop(frame: Any) -> None:
        begun = perf_counter()
        try:
            call(frame)
        except (Exception, CancelledError) as error:  # noqa: BLE001  one part must not end the session
            if isinstance(frame, Failed):
                logger.warning("%s failed to handle a failure: %r", part.name, error)
            else:
                session.failed(part, error, getattr(frame, "reply", None))
        ended = perf_counter()
        if ended - begun > SLOW:
            session.inputs.slow(part, begun, ended)

    return hop


def function_of(handler: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function behind a method and its decorators."""
    return inspect.unwrap(getattr(handler, "__func__", handler))


def is_async(handler: Callable[..., Any]) -> bool:
    """Return whether this is a coroutine function or an async generator function."""
    function = function_of(handler)
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


def _pushing(part: Processor, generate: Callable[[Any], Any]) -> Hop:
    """Return a hop that pushes each frame that a generator handler yields."""

    def call(frame: Any) -> None:
        for out in generate(frame):
            part.push(out)

    return call
