"""Stages: order, scopes, the one door, bounded queues; and services that do all that they must not do."""

import asyncio
import gc
import tracemalloc
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import suppress
from copy import copy
from itertools import pairwise
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon import frames
from antiphon.clock import LoopClock
from antiphon.errors import ServiceTimeoutError, UnavailableError
from antiphon.frames import (
    AgentAudio,
    AgentVideo,
    ClientMessage,
    Failed,
    Frame,
    ReplyStarted,
    SessionStarted,
    Signal,
    Text,
    UserAudio,
    UserKey,
    UserText,
    UserVideo,
    frame,
)
from antiphon.media_queue import Inbox, MediaQueue
from antiphon.pipeline import Tap
from antiphon.playout.playout import Playout
from antiphon.processor import Processor, on
from antiphon.session import Session
from antiphon.stage import Stage, Work
from antiphon.testing.assertions import HeldCall, no_task_left
from antiphon.testing.virtual import run_virtual, virtual

sleep = LoopClock().sleep
"""Virtual time, where the loop is virtual."""

Out = AsyncGenerator[Frame | Signal, None]


class Slow(Stage):
    """Gives each text back after as many tenths of a second as it says, and a key in between."""

    @on(UserText)
    async def text(self, frame: UserText) -> Out:
        yield ClientMessage("begun", frame.text)
        await self.session.clock.sleep(int(frame.text) / 10)
        yield UserText(frame.text)

    @on(UserKey)
    async def key(self, frame: UserKey) -> None:
        await self.session.clock.sleep(0.1)
        self.push(UserKey(frame.key * 2))

    @on(ClientMessage)
    def message(self, frame: ClientMessage) -> None:
        self.push(frame)


def collect(got: list[Any]) -> Tap:
    return Tap(got.append, UserText, UserKey, ClientMessage, Text)


# Order and scope -------------------------------------------------------------------------------------


@virtual
async def test_async_handlers_run_in_order_of_arrival_and_plain_ones_at_once() -> None:
    got: list[Any] = []
    async with Session([Slow(), collect(got)]) as session:
        for text in "531":
            session.send(UserText(text))
        session.send(UserKey("1"))
        session.send(ClientMessage("at once"))
        assert got == [ClientMessage("at once")]
        await session.clock.sleep(2)
    assert got == [
        ClientMessage("at once"),
        *(ClientMessage("begun", "5"), UserText("5")),
        *(ClientMessage("begun", "3"), UserText("3")),
        *(ClientMessage("begun", "1"), UserText("1")),
        UserKey("11"),
    ]
    no_task_left()


@virtual
async def test_stages_work_side_by_side() -> None:
    got: list[Any] = []
    async with HeldCall([Slow(), Slow(), collect(got)]) as call:
        for text in "555":
            call.session.send(UserText(text))
        await call.session.clock.sleep(5)
        assert [seen.at for seen in call.seen if seen.what == UserText("5") and seen.source == "Slow-2"] == [
            pytest.approx(time) for time in (1.0, 1.5, 2.0)
        ]


class Worker(Stage):
    """A stage for replies; what it does with a text is the test's."""

    scope = "reply"

    def __init__(self, work: Callable[["Worker", Text], AsyncIterator[Any]]) -> None:
        self.work = work
        self.log: list[str] = []

    @on(Text)
    async def text(self, frame: Text) -> AsyncGenerator[Any, None]:
        async for out in self.work(self, frame):
            yield out


def speak(session: Session, text: str = "x") -> None:
    """Begin a reply whose text is not complete yet."""
    session.new_reply(lambda reply: session.send(Text(reply.number, text, 0)))


@virtual
async def test_work_for_a_reply_is_cancelled_with_it_and_other_work_is_not() -> None:
    async def work(stage: Worker, frame: Text) -> AsyncIterator[Any]:
        yield ClientMessage("begun", frame.text)
        try:
            await stage.session.clock.sleep(10)
        except asyncio.CancelledError:
            stage.log.append("cancelled")
            raise
        yield ClientMessage("done", frame.text)

    stage, other = Worker(work), Slow()
    async with HeldCall([stage, other]) as call:
        speak(call.session, "hello")
        call.session.send(UserText("9"))
        await call.session.clock.sleep(0.5)
        call.session.interrupt()
        await call.session.clock.sleep(1)
        assert stage.log == ["cancelled"]
        assert call.all(UserText)[-1:] == [UserText("9")]
        assert [work.stage for work in call.session.works] == []


