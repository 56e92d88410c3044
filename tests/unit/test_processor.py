"""Laws 1, 2, 6 and 7: routes by exact type, one order of signals, one input at a time, slow parts named."""

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import wraps
from itertools import count
from typing import Any

import pytest

from antiphon.errors import ConfigurationError, UsageError
from antiphon.frames import (
    ClientMessage,
    Failed,
    Frame,
    Interrupted,
    SessionStarted,
    Signal,
    Text,
    TextEnded,
    Transcript,
    UserAudio,
    UserKey,
    UserText,
    frame,
    replace,
)
from antiphon.pipeline import Parallel, Tap
from antiphon.processor import Processor, on
from antiphon.session import Session
from antiphon.testing.assertions import HeldCall
from antiphon.testing.virtual import virtual


class Sink(Processor):
    """Keeps what reaches the end."""

    def __init__(self, *kinds: type) -> None:
        self.kinds = kinds or (Text, UserText, UserKey, ClientMessage, UserAudio, Transcript)
        self.got: list[Any] = []

    def handler(self, kind: type) -> Any:
        return self.got.append if kind in self.kinds else None


class Shout(Processor):
    @on(UserText)
    def shout(self, frame: UserText) -> Iterator[Frame]:
        yield UserText(frame.text.upper())


class Twice(Processor):
    @on(UserText)
    def twice(self, frame: UserText) -> None:
        self.push(frame)
        self.push(UserText(frame.text + "!"))


@virtual
async def test_unhandled_frame_passes_without_a_call() -> None:
    class Deaf(Processor):
        asked: list[type] = []  # noqa: RUF012  shared on purpose

        def handler(self, kind: type) -> Any:
            self.asked.append(kind)

    sink = Sink()
    async with Session([*(Deaf() for _ in range(50)), sink]) as session:
        for number in range(100):
            session.send(UserKey(str(number)))
    assert [key.key for key in sink.got] == [str(number) for number in range(100)]
    assert Deaf.asked.count(UserKey) == 50, "a route is compiled once for a type, not for a frame"


@virtual
async def test_frame_that_nobody_handles_is_no_failure() -> None:
    async with HeldCall([Shout()]) as call:
        call.session.send(UserKey("1"))
    assert call.all(UserKey) == [UserKey("1")]
    assert not call.all(Failed)


@virtual
async def test_types_are_exact() -> None:
    class Louder(UserText):
        """Frames are final; one derived all the same is a type of its own."""

    sink = Sink(UserText)
    async with HeldCall([Shout(), sink]) as call:
        call.session.send(Louder("quiet"))
        call.session.send(UserText("loud"))
    assert sink.got == [UserText("LOUD")]
    assert type(call.seen[-3].what) is not Louder


@virtual
async def test_new_frame_types_need_no_registration() -> None:
    @frame
    class Mood(Frame):
        name: str

    class Cheer(Processor):
        @on(Mood)
        def cheer(self, frame: Mood) -> Iterator[Frame]:
            yield replace(frame, name="merry")

    sink = Sink(Mood)
    async with Session([Shout(), Cheer(), sink]) as session:
        session.send(Mood("sad"))
    assert sink.got == [Mood("merry")]


@virtual
async def test_generators_push_as_they_go_and_frames_never_overtake() -> None:
    """A chain in which each part handles other types keeps the order of all of them."""
    order: list[str] = []

    class Split(Processor):
        @on(UserText)
        def split(self, frame: UserText) -> Iterator[Frame]:
            for word in frame.text.split():
                order.append(f"split {word}")
                yield UserText(word)
                yield UserKey(word[0])

    class Keys(Processor):
        @on(UserKey)
        def key(self, frame: UserKey) -> None:
            order.append(f"key {frame.key}")
            self.push(frame)

    class Texts(Processor):
        @on(UserText)
        def text(self, frame: UserText) -> None:
            order.append(f"text {frame.text}")
            self.push(frame)

    sink = Sink()
    async with Session([Split(), Keys(), Texts(), Twice(), sink]) as session:
        session.send(UserText("a b"))
        session.send(UserKey("#"))
    assert sink.got == [
        *(UserText("a"), UserText("a!"), UserKey("a")),
        *(UserText("b"), UserText("b!"), UserKey("b")),
        UserKey("#"),
    ]
    assert order == ["split a", "text a", "key a", "split b", "text b", "key b", "key #"]


@virtual
async def test_generator_behind_a_decorator() -> None:
    def traced(method: Any) -> Any:
        @wraps(method)
        def traced_method(*arguments: Any) -> Any:
            return method(*arguments)

        return traced_method

    class Decorated(Processor):
        @on(UserText)
        @traced
        def echo(self, frame: UserText) -> Iterator[Frame]:
            yield UserText(frame.text * 2)

    sink = Sink()
    async with Session([Decorated(), sink]) as session:
        session.send(UserText("ha"))
    assert sink.got == [UserText("haha")]


