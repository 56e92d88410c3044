"""A processor: a part of a pipeline that handles a frame at once; and what it may ask of its session.

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
from collections.abc import Callable, Iterable
from time import perf_counter
from typing import Any, ClassVar, Literal, Protocol, TypeVar

from .client import Client
from .clock import Clock, Timer
from .errors import ConfigurationError, UsageError
from .flow import Frame, Signal
from .frames import Failed
from .inputs import Inputs
from .observers import Observers
from .ports import BranchPort, PartPort, PlayoutPort
from .replies import Replies
from .reply import Reply
from .signals import Signals
from .work import Works

__all__ = ["Hop", "Processor", "Route", "SessionPort", "on"]

logger = logging.getLogger("antiphon.session")

Hop = Callable[[Any], object]
"""Calls the next handler of a frame."""

Route = Callable[[type], Hop | None]
"""Returns the hop for a frame type, or None if nobody further on handles it."""

Handler = TypeVar("Handler", bound=Callable[..., Any])

SLOW = 0.001  # seconds that a handler may take


def on(*kinds: type) -> Callable[[Handler], Handler]:
    """Declare a method to be the handler of these exact frame or signal types."""

    def declare(method: Handler) -> Handler:
        method.__handles__ = kinds  # type: ignore[attr-defined]
        return method

    return declare


class SessionPort(Protocol):
    """What a part may ask of its session: `self.session`, once it has been placed in one.

    A part hands on what it makes with its own `push`, at any time: in a handler, in a task or in a callback.
    """

    clock: Clock
    """For waiting and measuring. Never read the time from anywhere else."""
    state: Literal["new", "starting", "running", "ending", "ended"]
    playout: PlayoutPort | None
    """The part that plays the agent's voice, if the pipeline has one."""
    client: Client | None
    """The program at the user's side; None on the phone."""
    parts: list["Processor"]
    """All parts, in the order of the pipeline."""

    @property
    def now(self) -> float:
        """Seconds since the start, as of the input at hand: the time of whatever a handler decides."""
        ...

    def elapsed(self) -> float:
        """Seconds since the start, by the clock: for what is measured outside of an input."""
        ...

    @property
    def reply(self) -> Reply | None:
        """The reply that is being made."""
        ...

    def send(self, frame: Frame | Signal) -> None:
        """Put a frame in at the beginning of the pipeline, or tell a signal to all subscribers."""
        ...

    def say(self, text: str, *, interruptible: bool = True) -> Reply:
        """Speak this text, after the reply that is being spoken, if any."""
        ...

    def new_reply(
        self,
        begin: Callable[[Reply], object],
        *,
        interruptible: bool = True,
        speculative: bool = False,
        voiced: bool = True,
    ) -> Reply:
        """Queue a reply; `begin` is called with it, numbered, once its turn has come.

        A `speculative` one is not heard before it is committed; one that is not `voiced` is text to be read.
        """
        ...

    def interrupt(self, reason: str = "asked to", *, force: bool = False) -> None:
        """Stop the reply at once, and drop those that wait; `force` even if a user may not interrupt it."""
        ...

    async def end(self, reason: str = "ended", *, within: float = 120.0) -> None:
        """Speak what was promised, then close. Returns at once if called from a stage's task."""
        ...

    async def cancel(self, reason: str = "cancelled") -> None:
        """Close at once."""
        ...

    def on(self, kind: type, listen: Callable[[Any], object]) -> None:
        """Call a function with each signal of this type."""
        ...

    def timer(self, part: PartPort, when: float, call: Callable[[], object]) -> Timer:
        """Call once the session's time has reached `when`; an exception is a failure of the part."""
        ...

    def failed(self, part: PartPort, error: BaseException, reply: int | None = None) -> None:
        """Report a failure of a part; if it stands in a `Switch`, the next alternative takes over."""
        ...

    # The inner workings, for the building blocks (`Processor`, `Stage`, `Parallel`, `Playout`) ------

    inputs: Inputs
    signals: Signals
    replies: Replies
    works: Works
    observers: Observers
    reach: frozenset["Processor"]
    """While the pipeline is linked, last part first: the parts that have been placed on the way behind."""

    def adopt(self, part: "Processor", branches: tuple[BranchPort, ...]) -> None:
        """Take in a part while the pipeline is linked."""
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
    """Unique in its session. If none is given, it is the class name."""
    downstream: frozenset[PartPort] = frozenset()
    """The parts that frames from here can reach."""
    branches: tuple[BranchPort, ...] = ()
    """The branches of `Parallel` that it lies in, outermost first."""

    def __init_subclass__(cls) -> None:
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
        """The bound handler of an exact type, or None. Override to handle types chosen at run time."""
        name = self.handlers.get(kind)
        return None if name is None else getattr(self, name)

    def signals(self) -> Iterable[type]:
        """The signal types that it subscribes to."""
        return [kind for kind in self.handlers if issubclass(kind, Signal)]

    def push(self, frame: Frame | Signal) -> None:
        """Hand a frame to the next part that handles its type, or a signal to all subscribers."""
        raise UsageError(
            f"{type(self).__name__} was used outside a session: put it in a Session([...]) first"
        )

    def after(self, seconds: float, call: Callable[[], object]) -> Timer:
        """Call in this many seconds from the input at hand."""
        return self.session.timer(self, self.session.now + seconds, call)

    async def open(self) -> None:
        """Get ready. All parts open at the same time; the session starts when the last is ready."""

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


def departure(session: SessionPort, part: Processor, kind: type, after: Route) -> Hop | None:
    """The hop of a frame of this type out of a part: shown to the session's observers, then handled."""
    if issubclass(kind, Signal):
        signals = session.signals
        return lambda signal: signals.tell(signal, part.name)
    if not issubclass(kind, Frame):
        raise UsageError(f"{part.name} pushed a {kind.__name__}; only frames and signals can be pushed")
    hop, inputs, observers = after(kind), session.inputs, session.observers
    if not observers.sees(kind):
        return hop

    def seen(frame: Frame) -> None:
        observers.show(inputs.now, part.name, frame)
        if hop is not None:
            hop(frame)

    return seen


def guarded(session: SessionPort, part: Processor, handler: Hop) -> Hop:
    """The handler, with its exceptions turned into `Failed` signals and its slowness measured."""
    call = _pushing(part, handler) if inspect.isgeneratorfunction(function_of(handler)) else handler

    def hop(frame: Any) -> None:
        begun = perf_counter()
        try:
            call(frame)
        except (Exception, CancelledError) as error:  # noqa: BLE001  one broken part must not end it all
            if isinstance(frame, Failed):
                logger.warning("%s failed to handle a failure: %r", part.name, error)
            else:
                session.failed(part, error, getattr(frame, "reply", None))
        ended = perf_counter()
        if ended - begun > SLOW:
            session.inputs.slow(part, begun, ended)

    return hop


def function_of(handler: Callable[..., Any]) -> Callable[..., Any]:
    """The function behind a method and its decorators."""
    return inspect.unwrap(getattr(handler, "__func__", handler))


def is_async(handler: Callable[..., Any]) -> bool:
    """Whether this is a coroutine function or an async generator function."""
    function = function_of(handler)
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


def _pushing(part: Processor, generate: Callable[[Any], Any]) -> Hop:
    """A hop that pushes each frame a generator yields, as it is yielded."""

    def call(frame: Any) -> None:
        for out in generate(frame):
            part.push(out)

    return call