@virtual
async def test_work_that_outlives_its_reply_is_not_cancelled_with_it() -> None:
    class Tool(Stage):
        @on(ReplyStarted)
        def started(self, signal: ReplyStarted) -> None:
            self.run(Work(self, signal.reply, outlives=True), self._work())

        async def _work(self) -> Out:
            await self.session.clock.sleep(1)
            yield ClientMessage("finished")

    async with HeldCall([Tool()]) as call:
        speak(call.session, "hello")
        call.session.interrupt()
        await call.session.clock.sleep(2)
    assert call.times(ClientMessage) == [1.0]


@virtual
async def test_works_of_replies_cut_off_at_once_are_forgotten() -> None:
    """Their tasks are cancelled before they have run at all."""

    async def work(stage: Worker, frame: Text) -> AsyncIterator[Any]:
        yield ClientMessage("never")

    async with HeldCall([Worker(work)]) as call:
        for _ in range(50):
            speak(call.session, "hello")
            call.session.interrupt()
        await sleep(0)
        await sleep(0)
        assert not call.session.works
    assert not call.all(ClientMessage)
    no_task_left()


# The door --------------------------------------------------------------------------------------------


async def swallow_once(stage: Worker, frame: Text) -> AsyncIterator[Any]:
    with suppress(asyncio.CancelledError):
        await stage.session.clock.sleep(10)
    yield Text(frame.reply, "late", 0)
    yield ClientMessage("later")


async def swallow_and_go_on(stage: Worker, frame: Text) -> AsyncIterator[Any]:
    for _ in range(5):
        try:
            await stage.session.clock.sleep(10)
        except asyncio.CancelledError:
            continue
    yield Text(frame.reply, "very late", 0)


async def swallow_and_raise(stage: Worker, frame: Text) -> AsyncIterator[Any]:
    try:
        await stage.session.clock.sleep(10)
    except asyncio.CancelledError as error:
        raise UnavailableError("because I was stopped") from error
    yield frame


async def yield_when_closed(stage: Worker, frame: Text) -> AsyncIterator[Any]:
    try:
        yield ClientMessage("one")
        await stage.session.clock.sleep(10)
    finally:
        yield Text(frame.reply, "from the grave", 0)


@pytest.mark.parametrize(
    "rude",
    [swallow_once, swallow_and_go_on, swallow_and_raise, yield_when_closed],
    ids=lambda rude: rude.__name__,
)
@virtual
async def test_nothing_of_an_old_reply_gets_in_however_rude_its_maker(
    rude: Callable[[Worker, Text], AsyncIterator[Any]],
) -> None:
    async with HeldCall([Worker(rude)]) as call:
        speak(call.session, "old")
        await call.session.clock.sleep(1)
        call.session.interrupt()
        interrupted = len(call.seen)
        speak(call.session, "new")
        await call.session.clock.sleep(5)
        late = [seen.what for seen in call.seen[interrupted:] if getattr(seen.what, "reply", None) == 1]
        assert late == []
        assert not call.all(Failed)
        cancelled = call.session.clock.now()
        await call.session.cancel()
        assert call.session.clock.now() - cancelled <= 1.0
    no_task_left("Worker")


@virtual
async def test_what_an_async_handler_pushes_after_its_reply_is_over_is_dropped() -> None:
    class Pushes(Stage):
        scope = "reply"

        @on(Text)
        async def text(self, frame: Text) -> None:
            self.push(ClientMessage("in time"))
            try:
                await self.session.clock.sleep(10)
            except asyncio.CancelledError:
                self.push(ClientMessage("too late"))
                raise

    async with HeldCall([Pushes()]) as call:
        speak(call.session, "hello")
        await call.session.clock.sleep(1)
        call.session.interrupt()
        await call.session.clock.sleep(1)
        assert call.session.works.stale == 1
    assert call.all(ClientMessage) == [ClientMessage("in time")]
    assert [seen.is_input for seen in call.seen if type(seen.what) is ClientMessage] == [True]


