"""A session: one conversation, from its beginning to its end.

Programs use `Session`; the parts of a pipeline see it as `processor.SessionPort`. It combines `inputs` (what
is handled when), `signals` (their delivery), `replies` (what is said) and `works` (the tasks of its stages).
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal, Self

from .client import Client
from .clock import Clock, LoopClock, Timer
from .delivery import Signals
from .encodable import encodable, encodable_data
from .errors import UsageError, YouErred
from .flow import Frame, Signal
from .frames import SessionEnded, SessionStarted, Text, TextEnded
from .inputs import Inputs
from .lifecycle import Startup, close_all, release_all
from .observers import Observer, Observers, failure
from .pipeline import Part, link, name_all
from .ports import BranchPort, PartPort, PlayoutPort
from .processor import Processor
from .replies import Replies
from .reply import Reply
from .service_change import ServiceChange, change_services
from .work import Works

__all__ = ["Observer", "Session"]

logger = logging.getLogger("antiphon.session")


class Session:
    """One conversation, from `start` to `end` or `cancel`. Use it in one event loop.

    `parts` is a pipeline: processors and stages in order. Raises ConfigurationError if they do not fit.
    `create` makes the service of a port ("tts") that a name ("vendor/model") means, for `use`.
    """

    works_class: ClassVar[type[Works]] = Works
    """The class of `works`; that of a replay starts no tasks."""

    def __init__(
        self,
        parts: Part,
        *,
        clock: Clock | None = None,
        observers: Sequence[Observer] = (),
        create: Callable[[str, str], Any] | None = None,
    ) -> None:
        self.create = create
        self.clock: Clock = clock or LoopClock()
        self.state: Literal["new", "starting", "running", "ending", "ended"] = "new"
        self.parts: list[Processor] = []
        self.reach: frozenset[Processor] = frozenset()
        self.client: Client | None = None
        """The program at the user's side, set by the client protocol; None on the phone."""
        self.door = Processor()
        """The part at whose place `send` enters frames, and which stands for the session in failures."""
        self.door.name = "session"
        self.observers = Observers(observers)
        self.inputs = Inputs(self.clock, self.observers, self.door, self._put, self.failed)
        self.signals = Signals(self.inputs, self.observers)
        self.works = self.works_class(self.inputs)
        self.replies = Replies(self.inputs, self.signals, self.works, self.observers, self.door)
        self.door.link(self, link(parts, self, lambda kind: None), ())
        name_all(self.parts)
        self.parts.remove(self.door)
        self._timers = 0
        self._opening = Startup()
        self._over = asyncio.Event()
        self._ending: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None

    # What a program calls --------------------------------------------------------------------------

    async def start(self) -> None:
        """Open all parts at the same time; returns when the last is ready.

        Raises the YouErred of a part (a missing key, extra or model), after closing what was open. Any other
        exception becomes a `Failed` signal, and the session starts without that part.
        """
        if self.state != "new":
            raise UsageError("a session starts once; make a new one for the next conversation")
        self.state = "starting"
        self._opening = Startup(self.parts)
        try:
            await self._opening.wait()
        except asyncio.CancelledError:
            await self.cancel("the start was cancelled")
            raise
        if self.state != "starting":
            return
        for part, error in self._opening.errors():
            if isinstance(error, YouErred):
                await self.cancel(f"{part.name} could not be opened")
                raise error
            self.failed(part, error)
        self.begin()

    def begin(self) -> None:
        """Start the session's time; handle the start, then the inputs that came early."""
        self.state = "running"
        self.inputs.begin(lambda: self.signals.tell(SessionStarted()))

    async def wait(self) -> None:
        """Wait until the session is over."""
        await self._over.wait()

    async def run(self) -> None:
        """Start, wait for the end, and close everything."""
        async with self:
            await self.wait()

    def send(self, frame: Frame | Signal) -> None:
        """Send a frame to the beginning of the pipeline, or a signal to subscribers."""
        self.inputs.enter(self.door, frame)

    def say(self, text: str, *, interruptible: bool = True) -> Reply:
        """Speak this text, after the reply that is being spoken, if any."""
        text = encodable(text)

        def speak(reply: Reply) -> None:
            self.door.push(Text(reply.number, text, reply.write(text)))
            self.door.push(TextEnded(reply.number))

        return self.new_reply(speak, interruptible=interruptible, name="say", argument=(text, interruptible))

    def interrupt(self, reason: str = "asked to", *, force: bool = False) -> None:
        """Stop the reply at once, and drop what was made for it and not heard.

        Waiting replies are dropped too. `force` stops even a reply that the user may not interrupt.
        """
        self.inputs.call("interrupt", (reason, force), lambda: self.replies.interrupt(reason, force))

    def use(self, **services: Any) -> ServiceChange:
        """Change services in mid-call: use(tts="cartesia/sonic-3:VOICE"), or an object.

        Each takes over once it is open and its stage is free; await the result to know whether it is open.
        """
        return change_services(self.parts, services)

    async def end(self, reason: str = "ended", *, within: float = 120.0) -> None:
        """Speak what was promised, then close. After `within` seconds, close anyway.

        Called in a stage's task or a tool, it returns at once: the reply may be waiting for that very task.
        """
        if self.works.running() is None:
            await _end(self, reason, within)
        elif self._ending is None:
            self._ending = asyncio.create_task(_end(self, reason, within), name="antiphon end")

    async def cancel(self, reason: str = "cancelled") -> None:
        """Close at once. Returns within about a second, even if a service will not stop."""
        if self._closing is None:
            self._closing = asyncio.create_task(_close(self, reason, self._opening), name="antiphon close")
            self._closing.add_done_callback(lambda _: self._over.set())
        if self.works.running() is None and asyncio.current_task() is not self._ending:
            await asyncio.shield(self._closing)

    def on(self, kind: type, listen: Callable[[Any], object]) -> None:
        """Call a function with each signal of this type."""
        self.signals.listen(kind, listen)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.cancel("left")

    # What parts call -------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """Seconds since the start, as of the input at hand."""
        return self.inputs.now

    def elapsed(self) -> float:
        """Return the seconds since the start, by the clock."""
        return self.inputs.elapsed()

    @property
    def playout(self) -> PlayoutPort | None:
        """The part that plays the agent's voice, if the pipeline has one."""
        return self.replies.playout

    @property
    def reply(self) -> Reply | None:
        """The reply that is being made, or None."""
        return self.replies.current

    def new_reply(
        self,
        begin: Callable[[Reply], object],
        *,
        interruptible: bool = True,
        speculative: bool = False,
        voiced: bool = True,
        name: str = "reply",
        argument: Any = None,
    ) -> Reply:
        """Queue a reply; `begin` is called with it once those before it have ended.

        A `speculative` one is not heard before `replies.commit`; one that is not `voiced` is text to be read.
        `name` and `argument` are what the journal records of the call.
        """
        reply = Reply(begin, self.replies.drop, interruptible, speculative, voiced)
        if self.state in ("ending", "ended"):
            reply.end(0, interrupted=True)
            return reply
        self.replies.promise(reply)
        self.inputs.call(name, argument, lambda: self.replies.add(reply))
        return reply

    def timer(self, part: PartPort, when: float, call: Callable[[], object]) -> Timer:
        """Schedule a call for the session's time `when`.

        An exception in it is reported as a failure of the part.
        """
        if self.state in ("new", "starting"):
            raise UsageError(
                f"{part.name} sets a timer before the session has begun: wait for SessionStarted"
            )
        self._timers += 1
        number, inputs = self._timers, self.inputs
        return self.schedule(number, when, lambda: inputs.defer(inputs.fire, part, number, call))

    def schedule(self, number: int, when: float, fire: Callable[[], object]) -> Timer:
        """Set a timer for the session's time `when`; a replay fires it from the journal."""
        return self.clock.call_at(self.inputs.origin + when, fire)

    def failed(self, part: PartPort, error: BaseException, reply: int | None = None) -> None:
        """Report a failure of a part; in a `Switch`, the next alternative takes over."""
        self.signals.failed(part, error, reply)

    def adopt(self, part: Processor, branches: tuple[BranchPort, ...]) -> None:
        """Add a part while the pipeline is linked, last part first."""
        if hasattr(part, "session"):
            name = part.name or type(part).__name__
            raise UsageError(f"{name} is in a session already: make new parts for each conversation")
        part.session, part.branches, part.downstream = self, branches, self.reach
        self.parts.insert(0, part)
        self.reach |= {part}

    # Beginning and end -----------------------------------------------------------------------------

    def last_words(self, reason: str) -> None:
        """Stop the reply and deliver SessionEnded; what parts tell at that still enters."""

        def last() -> None:
            self.state = "ending"
            self.replies.interrupt("the session ended", force=True)
            self.signals.tell(SessionEnded(reason))

        if self.state == "running":
            self.inputs.call("end", reason, last)
        self.state = "ended"

    def _put(self, part: PartPort, frame: Frame | Signal) -> None:
        """Handle a frame as an input at a part's place, with its text made encodable."""
        frame = encodable_data(frame)
        if type(frame) is Text:
            self.replies.record(frame)
        self.observers.entering = self.observers.sees(type(frame))
        try:
            part.push(frame)
        except UsageError as error:
            self.signals.recover(part, failure(part.name, error), True)
        finally:
            self.observers.entering = False


async def _end(session: Session, reason: str, within: float) -> None:
    """Let a session say what was promised, then close it."""
    try:
        async with asyncio.timeout(within):
            while session.state != "new" and (pending := next(iter(session.replies.owed), None)):
                await pending
    except TimeoutError:
        logger.warning("closing before everything was said: it took over %g s", within)
    await session.cancel(reason)


async def _close(session: Session, reason: str, opening: Startup) -> None:
    """Close a session and all of its parts."""
    try:
        session.last_words(reason)
        session.inputs.close()
        session.replies.abandon()
        await opening.stop()
        session.works.cancel(lambda work: True)
        works = {work.task: work.stage.name for work in session.works if work.task is not None}
        await close_all(session.parts, works)
    finally:
        session.observers.close()
        release_all([session.door, *session.parts], session)
        session.signals.close()
        session.inputs.release()
