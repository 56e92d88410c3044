"""A session: one conversation. Its pipeline, its replies, its clock, and those who watch it.

It handles one input wholly before the next. An input is a frame from outside (a transport, a stage's task,
`send`), a call of its methods, or a timer; it has one time, `session.now`. Frames go from part to part by
direct calls, in order; signals, and inputs that come meanwhile, wait in one queue.
"""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Literal, Self

from .clock import Clock, LoopClock, Timer
from .errors import UsageError, YouErred
from .frames import (
    Failed,
    Frame,
    Interrupted,
    ReplyCommitted,
    ReplyEnded,
    ReplyStarted,
    SessionEnded,
    SessionStarted,
    Signal,
    Text,
    TextEnded,
    replace,
)
from .lifecycle import Opening, close_all
from .pipeline import Branch, Part, link, name_all
from .processor import Hop, Processor
from .reply import Replies, Reply
from .stage import Work
from .watching import Observer, Observers, failure

if TYPE_CHECKING:
    from .playout import Playout

__all__ = ["Observer", "Session"]

logger = logging.getLogger("antiphon.session")

OFTEN = 8  # slow calls after which a part is named in the log: one can be the machine's doing


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
        self.state: Literal["new", "starting", "running", "ending", "ended"] = "new"
        self.busy = False
        """Whether an input is being handled."""
        self.replies = Replies()
        self.parts: list[Processor] = []
        self.reach: frozenset[Processor] = frozenset()
        self.playout: Playout | None = None
        self.works: dict[Work, None] = {}  # in the order in which they began
        self.stale = 0
        """Frames that came too late, for a reply that is over, and were dropped."""
        self.slow_calls: Counter[str] = Counter()
        """How often each part took more than a millisecond."""
        self.observers = Observers(observers)
        self._subscribers: dict[type, list[tuple[Hop, tuple[Branch, ...]]]] = {}
        self._listeners: dict[type, list[Callable[[Any], object]]] = {}
        self._queue: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._blamed: list[tuple[float, float]] = []
        self._origin = 0.0
        self._timers = 0
        self._opening = Opening()
        self._over = asyncio.Event()
        self._ending: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._door = Processor()
        self._door.name = "session"
        self._door.link(self, link(parts, self, lambda kind: None), ())
        self.parts.reverse()
        name_all(self.parts)
        self.parts.remove(self._door)
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
        self._opening = Opening(self.parts)
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
        """All parts are open: time begins; handle inputs, those that came early after the start itself."""
        self.state = "running"
        self._origin = self.clock.now()
        started = lambda: self.signal(SessionStarted(), self._door.name)  # noqa: E731
        early, self._queue = self._queue, deque()
        self._take(self._call, True, "started", None, started)
        for call, arguments in early:
            self._take(call, *arguments)

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
        """Speak what was promised, then close. After `within` seconds, close anyway.

        Called by a part or a tool, it returns at once: the reply may be waiting for that very call.
        """

        async def silence_and_close() -> None:
            try:
                async with asyncio.timeout(within):
                    while self.state != "new" and (pending := next(iter(self.replies.owed), None)):
                        await pending
            except TimeoutError:
                logger.warning("closing before everything was said: it took over %g s", within)
            await self.cancel(reason)

        if self._own_work() is None:
            await silence_and_close()
        elif self._ending is None:
            self._ending = asyncio.create_task(silence_and_close(), name="antiphon end")

    async def cancel(self, reason: str = "cancelled") -> None:
        """Close at once. Returns within about a second, even if a service will not stop."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(reason), name="antiphon close")
        if self._own_work() is None and asyncio.current_task() is not self._ending:
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
        begin: Callable[[Reply], object],
        *,
        interruptible: bool = True,
        speculative: bool = False,
        name: str = "reply",
        argument: Any = None,
    ) -> Reply:
        """Queue a reply; `begin` is called with it, numbered, once its turn has come.

        Nothing is heard of a `speculative` one until `commit`.
        """
        reply = Reply(self, begin, interruptible, speculative)
        if self.state in ("ending", "ended"):
            reply.end(0, interrupted=True)
            return reply

        def queue() -> None:
            self.replies.waiting.append(reply)
            self._next_reply()

        self.input(name, argument, queue)
        return reply

    def commit(self, reply: Reply, saved: float = 0.0) -> None:
        """The speculative reply that is being made is the answer; it had a lead of `saved` seconds."""
        reply.speculative = False
        self.signal(ReplyCommitted(reply.number, saved), self._door.name)
        if self.playout is not None:
            self.playout.play()

    def drop(self, reply: Reply, reason: str) -> None:
        """Stop one reply, or see that it never begins."""
        self._take(self._drop, not self.busy, reply, reason)

    def stop(self, reply: Reply, reason: str) -> None:
        """Stop the reply that is being made, now: for a part that is handling something."""
        heard = self.playout.stop(reply) if self.playout is not None else 0
        if not reply.speculative:
            self.signal(Interrupted(reply.number, heard, reason), self._door.name)
        self._end_reply(heard, interrupted=True, reason=reason)

    def finish(self, number: int, heard: int, reason: str = "") -> None:
        """Playout says that the reply is over; `heard` characters of it were heard."""
        if self.reply is not None and self.reply.number == number:
            self._end_reply(heard, interrupted=False, reason=reason)

    def signal(self, signal: Signal, source: str) -> None:
        """Tell all subscribers, after what is being handled now."""
        self.observers.show(self.now, source, signal)
        self._take(self.deliver, signal)

    def enter(self, part: Processor, frame: Frame | Signal) -> None:
        """Take a frame as an input that a part makes at its place."""
        self._take(self._push, part, frame)

    def arrive(self, part: Processor, frame: Frame | Signal) -> None:
        """Take a frame that a part pushed while nothing was handled: from a callback, or in a task."""
        work = self._own_work()
        if work is None:
            self.enter(part, frame)
        else:
            self.admit(work, frame)

    def input(self, name: str, argument: Any, call: Callable[[], object]) -> None:
        """Handle a call as an input; one made by a part while it handles something belongs to that."""
        self._take(self._call, not self.busy, name, argument, call)

    def timer(self, part: Processor, when: float, call: Callable[[], object]) -> Timer:
        """Call once the session's time has reached `when`; a failure is that of the part."""
        if self.state in ("new", "starting"):
            raise UsageError(
                f"{part.name} sets a timer before the session has begun: wait for SessionStarted"
            )
        self._timers += 1
        number = self._timers
        return self.schedule(number, when, lambda: self._take(self._fire, part, number, call))

    def schedule(self, number: int, when: float, fire: Callable[[], object]) -> Timer:
        """Let the clock fire a timer, in the session's time."""
        return self.clock.call_at(self._origin + when, fire)

    def failed(
        self, part: Processor, error: BaseException, reply: int | None = None, work: Work | None = None
    ) -> None:
        """Report a failure of a part; where it stands in a `Switch`, the next alternative takes over."""
        if work is not None:
            work.alive = False
        self.report(part, failure(part, error, reply))

    def slow(self, part: Processor, begun: float, ended: float) -> None:
        """Count a call that held up the session, unless it waited for one that was counted already."""
        own = ended - begun - sum(took for at, took in self._blamed if at >= begun)
        if own > 0.001:
            self._blamed.append((begun, own))
            self.slow_calls[part.name] += 1
            count = self.slow_calls[part.name]
            if count >= OFTEN and count & (count - 1) == 0:
                logger.warning("%s took %.1f ms (%d slow calls): what waits or computes is a Stage",
                               part.name, own * 1000, count)  # fmt: skip

    def complain(self, part: Processor, what: str, error: BaseException) -> None:
        """Log what cannot matter to the conversation any more."""
        logger.warning("%s %s: %r", part.name, what, error)

    # Tasks of the stages ---------------------------------------------------------------------------

    def spawn(self, work: Work, drive: Coroutine[Any, Any, None]) -> None:
        """Run the task of a stage."""
        if self.state == "ended":
            drive.close()
            work.end()
            return
        self.works[work] = None
        work.task = asyncio.create_task(drive, name=f"antiphon {work.stage.name}")
        work.task.add_done_callback(lambda _: self.works.pop(work, None))

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

    def _own_work(self) -> Work | None:
        """The work whose task is running now, if it is one of this session."""
        task = asyncio.current_task()
        return next((work for work in self.works if work.task is task), None) if task is not None else None

    # Linking ---------------------------------------------------------------------------------------

    def adopt(self, part: Processor, branches: tuple[Branch, ...]) -> None:
        """Take in a part while the pipeline is linked, last part first."""
        if hasattr(part, "session"):
            name = part.name or type(part).__name__
            raise UsageError(f"{name} is in a session already: make new parts for each conversation")
        part.session, part.branches, part.downstream = self, branches, self.reach
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
        if not self.busy and self.state == "running":
            self._drain()

    def _drain(self) -> None:
        self.busy = True
        now = round(self.clock.now() - self._origin, 6)
        if now < self.now:  # the clock was set back: time goes on from where it was
            self._origin -= self.now - now
        else:
            self.now = now
        if self._blamed:
            self._blamed.clear()
        try:
            while self._queue:
                call, arguments = self._queue.popleft()
                try:
                    call(*arguments)
                except Exception as error:  # noqa: BLE001  what waits behind it must be handled all the same
                    self.failed(self._door, error)
        finally:
            self.busy = False

    def _push(self, part: Processor, frame: Frame | Signal) -> None:
        if type(frame) is Text and (reply := self.reply) is not None and reply.number == frame.reply:
            reply.text = reply.text[: frame.at] + frame.text
        self.observers.entering = self.observers.sees(type(frame))
        try:
            part.push(frame)
        except UsageError as error:
            self._report(part, failure(part, error), True)
        finally:
            self.observers.entering = False

    def _call(self, is_input: bool, name: str, argument: Any, call: Callable[[], object]) -> None:
        if is_input:
            self.observers.tell(self.now, "call", (name, argument))
        call()

    def _fire(self, part: Processor, number: int, call: Callable[[], object]) -> None:
        if self.observers.media:
            self.observers.tell(self.now, part.name, ("timer", number))
        try:
            call()
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  one part must not end it all
            self.failed(part, error)

    def deliver(self, signal: Signal, within: Branch | None = None) -> None:
        """Call all subscribers, or those in one branch; not those in branches that are off."""
        for hop, branches in self._subscribers.get(type(signal), ()):
            if all(branch.on for branch in branches) and (within is None or within in branches):
                hop(signal)
        if within is not None:
            return
        for listen in self._listeners.get(type(signal), ()):
            try:
                listen(signal)
            except Exception:
                logger.exception("a listener of %s failed", type(signal).__name__)

    def report(self, part: Processor, failed: Failed) -> None:
        """Take a failure of a part: a `Switch` around it may recover; everybody is told."""
        self._take(self._report, part, failed, not self.busy)

    def _report(self, part: Processor, failed: Failed, is_input: bool) -> None:
        spared = None if failed.recovered else next(filter(Branch.spare, reversed(part.branches)), None)
        recovered = failed.recovered or (spared is not None and spared.owner.recovers(failed.reply))
        self.observers.entering = is_input
        self.signal(replace(failed, recovered=recovered), part.name)
        if spared is not None:
            spared.owner.replace(spared)

    # Replies ---------------------------------------------------------------------------------------

    def _next_reply(self) -> None:
        if (reply := self.replies.next()) is not None:
            self.signal(ReplyStarted(reply.number, reply.speculative), self._door.name)
            self._take(self._begin, reply)

    def _begin(self, reply: Reply) -> None:
        if reply.state != "active":
            return
        try:
            reply.begin(reply)
        except Exception as error:  # noqa: BLE001  a reply that cannot begin must not hold up the next
            self.failed(self._door, error, reply.number)
            self._end_reply(0, interrupted=True, reason="it could not begin")

    def _drop(self, is_input: bool, reply: Reply, reason: str) -> None:
        standing = [self.reply, *self.replies.waiting]
        if reply is self.reply:
            self._call(is_input, "drop", (0, reason), lambda: self.stop(reply, reason))
        elif reply in standing:
            place = standing.index(reply)
            self._call(is_input, "drop", (place, reason), lambda: self.replies.forget(reply))

    def _interrupt(self, reason: str, force: bool) -> None:
        reply = self.reply
        if reply is not None and not (reply.interruptible or force):
            return
        self.replies.forget(*(waiting for waiting in self.replies.waiting if force or waiting.interruptible))
        if reply is not None:
            self.stop(reply, reason)

    def _end_reply(self, heard: int, interrupted: bool, reason: str) -> None:
        reply = self.replies.end(heard, interrupted)
        self.cancel_work(lambda work: work.reply == reply.number and not work.outlives)
        ended = ReplyEnded(
            reply.number, reply.text, reply.heard, interrupted, reason, speculative=reply.speculative
        )
        self.signal(ended, self._door.name)
        self._take(self._next_reply)

    # Beginning and end -----------------------------------------------------------------------------

    def last_words(self, reason: str) -> None:
        """End the reply, tell everybody, and take no more inputs."""

        def last() -> None:
            self.state = "ending"
            self._interrupt("the session ended", force=True)
            self.signal(SessionEnded(reason), self._door.name)

        if self.state == "running":
            self.input("end", reason, last)
        self.state = "ended"
        self._queue.clear()
        for reply in list(self.replies.owed):
            reply.end(0, interrupted=True)

    async def _close(self, reason: str) -> None:
        try:
            self.last_words(reason)
            await self._opening.stop()
            self.cancel_work(lambda work: True)
            works = {work.task: work.stage.name for work in self.works if work.task is not None}
            await close_all(self.parts, works)
        finally:
            self.observers.close()
            self._over.set()