# Failure ---------------------------------------------------------------------------------------------


@virtual
async def test_failing_handler_is_named_and_the_frames_behind_it_are_handled() -> None:
    got: list[Any] = []
    async with HeldCall([Slow(), collect(got)]) as call:
        for text in ["1", "one", "2"]:
            call.session.send(UserText(text))
        await call.session.clock.sleep(1)
    assert [frame.text for frame in got if isinstance(frame, UserText)] == ["1", "2"]
    assert [(failed.part, failed.error) for failed in call.all(Failed)] == [("Slow", "ValueError")]


@virtual
async def test_handler_that_is_cancelled_from_within_does_not_lose_the_frames_behind_it() -> None:
    class Shared(Stage):
        @on(UserText)
        async def text(self, frame: UserText) -> Out:
            if frame.text == "2":
                future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                future.cancel()
                await future
            yield UserKey(frame.text)

    async with HeldCall([Shared()]) as call:
        for text in "123":
            call.session.send(UserText(text))
        await call.session.clock.sleep(1)
    assert [key.key for key in call.all(UserKey)] == ["1", "3"]
    assert [(failed.part, failed.error) for failed in call.all(Failed)] == [("Shared", "CancelledError")]


class SilentError(Exception):
    """An error without a message."""


@pytest.mark.parametrize("awaits", range(4))
@pytest.mark.parametrize(
    "error",
    [
        UnavailableError("down"),
        SilentError(),
        asyncio.CancelledError(),
        ExceptionGroup("many", [SilentError()]),
    ],
    ids=lambda error: type(error).__name__,
)
@virtual
async def test_error_at_any_await_is_a_failure_and_the_next_frame_is_handled(
    error: BaseException, awaits: int
) -> None:
    """Also a CancelledError that nobody asked for, as of a shared task that somebody else has cancelled."""

    class Frail(Stage):
        broken = True

        @on(SessionStarted)
        def begin(self, signal: SessionStarted) -> None:
            self.run(Work(self), self._go())

        async def _go(self) -> Out:
            for number in range(4):
                if number == awaits:
                    raise error
                await self.session.clock.sleep(0.1)
                yield UserKey(str(number))

    async with HeldCall([Frail()]) as call:
        await call.session.clock.sleep(1)
        assert not call.session.works
        call.session.send(UserText("still here"))
    assert [key.key for key in call.all(UserKey)] == [str(number) for number in range(awaits)]
    (failed,) = call.all(Failed)
    assert (failed.part, failed.error) == ("Frail", type(error).__name__)
    assert failed.message
    assert call.all(UserText)
    no_task_left()


@virtual
async def test_nonsense_from_a_task_is_a_failure_and_the_task_goes_on() -> None:
    class Babble(Stage):
        @on(UserText)
        async def text(self, frame: UserText) -> AsyncGenerator[Any, None]:
            for nonsense in (None, 7, "text", Text, object(), [UserKey("1")]):
                yield nonsense
            yield ClientMessage("sense")

    got: list[Any] = []
    async with HeldCall([Babble(), collect(got)]) as call:
        call.session.send(UserText("x"))
        await call.session.clock.sleep(1)
    assert got == [ClientMessage("sense")]
    assert [(failed.part, failed.error) for failed in call.all(Failed)] == [("Babble", "UsageError")] * 6


@virtual
async def test_work_that_owes_something_fails_in_time_and_cannot_speak_afterwards() -> None:
    class Owes(Stage):
        def __init__(self, obeys: bool) -> None:
            self.obeys = obeys

        @on(SessionStarted)
        def begin(self, signal: SessionStarted) -> None:
            work = Work(self)
            self.run(work, self._go(work))

        async def _go(self, work: Work) -> Out:
            work.expect("the first", 1.0)
            await self.session.clock.sleep(0.9)
            yield ClientMessage("first")
            work.expect("the second", 2.0)
            work.expect("the third", 3.0)
            try:
                await self.session.clock.sleep(9)
            except asyncio.CancelledError:
                if self.obeys:
                    raise
            yield ClientMessage("too late")

    for obeys in (True, False):
        async with HeldCall([Owes(obeys)]) as call:
            await call.session.clock.sleep(20)
        assert call.all(ClientMessage) == [ClientMessage("first")]
        assert call.times(Failed) == [pytest.approx(3.9)]
        (failed,) = call.all(Failed)
        assert (failed.part, failed.error, failed.retryable) == ("Owes", ServiceTimeoutError.__name__, True)
        assert failed.message == "the third did not come within 3 s"