@virtual
async def test_subclass_inherits_overrides_and_adds_handlers() -> None:
    class Quieter(Shout):
        def shout(self, frame: UserText) -> Iterator[Frame]:
            yield UserText(frame.text.lower())

        @on(UserKey)
        def key(self, frame: UserKey) -> None:
            """Swallows keys."""

    sink = Sink()
    async with Session([Quieter(), sink]) as session:
        session.send(UserText("Hm"))
        session.send(UserKey("1"))
    assert sink.got == [UserText("hm")]
    assert set(Shout.handlers) == {UserText}


# Signals ---------------------------------------------------------------------------------------------


@frame
class Ping(Signal):
    number: int


@frame
class Pong(Signal):
    number: int


class Ear(Processor):
    """Notes the signals that it hears, and answers those that it is told to."""

    def __init__(self, name: str, heard: list[str], answers: bool = False) -> None:
        self.name = name
        self.heard = heard
        self.answers = answers

    @on(Ping)
    def ping(self, signal: Ping) -> None:
        self.heard.append(f"{self.name} begins ping {signal.number}")
        if self.answers:
            self.push(Pong(signal.number))
            self.push(Pong(signal.number + 1))
        self.heard.append(f"{self.name} ends ping {signal.number}")

    @on(Pong)
    def pong(self, signal: Pong) -> None:
        self.heard.append(f"{self.name} pong {signal.number}")


@virtual
async def test_signals_reach_all_subscribers_upstream_too_in_one_order() -> None:
    heard: list[str] = []
    async with Session([Ear("a", heard), Ear("b", heard, answers=True), Ear("c", heard)]) as session:
        session.send(Ping(1))
    assert heard == [
        *("a begins ping 1", "a ends ping 1"),
        *("b begins ping 1", "b ends ping 1"),
        *("c begins ping 1", "c ends ping 1"),
        *("a pong 1", "b pong 1", "c pong 1"),
        *("a pong 2", "b pong 2", "c pong 2"),
    ]


@virtual
async def test_order_of_subscribers_is_that_of_the_pipeline_also_with_branches() -> None:
    heard: list[str] = []
    parts = [
        Ear("a", heard),
        Parallel([Ear("b", heard)], [Ear("c", heard), Parallel(Ear("d", heard), Ear("e", heard))]),
        [Ear("f", heard), [Ear("g", heard)]],
    ]
    async with Session(parts) as session:
        session.send(Pong(0))
    assert [line[0] for line in heard] == list("abcdefg")


@virtual
async def test_signals_wait_until_the_frame_at_hand_is_done() -> None:
    order: list[str] = []

    class Teller(Processor):
        @on(UserText)
        def text(self, frame: UserText) -> None:
            self.push(Ping(1))
            order.append("told")
            self.push(frame)

    class Late(Processor):
        @on(UserText)
        def text(self, frame: UserText) -> None:
            order.append("frame")

        @on(Ping)
        def ping(self, signal: Ping) -> None:
            order.append("signal")

    async with Session([Teller(), Late()]) as session:
        session.send(UserText("x"))
    assert order == ["told", "frame", "signal"]


@virtual
async def test_no_handler_is_entered_again_before_it_returned() -> None:
    depth, most = 0, 0

    class Echo(Processor):
        """Each signal makes more of them, frames, calls and timers."""

        @on(Ping)
        def ping(self, signal: Ping) -> None:
            nonlocal depth, most
            depth += 1
            most = max(most, depth)
            if signal.number:
                self.push(Ping(signal.number - 1))
                self.session.send(Ping(signal.number - 1))
                self.session.say("again")
                self.session.interrupt()
            depth -= 1

    async with HeldCall([Echo(), Sink()]) as call:
        call.session.send(Ping(5))
        assert len(call.all(Ping)) == 2**6 - 1
    assert most == 1


@virtual
async def test_listeners_of_a_program_hear_signals_after_the_parts() -> None:
    heard: list[str] = []
    session = Session([Ear("a", heard)])
    session.on(Ping, lambda signal: heard.append(f"program {signal.number}"))
    async with session:
        session.send(Ping(1))
    assert heard == ["a begins ping 1", "a ends ping 1", "program 1"]


