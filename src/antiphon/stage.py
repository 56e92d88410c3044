"""Stages, the parts of a pipeline that may wait, and so have tasks of their own.

    class CallerName(Stage):
        @on(UserTurn)
        async def greet(self, turn: UserTurn):
            name = await db.name_of("+4930123")
            yield replace(turn, text=f"[{name}] {turn.text}")

Async handlers run in the stage's task, in the order in which the frames came; plain ones run inline, as a
processor's do. A stage of scope "reply" works for the current reply and is cancelled with it; one of scope
"session" is not. What a task yields enters the session through `Works.admit`, which drops everything that
was made for an old reply.
"""

import asyncio
import inspect
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, ClassVar, Literal, cast

from .flow import Audio, Frame, Signal
from .media_queue import Inbox, MediaQueue
from .ports import PlayoutPort
from .processor import Hop, Processor, is_async
from .work import Work

__all__ = ["MediaQueue", "Stage", "Work"]

logger = logging.getLogger("antiphon.session")

YIELD_EVERY = 32  # frames after which a task that never waits lets others run

Frames = AsyncGenerator[Frame | Signal, None]


class Stage(Processor):
    """A part of a pipeline that may wait. Belongs to one session."""

    waits = True
    scope: ClassVar[Literal["reply", "session"]] = "session"
    inbox_seconds: ClassVar[float] = 10.0
    """The limit of what waits for async handlers, in seconds of media.

    A frame without media counts as 0.02. At the limit the stages that make the frames are held back; of the
    user's audio, and of pictures, the oldest are dropped instead.
    """
    dropped: int = 0
    """Frames of media that were dropped because the async handlers could not keep up."""
    back_pressure: ClassVar[bool] = True
    """Whether its tasks wait while a queue behind it is full; capture cannot wait."""

    keeps_up: ClassVar[bool] = False
    """Whether audio that waited is let in only as fast as this stage handles it."""

    _handling: Work | None = None

    def handler(self, kind: type) -> Hop | None:
        handler = super().handler(kind)
        if handler is None or not is_async(handler):
            return handler
        return lambda frame: self._receive(handler, frame)

    def run(self, work: Work, frames: Frames) -> None:
        """Run a generator as a task; what it yields is pushed from this part's place.

        Work that has a reply is cancelled with it. A failure becomes a `Failed` signal. In a branch that is
        off the work is over at once.
        """
        if not all(branch.on for branch in self.branches):
            work.end()
            return
        self.session.works.spawn(work, self._drive(work, frames))

    def _full_below(self, kind: type) -> MediaQueue[Any] | PlayoutPort | None:
        """Return a full queue downstream that accepts frames of this type, or None."""
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
            inbox = Inbox(self.inbox_seconds, self._dropped)
            work = self._handling = Work(self, reply, inbox)
            self.run(work, self._handle_all(work, inbox))
        assert work.inbox is not None
        work.inbox.put((handler, frame))

    def _dropped(self, frame: Frame) -> None:
        self.dropped += 1
        if self.dropped & (self.dropped - 1) == 0:  # at 1, 2, 4, 8 ... dropped frames
            level = logging.WARNING if isinstance(frame, Audio) else logging.DEBUG  # lost pictures are normal
            logger.log(level, "%s cannot keep up: it has dropped %d frames, the last a %s",
                       self.name, self.dropped, type(frame).__name__)  # fmt: skip

    async def _handle_all(self, work: Work, inbox: Inbox) -> Frames:
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
                if not works.admit(self, frame, work):
                    break
                while self.back_pressure and (full := self._full_below(type(frame))) is not None:
                    await full.room()
                count += 1
                if count % YIELD_EVERY == 0:
                    await asyncio.sleep(0)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  a failure becomes a signal
            if work.alive and not _cancelled():
                work.alive = False
                session.failed(self, error, work.reply)
        finally:
            work.end()
            try:
                await frames.aclose()
            except Exception as error:  # noqa: BLE001  the work is over: only log it
                logger.warning("%s ended badly: %r", self.name, error)


def _cancelled() -> bool:
    """Return whether this task was cancelled.

    A CancelledError may also come from what it waits for.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
