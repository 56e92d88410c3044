"""Protocols of parts, branches and playout, as a session's core uses them.

`inputs`, `signals`, `work` and `replies` know only these protocols, for the classes are in layers above. What
a part may ask of its session is described by `processor.SessionPort`.
"""

from typing import ClassVar, Protocol

from .clock import Clock
from .flow import Frame, Signal
from .frames import Failed
from .reply import Reply

__all__ = ["BranchPort", "PartPort", "PlayoutPort", "WorkerPort"]


class BranchPort(Protocol):
    """A branch of a `Parallel` or `Switch`."""

    @property
    def name(self) -> str: ...

    @property
    def on(self) -> bool:
        """Whether its parts get frames and signals."""
        ...

    def has_spare(self) -> bool:
        """Return whether another branch would take over if this one failed."""
        ...

    def spare_recovers(self, failed: Failed) -> bool:
        """Return whether the spare can still do all the work that failed."""
        ...

    def fail_over(self, failed: Failed) -> None:
        """Note the failure; let the spare, if any, take over after it has been reported."""
        ...

    def sends(self, signal: Signal) -> bool:
        """Return whether a signal that one of its parts pushes is told to the session."""
        ...


class PartPort(Protocol):
    """A part: a place where frames enter a session, and an origin of failures."""

    handlers: ClassVar[dict[type, str]]
    """The types that it handles, each with the name of the method."""

    @property
    def name(self) -> str:
        """Its name, unique in the session; the source of its frames in a journal."""
        ...

    @property
    def branches(self) -> tuple[BranchPort, ...]:
        """The branches that it lies in, outermost first."""
        ...

    def push(self, frame: Frame | Signal) -> None:
        """Pass a frame to the next part that handles it, or a signal to all subscribers."""
        ...


class _WorkSession(Protocol):
    @property
    def clock(self) -> Clock: ...

    def failed(self, part: PartPort, error: BaseException, reply: int | None = None) -> None: ...


class WorkerPort(PartPort, Protocol):
    """A part with tasks.

    They use the clock of its session, and their failures are reported there.
    """

    @property
    def session(self) -> _WorkSession: ...

    keeps_up: ClassVar[bool]
    """Whether audio that waited is let in only as fast as this part handles it."""


class PlayoutPort(PartPort, Protocol):
    """The part that plays replies and knows what was heard: `playout.Playout`."""

    sample_rate: int
    lead: float
    """Seconds of audio that the transport may buffer ahead of time."""
    paused: bool

    @property
    def plays(self) -> bool:
        """Whether a reply is being heard."""
        ...

    @property
    def full(self) -> bool:
        """Whether producers of audio should wait for `room`."""
        ...

    async def room(self) -> None:
        """Wait until there is room again."""
        ...

    def play(self) -> None:
        """Send what is due of the current reply.

        A part calls it when a reply may be heard from now on.
        """
        ...

    def stop(self, reply: Reply) -> int:
        """Fall silent within 20 ms; returns how many characters of the reply were heard."""
        ...

    def pause(self) -> None:
        """Hold the voice at its position."""
        ...

    def duck(self, gain: float) -> None:
        """Lower the voice to `gain` times its loudness, until `resume`."""
        ...

    def resume(self) -> None:
        """Undo `pause` or `duck`."""
        ...

    def heard(self, reply: Reply) -> int:
        """Return how many characters of the reply's text have been heard by now."""
        ...

    def ready(self, reply: Reply) -> float | None:
        """Return when the reply's first audio arrived; None if there is none yet."""
        ...

    def progress(self, reply: Reply) -> tuple[float, float | None]:
        """Return how many seconds of the reply were heard, and how many are left.

        The second is None until all audio of the reply has arrived.
        """
        ...

    def word_end(self, reply: Reply) -> float:
        """Return the seconds until the end of the word that is being heard."""
        ...
