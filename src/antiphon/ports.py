"""What the inner workings of a session see of parts, branches and playout, which stand above them.

`inputs`, `signals`, `work` and `replies` know only these protocols. What a part may ask of its session is
described by `processor.SessionPort`.
"""

from typing import ClassVar, Protocol

from .clock import Clock
from .flow import Frame, Signal
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
        """Whether another branch would take over if this one failed."""
        ...

    def spare_recovers(self, reply: int | None) -> bool:
        """Whether the spare can still do everything for this reply, so that nothing is missing."""
        ...

    def fail_over(self) -> None:
        """Let the spare take over, once everybody has been told of the failure."""
        ...


class PartPort(Protocol):
    """A part, as the place at which frames enter a session and as the origin of failures."""

    handlers: ClassVar[dict[type, str]]
    """The types that it handles, each with the name of the method."""

    @property
    def name(self) -> str:
        """Unique in its session, and the source of its frames in a journal."""
        ...

    @property
    def branches(self) -> tuple[BranchPort, ...]:
        """The branches that it lies in, outermost first."""
        ...

    def push(self, frame: Frame | Signal) -> None:
        """Hand a frame to the next part that handles its type, or a signal to all subscribers."""
        ...


class _WorkSession(Protocol):
    @property
    def clock(self) -> Clock: ...

    def failed(self, part: PartPort, error: BaseException, reply: int | None = None) -> None: ...


class WorkerPort(PartPort, Protocol):
    """A part that has tasks, whose time comes from its session and whose failures go there."""

    @property
    def session(self) -> _WorkSession: ...


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
        """Send what is due of the current reply; a part calls it when a reply may be heard from now on."""
        ...

    def stop(self, reply: Reply) -> int:
        """Fall silent within 20 ms; returns how many characters of the reply's text were heard."""
        ...

    def pause(self) -> None:
        """Hold the voice where it is."""
        ...

    def duck(self, gain: float) -> None:
        """Go on more softly, `gain` times as loud, until `resume`."""
        ...

    def resume(self) -> None:
        """Go on after `pause` or `duck`."""
        ...

    def heard(self, reply: Reply) -> int:
        """How many characters of the reply's text have been heard by now."""
        ...

    def ready(self, reply: Reply) -> float | None:
        """When the reply's first audio arrived; None if there is none yet."""
        ...

    def progress(self, reply: Reply) -> tuple[float, float | None]:
        """Seconds of the reply's voice that were heard, and that are left (None if not all has arrived)."""
        ...

    def word_end(self, reply: Reply) -> float:
        """Seconds until the word that is being heard has been spoken."""
        ...