@virtual
async def test_broken_listener_is_logged_and_the_others_hear(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[Any] = []
    session = Session([])
    session.on(Ping, lambda _: 1 / 0)
    session.on(Ping, heard.append)
    async with session:
        session.send(Ping(1))
    assert heard == [Ping(1)]
    assert "a listener of Ping failed" in caplog.text


# Failure ---------------------------------------------------------------------------------------------


class Broken(Processor):
    @on(UserText)
    def text(self, frame: UserText) -> None:
        raise RuntimeError("out of order")

    @on(UserKey)
    def key(self, frame: UserKey) -> Iterator[Frame]:
        yield frame
        raise KeyError("9")

    @on(Ping)
    def ping(self, signal: Ping) -> None:
        raise asyncio.CancelledError


@virtual
async def test_broken_part_is_named_and_the_session_goes_on() -> None:
    sink = Sink()
    async with HeldCall([Broken(), sink]) as call:
        call.session.send(UserText("x"))
        call.session.send(UserKey("1"))
        call.session.send(ClientMessage("still here"))
    assert sink.got == [UserKey("1"), ClientMessage("still here")]
    assert [(failed.part, failed.error, failed.message) for failed in call.all(Failed)] == [
        ("Broken", "RuntimeError", "out of order"),
        ("Broken", "KeyError", "'9'"),
    ]


@virtual
async def test_failure_names_the_part_that_failed_not_the_one_before_it() -> None:
    async with HeldCall([Shout(), Broken()]) as call:
        call.session.send(UserText("x"))
    assert [failed.part for failed in call.all(Failed)] == ["Broken"]


@virtual
async def test_failure_bears_the_reply_that_it_was_made_for() -> None:
    class Mute(Processor):
        @on(Text)
        def text(self, frame: Text) -> None:
            raise RuntimeError("no")

    async with HeldCall([Mute()]) as call:
        call.session.say("hello")
    assert [failed.reply for failed in call.all(Failed)] == [1]


@virtual
async def test_cancelled_error_of_a_handler_is_a_failure_like_any_other() -> None:
    """`future.result()` raises it, for one; nothing that a handler does may stop the session's queue."""
    heard: list[str] = []
    async with HeldCall([Broken(), Ear("b", heard)]) as call:
        call.session.send(Ping(1))
    assert [failed.error for failed in call.all(Failed)] == ["CancelledError"]
    assert heard == ["b begins ping 1", "b ends ping 1"]


@virtual
async def test_broken_handler_of_failures_does_not_fail_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    class Worse(Processor):
        @on(Failed)
        def failed(self, signal: Failed) -> None:
            raise RuntimeError("this, too")

    async with HeldCall([Broken(), Worse()]) as call:
        call.session.send(UserText("x"))
    assert [failed.part for failed in call.all(Failed)] == ["Broken"]
    assert "Worse" in caplog.text


@pytest.mark.parametrize("nonsense", [42, None, "text", Text, object()], ids=repr)
@virtual
async def test_nonsense_that_is_pushed_is_a_failure_of_the_part(nonsense: Any) -> None:
    class Babble(Processor):
        @on(UserText)
        def text(self, frame: UserText) -> Iterator[Any]:
            yield nonsense

        @on(UserKey)
        def key(self, frame: UserKey) -> None:
            self.push(nonsense)

    sink = Sink()
    async with HeldCall([Babble(), sink]) as call:
        call.session.send(UserText("x"))
        call.session.send(UserKey("1"))
        call.session.send(nonsense)
        call.session.send(ClientMessage("fine"))
    assert [(failed.part, failed.error) for failed in call.all(Failed)] == [
        ("Babble", "UsageError"),
        ("Babble", "UsageError"),
        ("session", "UsageError"),
    ]
    assert all(type(nonsense).__name__ in failed.message for failed in call.all(Failed))
    assert sink.got == [ClientMessage("fine")]


def test_push_outside_a_session_says_what_to_do() -> None:
    with pytest.raises(UsageError, match=r"put it in a Session\(\[...\]\) first"):
        Shout().push(UserText("x"))


@virtual
async def test_part_of_another_session_is_refused() -> None:
    part = Shout()
    Session([part])
    with pytest.raises(UsageError, match="Shout is in a session already"):
        Session([part])
    twice = Twice()
    with pytest.raises(UsageError, match="make new parts"):
        Session([twice, twice])


def test_async_handler_of_a_processor_is_refused() -> None:
    """It would never run: what waits is a stage."""
    with pytest.raises(ConfigurationError, match=r"Waits\.text is async: what waits is a Stage"):

        class Waits(Processor):  # pyright: ignore[reportUnusedClass]
            @on(UserText)
            async def text(self, frame: UserText) -> None: ...


def test_two_handlers_of_one_type_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="Torn handles UserText twice, in one and in two"):

        class Torn(Processor):  # pyright: ignore[reportUnusedClass]
            @on(UserText)
            def one(self, frame: UserText) -> None: ...

            @on(UserKey, UserText)
            def two(self, frame: UserText | UserKey) -> None: ...


