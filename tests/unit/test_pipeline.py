"""Pipelines, and the parts that shape them: Parallel, Switch, Gate, Tap."""

import gc
import weakref
from collections.abc import AsyncGenerator, Iterator
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.context import Context
from antiphon.errors import ConfigurationError, UnavailableError, UsageError
from antiphon.frames import (
    AgentAudio,
    AudioEnded,
    ClientMessage,
    Failed,
    Frame,
    Generated,
    Interrupted,
    Prompt,
    ReplyEnded,
    SegmentEnded,
    SegmentStarted,
    SessionStarted,
    Signal,
    Text,
    TextEnded,
    ToolCall,
    UserKey,
    UserText,
    UserTurn,
    UserVideo,
    replace,
)
from antiphon.journal import replay
from antiphon.pipeline import Gate, Parallel, Part, Tap
from antiphon.playout.playout import Playout
from antiphon.processor import Processor, on
from antiphon.session import Session
from antiphon.stage import Stage, Work
from antiphon.switch import Switch
from antiphon.testing.assertions import HeldCall, check
from antiphon.testing.virtual import run_virtual, virtual


class Mark(Processor):
    """Adds its mark to a text, or several texts of it; keys pass it untouched by way of its hands."""

    def __init__(self, *marks: str) -> None:
        self.marks = marks

    @on(UserText)
    def mark(self, frame: UserText) -> Iterator[Frame]:
        for mark in self.marks:
            yield replace(frame, text=frame.text + mark)

    @on(UserKey)
    def key(self, frame: UserKey) -> Iterator[Frame]:
        yield frame


class Swallow(Processor):
    @on(UserText)
    def text(self, frame: UserText) -> None: ...


class Sink(Processor):
    def __init__(self) -> None:
        self.got: list[Any] = []

    @on(UserText, UserKey, UserTurn, ClientMessage, Text)
    def keep(self, frame: Any) -> None:
        self.got.append(frame)

    @property
    def texts(self) -> list[str]:
        return [frame.text for frame in self.got]


def through(parts: Part, *frames: Frame) -> list[Any]:
    """What comes out of parts."""
    sink = Sink()

    async def main() -> None:
        async with Session([parts, sink]) as session:
            for frame in frames:
                session.send(frame)

    run_virtual(main())
    return sink.got


# Parallel --------------------------------------------------------------------------------------------


def test_branches_get_the_same_frame_and_come_out_in_order() -> None:
    seen: list[Any] = []
    spy = Tap(lambda frame: seen.append(frame), UserText)
    frame = UserText("x")
    out = through(Parallel([Mark("a", "b")], [spy, Mark("c")], [Swallow()], [Mark("d")]), frame)
    assert [text.text for text in out] == ["xa", "xb", "xc", "xd"]
    assert seen[0] is frame


def test_frames_do_not_overtake_each_other() -> None:
    out = through(Parallel([Mark("a")], [Mark("b")]), UserText("1"), UserKey("#"), UserText("2"))
    assert out == [UserText("1a"), UserText("1b"), UserKey("#"), UserText("2a"), UserText("2b")]


@pytest.mark.parametrize(
    "parts",
    [
        Parallel(Mark(), Mark()),
        Parallel(Mark(), Mark(), Mark()),
        Parallel([Parallel(Mark(), Mark())], [Mark()]),
        Parallel([Mark(), Parallel(Mark(), [Parallel(Mark(), Mark())]), Mark()], [Mark(), Mark()], []),
        [Parallel(Mark(), Mark()), Parallel(Mark(), Mark())],
    ],
    ids=["two", "three", "nested", "deep", "in a row"],
)
def test_frame_that_passed_several_branches_untouched_comes_out_once(parts: Part) -> None:
    key = UserKey("1")
    out = through(parts, key, UserKey("1"), ClientMessage("passes by"))
    assert out == [UserKey("1"), UserKey("1"), ClientMessage("passes by")]
    assert out[0] is key


def test_same_object_sent_twice_is_two_frames() -> None:
    key = UserKey("1")
    assert through(Parallel(Mark(), Mark()), key, key) == [key, key]


def test_frame_that_some_branches_do_not_handle_is_theirs_who_do() -> None:
    """A branch that knows nothing of a type does not carry it past the one that does."""
    assert [text.text for text in through(Parallel([Mark("a")], [Gate(UserKey)]), UserText("x"))] == ["xa"]
    assert through(Parallel([Swallow()], [Gate(UserKey)], []), UserText("x"), UserKey("1")) == [UserKey("1")]


