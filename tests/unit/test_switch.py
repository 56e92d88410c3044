"""The health of a switch's alternatives: who rests, for how long, and when the first is chosen again."""

from collections.abc import AsyncGenerator
from itertools import pairwise
from typing import Any

import pytest

from antiphon.clock import LoopClock
from antiphon.context import Context, ToolCall
from antiphon.errors import UnavailableError
from antiphon.frames import (
    AudioEnded,
    Failed,
    Frame,
    Generated,
    Prompt,
    ReplyEnded,
    SessionStarted,
    Signal,
    SpeechStarted,
    SpeechStopped,
    Text,
    TextEnded,
    Transcript,
    UserAudio,
)
from antiphon.journal import replay
from antiphon.pipeline import Part, Tap
from antiphon.playout.playout import Playout
from antiphon.processor import on
from antiphon.service_health import Health, shared_health
from antiphon.services.tts import TTS
from antiphon.stage import Stage, Work
from antiphon.switch import Switch
from antiphon.testing.assertions import HeldCall, check
from antiphon.testing.scripted import ScriptedTTS
from antiphon.testing.virtual import virtual

sleep = LoopClock().sleep


def voices(*failing: int) -> list[ScriptedTTS]:
    """Voices that fail as often as this."""
    made = [ScriptedTTS() for _ in failing]
    for voice, times in zip(made, failing, strict=True):
        voice.failures = [UnavailableError("down")] * times
    return made


def speaking(made: list[ScriptedTTS]) -> list[Part]:
    return [Switch(*map(TTS, made)), Playout()]


async def says(call: HeldCall, text: str = "Hello there.") -> str:
    """Say something; returns which alternative spoke in the end."""
    await call.session.say(text)
    spoke = [seen.source for seen in call.seen if type(seen.what) is AudioEnded]
    return spoke[-1]


@virtual
async def test_after_a_hiccup_the_first_is_chosen_again_half_a_minute_later() -> None:
    made = voices(1, 0)
    async with HeldCall(speaking(made)) as call:
        assert await says(call) == "TTS-2"
        await sleep(20)
        assert await says(call) == "TTS-2"
        await sleep(10)
        assert await says(call) == "TTS"
        made[0].failures = [UnavailableError("again")]
        assert await says(call) == "TTS-2"
        await sleep(29)
        assert await says(call) == "TTS-2", "it had been well in between, but rests again"
        await sleep(2)
        assert await says(call) == "TTS"
    check(call)
    assert [ended.heard for ended in call.all(ReplyEnded)] == ["Hello there."] * 6
    assert all(failed.recovered for failed in call.all(Failed))


@virtual
async def test_one_that_fails_again_and_again_rests_longer_each_time() -> None:
    made = voices(99, 0)
    tried: list[float] = []
    async with HeldCall(speaking(made)) as call:
        call.session.on(Failed, lambda failed: tried.append(call.session.now))
        while call.session.now < 1500:
            assert await says(call, "Hi.") == "TTS-2"
            await sleep(0.8)
    rests = [later - earlier for earlier, later in pairwise(tried)]
    assert rests == [pytest.approx(wanted, abs=1.5) for wanted in (30, 60, 120, 240, 300, 300, 300)]


@virtual
async def test_reply_is_not_torn_when_a_rest_is_over() -> None:
    made = voices(1, 0)
    made[1].rate = 1.0
    async with HeldCall(speaking(made)) as call:
        assert await says(call, "A very long sentence that takes over thirty seconds.") == "TTS-2"
        made[1].rate = 15.0
        assert await says(call) == "TTS"
    check(call)


@virtual
async def test_if_all_have_failed_the_one_that_failed_first_is_tried() -> None:
    made = voices(1, 1, 2)
    async with HeldCall(speaking(made)) as call:
        await call.session.say("Lost.")
        assert [ended.heard for ended in call.all(ReplyEnded)] == [""]
        assert call.part(Switch).chosen == "0"
        assert await says(call) == "TTS"
    check(call)
    assert [(failed.part, failed.recovered) for failed in call.all(Failed)] == [
        ("TTS", True),
        ("TTS-2", True),
        ("TTS-3", True),  # a voice without a spare tries once more
        ("TTS-3", False),
    ]


