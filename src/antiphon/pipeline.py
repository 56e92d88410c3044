"""Pipelines: lists of parts, shaped by `Parallel`, `Gate` and `Tap`."""

from collections.abc import Callable, Sequence
from typing import Any

from .errors import ConfigurationError, UsageError
from .flow import Frame, Signal
from .frames import Failed, SessionStarted
from .ports import BranchPort
from .processor import Hop, Processor, Route, SessionPort

__all__ = ["Branch", "Gate", "Parallel", "Part", "Tap"]

Part = Processor | Sequence["Part"]

REMEMBERED = 512  # frames of a type that are recognised when they leave the branches: 10 s of audio
REMEMBERED_PICTURES = 16


def chain(parts: Part) -> list[Processor]:
    """Return the processors of a part, with nested lists flattened."""
    if isinstance(parts, Processor):
        return [parts]
    if not isinstance(parts, Sequence) or isinstance(parts, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ConfigurationError(
            f"a pipeline is a list of processors and stages; {parts!r} is a {type(parts).__name__}. "
            "A service is placed in a pipeline by its stage, for example TTS(service)"
        )
    return [processor for part in parts for processor in chain(part)]


def link(parts: Part, session: SessionPort, after: Route, branches: tuple[BranchPort, ...] = ()) -> Route:
    """Place parts before `after`, last first; returns the route into the first."""
    for processor in reversed(chain(parts)):
        after = processor.link(session, after, branches)
    return after


def name_all(parts: Sequence[Processor]) -> None:
    """Make the names of the parts unique."""
    taken = {"call"}  # the source of calls in a journal
    for part in parts:
        name = base = part.name or type(part).__name__
        count = 1
        while name in taken:
            name = f"{base}-{(count := count + 1)}"
        part.name = name
        taken.add(name)


class Branch:
    """One of the branches of a `Parallel`: its parts, and whether it is on."""

    def __init__(self, owner: "Parallel", name: str, parts: Part, on: bool) -> None:
        self.owner = owner
        self.name = name
        self.parts = chain(parts)
        self.on = on

    def handles(self, kind: type) -> bool:
        """Return whether any of its parts handles this type."""
        return any(
            any(branch.handles(kind) for branch in part.inner.values())
            if isinstance(part, Parallel)
            else part.handler(kind) is not None
            for part in self.parts
        )

    def has_spare(self) -> bool:
        """Return whether another branch would take over if this one failed."""
        return self.owner.spare(self) is not None

    def spare_recovers(self, failed: Failed) -> bool:
        """Return whether the spare can still do all the work that failed."""
        return self.owner.recovers(failed)

    def fail_over(self, failed: Failed) -> None:
        """Note the failure; let the spare, if any, take over after it has been reported."""
        self.owner.replace(self, failed)

    def sends(self, signal: Signal) -> bool:
        """Return whether a signal that one of its parts pushes is told to the session."""
        return self.owner.sends(self, signal)


class Parallel(Processor):
    """Branches over the same frames: Parallel(talk=[...], voicemail=[...]).

    A frame enters each branch that handles its type, in the order in which they are given; what they push
    comes out in that order. A frame that several branches pass on unchanged comes out once. A frame that no
    branch handles passes by. A branch that is off gets no frames and no signals, and its work is cancelled.
    """

    def __init__(self, *branches: Part, off: Sequence[str] = (), **named: Part) -> None:
        parts = {str(index): branch for index, branch in enumerate(branches)} | named
        if unknown := set(off) - set(parts):
            raise ConfigurationError(f"no branch named {', '.join(sorted(unknown))} among {', '.join(parts)}")
        self.inner = {name: Branch(self, name, part, name not in off) for name, part in parts.items()}
        # by type and id: frames that entered, and whether they have come out
        self._inside: dict[type, dict[int, tuple[Frame, bool]]] = {}

    def switch(self, name: str, on: bool) -> None:
        """Switch a branch on or off, at any time.

        A branch that is switched off cancels its work, and the reply that its stages are making is stopped.
        The parts of one that is switched on get `SessionStarted`.
        """
        branch = self.inner.get(name)
        if branch is None:
            raise UsageError(f"{self.name} has no branch {name!r}; it has {', '.join(self.inner)}")
        self.session.inputs.call("switch", (self.name, name, on), lambda: self._turn(branch, on))

    def _turn(self, branch: Branch, on: bool) -> None:
        if on and not branch.on:
            branch.on = True
            self.session.signals.deliver(SessionStarted(), branch)
        elif branch.on and not on:
            leave = lambda: self._leave(branch)  # noqa: E731
            self.session.inputs.call("leave", None, leave)  # after a reply that is about to begin has begun

    def _leave(self, branch: Branch) -> None:
        session = self.session
        reply = session.reply
        if reply is not None and any(
            work.reply == reply.number and branch in work.stage.branches for work in session.works
        ):
            session.replies.stop(reply, f"{branch.name} was switched off")
        session.inputs.call("off", None, lambda: self._off(branch))  # after its parts got the signals of that

    def _off(self, branch: Branch) -> None:
        branch.on = False
        self.session.works.cancel(lambda work: branch in work.stage.branches)

    def hand_over(self) -> Sequence[Frame]:
        """Return what the parts in the branches that are on have not answered."""
        return [frame for part in self._parts_on() for frame in part.hand_over()]

    def take_over(self, frames: Sequence[Frame]) -> None:
        """Let the parts in the branches that are on answer what others have not."""
        for part in self._parts_on():
            part.take_over(frames)

    def _parts_on(self) -> list[Processor]:
        return [part for branch in self.inner.values() if branch.on for part in branch.parts]

    def spare(self, branch: Branch) -> Branch | None:
        """Return the branch that takes over if a stage in this one fails, or None."""
        return None

    def recovers(self, failed: Failed) -> bool:
        """Return whether the spare can still do all the work that failed."""
        return False

    def replace(self, branch: Branch, failed: Failed) -> None:
        """Note that a branch has failed, and let its spare, if it has one, take over."""

    def sends(self, branch: Branch, signal: Signal) -> bool:
        """Return whether a signal from a branch is told to the session."""
        return True

    def link(self, session: SessionPort, after: Route, branches: tuple[BranchPort, ...]) -> Route:
        """Place all branches before `after`."""
        base = reached = session.reach
        entries: list[tuple[Branch, Route]] = []
        for branch in reversed(self.inner.values()):
            session.reach = base
            way_out = self._exit(branch, after)
            entries.insert(0, (branch, link(branch.parts, session, way_out, (*branches, branch))))
            reached |= session.reach
        session.reach = reached
        own = super().link(session, after, branches)
        splits: dict[type, Hop | None] = {}

        def entry(kind: type) -> Hop | None:
            if kind not in splits:
                ways = [(branch, route(kind)) for branch, route in entries if branch.handles(kind)]
                splits[kind] = self._split(kind, ways, own(kind)) if ways else own(kind)
            return splits[kind]

        return entry

    def _split(self, kind: type[Frame], ways: list[tuple[Branch, Hop | None]], past: Hop | None) -> Hop:
        def split(frame: Frame) -> None:
            self._note(frame)
            for hop in [hop for branch, hop in ways if branch.on] or [past]:
                if hop is not None:
                    hop(frame)

        return split

    def _note(self, frame: Frame) -> None:
        """Remember a frame that enters, so that it comes out once."""
        inside = self._inside.setdefault(type(frame), {})
        inside.pop(id(frame), None)
        inside[id(frame)] = (frame, False)
        if len(inside) > (REMEMBERED if frame.most_waiting is None else REMEMBERED_PICTURES):
            del inside[next(iter(inside))]

    def _entered(self, frame: Frame) -> bool:
        """Return whether this very frame is one that entered."""
        return self._inside.get(type(frame), {}).get(id(frame), (None, False))[0] is frame

    def _exit(self, branch: Branch, after: Route) -> Route:
        def out(kind: type) -> Hop | None:
            hop = after(kind)
            return None if hop is None else lambda frame: self._emerge(branch, frame, hop)

        return out

    def _emerge(self, branch: Branch, frame: Frame, hop: Hop) -> None:
        """Pass on a frame that comes out of a branch."""
        inside = self._inside.get(type(frame))
        if inside is not None:
            entered, out = inside.get(id(frame), (None, False))
            if entered is frame:
                if out:
                    return
                inside[id(frame)] = (frame, True)
        hop(frame)


class Gate(Processor):
    """A processor that drops frames of some types while it is not open."""

    def __init__(self, *kinds: type, is_open: bool = True) -> None:
        self.kinds = frozenset(kinds)
        self.is_open = is_open

    def handler(self, kind: type) -> Hop | None:
        """Return a handler for the types that it guards."""
        return self._guard if kind in self.kinds else None

    def _guard(self, frame: Frame) -> None:
        if self.is_open:
            self.push(frame)


class Tap(Processor):
    """A processor that calls a function with what passes: Tap(print, Transcript)."""

    def __init__(self, see: Callable[[Any], object], *kinds: type) -> None:
        self.see = see
        self.kinds = kinds

    def handler(self, kind: type) -> Hop | None:
        """Return a handler for the types that it shows; a frame is passed on first."""
        if kind not in self.kinds:
            return None
        return self.see if issubclass(kind, Signal) else self._show

    def signals(self) -> list[type]:
        """Return the signals among its types."""
        return [kind for kind in self.kinds if issubclass(kind, Signal)]

    def _show(self, frame: Frame) -> None:
        self.push(frame)
        self.see(frame)
