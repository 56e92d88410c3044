"""A session: one conversation. Its pipeline, its replies, its clock, and those who watch it.

It handles one input wholly before the next. An input is a frame from outside (a transport, a stage's task,
`send`), a call of its methods, or a timer; it has one time, `session.now`. Frames go from part to part by
direct calls, in order; signals, and inputs that come meanwhile, wait in one queue.
"""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self

from .clock import Clock, LoopClock, Timer
from .errors import AntiphonError, ServiceTimeoutError, UsageError, YouErred
from .frames import (
    Failed,
    Frame,
    Interrupted,
    ReplyEnded,
    ReplyStarted,
    SessionEnded,
    SessionStarted,
    Signal,
    Text,
    TextEnded,
    replace,
)
from .pipeline import Branch, Part, link
from .processor import Hop, Processor
from .reply import Replies, Reply
from .stage import Channel, Stage, Work

if TYPE_CHECKING:
    from .playout import Playout

__all__ = ["Observer", "Session"]

logger = logging.getLogger("antiphon.session")

PATIENCE = 0.5  # seconds that cancelled tasks, and closing parts, are waited for
READY_WITHIN = 120.0  # seconds that a part may take to open (a model may have to be loaded)


class Observer(Protocol):
    """Sees every input and all that is pushed, in order. It must not act on the session."""

    media: bool
    """Whether it wants audio, and the timers, too: with them a session can be replayed."""

    def saw(self, now: float, source: str, what: Frame | Signal | tuple[str, Any], is_input: bool) -> None:
        """`what` came from the part `source`. A call or a timer is a (name, argument) pair."""
        ...


