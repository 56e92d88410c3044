"""Calls whose realtime model fails, stalls or is changed, in virtual time."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from antiphon import Agent
from antiphon.clock import LoopClock
from antiphon.context import AgentSaid, Context, UserSaid
from antiphon.conversation.tools import tool
from antiphon.errors import AuthenticationError, ConfigurationError, UnavailableError
from antiphon.frames import Failed, PlayoutStarted, ReplyEnded, ServiceChanged, ToolCall, ToolEnded, Usage
from antiphon.journal import replay
from antiphon.services.composite import Composite
from antiphon.services.realtime_fallback import Fallback
from antiphon.services.realtime_vocabulary import (
    AgentWords,
    Consumed,
    CutShort,
    Remember,
    Respond,
    ResponseBegan,
    ResponseOver,
    UserHeard,
    UserSpeaks,
    Voice,
)
from antiphon.services.streams import closing
from antiphon.session import Session
from antiphon.testing import LoudVAD, ScriptedEOT, ScriptedLLM, ScriptedSTT, ScriptedTTS, loud, run_virtual
from antiphon.testing.assertions import HeldCall, check, hold, no_task_left
from antiphon.testing.conformance.realtime import TalkWithModel, words_of
from antiphon.testing.scripted_realtime import ScriptedRealtime
from antiphon.transports.caller import Caller, CallerLine

sleep = LoopClock().sleep
OURS: dict[str, Any] = {"vad": LoudVAD(), "eot": ScriptedEOT()}
THEIRS: dict[str, Any] = {"vad": None, "eot": None}
BOTH = pytest.mark.parametrize("turns", [OURS, THEIRS], ids=["our turns", "their turns"])
DOWN = UnavailableError("the vendor is down")


def say(seconds: float = 0.6, wait: float = 0.7, cue: str = "answer") -> CallerLine:
    return CallerLine(loud(seconds), wait, cue)  # type: ignore[arg-type]


def held(model: Any, lines: Sequence[CallerLine], **settings: Any) -> HeldCall:
    call = run_virtual(hold(Agent("x", realtime=model, **{**OURS, **settings}), lines))
    check(call)
    return call


def said(call: HeldCall) -> list[str]:
    return [entry.text for entry in call.entries if isinstance(entry, AgentSaid) and entry.text]


class Deaf(ScriptedRealtime):
    """Takes everything and says nothing."""

    async def converse(self, context: Context, inputs: Any, *, detects: bool = False) -> AsyncIterator[Any]:
        self.open_conversations += 1
        async for event in super().converse(context, inputs, detects=detects):
            if not isinstance(event, ResponseBegan | ResponseOver | Voice | AgentWords):
                yield event


class Refused(ScriptedRealtime):
    """Its key is refused."""

    async def converse(self, context: Context, inputs: Any, *, detects: bool = False) -> AsyncIterator[Any]:
        self.open_conversations += 1
        raise AuthenticationError("the key was refused")
        yield


class Wild(ScriptedRealtime):
    """Speaks out of place."""

    async def converse(self, context: Context, inputs: Any, *, detects: bool = False) -> AsyncIterator[Any]:
        yield Voice(b"\x00\x10")
        await asyncio.Event().wait()


@BOTH
def test_spare_answers_the_turn_in_which_the_model_fails(turns: dict[str, Any]) -> None:
    main = ScriptedRealtime([[DOWN]], ["hello"])
    spare = ScriptedRealtime(["Hello from the spare.", "Good bye."], ["hello", "bye"])
    call = held((main, spare), [say(cue="now"), say(wait=1.0)], **turns)
    assert said(call) == ["Hello from the spare.", "Good bye."]
    assert [entry.text for entry in call.entries if isinstance(entry, UserSaid)] == ["hello", "bye"]
    assert [failed.recovered for failed in call.all(Failed)] == [True]
    assert main.open_conversations == spare.open_conversations == 0
    again = Agent("x", realtime=ScriptedRealtime([]), **OURS)
    if turns is OURS:
        assert replay(call.journal.lines, again.pipeline(Caller([], 16000))) == call.journal.lines


@BOTH
def test_spare_answers_for_a_model_that_is_silent(turns: dict[str, Any]) -> None:
    spare = ScriptedRealtime(["I am here."], ["hello"])
    call = held((Deaf([], []), spare), [say(cue="now")], **turns)
    assert said(call) == ["I am here."]
    started = call.all(PlayoutStarted)
    assert len(started) == 1


@BOTH
def test_silent_model_without_a_spare_ends_in_an_apology(turns: dict[str, Any]) -> None:
    call = held(Deaf([], []), [say(cue="now"), say(wait=9.0)], **turns)
    assert not call.voice
    assert {failed.error for failed in call.all(Failed) if not failed.recovered} == {"ServiceTimeoutError"}


def test_model_that_was_silent_once_answers_the_next_turn() -> None:
    class Awakened(Deaf):
        def converse(self, context: Context, inputs: Any, *, detects: bool = False) -> AsyncIterator[Any]:
            if not self.inputs:
                return super().converse(context, inputs, detects=detects)
            return ScriptedRealtime.converse(self, context, inputs, detects=detects)

    call = held(Awakened(["Unheard.", "I am back."], ["", "hello"]), [say(cue="now")])
    assert "I am back." in said(call), "its conversation was begun anew"


def test_refused_key_goes_to_the_spare_at_once() -> None:
    spare = ScriptedRealtime(["Fine."], ["hello"])
    call = held((Refused([]), spare), [say(cue="now")], greeting="Welcome.")
    assert said(call) == ["Welcome.", "Fine."]


def test_refused_key_without_a_spare_fails_each_reply_at_once() -> None:
    call = held(Refused([]), [say(cue="now")])
    (failed,) = [one for one in call.all(Failed) if one.reply is not None][:1]
    assert "refused" in failed.message
    ended = call.all(ReplyEnded)
    assert ended
    assert call.times(ReplyEnded)[0] < 2.0, "nobody waits for a model that will not come"


def test_model_that_fails_in_mid_speech_is_heard_to_where_it_failed() -> None:
    counting = "One two three four five six seven eight nine ten."
    main = ScriptedRealtime([[counting, DOWN]], ["count"])
    spare = ScriptedRealtime(["Fine."], ["hello"])
    call = held((main, spare), [say(cue="now"), say(wait=1.5)])
    assert said(call) == [counting, "Fine."]


def test_model_out_of_place_is_replaced() -> None:
    spare = ScriptedRealtime(["Fine."], ["hello"])
    call = held((Wild([]), spare), [say(cue="now")])
    assert said(call) == ["Fine."]
    assert call.all(Failed)[0].error == "BadResponseError"


def test_first_model_takes_over_again_in_a_pause() -> None:
    main = ScriptedRealtime([[DOWN], "The first is back."], ["hello", "again"])
    spare = ScriptedRealtime(["The spare."], ["hello"])
    call = held((main, spare), [say(cue="now"), say(wait=40.0)])
    assert said(call) == ["The spare.", "The first is back."]


def test_models_of_other_sample_rates() -> None:
    class Low(ScriptedRealtime):
        input_rate = 8000
        output_rate = 8000

    low = Low(["One two three four."], ["hello"])
    call = held((Refused([]), low), [say(1.0, cue="now")])
    assert said(call) == ["One two three four."]
    assert 1.2 < low.sound < 2.5, "it hears seconds of its own rate"


def test_usage_is_that_of_the_model_that_had_it() -> None:
    class Counted(ScriptedRealtime):
        vendor, model = "counted", "v2"

        async def converse(
            self, context: Context, inputs: Any, *, detects: bool = False
        ) -> AsyncIterator[Any]:
            yield Consumed("tokens", 5.0)
            async for event in super().converse(context, inputs, detects=detects):
                yield event

    call = held((Refused([]), Counted(["Fine."], ["hello"])), [say(cue="now")])
    (usage,) = call.all(Usage)
    assert (usage.vendor, usage.model, usage.amount) == ("counted", "v2", 5.0)


def test_models_that_cannot_stand_in_for_each_other() -> None:
    with pytest.raises(ConfigurationError, match="decide on turns"):
        Fallback(ScriptedRealtime([], detection="ours"), ScriptedRealtime([], detection="theirs"))
    with pytest.raises(ConfigurationError, match="speak"):
        Fallback(ScriptedRealtime([]), ScriptedRealtime([], speaks=False))
    with pytest.raises(ConfigurationError, match="at least one"):
        Fallback()


# A change in mid-call --------------------------------------------------------------------------------


def cascade(answers: Sequence[str], heard: Sequence[str]) -> Composite:
    return Composite(ScriptedSTT(heard), ScriptedLLM(answers), ScriptedTTS())


def changed(models: dict[int, Any], first: Any, lines: Sequence[CallerLine], **settings: Any) -> HeldCall:
    """Hold a call in which a reply's end changes the model."""

    async def main() -> HeldCall:
        agent = Agent("x", realtime=first, **{**OURS, **settings})
        call = HeldCall(agent.pipeline(Caller(lines, 16000, linger=3.0)))
        async with call:
            call.session.on(ReplyEnded, lambda signal: change(call.session, signal.reply))
            await call.session.wait()
        no_task_left()
        return call

    def change(session: Session, reply: int) -> None:
        if reply in models:
            session.use(realtime=models[reply])

    call = run_virtual(main())
    check(call)
    return call