@pytest.mark.parametrize("thing", [None, 3, Shout, "Shout", {"a": Shout()}], ids=repr)
def test_pipeline_of_something_else_is_refused(thing: Any) -> None:
    with pytest.raises(ConfigurationError, match="a pipeline is a list of processors and stages"):
        Session([thing])


def test_names_are_unique_and_those_of_the_session_are_taken() -> None:
    @dataclass(eq=False)
    class Named(Processor):
        name: str = ""

    parts = [Shout(), Shout(), Named("session"), Named("call"), Named("Shout"), Named()]
    session = Session(parts)
    assert [part.name for part in session.parts] == [part.name for part in parts]
    names = {part.name for part in parts}
    assert len(names) == 6
    assert not names & {"session", "call"}


# From outside ----------------------------------------------------------------------------------------


@virtual
async def test_push_from_a_callback_is_an_input_of_its_own() -> None:
    """A part that is called by a socket pushes at its place; the session's order holds all the same."""
    order: list[str] = []

    class Socket(Processor):
        @on(SessionStarted)
        def started(self, signal: SessionStarted) -> None:
            asyncio.get_running_loop().call_later(1.5, lambda: self.push(UserText("from outside")))

    class Answer(Processor):
        @on(UserText)
        def text(self, frame: UserText) -> None:
            order.append(f"{frame.text} at {self.session.now}")
            self.push(Ping(1))
            order.append("done")

        @on(Ping)
        def ping(self, signal: Ping) -> None:
            order.append("ping")

    async with HeldCall([Socket(), Answer()]) as call:
        await call.session.clock.sleep(2)
    assert order == ["from outside at 1.5", "done", "ping"]
    assert [(seen.source, seen.is_input) for seen in call.seen if seen.what == UserText("from outside")] == [
        ("Socket", True)
    ]


@virtual
async def test_timer_of_a_part_fires_in_session_time_and_its_failure_is_named() -> None:
    class Alarm(Processor):
        @on(UserText)
        def text(self, frame: UserText) -> None:
            self.after(0.5, lambda: self.push(ClientMessage("ring")))
            self.after(0.7, lambda: 1 / 0)
            self.after(0.6, lambda: self.push(ClientMessage("never"))).cancel()

    async with HeldCall([Alarm()]) as call:
        await call.session.clock.sleep(1)
        call.session.send(UserText("x"))
        await call.session.clock.sleep(1)
    assert call.times(ClientMessage) == [1.5]
    assert [(failed.part, failed.error) for failed in call.all(Failed)] == [("Alarm", "ZeroDivisionError")]


@virtual
async def test_timer_before_the_session_has_begun_is_refused() -> None:
    class Hasty(Processor):
        async def open(self) -> None:
            self.after(1.0, lambda: None)

    with pytest.raises(
        UsageError, match="Hasty sets a timer before the session has begun: wait for SessionSt"
    ):
        await Session([Hasty()]).start()


# Slowness --------------------------------------------------------------------------------------------


@virtual
async def test_slow_part_is_counted_and_named_not_those_around_it(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr("antiphon.processor.perf_counter", lambda: now)

    class Slow(Processor):
        @on(UserText)
        def text(self, frame: UserText) -> None:
            nonlocal now
            now += 0.004
            self.push(frame)

    caplog.set_level(logging.WARNING, "antiphon.session")
    async with Session([Twice(), Slow(), Shout(), Sink()]) as session:
        for _ in range(5):
            session.send(UserText("x"))
        assert session.inputs.slow_calls == {"Slow": 10}
    assert [record.getMessage().split(":")[0] for record in caplog.records] == [
        "Slow took 4.0 ms (8 slow calls)"
    ]


@virtual
async def test_slow_parts_of_antiphon_are_counted_and_not_named(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = count()
    monkeypatch.setattr("antiphon.processor.perf_counter", lambda: float(next(times)))
    caplog.set_level(logging.WARNING, "antiphon.session")
    async with Session([Tap(lambda _: None, UserText), Sink()]) as session:
        for _ in range(10):
            session.send(UserText("x"))
        assert session.inputs.slow_calls["Tap"] == 10
    assert [record.getMessage().split(" ")[0] for record in caplog.records] == ["Sink"]  # this file's own


@virtual
async def test_tap_shows_frames_and_signals_and_lets_them_pass() -> None:
    shown: list[Any] = []
    sink = Sink()
    async with Session([Tap(shown.append, UserText, Interrupted, Ping), sink]) as session:
        session.send(UserText("x"))
        session.send(Ping(1))
        session.send(UserKey("1"))
    assert shown == [UserText("x"), Ping(1)]
    assert sink.got == [UserText("x"), UserKey("1")]


def test_text_ended_is_not_text() -> None:
    assert not isinstance(TextEnded(1), Text)
