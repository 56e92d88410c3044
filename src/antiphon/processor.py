"""A processor: a part that answers a frame at once.

    class Shout(Processor):
        @on(Text)
        def shout(self, frame: Text):
            yield replace(frame, text=frame.text.upper())

A handler returns nothing and calls `self.push(...)`, or it is a generator and each frame that it yields is
pushed. Frames go to the next part that handles their type; signals go to all parts that subscribed. What a
part does not handle passes it without a call. A handler that takes more than a millisecond holds up the
whole session, which measures and names it: what waits is a `Stage`.
"""

import inspect
import logging
from asyncio import CancelledError
from collections.abc import Callable, Iterable
from time import perf_counter
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from .errors import ConfigurationError, UsageError
from .frames import Failed, Frame, Signal

if TYPE_CHECKING:
    from .clock import Timer
    from .pipeline import Branch
    from .session import Session

__all__ = ["Hop", "Processor", "Route", "on"]

logger = logging.getLogger("antiphon.session")

Hop = Callable[[Any], object]
"""Takes one frame where it is handled next."""

Route = Callable[[type], Hop | None]
"""Gives the hop for a frame type, or None where nobody handles it."""

Handler = TypeVar("Handler", bound=Callable[..., Any])

SLOW = 0.001  # seconds that a handler may take


def on(*kinds: type) -> Callable[[Handler], Handler]:
    """Declare a method to be the handler of these exact frame or signal types."""

    def declare(method: Handler) -> Handler:
        method.__handles__ = kinds  # type: ignore[attr-defined]
        return method

    return declare


class Processor:
    """A part of a pipeline that answers at once. Belongs to one session."""

    handlers: ClassVar[dict[type, str]] = {}
    """Frame type to method name, collected from `@on`."""
    waits: ClassVar[bool] = False
    """Whether its handlers may be async."""

    session: "Session"
    """Set when the part is placed in a session."""
    name: str = ""
    """Unique in its session; the class name where none is given."""
    downstream: "frozenset[Processor]" = frozenset()
    """The parts that frames from here can reach."""
    branches: "tuple[Branch, ...]" = ()
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

    def after(self, seconds: float, call: Callable[[], object]) -> "Timer":
        """Call in this many seconds from the input at hand."""
        return self.session.timer(self, self.session.now + seconds, call)

    async def open(self) -> None:
        """Get ready. All parts open at the same time; the session starts when the last is ready."""

    async def close(self) -> None:
        """Let go of everything. Called once, whatever happened."""

    def link(self, session: "Session", after: Route, branches: "tuple[Branch, ...]") -> Route:
        """Take a place in a pipeline before `after`, and give the route into this part."""
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


def _pusher(session: "Session", part: Processor, after: Route) -> Hop:
    hops = _Hops(lambda kind: departure(session, part, kind, after))
    inputs = session.inputs

    def push(frame: Frame | Signal) -> None:
        if not inputs.busy:
            session.works.arrive(part, frame)
            return
        hop = hops[type(frame)]
        if hop is not None:
            hop(frame)

    return push


def departure(session: "Session", part: Processor, kind: type, after: Route) -> Hop | None:
    """The way of a frame of this type out of a part: seen by the session's observers, then handled."""
    if issubclass(kind, Signal):
        return lambda signal: session.signals.tell(signal, part.name)
    if not issubclass(kind, Frame):
        raise UsageError(f"{part.name} pushed a {kind.__name__}; only frames and signals can be pushed")
    hop = after(kind)
    if not session.observers.sees(kind):
        return hop

    def seen(frame: Frame) -> None:
        session.observers.show(session.now, part.name, frame)
        if hop is not None:
            hop(frame)

    return seen


def guarded(session: "Session", part: Processor, handler: Hop) -> Hop:
    """A handler whose failure is a `Failed` signal and whose slowness is measured."""
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
    """Whether it waits."""
    function = function_of(handler)
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


def _pushing(part: Processor, generate: Callable[[Any], Any]) -> Hop:
    """Push each frame that a generator yields, as it is yielded."""

    def call(frame: Any) -> None:
        for out in generate(frame):
            part.push(out)

    return call