@virtual
async def test_choice_by_hand_outlasts_a_failure_and_forgives_one() -> None:
    made = voices(1, 0)
    async with HeldCall(speaking(made)) as call:
        assert await says(call) == "TTS-2"
        call.part(Switch).use("0")
        assert await says(call) == "TTS", "who chooses by hand knows better"
        call.part(Switch).use("1")
        made[1].failures = [UnavailableError("down")]
        assert await says(call) == "TTS"
        await sleep(31)
        assert await says(call) == "TTS-2", "it is the first choice now"


@virtual
async def test_new_session_leaves_a_service_alone_that_is_down_and_replays() -> None:
    made = voices(1, 0)
    async with HeldCall(speaking(made)) as call:
        assert await says(call) == "TTS-2"
    async with HeldCall(speaking(made)) as later:
        assert await says(later) == "TTS-2"
        assert not later.all(Failed)
        await sleep(31)
        assert await says(later) == "TTS"
    check(later)
    assert any(b'"rest"' in line for line in later.journal.lines)
    before = shared_health(made[0]).failures
    assert replay(later.journal.lines, speaking(voices(0, 0))) == later.journal.lines
    assert replay(call.journal.lines, speaking(made)) == call.journal.lines
    assert shared_health(made[0]).failures == before == 0, "a replay tells nothing of a service"
    async with HeldCall(speaking(made)) as well:
        assert await says(well) == "TTS"


def test_many_calls_that_see_one_failure_count_it_once() -> None:
    health = Health()
    for _ in range(100):
        health.fail(0.0)
    assert (health.failures, health.rests_until) == (1, 30.0)
    health.fail(30.0)
    assert health.rests_until == 90.0
    health.recover()
    health.fail(100.0)
    assert health.rests_until == 130.0


def test_service_that_cannot_be_a_key_has_a_health_of_its_own() -> None:
    assert not shared_health([]).rests_at(0.0)


class Recogniser(Stage):
    """Hears a word after each stretch of speech, or fails at once, again and again."""

    def __init__(self, name: str, fails: int = 0) -> None:
        self.name = name
        self.fails = fails
        self.begun = 0

    @on(SessionStarted)
    def begin(self, signal: SessionStarted) -> None:
        self.begun += 1
        self.run(Work(self), self._listen())

    @on(Failed)
    def failed(self, signal: Failed) -> None:
        if signal.part == self.name:
            self.after(0.1, lambda: self.run(Work(self), self._listen()))

    async def _listen(self) -> AsyncGenerator[Frame | Signal, None]:
        if self.fails:
            self.fails -= 1
            raise UnavailableError("deaf")
        return
        yield

    @on(UserAudio, SpeechStarted)
    def hear(self, frame: Any) -> None:
        self.push(frame)

    @on(SpeechStopped)
    async def stopped(self, frame: SpeechStopped) -> AsyncGenerator[Frame, None]:
        yield frame
        await sleep(0.2)
        yield Transcript(self.name, True, 0.0, frame.at)


@virtual
async def test_recogniser_is_chosen_again_while_the_user_is_silent() -> None:
    switch = Switch(Recogniser("main", 1), Recogniser("spare"))

    async def speak(seconds: float) -> str:
        call.session.send(SpeechStarted(call.session.now))
        await sleep(seconds)
        call.session.send(SpeechStopped(call.session.now))
        await sleep(3.0)
        return call.all(Transcript)[-1].text

    async with HeldCall([switch, Tap(lambda _: None, Transcript)]) as call:
        assert await speak(1.0) == "spare"
        assert await speak(30.0) == "spare", "not in the middle of what is said"
        assert switch.chosen == "0"
        assert await speak(1.0) == "main"
        switch.use("1")
        assert switch.chosen == "1"
        call.session.send(SpeechStarted(call.session.now))
        switch.use("0")
        assert switch.chosen == "1", "these words are the other's still"
        assert await speak(1.0) == "spare"
        assert await speak(1.0) == "main"
    assert [(failed.part, failed.recovered) for failed in call.all(Failed)] == [("main", True)]


