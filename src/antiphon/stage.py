"""A stage: a part that waits, and so has tasks of its own.

    class CallerName(Stage):
        @on(UserTurn)
        async def greet(self, turn: UserTurn):
            name = await db.name_of("+4930123")
            yield replace(turn, text=f"[{name}] {turn.text}")

Async handlers run in the stage's task, in the order of arrival; plain ones run inline, as a processor's do.
A stage of scope "reply" works for a reply and is cancelled with it; one of scope "session" is not. What a
task yields enters the session at one door, `Works.admit`, which lets nothing of an old reply in.
"""

import asyncio
import inspect
import logging
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeVar, cast

from .errors import ServiceTimeoutError
from .frames import Frame, Signal
from .processor import Hop, Processor, is_async

if TYPE_CHECKING:
    from .clock import Timer
    from .playout.playout import Playout
    from .session import Session

__all__ = ["MediaQueue", "Stage", "Work", "Works"]

logger = logging.getLogger("antiphon.session")

BREATH = 32  # frames after which a task lets others run, if it has never waited

T = TypeVar("T")
Frames = AsyncGenerator[Frame | Signal, None]


class Waiters:
    """Where producers wait until there is room behind them."""

    def __init__(self) -> None:
        self.waited_for: list[asyncio.Future[None]] = []

    async def wait(self) -> None:
        """Until the next `release`."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waited_for.append(future)
        await future

    def release(self) -> None:
        """Let all go on."""
        waiting, self.waited_for = self.waited_for, []
        for future in waiting:
            _wake(future)


class MediaQueue(Generic[T]):
    """A queue for one consumer, bounded in seconds of media.

    `policy` says what happens at the limit: "hold" keeps the stages before it from working on (they wait at
    the session's door), "drop oldest" forgets the oldest items and counts them in `dropped`.
    """

    def __init__(
        self, limit: float, seconds: Callable[[T], float], policy: Literal["hold", "drop oldest"] = "hold"
    ) -> None:
        self.limit = limit
        self.dropped = 0
        self.held = 0.0
        self._seconds = seconds
        self._policy = policy
        self._items: deque[T] = deque()
        self._closed = False
        self._waiting: asyncio.Future[None] | None = None
        self._room = Waiters()

    def put(self, item: T) -> None:
        """Add an item. Never waits: a producer is held after it, at the session's door."""
        if self._closed:
            return
        self._items.append(item)
        self.held += self._seconds(item)
        if self._policy == "drop oldest":
            while self.held > self.limit and len(self._items) > 1:
                self.held -= self._seconds(self._items.popleft())
                self.dropped += 1
        _wake(self._waiting)

    def close(self) -> None:
        """No more items: the consumer gets what is left, then the end."""
        self._closed = True
        _wake(self._waiting)
        self._room.release()

    def abandon(self) -> None:
        """Forget the items: nobody will take them."""
        self._items.clear()
        self.held = 0.0
        self.close()

    @property
    def full(self) -> bool:
        return self._policy == "hold" and self.held >= self.limit and not self._closed

    async def room(self) -> None:
        """Wait until there is room again."""
        await self._room.wait()

    def __len__(self) -> int:
        return len(self._items)

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        while not self._items:
            if self._closed:
                raise StopAsyncIteration
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        item = self._items.popleft()
        self.held -= self._seconds(item)
        if self._room.waited_for and self.held < self.limit:
            self._room.release()
        return item


def _wake(future: "asyncio.Future[None] | None") -> None:
    if future is not None and not future.done():
        future.set_result(None)


class Work:
    """One task of a stage. It may put frames into the session while it is `alive`.

    It ends with the reply that it works for, unless it `outlives` it.
    """

    __slots__ = ("_alarm", "_owed", "_rings", "alive", "inbox", "outlives", "reply", "stage", "task")

    def __init__(
        self,
        stage: "Stage",
        reply: int | None = None,
        inbox: MediaQueue[Any] | None = None,
        *,
        outlives: bool = False,
    ) -> None:
        self.stage = stage
        self.reply = reply
        self.inbox = inbox
        self.outlives = outlives
        self.alive = True
        self.task: asyncio.Task[None] | None = None
        self._owed: tuple[str, float, float] | None = None  # what, within how long, by when
        self._alarm: Timer | None = None
        self._rings = 0.0

    def expect(self, what: str, seconds: float) -> None:
        """Something is owed within this time. If it does not come, the work fails, obedient or not."""
        clock = self.stage.session.clock
        due = clock.now() + seconds
        if self._alarm is not None and due < self._rings:
            self._alarm.cancel()
            self._alarm = None
        self._owed = (what, seconds, due)
        if self._alarm is None:
            self._rings, self._alarm = due, clock.call_at(due, self._check)

    def relax(self) -> None:
        """Nothing is owed now."""
        self._owed = None

    def cancel(self) -> None:
        """Nothing of this work enters the session any more, whether or not its task obeys."""
        self.end()
        if self.task is not None:
            self.task.cancel()

    def end(self) -> None:
        """It is over: nothing is owed, nothing enters, and nobody waits for room in its inbox."""
        self.alive = False
        self._owed = None
        if self.inbox is not None:
            self.inbox.abandon()
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _check(self) -> None:
        self._alarm = None
        if self._owed is None or not self.alive:
            return
        clock = self.stage.session.clock
        what, seconds, due = self._owed
        if clock.now() < due - 1e-6:
            self._rings, self._alarm = due, clock.call_at(due, self._check)
            return
        self.cancel()
        self.stage.session.failed(
            self.stage, ServiceTimeoutError(f"{what} did not come within {seconds:g} s"), self.reply
        )


class Works(dict[Work, None]):
    """What the stages of a session work at, oldest first, and the door through which their frames enter."""

    def __init__(self, session: "Session") -> None:
        super().__init__()
        self.stale = 0
        """Frames that came too late, for a reply that is over, and were dropped."""
        self._session, self._inputs = session, session.inputs

    def spawn(self, work: Work, drive: Coroutine[Any, Any, None]) -> None:
        """Run the task of a stage."""
        if self._session.state == "ended":
            drive.close()
            work.end()
            return
        self[work] = None
        work.task = asyncio.create_task(drive, name=f"antiphon {work.stage.name}")
        work.task.add_done_callback(lambda _: self.pop(work, None))

    def cancel(self, which: Callable[[Work], bool]) -> None:
        """Cancel the work that matches; nothing of it enters any more."""
        for work in [work for work in self if which(work)]:
            work.cancel()

    def admit(self, work: Work, frame: Frame | Signal) -> bool:
        """The one door into the session: lets nothing of cancelled work in. False: stop working."""
        if not work.alive:
            self.stale += 1
            return False
        self._inputs.enter(work.stage, frame)
        return work.alive

    def arrive(self, part: Processor, frame: Frame | Signal) -> None:
        """Take a frame that a part pushed while nothing was handled: in a task, or from a callback."""
        work = self.running()
        if work is None:
            self._inputs.enter(part, frame)
        else:
            self.admit(work, frame)

    def running(self) -> Work | None:
        """The work whose task is running now, if there is one."""
        task = asyncio.current_task()
        return next((work for work in self if work.task is task), None) if task is not None else None


class Stage(Processor):
    """A part of a pipeline that waits. Belongs to one session."""

    waits = True
    scope: ClassVar[Literal["reply", "session"]] = "session"
    inbox_seconds: ClassVar[float] = 10.0
    """How much may wait in the inbox, in seconds of media; a frame without media counts 0.02."""
    back_pressure: ClassVar[bool] = True
    """Whether its tasks wait while a queue behind it is full. False for capture, which is never held."""

    _handling: Work | None = None

    def handler(self, kind: type) -> Hop | None:
        handler = super().handler(kind)
        if handler is None or not is_async(handler):
            return handler
        return lambda frame: self._receive(handler, frame)

    def run(self, work: Work, frames: Frames) -> None:
        """Run a generator as a task; what it yields is pushed from this part's place.

        Work that has a reply is cancelled with it. A failure becomes a `Failed` signal.
        """
        self.session.works.spawn(work, self._drive(work, frames))

    def _full_below(self, kind: type) -> "MediaQueue[Any] | Playout | None":
        """A queue behind this stage that takes such frames and holds all that it may."""
        playout = self.session.playout
        if playout is not None and playout.full and kind in playout.handlers and playout in self.downstream:
            return playout
        for work in self.session.works:
            inbox = work.inbox
            if (
                inbox is not None
                and inbox.full
                and kind in work.stage.handlers
                and work.stage in self.downstream
            ):
                return inbox
        return None

    def _receive(self, handler: Hop, frame: Any) -> None:
        reply = None
        if self.scope == "reply":
            current = self.session.reply
            reply = getattr(frame, "reply", current.number if current else None)
        work = self._handling
        if work is None or not work.alive or work.reply != reply:
            inbox = MediaQueue[tuple[Hop, Any]](self.inbox_seconds, _seconds)
            work = self._handling = Work(self, reply, inbox)
            self.run(work, self._handle_all(work, inbox))
        assert work.inbox is not None
        work.inbox.put((handler, frame))

    async def _handle_all(self, work: Work, inbox: MediaQueue[tuple[Hop, Any]]) -> Frames:
        """Run the handlers of waiting frames one after another; ends when none waits."""
        while inbox:
            handler, frame = await anext(inbox)
            try:
                answer: Any = handler(frame)
                if inspect.isasyncgen(answer):
                    async with aclosing(answer):
                        async for out in cast(Frames, answer):
                            yield out
                else:
                    await answer
            except (Exception, asyncio.CancelledError) as error:  # a bad frame must not lose those behind it
                if not work.alive or _cancelled():
                    raise
                self.session.failed(self, error, getattr(frame, "reply", None))
        if self._handling is work:
            self._handling = None

    async def _drive(self, work: Work, frames: Frames) -> None:
        session, works, count = self.session, self.session.works, 0
        try:
            async for frame in frames:
                if not works.admit(work, frame):
                    break
                while self.back_pressure and (full := self._full_below(type(frame))) is not None:
                    await full.room()
                count += 1
                if count % BREATH == 0:
                    await asyncio.sleep(0)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  a failing part is data
            if work.alive and not _cancelled():
                work.alive = False
                session.failed(self, error, work.reply)
        finally:
            work.end()
            try:
                await frames.aclose()
            except Exception as error:  # noqa: BLE001  the work is over; its last words go to the log
                logger.warning("%s ended badly: %r", self.name, error)


def _cancelled() -> bool:
    """Whether somebody has cancelled this task. A CancelledError may also come of what it waits for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _seconds(item: tuple[Hop, Any]) -> float:
    frame = item[1]
    pcm = getattr(frame, "pcm", None)
    return 0.02 if pcm is None else len(pcm) / 2 / frame.sample_rate or 1e-6