@virtual
async def test_what_is_owed_sooner_than_what_was_owed_before_is_missed_in_time() -> None:
    class Owes(Stage):
        @on(SessionStarted)
        def begin(self, signal: SessionStarted) -> None:
            work = Work(self)
            self.run(work, self._go(work))

        async def _go(self, work: Work) -> Out:
            work.expect("the first", 10.0)
            await self.session.clock.sleep(0.1)
            yield ClientMessage("first")
            work.expect("the next", 1.0)
            await never()

    async with HeldCall([Owes()]) as call:
        await call.session.clock.sleep(20)
    assert call.times(Failed) == [pytest.approx(1.1)]


# Closing ---------------------------------------------------------------------------------------------


async def never(_: float = 0) -> None:
    await asyncio.get_running_loop().create_future()


async def obedient() -> None:
    await never()


async def deaf_once() -> None:
    try:
        await never()
    except asyncio.CancelledError:
        await never()


async def deaf_for_ever() -> None:
    while True:
        try:
            await never()
        except asyncio.CancelledError:
            continue


async def dies_slowly() -> None:
    try:
        await never()
    finally:
        await sleep(0.3)


async def dies_badly() -> None:
    try:
        await never()
    finally:
        raise OSError("the socket had gone")


class Holds(Stage):
    def __init__(self, wait: Callable[[], Awaitable[None]]) -> None:
        self.wait = wait

    @on(SessionStarted)
    def begin(self, signal: SessionStarted) -> None:
        self.run(Work(self), self._go())

    async def _go(self) -> Out:
        yield ClientMessage("begun")
        await self.wait()


class ClosesBadly(Processor):
    def __init__(self, name: str, wait: Callable[[], Awaitable[None]]) -> None:
        self.name = name
        self.wait = wait
        self.closed = 0

    async def close(self) -> None:
        self.closed += 1
        await self.wait()


@pytest.mark.parametrize(
    ("wait", "stays"),
    [(obedient, False), (deaf_once, False), (deaf_for_ever, True), (dies_slowly, False), (dies_badly, False)],
    ids=lambda value: getattr(value, "__name__", ""),
)
@pytest.mark.parametrize("where", ["work", "close"])
@virtual
async def test_cancel_is_bounded_in_time_whatever_a_service_does(
    where: str, wait: Callable[[], Awaitable[None]], stays: bool, caplog: pytest.LogCaptureFixture
) -> None:
    good = ClosesBadly("Good", lambda: sleep(0))
    part = Holds(wait) if where == "work" else ClosesBadly("Bad", wait)
    session = Session([part, good])
    await session.start()
    await session.clock.sleep(1)
    await session.cancel()
    assert session.clock.now() <= 2.05
    assert good.closed == 1
    await session.wait()
    if stays:
        assert f"{part.name} does not stop, though it was cancelled, and is left behind" in caplog.text
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        assert len(left) == 1
        left[0].get_coro().close()  # type: ignore[union-attr]  it would keep the loop from ending
    else:
        no_task_left()
        assert "left behind" not in caplog.text


def test_cancel_is_bounded_in_real_time_too() -> None:
    async def main() -> float:
        session = Session([Holds(dies_slowly), ClosesBadly("Hangs", obedient)])
        async with session:
            loop = asyncio.get_running_loop()
            begun = loop.time()
            await session.cancel()
            took = loop.time() - begun
        no_task_left()
        return took

    assert 0.3 <= asyncio.run(main()) < 1.5