@virtual
async def test_recognisers_that_all_fail_are_not_tried_in_a_rush() -> None:
    parts = [Recogniser("main", 10**6), Recogniser("spare", 10**6)]
    async with HeldCall([Switch(*parts)]) as call:
        await sleep(10.0)
    assert 10 <= len(call.all(Failed)) <= 120, "ten times a second, as the stage does by itself"
    assert {failed.part for failed in call.all(Failed)} == {"main", "spare"}
    assert min(part.begun for part in parts) >= 3, "both get their chance"


class Caller(Stage):
    """A model that calls a tool."""

    scope = "reply"

    def __init__(self, name: str) -> None:
        self.name = name
        self.asked = 0

    @on(Prompt)
    async def prompt(self, frame: Prompt) -> AsyncGenerator[Frame | Signal, None]:
        self.asked += 1
        yield Generated(frame.reply, (ToolCall("1", "use_spare", "{}"),))


@virtual
async def test_tool_that_chooses_another_model_is_not_called_again_by_that() -> None:
    """An answer of tool calls alone is an answer: the other is asked with the next prompt."""
    main, spare = Caller("main"), Caller("spare")
    async with HeldCall([Switch(main=main, spare=spare), Playout()]) as call:
        call.session.on(Generated, lambda _: call.part(Switch).use("spare"))
        call.session.new_reply(lambda reply: call.session.send(Prompt(reply.number, Context(""))))
        await sleep(1.0)
        assert (main.asked, spare.asked) == (1, 0)
        call.session.send(Prompt(1, Context("")))
        await sleep(1.0)
        assert (main.asked, spare.asked) == (1, 1)


@virtual
async def test_voice_that_is_chosen_to_and_fro_before_it_speaks_speaks() -> None:
    made = voices(0, 0)
    async with HeldCall(speaking(made)) as call:
        reply = call.session.say("Hello there.")
        call.part(Switch).use("1")
        call.part(Switch).use("0")
        await reply
    check(call)
    assert reply.heard == "Hello there."


@virtual
async def test_part_that_is_off_begins_no_work() -> None:
    """A timer that it set before may still fire."""
    main = Recogniser("main", 1)
    async with HeldCall([Switch(main, Recogniser("spare"))]) as call:
        await sleep(1.0)
        assert not call.session.works
        work = Work(main)
        main.run(work, main._listen())  # pyright: ignore[reportPrivateUsage]
        assert not work.alive
        assert not call.session.works


@virtual
async def test_failure_is_noted_by_the_inner_switch_and_by_the_outer_only_if_that_has_no_spare() -> None:
    class Dumb(Stage):
        scope = "reply"

        def __init__(self, name: str, fails: int) -> None:
            self.name, self.fails = name, fails

        @on(Text)
        async def text(self, frame: Text) -> AsyncGenerator[Frame, None]:
            if self.fails:
                self.fails -= 1
                raise UnavailableError("dumb")
            return
            yield

        @on(TextEnded)
        async def ended(self, frame: TextEnded) -> AsyncGenerator[Frame, None]:
            yield AudioEnded(frame.reply)

    inner = Switch(Dumb("a", 1), Dumb("b", 1))
    outer = Switch([inner], Dumb("c", 0))
    async with HeldCall([outer, Playout()]) as call:
        await call.session.say("x")
        assert (inner.chosen, outer.chosen) == ("1", "1")
        await call.session.say("x")
        assert outer.chosen == "1"
        await sleep(31)
        await call.session.say("x")
        assert (inner.chosen, outer.chosen) == ("0", "0")
    check(call)
    assert [(failed.part, failed.recovered) for failed in call.all(Failed)] == [("a", True), ("b", True)]