def test_empty_parallel_is_nothing() -> None:
    assert through(Parallel(), UserText("x")) == [UserText("x")]
    assert through(Parallel([], []), UserText("x")) == [UserText("x")]


Shape = st.recursive(
    st.just("m"), lambda shapes: st.lists(shapes, min_size=1, max_size=3).map(tuple), max_leaves=12
)


def build(shape: Any) -> Part:
    if shape == "m":
        return Mark("m")
    return Parallel(*([build(inner), Mark("m")] for inner in shape))


def times(shape: Any) -> int:
    """How many frames come out of a nest of parallels for one that its marks change."""
    return 1 if shape == "m" else sum(times(inner) for inner in shape)


@settings(max_examples=60, deadline=None)
@given(Shape, st.integers(1, 5))
def test_any_nest_keeps_order_and_doubles_nothing(shape: Any, count: int) -> None:
    frames: list[Frame] = []
    for number in range(count):
        frames += [UserKey(str(number)), UserText(str(number))]
    out = through(build(shape), *frames)
    assert [frame for frame in out if isinstance(frame, UserKey)] == frames[::2]
    assert [text.text[0] for text in out if isinstance(text, UserText)] == [
        str(number) for number in range(count) for _ in range(times(shape))
    ]
    assert [getattr(frame, "key", None) or frame.text[0] for frame in out] == sorted(
        getattr(frame, "key", None) or frame.text[0] for frame in out
    )


@virtual
async def test_frame_held_by_a_stage_in_each_branch_comes_out_once() -> None:
    class Later(Stage):
        def __init__(self, seconds: float) -> None:
            self.seconds = seconds

        @on(UserKey)
        async def key(self, frame: UserKey) -> AsyncGenerator[Frame, None]:
            await self.session.clock.sleep(self.seconds)
            yield frame

    sink = Sink()
    async with HeldCall([Parallel(Later(0.1), Later(0.2)), sink]) as call:
        for number in range(400):
            call.session.send(UserKey(str(number)))
        await call.session.clock.sleep(100)
    assert [key.key for key in sink.got] == [str(number) for number in range(400)]


# A branch switched on and off: a voicemail branch beside a conversation --------------------------------


class Talk(Stage):
    """Answers turns, slowly, and begins with the session."""

    scope = "reply"

    def __init__(self) -> None:
        self.told: list[str] = []

    @on(SessionStarted)
    def begin(self, signal: SessionStarted) -> None:
        self.told.append("started")

    @on(UserTurn)
    def turn(self, turn: UserTurn) -> None:
        self.told.append(turn.text)
        self.session.new_reply(lambda reply: self.run(Work(self, reply.number), self._answer(reply.number)))
        self.push(turn)

    async def _answer(self, reply: int) -> AsyncGenerator[Frame | Signal, None]:
        for word in ["one ", "two ", "three"]:
            await self.session.clock.sleep(1)
            yield Text(reply, word, 0)
        yield TextEnded(reply)

    @on(ReplyEnded)
    def over(self, signal: ReplyEnded) -> None:
        self.told.append(f"ended {signal.interrupted}")


class Voicemail(Processor):
    """Hears a machine; what it does about it is the program's."""

    def __init__(self) -> None:
        self.told: list[str] = []

    @on(SessionStarted)
    def begin(self, signal: SessionStarted) -> None:
        self.told.append("started")

    @on(UserTurn)
    def turn(self, turn: UserTurn) -> None:
        self.told.append(turn.text)
        if "leave a message" in turn.text:
            next(part for part in self.session.parts if isinstance(part, Parallel)).switch("talk", on=False)
            self.session.say("Please call back.")


def turn(text: str) -> UserTurn:
    return UserTurn(text, 0.0, 0.0)


@virtual
async def test_voicemail_switches_the_conversation_off_and_speaks() -> None:
    talk, voicemail = Talk(), Voicemail()
    async with HeldCall([Parallel(talk=[talk], voicemail=[voicemail]), Playout()]) as call:
        call.session.send(turn("you have reached Bob, leave a message"))
        call.session.send(turn("beep"))
        await call.session.clock.sleep(5)
    check(call)
    assert talk.told == ["started", "you have reached Bob, leave a message", "ended True"]
    assert voicemail.told == ["started", "you have reached Bob, leave a message", "beep"]
    ended = call.all(ReplyEnded)
    assert [(reply.text, reply.interrupted, reply.reason) for reply in ended] == [
        ("", True, "talk was switched off"),
        ("Please call back.", False, ""),
    ]
    assert not call.session.works