@virtual
async def test_generator_whose_end_hangs_is_known_until_it_is_over(caplog: pytest.LogCaptureFixture) -> None:
    """A reply is interrupted while its stage is held back; what the service does then is waited for."""
    release = asyncio.Event()

    class Raw(Stage):
        @on(Text)
        def text(self, frame: Text) -> None:
            self.run(Work(self, frame.reply), self._work(frame))

        async def _work(self, frame: Text) -> Out:
            try:
                while True:
                    yield AgentAudio(frame.reply, bytes(48000), 24000)
            finally:
                await release.wait()

    async with HeldCall([Raw(), Playout()]) as call:
        speak(call.session, "long")
        await call.session.clock.sleep(1)
        call.session.interrupt()
        await call.session.clock.sleep(1)
        assert len(call.session.works) == 1
        release.set()
        await call.session.clock.sleep(0.1)
        assert not call.session.works
    no_task_left()


# Floods ----------------------------------------------------------------------------------------------


def test_million_frames_without_a_wait_do_not_stop_the_loop() -> None:
    """Others get their turn, and the clock of a watchdog in the same loop goes on."""

    class Flood(Stage):
        @on(SessionStarted)
        def begin(self, signal: SessionStarted) -> None:
            self.run(Work(self), self._flood())

        async def _flood(self) -> Out:
            frame = UserKey("1")
            for _ in range(1_000_000):
                yield frame

    count = 0

    async def main() -> None:
        nonlocal count
        keys: list[int] = []

        class Count(Processor):
            @on(UserKey)
            def key(self, frame: UserKey) -> None:
                nonlocal count
                count += 1

        session = Session([Flood(), Count()])
        async with session:
            for _ in range(100):
                keys.append(count)
                await sleep(0)
            before = count
            await session.cancel()
            assert count - before < 200, "nothing enters once it is cancelled"
        assert keys[-1] > keys[2] > 0
        assert max(later - earlier for earlier, later in pairwise(keys)) <= 64
        no_task_left()

    asyncio.run(main())
    assert count < 1_000_000


@virtual
async def test_flood_of_speech_holds_its_maker_and_memory_stays_flat() -> None:
    made = 0

    class Voice(Stage):
        scope = "reply"

        @on(Text)
        async def text(self, frame: Text) -> Out:
            nonlocal made
            for _ in range(1_000_000):
                made += 1
                yield AgentAudio(frame.reply, bytes(960), 24000)

    async with Session([Voice(), Playout(limit=2.0)]) as session:
        speak(session, "for ever")
        tracemalloc.start()
        await session.clock.sleep(1)
        size = tracemalloc.get_traced_memory()[0]
        for second in range(2, 20):
            await session.clock.sleep(1)
            assert second + 1.9 <= made * 0.02 <= second + 2.1, "the limit ahead of what was played"
        grown = tracemalloc.get_traced_memory()[0] - size
        tracemalloc.stop()
        session.interrupt(force=True)
        made = 0
        await session.clock.sleep(5)
        assert made == 0
    assert grown < 500_000


@virtual
async def test_each_stage_holds_the_one_before_it() -> None:
    """A voice that is held by playout lets text wait, and so holds the model."""
    written = spoken = 0

    class Model(Stage):
        @on(ReplyStarted)
        def begin(self, signal: ReplyStarted) -> None:
            self.run(Work(self, signal.reply), self._write(signal.reply))

        async def _write(self, reply: int) -> Out:
            nonlocal written
            while True:
                written += 1
                yield Text(reply, "word ", written * 5)

    class Voice(Stage):
        scope = "reply"
        inbox_seconds = 1.0

        @on(Text)
        async def text(self, frame: Text) -> Out:
            nonlocal spoken
            spoken += 1
            yield AgentAudio(frame.reply, bytes(24000), 24000)

    async with Session([Model(), Voice(), Playout(limit=3.0)]) as session:
        session.new_reply(lambda reply: None)
        await session.clock.sleep(10)
        assert 20 <= spoken <= 28, "half a second each: ten played, three waiting"
        assert written <= spoken + 1.0 / 0.02 + 2
        session.interrupt()