def test_cascade_changes_to_realtime_and_back_with_the_context() -> None:
    first, model = cascade(["One.", "Three."], ["a", "c"]), ScriptedRealtime(["Two."], ["b"])
    call = changed({1: model, 2: first}, first, [say(cue="now"), say(wait=2.0), say(wait=2.0)])
    assert [entry.text for entry in call.entries] == ["a", "One.", "b", "Two.", "c", "Three."]  # type: ignore[union-attr]
    assert len(call.all(ServiceChanged)) == 2
    (begun, *_) = [item for item in model.inputs if isinstance(item, Remember)]
    assert begun.context.entries == (UserSaid("a"), AgentSaid("One."))
    llm = first.llm
    assert isinstance(llm, ScriptedLLM)
    assert [entry.text for entry in llm.contexts[-1].entries][:4] == ["a", "One.", "b", "Two."]  # type: ignore[union-attr]
    assert model.open_conversations == 0
    assert not call.all(Failed)


def test_change_waits_for_the_end_of_the_turn() -> None:
    class AtOnce(ScriptedRealtime):
        input_rate = 8000

    counting = "One two three four five six seven eight nine ten."
    model, other = ScriptedRealtime([counting, "Two."], ["a", "b"]), AtOnce(["Three."], ["c"])
    call = changed({1: other}, model, [say(cue="now"), say(3.0, 1.0, "barge-in"), say(wait=1.0)])
    assert said(call)[1:] == ["Two.", "Three."], "the turn that had begun belongs to the old model"