@virtual
async def test_saying_something_passes_a_branch_that_does_not_speak() -> None:
    """The voice stands in one branch; the other, which knows nothing of text, must not end the reply."""

    class Voice(Stage):
        @on(Text)
        async def text(self, frame: Text) -> AsyncGenerator[Frame, None]:
            yield AgentAudio(frame.reply, bytes(24000), 24000)

        @on(TextEnded)
        async def ended(self, frame: TextEnded) -> AsyncGenerator[Frame, None]:
            yield AudioEnded(frame.reply)

    async with HeldCall([Parallel(talk=[Voice()], voicemail=[Voicemail()]), Playout()]) as call:
        await call.session.say("hello")
    assert call.times(ReplyEnded) == [0.5]
    assert len(call.pcm(1)) == 24000


@virtual
async def test_branch_that_is_off_begins_when_it_is_switched_on_and_again_after_that() -> None:
    talk, sink = Talk(), Sink()
    async with HeldCall([Parallel(talk=[talk], off=["talk"]), sink, Playout()]) as call:
        parallel = call.part(Parallel)
        call.session.send(turn("nobody is there"))
        assert talk.told == []
        parallel.switch("talk", on=True)
        parallel.switch("talk", on=True)
        assert talk.told == ["started"]
        call.session.send(turn("somebody is there"))
        await call.session.clock.sleep(1.5)
        parallel.switch("talk", on=False)
        parallel.switch("talk", on=False)
        call.session.send(turn("nobody again"))
        await call.session.clock.sleep(5)
        parallel.switch("talk", on=True)
    check(call)
    assert talk.told == ["started", "somebody is there", "ended True", "started"]
    assert [frame.text for frame in sink.got if isinstance(frame, UserTurn)] == [
        "nobody is there",
        "somebody is there",
        "nobody again",
    ]
    assert [text.text for text in call.all(Text)] == ["one "]


@virtual
async def test_switching_off_leaves_a_reply_alone_that_others_make() -> None:
    async with HeldCall([Parallel(talk=[Talk()], voicemail=[Voicemail()]), Speak(), Playout()]) as call:
        reply = call.session.say("A human, then.")
        await call.session.clock.sleep(0.5)
        call.part(Parallel).switch("voicemail", on=False)
        await reply
    assert reply.heard == "A human, then."
    assert not call.all(Interrupted)


@virtual
async def test_inner_branch_is_off_while_the_outer_one_is() -> None:
    talk = Talk()
    outer = Parallel(a=[Parallel(b=[talk])], c=[Mark()])
    async with Session([outer, Sink(), Playout()]) as session:
        outer.switch("a", on=False)
        session.send(turn("one"))
        outer.switch("a", on=True)
        session.send(turn("two"))
    assert talk.told == ["started", "started", "two", "ended True"]


@virtual
async def test_switches_are_in_the_journal_and_replay() -> None:
    def parts() -> list[Part]:
        return [Parallel(talk=[Talk()], voicemail=[Voicemail()]), Sink(), Playout()]

    async with HeldCall(parts()) as call:
        call.session.send(turn("hello"))
        await call.session.clock.sleep(1.5)
        call.part(Parallel).switch("talk", on=False)
        call.session.send(turn("hello?"))
        call.part(Parallel).switch("talk", on=True)
        call.session.send(turn("ah"))
        await call.session.clock.sleep(1.5)
    assert replay(call.journal.lines, parts()) == call.journal.lines


def test_unknown_branches_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="no branch named c among a, b"):
        Parallel(a=[], b=[], off=["c"])
    parallel = Parallel(a=[], b=[])
    Session([parallel])
    with pytest.raises(UsageError, match="Parallel has no branch 'c'; it has a, b"):
        parallel.switch("c", on=True)


# Switch ----------------------------------------------------------------------------------------------


