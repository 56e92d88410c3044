"""Whole calls in virtual time: what is heard of them, line by line."""

from antiphon import Agent
from antiphon.clock import LoopClock
from antiphon.context import AgentSaid, ToolAnswered, UserSaid
from antiphon.conversation.tools import tool
from antiphon.frames import ReplyStarted, ToolCall, TurnScored, UserTurn, UserTurnStarted
from antiphon.testing import loud, run_virtual
from antiphon.testing.assertions import check, hold, services
from antiphon.transports.caller import CallerLine

sleep = LoopClock().sleep
"""Virtual time, where the loop is virtual."""


def say(seconds: float, wait: float = 0.7, cue: str = "answer") -> CallerLine:
    return CallerLine(loud(seconds), wait, cue)  # type: ignore[arg-type]


@tool
async def opening_hours(day: str) -> str:
    """When the shop is open on a day of the week."""
    await sleep(0.5)
    return "nine to five"


def test_shop() -> None:
    """A greeting, a question with a tool, thanks."""
    agent = Agent(
        "You answer the phone of a bicycle shop.",
        greeting="Bicycle shop, good morning.",
        tools=[opening_hours],
        **services(
            ["hello", "when are you open on monday?", "thank you, bye"],
            [
                "Hello! What can I do for you?",
                ["One moment.", ToolCall("1", "opening_hours", '{"day": "monday"}')],
                "On monday we are open from nine to five.",
                "Good bye!",
            ],
        ),
    )
    call = run_virtual(hold(agent, [say(0.6), say(2.0), say(1.0)]))
    check(call)
    call.reads("""
         0.05  agent: Bicycle shop, good morning.
         2.50  user: hello
         3.44  agent: Hello! What can I do for you?
         6.02  user: when are you open on monday?
         8.44  agent: One moment. On monday we are open from nine to five.
         8.89  tool opening_hours: nine to five
        12.61  user: thank you, bye
        14.04  agent: Good bye!
        17.66  end: the caller hung up
    """)
    assert call.entries[-5:] == [
        AgentSaid("One moment.", (ToolCall("1", "opening_hours", '{"day": "monday"}'),)),
        ToolAnswered(ToolCall("1", "opening_hours", '{"day": "monday"}'), "nine to five"),
        AgentSaid("On monday we are open from nine to five."),
        UserSaid("thank you, bye"),
        AgentSaid("Good bye!"),
    ]


def test_slow_speaker_has_one_turn() -> None:
    """Two fragments with a pause in which the user does not sound finished."""
    agent = Agent(
        "Be patient.",
        **services(["I would like", "a red bicycle"], ["A red one."], turn_scores=[0.1, 0.9]),
    )
    call = run_virtual(hold(agent, [say(0.8, 0.5, "now"), say(0.8, 0.9, "now")]))
    check(call)
    call.reads("""
        0.51  user: I would like a red bicycle
        3.84  agent: A red one.
        7.52  end: the caller hung up
    """)
    assert len(call.all(UserTurnStarted)) == 1
    assert [scored.probability for scored in call.all(TurnScored)] == [0.1, 0.9]


def test_user_who_goes_on_after_the_answer_began_has_two_turns_and_the_model_knows_both() -> None:
    agent = Agent(
        "Be patient.",
        **services(["I would like", "a red bicycle"], ["Yes, what would you like?", "A red one."]),
    )
    call = run_virtual(hold(agent, [say(0.8, 0.5, "now"), say(0.8, 0.3, "barge-in")]))
    check(call)
    call.reads("""
        0.51  user: I would like
        2.16  agent: Yes, —
        2.46  user: a red bicycle
        3.69  agent: A red one.
        7.36  end: the caller hung up
    """)


def test_noise_is_no_turn() -> None:
    """A cough: speech for the VAD, no words. Nobody answers, and nothing of it is in the context."""
    agent = Agent("Be patient.", **services(["", "hello", "", "bye"], ["Hello there.", "Bye."]))
    lines = [say(0.3, 0.5, "now"), say(0.8, 3.0, "now"), say(0.3, 1.0), say(0.8, 2.0, "now")]
    call = run_virtual(hold(agent, lines))
    check(call)
    call.reads("""
         3.81  user: hello
         5.00  agent: Hello there.
         9.09  user: bye
        10.25  agent: Bye.
        13.52  end: the caller hung up
    """)
    assert len(call.all(UserTurn)) == 2
    assert len(call.all(ReplyStarted)) == 2


def test_cough_holds_the_voice_and_loses_nothing_of_it() -> None:
    agent = Agent(
        "Be patient.",
        **services(["hello", "", "again please"], ["This is a long answer to a short word.", "Gladly."]),
    )
    call = run_virtual(hold(agent, [say(0.8, 0.5, "now"), say(0.3, 1.0, "barge-in"), say(0.8, 2.0, "now")]))
    check(call)
    call.reads("""
        0.51  user: hello
        1.75  agent: This is a long answer to a short word.
        5.06  user: again please
        6.23  agent: Gladly.
        9.70  end: the caller hung up
    """)


def test_silent_caller_is_let_go() -> None:
    call = run_virtual(hold(Agent("Be patient.", greeting="Hello?", **services()), []))
    check(call)
    call.reads("""
        0.05  agent: Hello?
        3.46  end: the caller hung up
    """)


def test_words_that_come_after_the_speech_has_stopped_are_waited_for() -> None:
    good = services(["hello"], ["Hello there."])
    good["stt"].delay = 1.2
    call = run_virtual(hold(Agent("Be patient.", **good), [say(0.8, 0.5, "now")]))
    check(call)
    call.reads("""
        0.51  user: hello
        2.82  agent: Hello there.
        6.64  end: the caller hung up
    """)


def test_words_that_come_when_the_turn_was_given_up_are_answered_all_the_same() -> None:
    good = services(["hello"], ["Hello there."])
    good["stt"].delay = 4.0
    call = run_virtual(hold(Agent("Be patient.", **good), [say(0.8, 0.5, "now")], linger=8.0))
    check(call)
    call.reads("""
         0.51  user: hello
         5.62  agent: Hello there.
        14.44  end: the caller hung up
    """)


def test_long_call_is_the_same_from_its_first_turn_to_its_last() -> None:
    """Twenty minutes in some seconds: nothing is lost, and nothing gets slower or later."""
    turns = 40
    agent = Agent(
        "Be patient.",
        **services(
            [f"question {n}" for n in range(turns)], [f"Answer {n} is this one." for n in range(turns)]
        ),
    )
    call = run_virtual(
        hold(agent, [say(1.0, 25.0) if n else say(1.0, 0.5, "now") for n in range(turns)], at_most=7200.0)
    )
    check(call)
    assert call.session.now > 1000
    assert [turn.text for turn in call.all(UserTurn)] == [f"question {n}" for n in range(turns)]
    assert [entry.text for entry in call.entries if isinstance(entry, AgentSaid)] == [
        f"Answer {n} is this one." for n in range(turns)
    ]
    gaps = [
        began - turn.ended for began, turn in zip(call.times(ReplyStarted), call.all(UserTurn), strict=True)
    ]
    assert max(gaps) - min(gaps) < 0.05
    assert call.session.works.stale == 0
