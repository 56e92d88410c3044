"""The tasks of stages, and the one door by which their frames enter the session."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from .clock import Timer
from .errors import ServiceTimeoutError
from .flow import Frame, Signal
from .inputs import Inputs
from .media_queue import MediaQueue
from .ports import PartPort, WorkerPort

__all__ = ["Work", "Works"]


LATE = 0.005  # seconds; a watchdog that looks later than this was kept from seeing what has come


class Work:
    """One task of a stage. It may put frames into the session while it is `alive`.

    It is cancelled with the reply that it works for, unless it `outlives` it. The watchdog cancels it and
    reports a failure, or calls `late` instead, of a stage that knows what else can be done.
    """

    __slots__ = (
        "_expected", "_late", "_timer", "_timer_at", "alive", "inbox", "outlives", "reply", "stage", "task",
    )  # fmt: skip

    def __init__(
        self,
        stage: WorkerPort,
        reply: int | None = None,
        inbox: MediaQueue[Any] | None = None,
        *,
        outlives: bool = False,
        late: Callable[[ServiceTimeoutError], object] | None = None,
    ) -> None:
        self.stage = stage
        self.reply = reply
        self.inbox = inbox
        self.outlives = outlives
        self.alive = True
        self.task: asyncio.Task[None] | None = None
        self._expected: tuple[str, float, float] | None = None  # what, within how long, by when
        self._timer: Timer | None = None
        self._timer_at = 0.0
        self._late = late

    def expect(self, what: str, seconds: float) -> None:
        """Set the watchdog, which cancels the work after this many seconds.

        A further `expect` sets it anew, `relax` switches it off. The failure is a ServiceTimeoutError which
        says that `what` did not come. Does nothing if the work is over.
        """
        if not self.alive:
            return
        clock = self.stage.session.clock
        due = clock.now() + seconds
        if self._timer is not None and due < self._timer_at:
            self._timer.cancel()
            self._timer = None
        self._expected = (what, seconds, due)
        if self._timer is None:  # else it fires early and is set anew: cheaper than at each token
            self._timer_at, self._timer = due, clock.call_at(due, self._check)

    def relax(self) -> None:
        """Switch the watchdog off."""
        self._expected = None

    def cancel(self) -> None:
        """Cancel the task, and drop what it may still yield."""
        self.end()
        if self.task is not None:
            self.task.cancel()

    def end(self) -> None:
        """Mark it as over: drop its frames, stop its watchdog, release its producers."""
        self.alive = False
        self._expected = self._late = None
        if self.inbox is not None:
            self.inbox.abandon()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def release(self) -> None:
        """Forget its stage, which may still refer to it: the task is done."""
        self.task = None
        del self.stage

    def _check(self) -> None:
        self._timer = None
        if self._expected is None or not self.alive:
            return
        clock = self.stage.session.clock
        what, seconds, due = self._expected
        now = clock.now()
        if (late := now - self._timer_at) > LATE:  # what is expected may have come while the machine stalled
            due = max(due, now + min(late, seconds))
        if now < due - 1e-6:
            self._timer_at, self._timer = due, clock.call_at(due, self._check)
            return
        error = ServiceTimeoutError(f"{what} did not come within {seconds:.3g} s")
        if self._late is not None:
            self._late(error)
            return
        self.cancel()
        self.stage.session.failed(self.stage, error, self.reply)


class Works(dict[Work, None]):
    """All work of a session's stages, oldest first."""

    def __init__(self, inputs: Inputs) -> None:
        super().__init__()
        self.stale = 0
        """Frames that were dropped because their work had been cancelled."""
        self._inputs = inputs

    def spawn(self, work: Work, drive: Coroutine[Any, Any, None]) -> None:
        """Start the task of a stage."""
        if self._inputs.closed:
            drive.close()
            work.end()
            self._over(work)
            return
        self[work] = None
        work.task = asyncio.create_task(drive, name=f"antiphon {work.stage.name}")
        work.task.add_done_callback(lambda _: self._over(work))

    def _over(self, work: Work) -> None:
        self.pop(work, None)
        work.release()

    def cancel(self, which: Callable[[Work], bool]) -> None:
        """Cancel all work that matches."""
        for work in [work for work in self if which(work)]:
            work.cancel()

    def admit(self, part: PartPort, frame: Frame | Signal, work: Work | None) -> bool:
        """Enter a frame at a part's place, unless the work that made it was cancelled.

        `work` is None for a frame from a callback. Returns False if the work should stop.
        """
        if work is not None and not work.alive:
            self.stale += 1
            return False
        self._inputs.enter(part, frame)
        return work is None or work.alive

    def running(self) -> Work | None:
        """Return the work whose task is running now, or None."""
        task = asyncio.current_task()
        return next((work for work in self if work.task is task), None) if task is not None else None