def test_old_model_goes_on_if_the_new_one_is_refused() -> None:
    model = ScriptedRealtime(["One.", "Two."], ["a", "b"])
    call = changed({1: Refused([])}, model, [say(cue="now"), say(wait=3.0)])
    assert said(call) == ["One.", "Two."]
    assert {failed.error for failed in call.all(Failed)} == {"AuthenticationError"}


def test_model_that_decides_on_turns_differently_cannot_take_over() -> None:
    theirs = ScriptedRealtime([], detection="theirs")
    call = changed({1: theirs}, ScriptedRealtime(["One.", "Two."], ["a", "b"]), [say(cue="now"), say()])
    assert said(call) == ["One.", "Two."], "the old one stays"
    (failed,) = call.all(Failed)
    assert "turn" in failed.message


# The combination as a model --------------------------------------------------------------------------


async def _talked(fallback: Fallback, turns: int, *, detects: bool) -> list[Any]:
    async with TalkWithModel(fallback, Context("x"), detects=detects) as talk:
        for _ in range(turns):
            talk.take_turn(b"\x00\x40" * 9600)
            await talk.response()
            await sleep(1.0)
        return talk.events


@pytest.mark.parametrize("detects", [False, True])
def test_whoever_reads_the_events_does_not_notice(detects: bool) -> None:
    main = ScriptedRealtime(["One.", [DOWN]], ["a", "b"])
    spare = ScriptedRealtime(["Two.", "Three."], ["b", "c"])
    events = run_virtual(_talked(Fallback(main, spare), 3, detects=detects))
    assert words_of(events) == "One.Two.Three."
    assert [(one.turn, one.text) for one in events if isinstance(one, UserHeard)] == [
        (0, "a"), (1, "b"), (2, "c"),
    ]  # fmt: skip
    assert [one.speaking for one in events if isinstance(one, UserSpeaks)] == [True, False] * 3 * detects
    assert sum(isinstance(one, ResponseBegan) for one in events) == 3
    assert [one.status for one in events if isinstance(one, ResponseOver)] == ["completed"] * 3


def test_what_was_cut_short_is_not_asked_of_the_spare() -> None:
    async def main() -> list[Any]:
        spare = ScriptedRealtime(["Nobody wants this."], ["a"])
        async with TalkWithModel(Fallback(Deaf([]), spare), Context("x")) as talk:
            talk.take_turn(b"\x00\x40" * 9600)
            await sleep(1.0)
            talk.give(CutShort(0.0))
            await talk.response()
            assert Respond() not in spare.inputs
            return talk.events

    events = run_virtual(main())
    assert events[-1] == ResponseOver("cancelled")


# What hostile models brought to light ---------------------------------------------------------------


def test_spare_that_has_answered_nothing_stays_until_the_first_has_rested() -> None:
    spare = ScriptedRealtime(["Fine."], ["hello"])
    call = held((Refused([]), spare), [say(wait=45.0, cue="now")])
    assert said(call) == ["Fine."]
    assert len(call.all(Failed)) == 2, "the first was tried once more, after its rest"


class BreaksAfterACall(ScriptedRealtime):
    """Fails before the response that has called a tool is over."""

    async def converse(self, context: Context, inputs: Any, *, detects: bool = False) -> AsyncIterator[Any]:
        async with closing(super().converse(context, inputs, detects=detects)) as events:
            async for event in events:
                yield event
                if isinstance(event, ToolCall):
                    raise DOWN


