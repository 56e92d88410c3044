"""Replies that are begun while the user may go on: heard at once if not, and without a trace if so."""

import pytest

from antiphon import Agent, Speaking
from antiphon.clock import LoopClock
from antiphon.context import AgentSaid, ToolAnswered, UserSaid
from antiphon.conversation.tools import tool
from antiphon.errors import UnavailableError
from antiphon.frames import (
    EagerTurn,
    EagerTurnDropped,
    Generated,
    Interrupted,
    PlayoutStarted,
    ReplyCommitted,
    ReplyEnded,
    ReplyStarted,
    ToolCall,
    ToolStarted,
    Usage,
    UserTurn,
)
from antiphon.services.ports import Recognized
from antiphon.testing import StreamingSTT, loud, run_virtual
from antiphon.testing.assertions import HeldCall, check, hold, services
from antiphon.transports.caller import CallerLine
from antiphon.turns.settings import SpeculationSettings, TurnSettings
from antiphon.turns.timing import Exchange, Pace

sleep = LoopClock().sleep
"""Virtual time, where the loop is virtual."""

OFF = TurnSettings(speculation=SpeculationSettings(eager_above=2.0))
UNSURE = [0.85]
"""The user sounds finished enough to begin a reply, and not enough to be answered within half a second."""


def line(seconds: float, wait: float = 0.7, cue: str = "answer") -> CallerLine:
    return CallerLine(loud(seconds), wait, cue)  # type: ignore[arg-type]


@tool
async def order(colour: str) -> str:
    """Orders a bicycle."""
    await sleep(0.5)
    return "ordered"


def asked(*, turns: TurnSettings | None = None, first: float = 0.15) -> HeldCall:
    """One question, answered by a model that takes `first` seconds to its first token."""
    good = services(
        ["I would like to rent a bicycle for two days."], ["Certainly, which one?"], turn_scores=[0.5]
    )
    good["llm"].first = first
    agent = Agent("x", **good, turns=turns or TurnSettings())
    call = run_virtual(hold(agent, [line(1.8, 0.5, "now")]))
    check(call)
    return call


def test_commit_saves_the_models_time() -> None:
    """The same call twice: without a reply begun early, the answer is later by what making it takes."""
    early, late = asked(), asked(turns=OFF)
    assert early.all(UserTurn) == late.all(UserTurn)
    assert early.times(UserTurn) == late.times(UserTurn)
    assert late.times(PlayoutStarted)[0] - early.times(PlayoutStarted)[0] >= 0.2, "0.15 model, 0.05 voice"
    assert early.times(PlayoutStarted) == early.times(ReplyCommitted) == early.times(UserTurn), "at once"
    assert [started.speculative for started in early.all(ReplyStarted)] == [True]
    assert early.entries == late.entries


def test_what_was_saved_is_told() -> None:
    """With a model that is slow, all of the head start counts."""
    early, late = asked(first=1.5), asked(turns=OFF, first=1.5)
    (committed,) = early.all(ReplyCommitted)
    sooner = late.times(PlayoutStarted)[0] - early.times(PlayoutStarted)[0]
    assert committed.saved > 0.5
    assert abs(committed.saved - sooner) < 0.01
    assert committed.saved == pytest.approx(early.times(UserTurn)[0] - early.times(EagerTurn)[0])


def test_user_goes_on_three_times() -> None:
    """Three replies are begun in vain, the model even wants to order; then it is waited for.

    Nothing of them is heard, no tool has run, the model was never told of them, and they are counted.
    """
    hears = ["I take the red one", "and the blue one", "and the green one", "and the white one"]
    says = [["Ordering.", ToolCall("1", "order", '{"colour": "all"}')], "All four are ordered."]
    good = services(hears, says, turn_scores=UNSURE)
    lines = [line(0.8, 0.5, "now"), *[line(0.8, 0.55, "now")] * 3]
    call = run_virtual(hold(Agent("x", tools=[order], **good), lines))
    check(call)
    call.reads("""
         0.51  user: I take the red one and the blue one and the green one and the white one
         6.39  agent: Ordering. All four are ordered.
         6.84  tool order: ordered
        11.56  end: the caller hung up
    """)
    assert len(call.all(EagerTurn)) == len(call.all(EagerTurnDropped)) == 3
    assert [ended.speculative for ended in call.all(ReplyEnded)] == [True, True, True, False]
    assert [generated.reply for generated in call.all(Generated) if generated.calls] == [1, 2, 3, 4]
    assert [started.reply for started in call.all(ToolStarted)] == [4]
    assert not any(call.pcm(reply) for reply in (1, 2, 3))
    wasted = [usage.amount for usage in call.all(Usage) if usage.unit == "characters written in vain"]
    assert wasted == [len("Ordering. ")] * 3
    assert all(
        not any(isinstance(entry, AgentSaid) for entry in context.entries)
        for context in good["llm"].contexts[:4]
    )
    assert len(call.entries) == 4


def test_nothing_is_begun_for_half_of_the_words() -> None:
    """The end-of-turn model is faster than the ears: its word is kept until they know."""
    good = services(["I want to rent a", "red bicycle."], ["Here it is."], turn_scores=[0.5, 0.95])
    good["stt"].delay = 0.15
    call = run_virtual(hold(Agent("x", **good), [line(0.8, 0.5, "now"), line(0.8, 0.5, "now")]))
    check(call)
    assert [turn.text for turn in call.all(EagerTurn)] == ["I want to rent a red bicycle."]
    assert not call.all(EagerTurnDropped)