class Session:
    """One conversation, from `start` to `end` or `cancel`. Use it in one event loop.

    `parts` is a pipeline: processors and stages in order. Raises ConfigurationError where they do not fit.
    """

    def __init__(
        self, parts: Part, *, clock: Clock | None = None, observers: Sequence[Observer] = ()
    ) -> None:
        self.clock = clock or LoopClock()
        self.now = 0.0
        """Seconds since the start, as of the input at hand."""
        self.state: Literal["new", "starting", "running", "ended"] = "new"
        self.replies = Replies()
        self.parts: list[Processor] = []
        self.reach: frozenset[Processor] = frozenset()
        self.playout: Playout | None = None
        self.works: dict[Work, None] = {}  # in the order in which they began
        self.stale = 0
        """Frames that came too late, for a reply that is over, and were dropped."""
        self.slow_calls: Counter[str] = Counter()
        """How often each part took more than a millisecond."""
        self.observers = list(observers)
        self.observes_media = any(observer.media for observer in observers)
        self._subscribers: dict[type, list[tuple[Hop, tuple[Branch, ...]]]] = {}
        self._listeners: dict[type, list[Callable[[Any], object]]] = {}
        self._queue: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._busy = False
        self._entering = False
        self._observed: deque[Frame | Signal] = deque(maxlen=16)
        self._blamed: list[tuple[float, float]] = []
        self._origin: float | None = None
        self._timers = 0
        self._over = asyncio.Event()
        self._closing: asyncio.Task[None] | None = None
        self._door = Processor()
        self._door.name = "session"
        entry = link(parts, self, lambda kind: None)
        self._door.link(self, entry, ())
        self.parts.reverse()
        for subscribers in self._subscribers.values():
            subscribers.reverse()

    # What a program calls --------------------------------------------------------------------------

    async def start(self) -> None:
        """Open all parts at the same time; returns when the last is ready.

        Raises what *you* erred in (a missing key, extra or model), after closing what was open. What *they*
        erred in is a `Failed` signal, and the session starts without it.
        """
        if self.state != "new":
            raise UsageError("a session starts once; make a new one for the next conversation")
        self.state = "starting"
        self._origin = self.clock.now()
        opening = [part for part in self.parts if type(part).open is not Processor.open]
        if opening:
            results = await asyncio.gather(*map(self._open, opening), return_exceptions=True)
            for part, result in zip(opening, results, strict=True):
                if isinstance(result, YouErred) or (result and not isinstance(result, Exception)):
                    await self.cancel(f"{part.name} could not be opened")
                    raise result
                if isinstance(result, Exception):
                    self.failed(part, result)
        if self.state == "starting":
            self.begin()

    def begin(self) -> None:
        """All parts are open: handle inputs from now on, those that came early after the start itself."""
        self.state = "running"
        self._origin = self.clock.now() if self._origin is None else self._origin
        started = lambda: self.signal(SessionStarted(), self._door.name)  # noqa: E731
        self._queue.appendleft((self._call, (True, "started", None, started)))
        self._drain()

    async def wait(self) -> None:
        """Wait until the session is over."""
        await self._over.wait()

    async def run(self) -> None:
        """Start, wait for the end, and leave nothing behind."""
        async with self:
            await self.wait()

    def send(self, frame: Frame | Signal) -> None:
        """Put a frame in at the beginning of the pipeline, or tell a signal to all subscribers."""
        self.enter(self._door, frame)

    def say(self, text: str, *, interruptible: bool = True) -> Reply:
        """Speak this text, after the reply that is being spoken, if any."""

        def speak(reply: Reply) -> None:
            self._door.push(Text(reply.number, text, reply.write(text)))
            self._door.push(TextEnded(reply.number))

        return self.new_reply(speak, interruptible=interruptible, name="say", argument=(text, interruptible))

    def interrupt(self, reason: str = "asked to", *, force: bool = False) -> None:
        """Stop the reply at once: what was heard stays said, everything else made for it is dropped.

        Replies that wait are dropped too. `force` stops one that a user may not interrupt.
        """
        self.input("interrupt", (reason, force), lambda: self._interrupt(reason, force))

    async def end(self, reason: str = "ended", *, within: float = 120.0) -> None:
        """Speak what was promised, then close. After `within` seconds, close anyway."""

        async def silence() -> None:
            while pending := self.replies.current or next(iter(self.replies.waiting), None):
                await pending

        try:
            await asyncio.wait_for(silence(), within)
        except TimeoutError:
            logger.warning("closing before everything was said: it took over %g s", within)
        await self.cancel(reason)

    async def cancel(self, reason: str = "cancelled") -> None:
        """Close at once. Returns within about a second, even if a service will not stop."""
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(self._close(reason), name="antiphon close")
        if asyncio.current_task() not in {work.task for work in self.works}:
            await asyncio.shield(self._closing)

    def on(self, kind: type, listen: Callable[[Any], object]) -> None:
        """Call a function with each signal of this type."""
        self._listeners.setdefault(kind, []).append(listen)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.cancel("left")

    # What parts call -------------------------------------------------------------------------------

    @property
    def reply(self) -> Reply | None:
        """The reply that is being made."""
        return self.replies.current

    def new_reply(
        self,
        begin: Callable[[Reply], None],
        *,
        interruptible: bool = True,
        name: str = "reply",
        argument: Any = None,
    ) -> Reply:
        """Queue a reply; `begin` is called with it, numbered, once its turn has come."""
        reply = Reply(self, begin, interruptible)
        if self.state == "ended":
            reply.end(0, interrupted=True)
            return reply

        def queue() -> None:
            self.replies.waiting.append(reply)
            self._next_reply()

        self.input(name, argument, queue)
        return reply

    def finish(self, number: int, heard: int, reason: str = "") -> None:
        """Playout says that the reply is over; `heard` characters of it were heard."""
        if self.reply is not None and self.reply.number == number:
            self._end_reply(heard, interrupted=False, reason=reason)

    def signal(self, signal: Signal, source: str) -> None:
        """Tell all subscribers, after what is being handled now."""
        if self.observers:
            self.observe(signal, source)
        self._take(self._deliver, signal)

    def observe(self, frame: Frame | Signal, source: str) -> None:
        """Show the observers a frame that was pushed, once, however many parts pass it on."""
        is_input, self._entering = self._entering, False
        if any(frame is seen for seen in self._observed):
            return
        self._observed.append(frame)
        for observer in self.observers:
            observer.saw(self.now, source, frame, is_input)

    def enter(self, part: Processor, frame: Frame | Signal) -> None:
        """Take a frame as an input that a part makes at its place."""
        self._take(self._push, part, frame)

    def input(self, name: str, argument: Any, call: Callable[[], object]) -> None:
        """Handle a call as an input; one made by a part while it handles something belongs to that."""
        self._take(self._call, not self._busy, name, argument, call)

    def timer(self, part: Processor, when: float, call: Callable[[], object]) -> Timer:
        """Call once the session's time has reached `when`; a failure is that of the part."""
        self._timers += 1
        number = self._timers
        return self.schedule(number, when, lambda: self._take(self._fire, part, number, call))

    def schedule(self, number: int, when: float, fire: Callable[[], object]) -> Timer:
        """Let the clock fire a timer, in the session's time."""
        assert self._origin is not None, "timers are set in a running session"
        return self.clock.call_at(self._origin + when, fire)

    def failed(
        self, part: Processor, error: Exception, reply: int | None = None, work: Work | None = None
    ) -> None:
        """Report a failure of a part; where it stands in a `Switch`, the next alternative takes over."""
        if work is not None:
            work.alive = False
        if not isinstance(error, AntiphonError):
            logger.error("%s failed", part.name, exc_info=error)
        message = str(error) or type(error).__name__
        retryable = isinstance(error, AntiphonError) and error.retryable
        self.report(part, Failed(part.name, type(error).__name__, message, reply, retryable))

    def slow(self, part: Processor, begun: float, ended: float) -> None:
        """Count a call that held up the session, unless it waited for one that was counted already."""
        own = ended - begun - sum(took for at, took in self._blamed if at >= begun)
        if own > 0.001:
            self._blamed.append((begun, own))
            self.slow_calls[part.name] += 1
            if (count := self.slow_calls[part.name]) & (count - 1) == 0:
                logger.warning("%s took %.1f ms (%d slow calls): what waits or computes is a Stage",
                               part.name, own * 1000, count)  # fmt: skip

    def complain(self, part: Processor, error: BaseException) -> None:
        """Log what is too late to matter to the conversation."""
        logger.info("%s ended badly after its work was cancelled: %r", part.name, error)

    # Tasks of the stages ---------------------------------------------------------------------------

    def spawn(self, work: Work, drive: Coroutine[Any, Any, None]) -> None:
        """Run the task of a stage."""
        if self.state == "ended":
            drive.close()
            work.alive = False
            return
        self.works[work] = None
        work.task = asyncio.get_running_loop().create_task(drive, name=f"antiphon {work.stage.name}")

    def finished(self, work: Work) -> None:
        """A task of a stage has ended."""
        work.end()
        self.works.pop(work, None)

    def cancel_work(self, which: Callable[[Work], bool]) -> None:
        """Cancel the tasks that match; nothing of theirs enters any more."""
        for work in [work for work in self.works if which(work)]:
            work.cancel()

    def admit(self, work: Work, frame: Frame | Signal) -> bool:
        """The one door into the session: lets nothing of cancelled work in. False: stop working."""
        if not work.alive:
            self.stale += 1
            return False
        self.enter(work.stage, frame)
        return work.alive

    def full_below(self, stage: Stage) -> "Channel[Any] | Playout | None":
        """A queue behind this stage that holds all that it may: wait for its `room()` before working on."""
        if self.playout is not None and self.playout.full and self.playout in stage.downstream:
            return self.playout
        for work in self.works:
            if work.alive and work.inbox is not None and work.inbox.full and work.stage in stage.downstream:
                return work.inbox
        return None

    # Linking ---------------------------------------------------------------------------------------

    def adopt(self, part: Processor, branches: tuple[Branch, ...]) -> None:
        """Take in a part while the pipeline is linked, last part first."""
        if hasattr(part, "session"):
            raise UsageError(f"{part.name} is in a session already: make new parts for each conversation")
        part.session, part.branches, part.downstream = self, branches, self.reach
        taken = {other.name for other in self.parts}
        name = base = part.name or type(part).__name__
        count = 1
        while name in taken:
            name = f"{base}-{(count := count + 1)}"
        part.name = name
        if part is not self._door:
            self.parts.append(part)
            self.reach |= {part}

    def subscribe(self, kind: type, hop: Hop, branches: tuple[Branch, ...]) -> None:
        """Add a part's handler of a signal."""
        self._subscribers.setdefault(kind, []).append((hop, branches))

    # Inputs, one after the other -------------------------------------------------------------------

    def _take(self, call: Callable[..., object], *arguments: Any) -> None:
        if self.state == "ended":
            return
        self._queue.append((call, arguments))
        if not self._busy and self.state == "running":
            self._drain()

    def _drain(self) -> None:
        self._busy = True
        if self._origin is not None:
            self.now = max(self.now, self.clock.now() - self._origin)
        if self._blamed:
            self._blamed.clear()
        try:
            while self._queue:
                call, arguments = self._queue.popleft()
                call(*arguments)
        finally:
            self._busy = False

    def _push(self, part: Processor, frame: Frame | Signal) -> None:
        if type(frame) is Text and (reply := self.reply) is not None and reply.number == frame.reply:
            reply.text = reply.text[: frame.at] + frame.text
        self._entering = True
        try:
            part.push(frame)
        except UsageError as error:
            self.failed(part, error)
        finally:
            self._entering = False

    def _call(self, is_input: bool, name: str, argument: Any, call: Callable[[], object]) -> None:
        if is_input:
            for observer in self.observers:
                observer.saw(self.now, "call", (name, argument), True)
        call()

    def _fire(self, part: Processor, number: int, call: Callable[[], object]) -> None:
        if self.observes_media:
            for observer in self.observers:
                if observer.media:
                    observer.saw(self.now, part.name, ("timer", number), True)
        try:
            call()
        except Exception as error:  # noqa: BLE001  one broken part must not end the conversation
            self.failed(part, error)

    def _deliver(self, signal: Signal) -> None:
        for hop, branches in self._subscribers.get(type(signal), ()):
            if all(branch.on for branch in branches):
                hop(signal)
        for listen in self._listeners.get(type(signal), ()):
            try:
                listen(signal)
            except Exception:
                logger.exception("a listener of %s failed", type(signal).__name__)

    def report(self, part: Processor, failed: Failed) -> None:
        """Take a failure of a part: a `Switch` around it may recover; everybody is told."""
        self._take(self._report, part, failed, not self._busy)

    def _report(self, part: Processor, failed: Failed, is_input: bool) -> None:
        recovered = any(branch.owner.recover(branch, failed.reply) for branch in reversed(part.branches))
        self._entering = is_input
        self.signal(replace(failed, recovered=recovered), part.name)
        self._entering = False

    # Replies ---------------------------------------------------------------------------------------

    def _next_reply(self) -> None:
        if (reply := self.replies.next()) is not None:
            self.signal(ReplyStarted(reply.number), self._door.name)
            self._take(self._begin, reply)

    def _begin(self, reply: Reply) -> None:
        if reply.state == "active":
            reply.begin(reply)

    def _interrupt(self, reason: str, force: bool) -> None:
        reply = self.reply
        if reply is not None and not (reply.interruptible or force):
            return
        self.replies.forget(*(waiting for waiting in self.replies.waiting if force or waiting.interruptible))
        if reply is None:
            return
        heard = self.playout.stop(reply) if self.playout is not None else 0
        self.cancel_work(lambda work: work.reply == reply.number)
        self.signal(Interrupted(reply.number, heard, reason), self._door.name)
        self._end_reply(heard, interrupted=True, reason=reason)

    def _end_reply(self, heard: int, interrupted: bool, reason: str) -> None:
        reply = self.replies.end(heard, interrupted)
        self.cancel_work(lambda work: work.reply == reply.number)
        ended = ReplyEnded(reply.number, reply.text, reply.heard, interrupted, reason)
        self.signal(ended, self._door.name)
        self._take(self._next_reply)

    # Beginning and end -----------------------------------------------------------------------------

    async def _open(self, part: Processor) -> None:
        try:
            await asyncio.wait_for(part.open(), READY_WITHIN)
        except TimeoutError as error:
            raise ServiceTimeoutError(f"{part.name} was not ready after {READY_WITHIN:g} s") from error

    def last_words(self, reason: str) -> None:
        """End the reply, tell everybody, and take no more inputs."""

        def last() -> None:
            self._interrupt("the session ended", force=True)
            self.signal(SessionEnded(reason), self._door.name)

        if self.state == "running":
            self.input("end", reason, last)
        self.state = "ended"
        self._queue.clear()

    async def _close(self, reason: str) -> None:
        self.last_words(reason)
        self.replies.forget(*self.replies.waiting)
        tasks = {work.task: work.stage.name for work in self.works if work.task is not None}
        self.cancel_work(lambda work: True)
        closing = [part for part in self.parts if type(part).close is not Processor.close]
        closers = {asyncio.ensure_future(part.close()): part.name for part in closing}
        tasks |= closers
        if tasks:
            done, stuck = await asyncio.wait(tasks, timeout=PATIENCE)
            for task in stuck:
                task.cancel()
                logger.warning(
                    "%s did not stop within %g s of being cancelled and was left behind",
                    tasks[task],
                    PATIENCE,
                )
            for task in done:
                if not task.cancelled() and task.exception() is not None:
                    logger.warning("%s failed while closing: %r", tasks[task], task.exception())
        for observer in self.observers:
            if (close := getattr(observer, "close", None)) is not None:
                close()
        self._over.set()