class Speak(Stage):
    """Speaks each word for 0.2 s, 0.1 s later. Fails as often, and after as many words, as it is told to."""

    scope = "reply"

    def __init__(self, name: str = "", fails: int = 0, after: int = 0) -> None:
        self.name = name
        self.fails = fails
        self.fails_after = after
        self.given: list[str] = []
        self.began = 0

    @on(SessionStarted)
    def begin(self, signal: SessionStarted) -> None:
        self.began += 1

    @on(Text)
    async def text(self, frame: Text) -> AsyncGenerator[Frame, None]:
        self.given.append(frame.text)
        for number, word in enumerate(frame.text.split()):
            await self.session.clock.sleep(0.1)
            if self.fails and number == self.fails_after:
                self.fails -= 1
                raise UnavailableError(f"{self.name} is down")
            if number == 0:
                yield SegmentStarted(frame.reply, frame.at, frame.at + len(frame.text))
            yield AgentAudio(frame.reply, word[0].encode() * 9600, 24000)
        yield SegmentEnded(frame.reply)

    @on(TextEnded)
    async def ended(self, frame: TextEnded) -> AsyncGenerator[Frame, None]:
        yield AudioEnded(frame.reply)

    @on(Failed)
    def failed(self, signal: Failed) -> None:
        if signal.part == self.name and signal.reply is not None and not signal.recovered:
            self.push(AudioEnded(signal.reply))


def spoken(call: HeldCall, reply: int) -> str:
    """The first letters of the words that were played."""
    return call.pcm(reply)[::9600].decode()


@virtual
async def test_next_alternative_takes_over_and_nobody_hears_the_difference() -> None:
    main, spare, third = Speak("main", fails=9), Speak("spare"), Speak("third")
    switch = Switch([main], [spare], [third])
    async with HeldCall([switch, Playout()]) as call:
        await call.session.say("alpha beta gamma")
        await call.session.say("delta epsilon")
    check(call)
    assert [spoken(call, 1), spoken(call, 2)] == ["abg", "de"]
    assert (main.given, spare.given) == (["alpha beta gamma"], ["alpha beta gamma", "delta epsilon"])
    assert [(failed.part, failed.recovered) for failed in call.all(Failed)] == [("main", True)]
    assert switch.chosen == "1"
    assert (main.began, spare.began, third.began) == (1, 1, 0), "a part begins when it is switched on"


@virtual
async def test_alternative_that_has_begun_to_answer_ends_and_the_next_reply_is_the_others() -> None:
    main, spare = Speak("main", fails=9, after=1), Speak("spare")
    async with HeldCall([Switch(main=[main], spare=[spare]), Playout()]) as call:
        first, second = call.session.say("alpha beta"), call.session.say("gamma delta")
        await first
        await second
    check(call)
    assert [spoken(call, 1), spoken(call, 2)] == ["a", "gd"]
    assert [(failed.part, failed.recovered) for failed in call.all(Failed)] == [("main", False)]


@virtual
async def test_last_alternative_fails_like_any_part() -> None:
    main, spare = Speak("main", fails=9), Speak("spare", fails=1)
    async with HeldCall([Switch(main=[main], spare=[spare]), Playout()]) as call:
        await call.session.say("alpha")
        await call.session.say("beta")
    check(call)
    assert [(failed.part, failed.recovered) for failed in call.all(Failed)] == [
        ("main", True),
        ("spare", False),
        ("main", True),
    ], "each is tried once for a reply"
    assert [spoken(call, 1), spoken(call, 2)] == ["", "b"]


@virtual
async def test_inner_switch_stands_in_before_the_outer_one() -> None:
    parts = [Speak(name, fails=fails) for name, fails in (("a", 1), ("b", 0), ("c", 0))]
    inner = Switch([parts[0]], [parts[1]])
    outer = Switch([inner], [parts[2]])
    async with HeldCall([outer, Playout()]) as call:
        await call.session.say("alpha beta")
    check(call)
    assert (inner.chosen, outer.chosen) == ("1", "0")
    assert [part.given for part in parts] == [["alpha beta"], ["alpha beta"], []]
    assert spoken(call, 1) == "ab"


@virtual
async def test_use_by_hand_before_during_and_between_replies() -> None:
    main, spare = Speak("main"), Speak("spare")
    switch = Switch(main=[main], spare=[spare])
    async with HeldCall([switch, Playout()]) as call:
        reply = call.session.say("alpha beta")
        switch.use("spare")
        assert switch.chosen == "spare", "nothing had come out: it begins again there"
        await call.session.clock.sleep(0.15)
        switch.use("main")
        assert switch.chosen == "spare", "it has begun to speak, and may finish"
        await reply
        assert switch.chosen == "main"
        switch.use("main")
        await call.session.say("gamma")
    check(call)
    assert [spoken(call, 1), spoken(call, 2)] == ["ab", "g"]
    assert (main.given, spare.given) == (["gamma"], ["alpha beta"])