def test_wasted_characters_are_capped() -> None:
    """Once so many were written in vain, this conversation is held without."""
    policy = TurnSettings(speculation=SpeculationSettings(wasted_at_most=20))
    hears = ["I take the red one", "and the blue one", "and now a helmet for me"]
    says = ["Both of them, gladly.", "Here it is."]
    good = services(hears, says, turn_scores=UNSURE)
    lines = [line(0.8, 0.5, "now"), line(0.8, 0.55, "now"), line(0.8)]
    call = run_virtual(hold(Agent("x", turns=policy, **good), lines))
    check(call)
    assert len(call.all(EagerTurn)) == 1
    assert [ended.speculative for ended in call.all(ReplyEnded)] == [True, False, False]


def test_interrupted_before_it_is_certain_that_it_is_a_reply() -> None:
    """The user goes on while the reply is made: that is no interruption, for nobody has heard of it."""
    good = services(["I take the red one", "and a helmet."], ["Certainly."], turn_scores=UNSURE)
    good["llm"].first = 0.5
    call = run_virtual(hold(Agent("x", **good), [line(0.8, 0.5, "now"), line(0.8, 0.45, "now")]))
    check(call)
    call.reads("""
        0.51  user: I take the red one and a helmet.
        3.28  agent: Certainly.
        6.96  end: the caller hung up
    """)
    assert not call.all(Interrupted)
    assert good["llm"].cancelled == len(call.all(EagerTurnDropped)) == 1


def test_voice_that_fails_in_a_guess_gets_another_try() -> None:
    """The turn is not answered by silence: what failed twice unheard is made again when it is over."""
    good = services(["I would like to rent a bicycle for two days."], ["Which one?"] * 2, turn_scores=[0.5])
    good["tts"].failures += [UnavailableError("no voice")] * 2
    call = run_virtual(hold(Agent("x", **good), [line(1.8, 0.5, "now")]))
    check(call)
    first, second = call.all(ReplyEnded)
    assert (first.speculative, first.reason) == (True, "it failed")
    assert (second.speculative, second.heard) == (False, "Which one?")


def test_late_word_on_the_timing_of_an_old_answer_is_not_that_of_the_new_one() -> None:
    """The second turn comes while it is still asked how long the answer to the first should wait."""
    waits = [(1.2, 5.0), (0.0, 0.9)]  # when it is known, and what it is

    class Slow:
        async def pace(self, exchange: Exchange) -> Pace:
            after, seconds = waits.pop(0)
            await sleep(after)
            return Pace(seconds, "asked")

    good = services(["I take the red one.", "Wait, the blue one."], ["Certainly.", "The blue one."])
    call = run_virtual(
        hold(
            Agent("x", speaking=Speaking(timing=Slow()), **good),
            [line(0.8, 0.5, "now"), line(0.8, 0.3, "now")],
        )
    )
    check(call)
    assert [ended.heard for ended in call.all(ReplyEnded)][-1] == "The blue one."
    assert call.times(PlayoutStarted)[-1] - call.all(UserTurn)[-1].ended == pytest.approx(0.9, abs=0.02)


def test_other_words_than_it_was_begun_for() -> None:
    """The final words differ from the interim ones: what was begun for those is dropped."""
    good = services((), ["Here they are."])
    good["stt"] = StreamingSTT(
        [(1.2, Recognized("I want a pair of skis", False)), (1.9, Recognized("I want a pair of keys.", True))]
    )
    call = run_virtual(hold(Agent("x", **good), [line(0.8, 0.5, "now")]))
    check(call)
    assert [turn.text for turn in call.all(EagerTurn)] == ["I want a pair of skis"]
    assert [dropped.reason for dropped in call.all(EagerTurnDropped)] == ["other words"]
    assert [ended.speculative for ended in call.all(ReplyEnded)] == [True, False]
    assert [entries[-1].text for entries in (context.entries for context in good["llm"].contexts)] == [
        "I want a pair of skis",
        "I want a pair of keys.",
    ]


def test_tools_run_only_after_commit() -> None:
    """The call is made before the turn is over, the tool runs after it: at once, and just once."""
    says = [["Ordering.", ToolCall("1", "order", '{"colour": "red"}')], "It is ordered."]
    good = services(["I would like to rent a bicycle for two days."], says, turn_scores=[0.5])
    call = run_virtual(hold(Agent("x", tools=[order], **good), [line(1.8, 0.5, "now")]))
    check(call)
    (committed,), (started,) = call.times(ReplyCommitted), call.times(ToolStarted)
    assert call.times(Generated)[0] < committed - 0.3
    assert started == committed
    assert call.entries == [
        UserSaid("I would like to rent a bicycle for two days."),
        AgentSaid("Ordering.", (ToolCall("1", "order", '{"colour": "red"}'),)),
        ToolAnswered(ToolCall("1", "order", '{"colour": "red"}'), "ordered"),
        AgentSaid("It is ordered."),
    ]


def test_two_turns_each_with_a_reply_begun_early() -> None:
    """What the second is begun with is what was heard of the first."""
    good = services(["hello there", "and the price?"], ["Good morning to you.", "Twenty."])
    call = run_virtual(hold(Agent("x", **good), [line(0.8, 0.5, "now"), line(0.8, 0.6, "barge-in")]))
    check(call)
    heard = call.all(ReplyEnded)[0].heard.strip()
    assert heard and heard != "Good morning to you."
    assert good["llm"].contexts[-1].entries == (
        UserSaid("hello there"),
        AgentSaid(heard, interrupted=True),
        UserSaid("and the price?"),
    )
