"""Races: who answers first is heard, once, and nobody else."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import pytest

from antiphon.clock import LoopClock
from antiphon.context import Context, ToolCall
from antiphon.conversation.conversation import Conversation
from antiphon.conversation.tools import tool
from antiphon.errors import AuthenticationError, ConfigurationError, UnavailableError
from antiphon.frames import (
    AgentAudio,
    Backchannel,
    Failed,
    Generated,
    ReplyEnded,
    Text,
    TextEnded,
    ToolStarted,
    Usage,
    UserText,
)
from antiphon.journal import replay
from antiphon.pipeline import Part
from antiphon.playout.playout import Playout
from antiphon.processor import Processor, on
from antiphon.race import Race
from antiphon.services.llm import LLM
from antiphon.services.ports import LanguageModel, Speech, TextDelta, TokenUsage, Word
from antiphon.services.stt import STT
from antiphon.services.tts import TTS
from antiphon.testing.assertions import HeldCall, check, no_task_left
from antiphon.testing.scripted import ScriptedLLM, ScriptedSTT, ScriptedTTS
from antiphon.testing.virtual import virtual

sleep = LoopClock().sleep
LONG = "Certainly, I can look that up. And the second sentence is a good deal longer. Bye now."


class Model(LanguageModel):
    """Answers after a while, and counts how often it was asked and cancelled."""

    def __init__(
        self, text: str, first: float, *, fails: bool = False, calls: tuple[ToolCall, ...] = ()
    ) -> None:
        self.text, self.first, self.fails, self.calls = text, first, fails, list(calls)
        self.asked = self.finished = self.warmed = 0

    async def generate(self, context: Context) -> AsyncGenerator[Any, None]:
        self.asked += 1
        await sleep(self.first)
        if self.fails:
            raise AuthenticationError("refused")
        if self.calls:
            yield self.calls.pop()
        else:
            for word in self.text.split():
                yield TextDelta(f"{word} ")
                await sleep(0.01)
        yield TokenUsage(10, 5)
        self.finished += 1

    async def warm(self, context: Context) -> None:
        self.warmed += 1


def talk(*parts: Part, tools: Any = ()) -> list[Part]:
    return [Conversation("Be brief.", tools), *parts, Playout()]


async def ask(call: HeldCall, words: str = "hello?") -> None:
    call.session.send(UserText(words))
    while call.session.replies.owed:
        await next(iter(call.session.replies.owed))


def said(call: HeldCall) -> list[str]:
    return [ended.heard.strip() for ended in call.all(ReplyEnded)]


@virtual
async def test_first_model_to_answer_is_heard_and_the_other_is_cancelled() -> None:
    slow, quick = Model("I am slow", 0.5), Model("I am quick", 0.2)
    async with HeldCall(talk(Race(LLM(slow), LLM(quick)))) as call:
        await ask(call)
        assert (slow.asked, slow.finished, quick.finished) == (1, 0, 1)
        slow.first = 0.1
        await ask(call)
        assert (slow.finished, quick.finished) == (1, 1), "each reply is a race of its own"
    check(call)
    assert said(call) == ["I am quick", "I am slow"]
    assert len(call.all(Generated)) == 2
    assert [used.part for used in call.all(Usage) if used.unit == "tokens read"] == ["LLM-2", "LLM"]
    assert not call.session.works.stale
    assert slow.warmed == quick.warmed > 0, "both read the context early"
    no_task_left()


@virtual
async def test_hedge_is_asked_only_if_the_first_does_not_answer_in_time() -> None:
    first, hedge = Model("first", 0.5), Model("hedge", 0.1)
    async with HeldCall(talk(Race(LLM(first), LLM(hedge), after=0.8))) as call:
        await ask(call)
        assert hedge.asked == 0
        first.first = 3.0
        begun = call.session.now
        await ask(call)
        assert call.session.now - begun == pytest.approx(0.91, abs=0.02)
    check(call)
    assert said(call) == ["first", "hedge"]
    assert (first.asked, first.finished, hedge.asked) == (2, 1, 1)


@virtual
async def test_hedge_is_asked_at_once_if_the_first_fails_and_the_last_one_apologises() -> None:
    first, hedge = Model("first", 0.1, fails=True), Model("hedge", 0.1)
    async with HeldCall(talk(Race(LLM(first), LLM(hedge), after=5.0))) as call:
        await ask(call)
        assert call.times(ReplyEnded) == [pytest.approx(0.21, abs=0.02)]
        hedge.fails = True
        await ask(call)
    check(call)
    assert said(call) == ["hedge", "Sorry, I had a problem just now. Could you say that again?"]
    assert [(failed.part, failed.recovered) for failed in call.all(Failed)] == [
        ("LLM", True),
        ("LLM", True),
        ("LLM-2", False),
    ]
    assert [made.failed for made in call.all(Generated)] == [False, True]


@virtual
async def test_loser_that_fails_changes_nothing() -> None:
    async with HeldCall(talk(Race(LLM(Model("", 0.1, fails=True)), LLM(Model("fine", 0.3))))) as call:
        await ask(call)
    check(call)
    assert said(call) == ["fine"]


@virtual
async def test_tools_are_called_once_and_what_follows_is_a_race_again() -> None:
    runs: list[str] = []

    @tool
    async def look(where: str) -> str:
        """Look there."""
        runs.append(where)
        return "found"

    def model(name: str, first: float) -> Model:
        return Model(name, first, calls=(ToolCall("1", "look", f'{{"where": "{name}"}}'),))

    one, two = model("one", 0.2), model("two", 0.3)
    async with HeldCall(talk(Race(LLM(one), LLM(two)), tools=[look])) as call:
        call.session.on(ToolStarted, lambda _: setattr(one, "first", 9.0))
        two.calls.clear()
        await ask(call)
    check(call)
    assert runs == ["one"]
    assert said(call) == ["two"]
    assert len(call.all(Generated)) == 2


@virtual
async def test_first_voice_with_audio_is_heard_and_no_word_of_the_other() -> None:
    early = ScriptedTTS(first=0.4, words=True)
    quick = ScriptedTTS(first=0.1)
    async with HeldCall([Race(TTS(early), TTS(quick)), Playout()]) as call:
        await call.session.say(LONG)
    check(call)
    assert said(call) == [LONG]
    assert {seen.source for seen in call.seen if isinstance(seen.what, AgentAudio)} == {"TTS-2", "Playout"}
    assert early.cancelled == 1
    assert len(call.pcm(1)) / 48000 == pytest.approx(sum(map(len, map(str, quick.spoken))) / 15, abs=0.01)


@virtual
async def test_word_times_without_audio_do_not_win() -> None:
    """What a voice says about its words is held until there is something to hear."""

    class Announcing(ScriptedTTS):
        async def speak(self, text: AsyncIterator[str]) -> AsyncGenerator[Speech | Word, None]:
            async for out in super().speak(text):
                yield out
                if isinstance(out, Word):
                    await sleep(5.0)

    announcing, quick = Announcing(first=0.05, words=True), ScriptedTTS(first=0.3)
    async with HeldCall([Race(TTS(announcing), TTS(quick)), Playout()]) as call:
        await call.session.say("Hello there.")
    check(call)
    assert said(call) == ["Hello there."]
    assert call.times(ReplyEnded)[0] < 2.0


@virtual
async def test_voice_that_won_and_fails_is_followed_by_the_others_from_there() -> None:
    winner, other = ScriptedTTS(first=0.05), ScriptedTTS(first=0.2)
    speak = winner.speak

    async def breaks(text: Any) -> Any:
        heard = 0
        async for out in speak(text):
            heard += 1
            if heard > 12:
                raise UnavailableError("gone")
            yield out

    winner.speak = breaks  # pyright: ignore[reportAttributeAccessIssue]
    async with HeldCall([Race(TTS(winner), TTS(other)), Playout()]) as call:
        await call.session.say(LONG)
        await call.session.say("Hello again.")
    check(call)
    assert said(call) == [LONG, "Hello again."]
    (failed,) = call.all(Failed)
    assert (failed.part, failed.recovered) == ("TTS", True)
    rest = " ".join(map(str, other.spoken))
    assert not LONG.startswith(rest.removesuffix(" Hello again.")), "only what was missing is spoken again"


@virtual
async def test_backchannels_are_said_once() -> None:
    async with HeldCall([Race(TTS(ScriptedTTS()), TTS(ScriptedTTS())), Playout()]) as call:
        call.session.send(Backchannel("mhm"))
        await sleep(1.0)
    assert len(call.pcm(0)) / 48000 == pytest.approx(len("mhm") / 15, abs=0.021)


@virtual
async def test_interruption_ends_the_race() -> None:
    slow, slower = Model("slow", 1.4), Model("slower", 3.0)
    async with HeldCall(talk(Race(LLM(slow), LLM(slower), after=1.5))) as call:
        call.session.send(UserText("one"))
        await sleep(1.0)
        call.session.interrupt()
        await sleep(5.0)
        assert (slow.asked, slower.asked) == (1, 0)
        assert not call.session.works
        await ask(call)
    check(call)
    assert said(call)[-1] == "slow"


@virtual
async def test_branch_that_is_off_takes_no_part() -> None:
    one, two = Model("one", 0.1), Model("two", 0.3)
    async with HeldCall(talk(Race(one=LLM(one), two=LLM(two)))) as call:
        call.part(Race).switch("one", on=False)
        await ask(call)
        call.part(Race).switch("two", on=False)
        call.session.send(UserText("nobody"))
        await sleep(1.0)
    assert said(call)[0] == "two"
    assert one.asked == 0


@virtual
async def test_processors_race_too_and_the_first_that_answers_at_once_wins() -> None:
    class Echo(Processor):
        @on(Text)
        def text(self, frame: Text) -> None:
            self.push(AgentAudio(frame.reply, b"\1\0" * 2400, 24000))

    echoes = [Echo(), Echo()]
    async with HeldCall([Race(*echoes), Playout()]) as call:
        call.session.say("x")
        await sleep(1.0)
    assert {seen.source for seen in call.seen if isinstance(seen.what, AgentAudio)} == {"Echo", "Playout"}


@virtual
async def test_text_that_is_not_spoken_passes_once() -> None:
    async with HeldCall(
        talk(LLM(Model("to be read", 0.1)), Race(TTS(ScriptedTTS()), TTS(ScriptedTTS()), after=0.5))
    ) as call:
        call.session.send(UserText("hello", aloud=False))
        await sleep(3.0)
    check(call)
    assert said(call) == ["to be read"]
    assert len(call.all(TextEnded)) == 1


@pytest.mark.parametrize("after", [0.0, 0.3])
def test_race_replays(after: float) -> None:
    def parts() -> list[Part]:
        return talk(
            Race(LLM(Model("I am slow", 0.9)), LLM(Model("I am quick", 0.2)), after=after),
            Race(TTS(ScriptedTTS(first=0.6)), TTS(ScriptedTTS(first=0.1)), after=after),
        )

    @virtual
    async def record() -> HeldCall:
        async with HeldCall(parts()) as call:
            await ask(call)
            await ask(call)
        check(call)
        return call

    call = record()
    assert said(call) == ["I am quick", "I am quick"]
    assert replay(call.journal.lines, parts()) == call.journal.lines


def test_race_refuses_what_cannot_race() -> None:
    with pytest.raises(ConfigurationError, match="at least one"):
        Race()
    with pytest.raises(ConfigurationError, match="0 or more"):
        Race(LLM(ScriptedLLM([])), after=-1)
    with pytest.raises(ConfigurationError, match="recognisers cannot race"):
        Race(STT(ScriptedSTT([])), STT(ScriptedSTT([])))
    with pytest.raises(ConfigurationError, match="race apart"):
        Race([LLM(ScriptedLLM([])), TTS(ScriptedTTS())])