@BOTH
def test_call_of_a_response_that_broke_off_is_not_made(turns: dict[str, Any]) -> None:
    main = BreaksAfterACall([[ToolCall("1", "nothing", "{}")]], ["hello"])
    call = held((main, ScriptedRealtime(["Fine."], ["hello"])), [say(cue="now")], **turns)
    assert said(call) == ["Fine."], "nothing was heard of it, so that the spare answers the turn"
    assert not call.all(ToolEnded)


@tool
async def long_work() -> str:
    """Work for a while."""
    await sleep(2.0)
    return "done"


def test_change_waits_for_the_answer_to_a_tool_and_is_replayed() -> None:
    async def main() -> HeldCall:
        lines = [say(cue="now"), say(wait=1.0)]
        parts = Agent("x", realtime=first, tools=[long_work], **OURS).pipeline(Caller(lines, 16000))
        async with HeldCall(parts) as call:
            await sleep(2.2031)
            call.session.use(realtime=other)
            await call.session.wait()
        return call

    first = ScriptedRealtime([[ToolCall("1", "long_work", "{}")], "It is done."], ["do it"])
    other = ScriptedRealtime(["The other."], ["thanks"])
    call = run_virtual(main())
    check(call)
    assert said(call) == ["It is done.", "The other."]
    again = Agent("x", realtime=ScriptedRealtime([]), tools=[long_work], **OURS)
    assert replay(call.journal.lines, again.pipeline(Caller([], 16000))) == call.journal.lines


def test_call_in_which_the_answer_to_a_tool_is_cut_short_replays() -> None:
    model = ScriptedRealtime(
        [[ToolCall("1", "long_work", "{}")], "It is done.", "Yes?"], ["do it", "wait"], first=0.6
    )
    call = held(model, [say(cue="now"), say(1.2, 2.8, "now")], tools=[long_work], **THEIRS)
    again = Agent("x", realtime=ScriptedRealtime([]), tools=[long_work], **THEIRS)
    assert replay(call.journal.lines, again.pipeline(Caller([], 16000))) == call.journal.lines


@BOTH
def test_change_waits_for_a_user_who_speaks_and_is_replayed(turns: dict[str, Any]) -> None:
    async def main() -> HeldCall:
        lines = [say(5.0, cue="now"), say(wait=1.0), say(wait=1.0)]
        parts = Agent("x", realtime=first, **turns).pipeline(Caller(lines, 16000))
        async with HeldCall(parts) as call:
            await sleep(1.0077)
            call.session.use(realtime=other)
            await call.session.wait()
        return call

    first = ScriptedRealtime(["The first."], ["a long sentence"])
    other = ScriptedRealtime(["The other.", "Again."], ["thanks", "bye"])
    call = run_virtual(main())
    check(call)
    assert said(call) == ["The first.", "The other.", "Again."]
    again = Agent("x", realtime=ScriptedRealtime([]), **turns)
    assert replay(call.journal.lines, again.pipeline(Caller([], 16000))) == call.journal.lines


class BreaksAfterASecond(ScriptedRealtime):
    """Fails after a second of each conversation's voice, whose words have all come."""

    async def converse(self, context: Context, inputs: Any, *, detects: bool = False) -> AsyncIterator[Any]:
        sounds = 0
        async with closing(super().converse(context, inputs, detects=detects)) as events:
            async for event in events:
                yield event
                sounds += isinstance(event, Voice)
                if sounds == 10:
                    raise DOWN


@pytest.mark.parametrize(
    "settings", [{}, {"greeting": "One two three four five six."}], ids=["answer", "greeting"]
)
def test_words_that_a_broken_voice_did_not_speak_are_not_in_the_history(settings: dict[str, Any]) -> None:
    model = BreaksAfterASecond(["One two three four five six.", "Fine."], ["count", "well?"])
    call = held(model, [say(wait=3.0, cue="now"), say(wait=3.0)], **settings)
    assert said(call)[0].strip() == "One two three"


def test_model_that_does_not_stop_holds_up_nobody() -> None:
    released = asyncio.Event()

    class Stubborn(ScriptedRealtime):
        async def converse(
            self, context: Context, inputs: Any, *, detects: bool = False
        ) -> AsyncIterator[Any]:
            try:
                await asyncio.Event().wait()
            finally:
                await released.wait()
            yield

    async def main() -> float:
        talk = TalkWithModel(Fallback(Stubborn([])), Context("x"))
        async with talk:
            await sleep(1.0)
            began = LoopClock().now()
        took = LoopClock().now() - began
        released.set()
        await sleep(0.0)
        return took

    assert run_virtual(main()) < 2.5
