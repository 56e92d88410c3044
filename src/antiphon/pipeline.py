"""How parts are put together: a list is a pipeline; `Parallel`, `Switch`, `Gate` and `Tap` shape it."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from .errors import ConfigurationError, UsageError
from .frames import Frame, Signal
from .processor import Hop, Processor, Route

if TYPE_CHECKING:
    from .session import Session

__all__ = ["Branch", "Gate", "Parallel", "Part", "Switch", "Tap"]

Part = Processor | Sequence["Part"]

REMEMBERED = 64  # frames that may be inside the branches at once and still be recognised when they come out


def chain(parts: Part) -> list[Processor]:
    """The processors of a part, nested lists made flat."""
    if isinstance(parts, Processor):
        return [parts]
    if not isinstance(parts, Sequence):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ConfigurationError(
            f"a pipeline is a list of processors and stages; {parts!r} is a {type(parts).__name__}. "
            "A service is placed in a pipeline by its stage, for example SpeechOut(tts)"
        )
    return [processor for part in parts for processor in chain(part)]


def link(parts: Part, session: "Session", after: Route, branches: "tuple[Branch, ...]" = ()) -> Route:
    """Place parts before `after`, last first, and give the route into the first."""
    for processor in reversed(chain(parts)):
        after = processor.link(session, after, branches)
    return after


class Branch:
    """One of the branches of a `Parallel`: its parts, and whether it is on."""

    def __init__(self, owner: "Parallel", name: str, parts: Part, on: bool) -> None:
        self.owner = owner
        self.name = name
        self.parts = chain(parts)
        self.on = on

    def handles(self, kind: type) -> bool:
        """Whether any part in here handles this type."""
        return any(
            any(branch.handles(kind) for branch in part.inner.values())
            if isinstance(part, Parallel)
            else part.handler(kind) is not None
            for part in self.parts
        )


class Parallel(Processor):
    """Branches over the same frames, in one order: Parallel(talk=[...], voicemail=[...]).

    Each frame enters the branches in the order in which they stand; what they push comes out in that order.
    A frame that passed several branches untouched comes out once, as itself. A branch that is off gets no
    frames and no signals, and its work is cancelled.
    """

    def __init__(self, *branches: Part, off: Sequence[str] = (), **named: Part) -> None:
        parts = {str(index): branch for index, branch in enumerate(branches)} | named
        if unknown := set(off) - set(parts):
            raise ConfigurationError(f"no branch named {', '.join(sorted(unknown))} among {', '.join(parts)}")
        self.inner = {name: Branch(self, name, part, name not in off) for name, part in parts.items()}
        self._inside: dict[int, tuple[Frame, bool]] = {}  # id -> frame that entered, whether it has come out

    def switch(self, name: str, on: bool) -> None:
        """Switch a branch on or off, at any time. Off cancels what its stages are doing."""
        branch = self.inner.get(name)
        if branch is None:
            raise UsageError(f"{self.name} has no branch {name!r}; it has {', '.join(self.inner)}")

        def turn() -> None:
            was, branch.on = branch.on, on
            if was and not on:
                self.session.cancel_work(lambda work: branch in work.stage.branches)

        self.session.input("switch", (self.name, name, on), turn)

    def recover(self, branch: Branch, reply: int | None) -> bool:
        """Called when a stage in a branch has failed: whether somebody else now does its work."""
        return False

    def link(self, session: "Session", after: Route, branches: tuple[Branch, ...]) -> Route:
        """Place all branches before `after`."""
        exit_ = self._exit(after)
        base = reached = session.reach
        entries: list[tuple[Branch, Route]] = []
        for branch in reversed(self.inner.values()):
            session.reach = base
            entries.insert(0, (branch, link(branch.parts, session, exit_, (*branches, branch))))
            reached |= session.reach
        session.reach = reached
        own = super().link(session, after, branches)
        splits: dict[type, Hop | None] = {}

        def entry(kind: type) -> Hop | None:
            if kind not in splits:
                touched = any(branch.handles(kind) for branch in self.inner.values())
                splits[kind] = (
                    self._split([(b, route(kind)) for b, route in entries]) if touched else own(kind)
                )
            return splits[kind]

        return entry

    def _split(self, ways: list[tuple[Branch, Hop | None]]) -> Hop:
        def split(frame: Frame) -> None:
            inside = self._inside
            inside.pop(id(frame), None)
            inside[id(frame)] = (frame, False)
            if len(inside) > REMEMBERED:
                del inside[next(iter(inside))]
            for branch, hop in ways:
                if branch.on and hop is not None:
                    hop(frame)

        return split

    def _exit(self, after: Route) -> Route:
        def out(kind: type) -> Hop | None:
            hop = after(kind)
            return None if hop is None else lambda frame: self._emerge(frame, hop)

        return out

    def _emerge(self, frame: Frame, hop: Hop) -> None:
        entered, out = self._inside.get(id(frame), (None, False))
        if entered is frame:
            if out:
                return
            self._inside[id(frame)] = (frame, True)
        hop(frame)


class Switch(Parallel):
    """Alternatives of which exactly one is on: Switch(main=SpeechOut(a), spare=SpeechOut(b)).

    `use(name)` chooses by hand. When a stage of the chosen one fails, the next in line takes over; if nothing
    of the reply had come out yet, it gets the frames of that reply again, and nobody hears the difference.
    """

    def __init__(self, *branches: Part, **named: Part) -> None:
        names = [*map(str, range(len(branches))), *named]
        if not names:
            raise ConfigurationError("a Switch needs at least one alternative")
        super().__init__(*branches, off=names[1:], **named)
        self.chosen = names[0]
        self._reply: int | None = None
        self._given: list[tuple[Hop, Frame]] = []
        self._answered = False

    def use(self, name: str) -> None:
        """Let this alternative do the work from now on."""
        if name not in self.inner:
            raise UsageError(f"{self.name} has no alternative {name!r}; it has {', '.join(self.inner)}")
        for other in self.inner:
            self.switch(other, other == name)
        self.chosen = name

    def recover(self, branch: Branch, reply: int | None) -> bool:
        """Let the next alternative take over; False where there is none or this one has begun to answer."""
        names = list(self.inner)
        following = names.index(branch.name) + 1
        if branch.name != self.chosen or following == len(names):
            return False
        self.use(names[following])
        if reply is not None and (self._answered or reply != self._reply):
            return False
        for split, frame in self._given:
            split(frame)
        return True

    def _split(self, ways: list[tuple[Branch, Hop | None]]) -> Hop:
        split = super()._split(ways)

        def remember(frame: Frame) -> None:
            reply = getattr(frame, "reply", None)
            if reply != self._reply:
                self._reply, self._given, self._answered = reply, [], False
            if reply is not None:
                self._given.append((split, frame))
            split(frame)

        return remember

    def _emerge(self, frame: Frame, hop: Hop) -> None:
        if getattr(frame, "reply", None) == self._reply and not any(
            frame is given for _, given in self._given
        ):
            self._answered = True
        super()._emerge(frame, hop)


class Gate(Processor):
    """Lets frames of some types through only while it is open."""

    def __init__(self, *kinds: type, is_open: bool = True) -> None:
        self.kinds = frozenset(kinds)
        self.is_open = is_open

    def handler(self, kind: type) -> Hop | None:
        """Handles the types that it guards."""
        return self._guard if kind in self.kinds else None

    def _guard(self, frame: Frame) -> None:
        if self.is_open:
            self.push(frame)


class Tap(Processor):
    """Shows frames and signals to a function as they pass: Tap(print, Transcript)."""

    def __init__(self, see: Callable[[Any], object], *kinds: type) -> None:
        self.see = see
        self.kinds = kinds

    def handler(self, kind: type) -> Hop | None:
        """Handles the types that it shows; a frame goes on afterwards."""
        if kind not in self.kinds:
            return None
        return self.see if issubclass(kind, Signal) else self._show

    def signals(self) -> list[type]:
        """The signals among its types."""
        return [kind for kind in self.kinds if issubclass(kind, Signal)]

    def _show(self, frame: Frame) -> None:
        self.push(frame)
        self.see(frame)