@virtual
async def test_long_answer_does_not_hold_the_microphone() -> None:
    """What waits at playout holds those who make speech; the user is heard all the same, in time."""

    class Microphone(Stage):
        @on(SessionStarted)
        def begin(self, signal: SessionStarted) -> None:
            self.run(Work(self), self._listen())

        async def _listen(self) -> Out:
            at = 0
            while True:
                await self.session.clock.sleep(0.02)
                yield UserAudio(bytes(640), 16000, at)
                at += 320

    class Ears(Stage):
        """Hears speech after three seconds."""

        def __init__(self) -> None:
            self.heard: list[tuple[float, float]] = []

        @on(UserAudio)
        async def audio(self, frame: UserAudio) -> Out:
            self.heard.append((frame.at / 16000, self.session.now))
            yield ClientMessage("heard")

    class Voice(Stage):
        scope = "reply"

        @on(Text)
        async def text(self, frame: Text) -> Out:
            for _ in range(100):
                yield AgentAudio(frame.reply, bytes(48000), 24000)

    ears = Ears()
    async with Session([Microphone(), ears, Voice(), Playout()]) as session:
        speak(session, "a very long story")
        await session.clock.sleep(5.01)
        assert session.playout is not None
        assert session.playout.full
    assert len(ears.heard) >= 249
    assert all(now - at <= 0.021 for at, now in ears.heard)


@virtual
async def test_a_part_that_is_pushed_by_the_task_of_another_pushes_from_its_own_place() -> None:
    early, late = Processor(), Processor()

    class Middle(Stage):
        @on(SessionStarted)
        def begin(self, signal: SessionStarted) -> None:
            self.run(Work(self), self._push())

        async def _push(self) -> Out:
            early.push(UserText("early"))
            late.push(UserText("late"))
            yield UserText("middle")

    got: list[Any] = []
    async with HeldCall([early, collect(first := []), Middle(), late, collect(got)]) as call:
        await call.session.clock.sleep(0.1)
    assert first == [UserText("early")]
    assert got == [UserText("early"), UserText("late"), UserText("middle")]


# Media that a stage cannot keep up with --------------------------------------------------------------


def picture(at: float) -> UserVideo:
    return UserVideo(bytes(6), 2, 2, at)


def test_only_what_the_user_sends_as_media_and_pictures_are_ever_dropped() -> None:
    ours = [kind for kind in vars(frames).values() if isinstance(kind, type) and issubclass(kind, Frame)]
    ours = [kind for kind in ours if kind.__module__ == "antiphon.frames"]
    assert len(ours) > 20
    assert {kind for kind in ours if kind.media} == {UserAudio, AgentAudio, UserVideo, AgentVideo}
    assert {kind for kind in ours if kind.late == "drop oldest"} == {UserAudio, UserVideo, AgentVideo}


def test_media_knows_its_duration_and_size() -> None:
    assert UserAudio(bytes(640), 16000, 0).duration == 0.02
    assert AgentAudio(1, bytes(960), 24000).size_bytes == 960
    assert picture(0.0).size_bytes == AgentVideo(bytes(6), 2, 2).size_bytes == 6
    assert (Text(1, "hello", 0).duration, Text(1, "hello", 0).size_bytes) == (0.0, 0)


@frame
class SoundLevel(Signal):
    level: int


class Chew(Stage):
    """Takes a second for each frame."""

    inbox_seconds = 1.0

    def __init__(self) -> None:
        self.chewed: list[Frame | Signal] = []

    @on(UserAudio, UserVideo, UserKey, AgentVideo, SoundLevel)
    async def chew(self, frame: Frame | Signal) -> None:
        await self.session.clock.sleep(1)
        self.chewed.append(frame)


