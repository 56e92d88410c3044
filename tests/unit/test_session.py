"""A session: its beginning and end, its replies, and those who watch it."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import pytest

from antiphon.clock import LoopClock
from antiphon.errors import ConfigurationError, UnavailableError, UsageError
from antiphon.frames import (
    AgentAudio,
    AudioEnded,
    ClientMessage,
    Failed,
    Frame,
    Interrupted,
    ReplyEnded,
    ReplyStarted,
    SegmentEnded,
    SegmentStarted,
    SessionEnded,
    SessionStarted,
    Signal,
    Text,
    TextEnded,
    UserAudio,
    UserKey,
    UserText,
    UserVideo,
)
from antiphon.journal import Journal, replay
from antiphon.pipeline import Tap
from antiphon.playout.playout import Playout
from antiphon.processor import Processor, SessionPort, on
from antiphon.reply import Reply
from antiphon.session import Session
from antiphon.stage import Stage, Work
from antiphon.testing.assertions import HeldCall, check, no_task_left
from antiphon.testing.virtual import run_virtual, virtual

sleep = LoopClock().sleep
"""Virtual time, where the loop is virtual."""

Out = AsyncGenerator[Frame | Signal, None]


class Voice(Stage):
    """Speaks ten characters a second, with a tenth of a second to begin."""

    scope = "reply"

    @on(Text)
    async def text(self, frame: Text) -> Out:
        await self.session.clock.sleep(0.1)
        yield SegmentStarted(frame.reply, frame.at, frame.at + len(frame.text))
        for _ in frame.text:
            yield AgentAudio(frame.reply, b"\1\0" * 2400, 24000)
        yield SegmentEnded(frame.reply)

    @on(TextEnded)
    async def ended(self, frame: TextEnded) -> Out:
        if not frame.more:
            yield AudioEnded(frame.reply)


def talk() -> HeldCall:
    return HeldCall([Voice(), Playout()])


def ends(call: HeldCall) -> list[tuple[str, str]]:
    return [(ended.text, ended.heard) for ended in call.all(ReplyEnded)]


# Replies ---------------------------------------------------------------------------------------------


@virtual
async def test_what_is_said_in_a_row_is_spoken_in_a_row() -> None:
    async with talk() as call:
        replies = [call.session.say(text) for text in ("one two", "three", "four")]
        assert [reply.state for reply in replies] == ["active", "waiting", "waiting"]
        assert [await reply for reply in replies] == replies
        assert [reply.number for reply in replies] == [1, 2, 3]
    check(call)
    assert ends(call) == [("one two", "one two"), ("three", "three"), ("four", "four")]
    assert call.times(ReplyEnded) == [pytest.approx(0.8), pytest.approx(1.4), pytest.approx(1.9)]


@virtual
async def test_what_is_said_before_the_start_is_spoken_after_it() -> None:
    call = talk()
    first = call.session.say("first")
    call.session.send(UserKey("1"))
    second = call.session.say("second")
    assert first.state == "waiting"
    async with call:
        await second
    check(call)
    assert [type(seen.what) for seen in call.seen[:3]] == [tuple, SessionStarted, tuple]
    assert [ended.text for ended in call.all(ReplyEnded)] == ["first", "second"]


@virtual
async def test_saying_nothing_is_over_at_once() -> None:
    async with talk() as call:
        assert (await call.session.say("")).heard == ""
    check(call)


@virtual
async def test_interrupt_drops_the_reply_and_those_that_wait() -> None:
    async with talk() as call:
        replies = [call.session.say(text) for text in ("one two three", "four", "five")]
        await call.session.clock.sleep(0.85)
        call.session.interrupt("enough")
        assert [reply.state for reply in replies] == ["ended"] * 3
        assert [reply.heard for reply in replies] == ["one two", "", ""]
        assert all(reply.interrupted for reply in replies)
        await asyncio.gather(*replies)
        await call.session.clock.sleep(3)
    check(call)
    assert call.all(Interrupted) == [Interrupted(1, 7, "enough")]
    assert ends(call) == [("one two three", "one two")]


@virtual
async def test_reply_that_a_user_may_not_interrupt() -> None:
    async with talk() as call:
        notice = call.session.say("This call is recorded.", interruptible=False)
        more = call.session.say("How are you?")
        await call.session.clock.sleep(1)
        call.session.interrupt("the user spoke")
        assert (notice.state, more.state) == ("active", "waiting")
        await more
        again = call.session.say("This call is recorded.", interruptible=False)
        await call.session.clock.sleep(1)
        call.session.interrupt("the program wants it", force=True)
        assert again.state == "ended"
    check(call)
    assert notice.heard == "This call is recorded."
    assert again.heard == "This call"


@virtual
async def test_interruptible_reply_may_go_and_one_behind_it_that_is_not_stays() -> None:
    async with talk() as call:
        first = call.session.say("chatter")
        notice = call.session.say("a notice", interruptible=False)
        last = call.session.say("more chatter")
        await call.session.clock.sleep(0.3)
        call.session.interrupt()
        assert [reply.state for reply in (first, notice, last)] == ["ended", "active", "ended"]
        await notice
    check(call)
    assert ends(call)[-1] == ("a notice", "a notice")


@pytest.mark.parametrize("place", [0, 1, 2])
@virtual
async def test_interrupting_one_reply_leaves_the_others(place: int) -> None:
    """Also one that a user may not interrupt: it is the program that asks."""
    async with talk() as call:
        replies = [call.session.say(text, interruptible=False) for text in ("one", "two", "three")]
        await call.session.clock.sleep(0.05)
        replies[place].interrupt("not this one")
        replies[place].interrupt("nor again")
        await asyncio.gather(*replies)
    check(call)
    assert [reply.interrupted for reply in replies] == [number == place for number in range(3)]
    assert [reply.heard for reply in replies] == [
        "" if number == place else text for number, text in enumerate(("one", "two", "three"))
    ]
    assert replay(call.journal.lines, [Voice(), Playout()]) == call.journal.lines


@virtual
async def test_interrupting_a_reply_before_the_start_and_after_its_end() -> None:
    call = talk()
    never, spoken = call.session.say("never"), call.session.say("spoken")
    never.interrupt()
    async with call:
        await spoken
        spoken.interrupt()
        assert (await never).interrupted
        assert not (await spoken).interrupted
    check(call)
    assert ends(call) == [("never", ""), ("spoken", "spoken")]
    assert replay(call.journal.lines, [Voice(), Playout()]) == call.journal.lines


@virtual
async def test_reply_can_be_awaited_by_many_and_again() -> None:
    async with talk() as call:
        reply = call.session.say("hello")
        waiting = [asyncio.ensure_future(awaiting(reply)) for _ in range(3)]
        cancelled = asyncio.ensure_future(awaiting(reply))
        await sleep(0)
        cancelled.cancel()
        assert await asyncio.gather(*waiting) == [reply] * 3
        assert await reply is reply


async def awaiting(reply: Reply) -> Reply:
    return await reply


@virtual
async def test_interrupt_without_a_reply_is_nothing() -> None:
    async with talk() as call:
        call.session.interrupt()
    check(call)
    assert not call.all(Interrupted)


@virtual
async def test_reply_that_cannot_begin_is_a_failure_and_the_next_one_begins() -> None:
    def broken(reply: Reply) -> None:
        raise RuntimeError("no idea what to say")

    async with talk() as call:
        first = call.session.new_reply(broken)
        second = call.session.say("then this")
        await asyncio.gather(first, second)
    check(call)
    assert [(failed.part, failed.error, failed.reply) for failed in call.all(Failed)] == [
        ("session", "RuntimeError", 1)
    ]
    assert ends(call) == [("", ""), ("then this", "then this")]


@virtual
async def test_inputs_that_come_while_one_is_handled_wait_for_it() -> None:
    order: list[str] = []

    class Nested(Processor):
        @on(UserText)
        def text(self, frame: UserText) -> None:
            order.append(f"{frame.text} begins")
            if frame.text == "a":
                self.session.send(UserText("b"))
                self.session.say("c")
                self.session.interrupt("d")
                self.session.send(ClientMessage("e"))
            order.append(f"{frame.text} ends")

        @on(ReplyStarted)
        def started(self, signal: ReplyStarted) -> None:
            order.append("reply starts")

        @on(ClientMessage)
        def message(self, frame: ClientMessage) -> None:
            order.append(frame.type)

        @on(ReplyEnded)
        def ended(self, signal: ReplyEnded) -> None:
            order.append("reply ends")

    async with HeldCall([Nested(), Voice(), Playout()]) as call:
        call.session.send(UserText("a"))
    check(call)
    assert order == ["a begins", "a ends", "b begins", "b ends", "e", "reply starts", "reply ends"]
    assert [seen.what for seen in call.seen if seen.source == "call"] == [
        ("started", None),
        ("end", "the test is over"),
    ], "what a part asks for belongs to what it was handling"


# Watching --------------------------------------------------------------------------------------------


@virtual
async def test_observer_sees_each_frame_once_however_many_parts_pass_it_on() -> None:
    class Pass(Processor):
        @on(UserText)
        def text(self, frame: UserText) -> None:
            self.push(frame)

    frame = UserText("x")
    async with HeldCall([Pass(), Pass(), Pass()]) as call:
        call.session.send(frame)
        call.session.send(frame)
    assert [(seen.source, seen.is_input) for seen in call.seen if seen.what is frame] == [
        ("session", True)
    ] * 2


@virtual
async def test_what_audio_leads_to_is_no_input_also_where_audio_is_not_watched() -> None:
    class Detect(Processor):
        @on(UserAudio)
        def audio(self, frame: UserAudio) -> None:
            self.push(ClientMessage("loud"))

    inputs: list[tuple[str, bool]] = []

    class Watch:
        media = False

        def saw(self, now: float, source: str, what: Any, is_input: bool) -> None:
            inputs.append((type(what).__name__, is_input))

        def close(self) -> None: ...

    async with Session([Detect()], observers=[Watch()]) as session:
        session.send(UserAudio(b"\0\0", 16000, 0))
    assert ("ClientMessage", False) in inputs
    assert "UserAudio" not in [name for name, _ in inputs]


@pytest.mark.parametrize("fails", ["saw", "close"])
@virtual
async def test_broken_observer_does_not_touch_the_conversation(
    fails: str, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        media = True
        closed = 0

        def saw(self, now: float, source: str, what: Any, is_input: bool) -> None:
            if fails == "saw" and isinstance(what, Text):
                raise OSError("the disk is full")

        def close(self) -> None:
            self.closed += 1
            if fails == "close":
                raise OSError("the disk is full")

    broken, journal = Broken(), Journal()
    session = Session([Voice(), Playout()], observers=[broken, journal])
    async with session:
        reply = await session.say("hello")
    await session.wait()
    assert reply.heard == "hello"
    assert broken.closed == 1
    assert "an observer" in caplog.text
    assert any(b"ReplyEnded" in line for line in journal.lines)
    assert not any(b"Failed" in line for line in journal.lines)


# The start -------------------------------------------------------------------------------------------


class Opens(Processor):
    """Gets ready as the test says, and counts."""

    def __init__(self, name: str, wait: Callable[[], Awaitable[None]] | float = 0.0) -> None:
        self.name = name
        self.wait = wait if callable(wait) else lambda: sleep(wait)
        self.opened = self.closed = 0

    async def open(self) -> None:
        await self.wait()
        self.opened += 1

    async def close(self) -> None:
        self.closed += 1


async def never() -> None:
    await asyncio.get_running_loop().create_future()


async def deaf() -> None:
    while True:
        try:
            await never()
        except asyncio.CancelledError:
            continue


def failing(error: BaseException) -> Callable[[], Awaitable[None]]:
    async def fail() -> None:
        await sleep(0.1)
        raise error

    return fail


@virtual
async def test_parts_open_at_the_same_time_and_time_begins_when_all_are_ready() -> None:
    parts = [Opens(f"part {number}", number / 10) for number in range(10)]
    call = HeldCall(parts)
    loop = asyncio.get_running_loop()
    async with call:
        assert loop.time() == pytest.approx(0.9)
        assert call.session.now == 0.0
    assert [(part.opened, part.closed) for part in parts] == [(1, 1)] * 10
    check(call)


@virtual
async def test_what_you_erred_in_is_raised_after_all_is_closed() -> None:
    good, bad = Opens("good"), Opens("bad", failing(ConfigurationError("no key: set SOME_API_KEY")))
    session = Session([good, bad])
    reply = session.say("hello")
    with pytest.raises(ConfigurationError, match="SOME_API_KEY"):
        async with session:
            raise AssertionError("it must not start")
    assert (good.closed, bad.closed) == (1, 1)
    assert session.state == "ended"
    assert (await reply).interrupted
    await session.wait()
    no_task_left()


@pytest.mark.parametrize(
    "error", [UnavailableError("unreachable"), ImportError("lib"), asyncio.CancelledError()]
)
@virtual
async def test_what_they_erred_in_is_a_failure_and_the_session_starts(error: BaseException) -> None:
    async with HeldCall([Opens("good"), Opens("bad", failing(error)), Voice(), Playout()]) as call:
        await call.session.say("hello")
    check(call)
    (failed,) = call.all(Failed)
    assert failed.part == "bad"
    assert [type(seen.what) for seen in call.seen][1:3] == [SessionStarted, Failed]
    assert ends(call) == [("hello", "hello")]


@pytest.mark.parametrize("wait", [never, deaf], ids=["obedient", "deaf"])
@virtual
async def test_part_that_is_never_ready_is_left_out(
    wait: Callable[[], Awaitable[None]], caplog: pytest.LogCaptureFixture
) -> None:
    call = HeldCall([Opens("good"), Opens("stuck", wait)])
    await call.session.start()
    assert call.session.clock.now() == pytest.approx(120)
    await call.session.cancel()
    assert call.session.clock.now() <= 121.5
    (failed,) = call.all(Failed)
    assert (failed.part, failed.error) == ("stuck", "ServiceTimeoutError")
    no_task_left("open stuck" if wait is deaf else "")
    if wait is deaf:
        assert "stuck does not stop" in caplog.text
        bury("open stuck")


def bury(name: str) -> None:
    """End a task that would keep the loop from closing."""
    for task in asyncio.all_tasks():
        if name in task.get_name():
            task.get_coro().close()  # type: ignore[union-attr]


@virtual
async def test_start_that_is_cancelled_closes_what_was_open() -> None:
    good, slow = Opens("good"), Opens("slow", 50.0)
    session = Session([good, slow])
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5):
            await session.run()
    assert session.clock.now() <= 6
    assert (good.opened, good.closed, slow.opened, slow.closed) == (1, 1, 0, 1)
    await session.wait()
    no_task_left()


@virtual
async def test_cancel_during_the_start_ends_it() -> None:
    good, slow = Opens("good"), Opens("slow", 50.0)
    call = HeldCall([good, slow])
    running = asyncio.create_task(call.session.run())
    await sleep(5)
    await call.session.cancel()
    await running
    assert call.session.clock.now() <= 6
    assert (good.opened, good.closed, slow.opened, slow.closed) == (1, 1, 0, 1)
    assert call.seen == []
    no_task_left()


@virtual
async def test_frames_that_a_part_pushes_while_it_opens_come_after_the_start() -> None:
    class Eager(Processor):
        async def open(self) -> None:
            self.push(ClientMessage("ready"))

    async with HeldCall([Eager()]) as call:
        pass
    assert [type(seen.what).__name__ for seen in call.seen][:3] == [
        "tuple",
        "SessionStarted",
        "ClientMessage",
    ]


@virtual
async def test_session_is_used_once() -> None:
    session = Session([])
    async with session:
        with pytest.raises(UsageError, match="a session starts once; make a new one"):
            await session.start()
    with pytest.raises(UsageError, match="starts once"):
        await session.start()
    unused = Session([])
    await unused.cancel()
    with pytest.raises(UsageError, match="starts once"):
        await unused.run()


# The end ---------------------------------------------------------------------------------------------


@virtual
async def test_end_speaks_what_was_promised() -> None:
    call = talk()
    await call.session.start()
    call.session.say("one")
    call.session.say("two")
    await call.session.end("done")
    check(call)
    assert ends(call) == [("one", "one"), ("two", "two")]
    assert call.all(SessionEnded) == [SessionEnded("done")]
    no_task_left()


@virtual
async def test_end_with_a_stuck_reply_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    call = talk()
    await call.session.start()
    stuck = call.session.new_reply(lambda reply: None)
    behind = call.session.say("never said")
    await call.session.end(within=7.0)
    assert call.session.clock.now() <= 8.0
    assert "closing before everything was said: it took over 7 s" in caplog.text
    check(call)
    assert (await stuck).interrupted
    assert (await behind).interrupted
    assert call.all(ReplyEnded) == [ReplyEnded(1, "", "", True, "the session ended")]


@virtual
async def test_end_before_the_start_and_while_it_starts() -> None:
    unused = Session([])
    reply = unused.say("never")
    await unused.end()
    assert unused.clock.now() == 0
    assert (await reply).interrupted

    call = HeldCall([Opens("slow", 2.0), Voice(), Playout()])
    starting = asyncio.create_task(call.session.start())
    await sleep(0)
    promised = call.session.say("promised")
    await call.session.end()
    await starting
    assert promised.heard == "promised"
    check(call)
    no_task_left()


class Tool(Stage):
    """Works for the reply at hand, and lets the test do something in the middle of it."""

    def __init__(self, act: Callable[[SessionPort], Awaitable[None]]) -> None:
        self.act = act
        self.returned: float | None = None

    @on(ReplyStarted)
    def started(self, signal: ReplyStarted) -> None:
        if signal.reply == 1:
            self.run(Work(self, signal.reply), self._work(signal.reply))

    async def _work(self, reply: int) -> Out:
        await self.session.clock.sleep(1)
        await self.act(self.session)
        self.returned = self.session.clock.now()
        yield Text(reply, "Good bye.", 0)
        yield TextEnded(reply)


@virtual
async def test_end_from_inside_the_reply_lets_it_finish() -> None:
    """A tool that hangs up: the reply waits for the tool, so the tool must not wait for the reply."""
    tool = Tool(lambda session: session.end("hung up"))
    call = HeldCall([tool, Voice(), Playout()])
    await call.session.start()
    call.session.new_reply(lambda reply: None)
    await call.session.wait()
    check(call)
    assert tool.returned == 1.0
    assert ends(call) == [("Good bye.", "Good bye.")]
    assert call.all(SessionEnded) == [SessionEnded("hung up")]
    await sleep(0)
    no_task_left()


@pytest.mark.parametrize("again", [False, True])
@virtual
async def test_cancel_from_inside_the_reply(again: bool) -> None:
    async def act(session: SessionPort) -> None:
        await session.cancel("no more")
        if again:
            await session.cancel("really")
        await session.clock.sleep(10)

    call = HeldCall([Tool(act), Voice(), Playout()])
    await call.session.start()
    call.session.new_reply(lambda reply: None)
    await call.session.wait()
    assert call.session.clock.now() <= 2.0
    check(call)
    assert ends(call) == [("", "")]
    await sleep(0)
    no_task_left()


@virtual
async def test_cancel_twice_and_with_end_is_one_close() -> None:
    part = Opens("part")
    call = HeldCall([part, Voice(), Playout()])
    await call.session.start()
    reply = call.session.say("it is long enough")
    ending = asyncio.create_task(call.session.end("end"))
    await sleep(0.5)
    await asyncio.gather(call.session.cancel("one"), call.session.cancel("two"), call.session.cancel("three"))
    await ending
    await call.session.cancel("four")
    await call.session.end("five")
    await call.session.wait()
    check(call)
    assert call.all(SessionEnded) == [SessionEnded("one")]
    assert part.closed == 1
    assert (await reply).heard
    no_task_left()


@virtual
async def test_cancelling_the_one_who_cancels_does_not_stop_the_close() -> None:
    async def slowly() -> None:
        await sleep(0.3)

    part = Opens("part")
    part.close = slowly  # type: ignore[method-assign]
    session = Session([part])
    await session.start()
    closing = asyncio.create_task(session.cancel())
    await sleep(0.1)
    closing.cancel()
    await session.wait()
    assert session.state == "ended"


@virtual
async def test_body_that_raises_closes_the_session() -> None:
    part = Opens("part")
    with pytest.raises(ZeroDivisionError):
        async with Session([part]):
            raise ZeroDivisionError
    assert part.closed == 1


@virtual
async def test_close_that_is_no_coroutine_does_not_hang_the_end(caplog: pytest.LogCaptureFixture) -> None:
    class Wrong(Processor):
        def close(self) -> None:  # type: ignore[override]
            """Forgot the async."""

    part = Opens("part")
    async with Session([Wrong(), part]) as session:
        pass
    await session.wait()
    assert part.closed == 1
    assert "Wrong failed while closing" in caplog.text


@virtual
async def test_nothing_happens_once_it_is_over() -> None:
    call = talk()
    async with call:
        call.session.say("hello")
        playout = call.part(Playout)
    count = len(call.seen)
    call.session.send(UserText("x"))
    playout.push(AgentAudio(1, b"\0\0", 24000))
    call.session.interrupt()
    reply = call.session.say("too late")
    assert (await reply).interrupted
    call.session.failed(playout, RuntimeError("late"))
    assert len(call.seen) == count


@virtual
async def test_part_that_speaks_at_every_end_does_not_speak_after_the_last() -> None:
    class Insists(Processor):
        @on(ReplyEnded, Interrupted, SessionEnded)
        def ended(self, signal: Signal) -> None:
            self.session.say("and another thing")

    async with HeldCall([Insists(), Voice(), Playout()]) as call:
        call.session.say("hello")
        await call.session.clock.sleep(0.3)
    check(call)
    assert len(call.all(ReplyStarted)) == 1
    assert call.session.replies.owed == {}


@virtual
async def test_program_is_not_left_waiting_for_a_reply_of_a_session_that_ended() -> None:
    call = talk()
    await call.session.start()
    replies = [call.session.say("one"), call.session.say("two")]
    waiting = asyncio.gather(*replies)
    await call.session.cancel()
    assert await waiting == replies
    no_task_left()


def test_run_leaves_nothing_when_it_is_interrupted_from_the_keyboard() -> None:
    part = Opens("part")

    async def main() -> None:
        session = Session([part, Voice(), Playout()])
        asyncio.get_running_loop().call_later(1.0, lambda: running.cancel())
        running = asyncio.ensure_future(session.run())
        with pytest.raises(asyncio.CancelledError):
            await running
        assert session.state == "ended"
        no_task_left()

    run_virtual(main())
    assert part.closed == 1


@virtual
async def test_logs_say_what_failed(caplog: pytest.LogCaptureFixture) -> None:
    """An error of a service is told in one line; a bug, with its traceback."""

    class Fails(Processor):
        @on(UserText)
        def text(self, frame: UserText) -> None:
            raise UnavailableError("down")

        @on(UserKey)
        def key(self, frame: UserKey) -> None:
            raise ValueError("a bug")

    caplog.set_level(logging.WARNING)
    async with Session([Fails()]) as session:
        session.send(UserText("x"))
        session.send(UserKey("1"))
    assert [(record.getMessage(), bool(record.exc_info)) for record in caplog.records] == [
        ("Fails failed", True)
    ]


@virtual
async def test_captured_media_from_before_the_beginning_is_dropped_and_the_rest_waits() -> None:
    kept: list[Frame] = []
    session = Session([Tap(kept.append, UserAudio, UserVideo, UserText)])
    for _ in range(1000):
        session.send(UserVideo(bytes(6), 2, 2, 0.0))
        session.send(UserAudio(bytes(640), 16000, 0))
    session.send(UserText("early"))
    async with session:
        pass
    assert kept == [UserText("early")]


@virtual
async def test_an_observer_that_lacks_a_member_is_refused() -> None:
    class Half:
        media = False

        def saw(self, *_: object) -> None: ...

    with pytest.raises(UsageError, match="lacks close: derive its class from Observer"):
        Session([], observers=[Half()])  # type: ignore[list-item]