@virtual
async def test_switch_replays() -> None:
    def parts() -> list[Part]:
        return [Switch(main=[Speak("main", fails=1)], spare=[Speak("spare")]), Playout()]

    async with HeldCall(parts()) as call:
        await call.session.say("alpha beta gamma")
        call.part(Switch).use("main")
        await call.session.say("delta")
        call.part(Switch).use("spare")
        await call.session.say("epsilon")
    assert replay(call.journal.lines, parts()) == call.journal.lines


class Ask(Stage):
    """A language model that calls a tool first."""

    scope = "reply"

    def __init__(self, name: str, *answers: str | Exception | ToolCall) -> None:
        self.name = name
        self.answers = list(answers)

    @on(Prompt)
    async def prompt(self, frame: Prompt) -> AsyncGenerator[Frame | Signal, None]:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, str):
            yield Text(frame.reply, answer, 0)
        else:
            yield Generated(frame.reply, (answer,))


@virtual
async def test_second_prompt_of_a_reply_is_given_again_alone() -> None:
    main = Ask("main", ToolCall("1", "look", "{}"), UnavailableError("down"))
    spare = Ask("spare", "the answer")
    async with HeldCall([Switch([main], [spare]), Playout()]) as call:
        call.session.new_reply(lambda reply: call.session.send(Prompt(reply.number, Context(""))))
        await call.session.clock.sleep(1)
        call.session.send(Prompt(1, Context("")))
        await call.session.clock.sleep(1)
    assert [text.text for text in call.all(Text)] == ["the answer"]
    assert [(failed.part, failed.recovered) for failed in call.all(Failed)] == [("main", True)]
    assert spare.answers == []


@virtual
async def test_failure_outside_any_reply_passes_the_work_on() -> None:
    class Listen(Stage):
        def __init__(self, name: str, text: str) -> None:
            self.name, self.text = name, text

        @on(SessionStarted)
        def begin(self, signal: SessionStarted) -> None:
            self.run(Work(self), self._listen())

        async def _listen(self) -> AsyncGenerator[Frame, None]:
            await self.session.clock.sleep(1)
            if not self.text:
                raise UnavailableError("deaf")
            yield UserText(self.text)

    sink = Sink()
    async with HeldCall([Switch([Listen("main", "")], [Listen("spare", "heard")]), sink]) as call:
        await call.session.clock.sleep(3)
    assert sink.texts == ["heard"]
    assert [(failed.part, failed.recovered) for failed in call.all(Failed)] == [("main", True)]


def test_switch_refuses_what_it_cannot_be() -> None:
    with pytest.raises(ConfigurationError, match="at least one alternative"):
        Switch()
    switch = Switch(main=[], spare=[])
    Session([switch])
    with pytest.raises(UsageError, match="Switch has no branch 'other'; it has main, spare"):
        switch.use("other")
    with pytest.raises(UsageError, match="always on: choose another"):
        switch.switch("main", on=False)


# Gate and lists --------------------------------------------------------------------------------------


@virtual
async def test_gate_lets_pass_what_it_does_not_guard_and_the_rest_while_it_is_open() -> None:
    gate, sink = Gate(UserText, is_open=False), Sink()
    async with Session([gate, sink]) as session:
        session.send(UserText("no"))
        session.send(UserKey("1"))
        gate.is_open = True
        session.send(UserText("yes"))
        gate.is_open = False
        session.send(UserText("no more"))
    assert sink.got == [UserKey("1"), UserText("yes")]


def test_nested_lists_are_one_pipeline() -> None:
    assert [text.text for text in through([[Mark("a")], [[Mark("b"), []], Mark("c")]], UserText(""))] == [
        "abc"
    ]


class Pixels(bytearray):
    """Can be watched while it lives."""


# Memory ----------------------------------------------------------------------------------------------


@virtual
async def test_branches_do_not_keep_more_than_a_few_pictures() -> None:
    """A frame is remembered in case that it comes out of a second branch, but a picture is large."""

    class Eye(Processor):
        @on(UserVideo)
        def see(self, frame: UserVideo) -> None:
            self.push(frame)

    door, kept, seen = Processor(), list[weakref.ref[bytearray]](), list[float]()
    parts = [door, Parallel([Eye()], [Eye()]), Tap(lambda frame: seen.append(frame.at), UserVideo)]
    async with Session(parts):
        for number in range(100):
            pixels = Pixels(6)
            kept.append(weakref.ref(pixels))
            door.push(UserVideo(cast(bytes, pixels), 2, 2, float(number)))
            del pixels
        gc.collect()
        assert sum(pixels() is not None for pixels in kept) <= 16
    assert seen == [float(number) for number in range(100)], "each once"