@virtual
async def test_user_audio_that_a_slow_stage_cannot_take_is_dropped_and_holds_nobody() -> None:
    class Bring(Stage):
        brought = 0

        @on(SessionStarted)
        def begin(self, signal: SessionStarted) -> None:
            self.run(Work(self), self._bring())

        async def _bring(self) -> Out:
            for at in range(500):
                self.brought += 1
                yield UserAudio(bytes(640), 16000, at * 320)
                yield UserKey(str(at % 10)) if at % 100 == 0 else ClientMessage("nobody minds")

    bring, chew = Bring(), Chew()
    async with Session([bring, chew]) as session:
        await session.clock.sleep(0.5)
        assert bring.brought == 500
        await session.clock.sleep(60)
    heard = [frame.at // 320 for frame in chew.chewed if isinstance(frame, UserAudio)]
    assert heard == [0, *range(450, 500)], "the one at hand, and the newest second"
    assert chew.dropped == 449
    keys = [frame.key for frame in chew.chewed if isinstance(frame, UserKey)]
    assert keys == ["0"] * 5, "what is no media is never dropped"


@virtual
async def test_pictures_of_a_camera_do_not_grow_without_bound() -> None:
    """A transport's callback brings them: there is nobody whom to hold."""
    chew, door = Chew(), Processor()
    async with Session([door, chew]) as session:
        for count in range(300):
            door.push(picture(count / 30))
            if count % 100 == 50:
                door.push(UserKey("5"))
        work = next(iter(session.works))
        assert work.inbox is not None
        assert len(work.inbox) <= 3 + 3, "pictures and keys"
        await session.clock.sleep(20)
    shown = [frame.at for frame in chew.chewed if isinstance(frame, UserVideo)]
    assert shown[-3:] == [297 / 30, 298 / 30, 299 / 30]
    assert chew.dropped == 300 - len(shown) >= 290
    assert sum(isinstance(frame, UserKey) for frame in chew.chewed) == 3


@virtual
async def test_large_pictures_are_bounded_by_their_size() -> None:
    chew, door = Chew(), Processor()
    async with Session([door, chew]) as session:
        for count in range(5):
            door.push(UserVideo(bytes(12 * 2**20), 4096, 2048, float(count)))
        await session.clock.sleep(10)
    assert [frame.at for frame in chew.chewed if isinstance(frame, UserVideo)] == [4.0]


@virtual
async def test_pictures_that_come_late_are_dropped_whoever_makes_them() -> None:
    class Draw(Stage):
        drawn = 0

        @on(SessionStarted)
        def begin(self, signal: SessionStarted) -> None:
            self.run(Work(self), self._draw())

        async def _draw(self) -> Out:
            for number in range(20):
                self.drawn += 1
                yield AgentVideo(bytes(6), 2, 2, float(number))

    draw, chew = Draw(), Chew()
    async with Session([draw, chew]) as session:
        await session.clock.sleep(0.5)
        assert draw.drawn == 20, "a picture holds nobody back"
        await session.clock.sleep(30)
    shown = [frame.at for frame in chew.chewed if isinstance(frame, AgentVideo)]
    assert shown[-3:] == [17, 18, 19], "the newest"
    assert len(shown) + chew.dropped == 20


@virtual
async def test_signals_that_wait_for_an_async_handler_are_all_handled() -> None:
    chew = Chew()
    async with Session([chew]) as session:
        for number in range(100):
            session.send(SoundLevel(number))
        await session.clock.sleep(101)
    assert chew.chewed == [SoundLevel(number) for number in range(100)]


CAPTURED: list[Frame] = [UserAudio(bytes(6400), 16000, 0), picture(0.0)]
MADE: list[Frame] = [
    Text(1, "x", 0),
    AgentAudio(1, bytes(4800), 24000),
    AgentVideo(bytes(6), 2, 2),
    UserKey("1"),
]


@given(st.lists(st.sampled_from([None, *CAPTURED, *MADE]), max_size=80))
@settings(max_examples=200, deadline=None)
def test_inbox_keeps_the_order_drops_only_captured_media_and_is_bounded(steps: list[Frame | None]) -> None:
    async def main() -> None:
        gone: list[Frame] = []
        inbox = Inbox(1.0, gone.append)
        put, got = list[Frame](), list[Frame]()
        for step in steps:
            if step is not None:
                put.append(frame := copy(step))  # one of its own, to be told from its equals
                inbox.put((print, frame))
            elif len(inbox):
                got.append(cast(Frame, (await anext(inbox))[1]))
            waiting = [frame for frame in put if not any(frame is other for other in [*gone, *got])]
            assert len(waiting) == len(inbox)
            assert sum(isinstance(frame, UserAudio) for frame in waiting) <= 5
            assert sum(isinstance(frame, UserVideo) for frame in waiting) <= 3
            made = [frame for frame in waiting if frame.late == "hold"]
            seconds = sum(
                (1 / 3 if isinstance(frame, AgentVideo) else 0.1 if frame.media else 0.02) for frame in made
            )
            assert abs(inbox.held - seconds) < 1e-6
            assert inbox.full == (inbox.held >= 1.0)
        inbox.close()
        got += [cast(Frame, frame) async for _, frame in inbox]
        assert inbox.dropped == len(gone)
        assert all(frame.late == "drop oldest" for frame in gone)
        kept = [frame for frame in put if not any(frame is other for other in gone)]
        assert all(one is other for one, other in zip(kept, got, strict=True))

    run_virtual(main())


@virtual
async def test_producer_held_by_a_stage_that_fails_goes_on() -> None:
    class Produce(Stage):
        @on(SessionStarted)
        def begin(self, signal: SessionStarted) -> None:
            self.run(Work(self), self._produce())

        async def _produce(self) -> Out:
            for number in range(100):
                yield UserKey(str(number))
            yield ClientMessage("all produced")

    class Fails(Stage):
        @on(SessionStarted)
        def begin(self, signal: SessionStarted) -> None:
            self.inbox = MediaQueue[UserKey](5.0, lambda _: 1.0)
            self.run(Work(self, None, self.inbox), self._fail())

        @on(UserKey)
        def key(self, frame: UserKey) -> None:
            self.inbox.put(frame)

        async def _fail(self) -> Out:
            yield ClientMessage("begun")
            await self.session.clock.sleep(1)
            raise UnavailableError("gone")

    async with HeldCall([Produce(), Fails()]) as call:
        await call.session.clock.sleep(3)
    assert call.times(ClientMessage) == [0.0, 1.0]


@virtual
async def test_session_that_is_over_is_forgotten() -> None:
    """Neither the loop, nor a clock, nor a service holds on to it."""

    async def one() -> weakref.ref[Session]:
        async with Session([Slow(), Playout()]) as session:
            session.send(UserText("3"))
            session.say("hello")
            await session.clock.sleep(0.1)
        return weakref.ref(session)

    sessions = [await one() for _ in range(3)]
    await sleep(0)
    gc.collect()
    assert [session() for session in sessions] == [None] * 3


# Channel ---------------------------------------------------------------------------------------------


def test_channel_gives_all_in_order_and_then_the_end() -> None:
    async def main() -> list[int]:
        channel = MediaQueue[int](3.0, lambda _: 1.0)
        got: list[int] = []

        async def take() -> None:
            got.extend([item async for item in channel])

        task = asyncio.create_task(take())
        for item in range(5):
            channel.put(item)
            await sleep(0)
        channel.put(5)
        channel.close()
        channel.put(6)
        await task
        return got

    assert run_virtual(main()) == [0, 1, 2, 3, 4, 5]


def test_channel_is_full_at_its_limit_and_releases_those_who_wait() -> None:
    async def main() -> None:
        channel = MediaQueue[float](1.0, lambda item: item)
        channel.put(0.5)
        assert not channel.full
        channel.put(0.5)
        assert channel.full
        waiting = asyncio.create_task(channel.room())
        await sleep(0)
        assert not waiting.done()
        assert await anext(channel) == 0.5
        await sleep(0)
        assert waiting.done()
        channel.put(2.0)
        waiting = asyncio.create_task(channel.room())
        await sleep(0)
        channel.abandon()
        await waiting
        assert not channel.full
        assert len(channel) == 0
        with pytest.raises(StopAsyncIteration):
            await anext(channel)

    run_virtual(main())


@given(st.lists(st.tuples(st.booleans(), st.floats(0.01, 3.0)), max_size=60))
@settings(max_examples=100, deadline=None)
def test_capture_drops_the_oldest_counts_them_and_is_bounded(steps: list[tuple[bool, float]]) -> None:
    async def main() -> None:
        channel = MediaQueue[tuple[int, float]](4.0, lambda item: item[1], "drop oldest")
        put, got = 0, list[int]()
        for takes, seconds in steps:
            if takes and len(channel):
                got.append((await anext(channel))[0])
            elif not takes:
                channel.put((put, seconds))
                put += 1
            assert channel.held <= 4.0 or len(channel) == 1
            assert not channel.full, "a producer of live sound is never held"
        assert got == sorted(set(got))
        assert len(got) + len(channel) + channel.dropped == put
        channel.close()
        rest = [number async for number, _ in channel]
        assert rest == list(range(put - len(rest), put)), "what is left is the newest"

    run_virtual(main())
