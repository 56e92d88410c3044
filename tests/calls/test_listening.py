"""The agent as a listener: its "mhm", its patience with silence, and when the user is not heard."""

from collections.abc import Sequence
from typing import Any

import pytest

from antiphon import Agent, Listening
from antiphon.clock import LoopClock
from antiphon.conversation.tools import tool
from antiphon.errors import ConfigurationError
from antiphon.frames import (
    Backchannel,
    Interrupted,
    ReplyEnded,
    ReplyStarted,
    SpeechStarted,
    SpeechStopped,
    ToolCall,
    UserIdle,
    UserTurn,
    UserTurnStarted,
)
from antiphon.services.ports import Recognized
from antiphon.testing import StreamingSTT, loud, run_virtual
from antiphon.testing.assertions import HeldCall, check, hold, services
from antiphon.testing.scripted import Answer
from antiphon.transports.caller import CallerInput, CallerLine
from antiphon.turns.backchannels import BackchannelSettings
from antiphon.turns.idle import IdleSettings
from antiphon.turns.mute import UntilGreeted
from antiphon.turns.settings import TurnSettings

sleep = LoopClock().sleep
"""Virtual time, where the loop is virtual."""

Says = Sequence[Sequence[Answer] | str]

ANSWER = "Well, that depends. There are many things to say, and I shall say them all, one after another."
STORY = ["So I went to the shop,", "and the man there said,", "they had no bicycle,", "so I went home."]


def line(seconds: float, wait: float = 0.7, cue: str = "answer") -> CallerLine:
    return CallerLine(loud(seconds), wait, cue)  # type: ignore[arg-type]


# Its own "mhm" ---------------------------------------------------------------------------------------


def told(frequency: float) -> HeldCall:
    """A story in four parts of 3.5 seconds, with pauses in which it goes on."""
    good = services(STORY, ["What a story."], turn_scores=[0.05, 0.05, 0.05, 0.95])
    policy = TurnSettings(backchannels=BackchannelSettings(frequency=frequency, words=("mhm", "I see")))
    lines = [line(3.5, 0.5, "now"), *[line(3.5, 0.6, "now")] * 3]
    call = run_virtual(hold(Agent("x", turns=policy, **good), lines))
    check(call)
    return call


def test_agent_shows_that_it_listens() -> None:
    """In the pauses of a long story, in turn, not in each: no reply, nothing in the context, no turn."""
    call = told(1.0)
    call.reads("""
         0.51  user: So I went to the shop, and the man there said, they had no bicycle, so I went home.
        16.71  agent: What a story.
        20.58  end: the caller hung up
    """)
    assert [said.text for said in call.all(Backchannel)] == ["mhm", "I see"]
    first, second = call.times(Backchannel)
    assert second - first >= 6.0
    ends = [ended for _, ended in call.part(CallerInput).spoken]
    assert min(abs(first - ended) for ended in ends) < 0.4, "in a pause, right after the words"
    aside = call.pcm(0)
    assert len(aside) / 48000 == pytest.approx(len("mhm" + "I see") / 15, abs=0.001)
    assert len(call.all(UserTurnStarted)) == len(call.all(ReplyStarted)) == 1


def test_agent_that_does_not_is_the_default() -> None:
    silent = told(0.0)
    assert not silent.all(Backchannel)
    assert silent.entries == told(1.0).entries


def test_half_as_often() -> None:
    assert len(told(0.4).all(Backchannel)) == 1


# Silence ---------------------------------------------------------------------------------------------


def quiet(lines: Sequence[CallerLine], *hears: str, says: Sequence[str] = (), **idle: Any) -> HeldCall:
    """A call with somebody who does not say much."""
    policy = TurnSettings(idle=IdleSettings(**idle))
    agent = Agent("x", greeting="Hello?", turns=policy, **services(hears, says))
    call = run_virtual(hold(agent, lines, linger=60.0))
    check(call)
    return call


def test_idle_user_is_prompted_and_then_let_go() -> None:
    """Each time after five seconds in which nobody speaks."""
    call = quiet([], prompt_after=5.0, prompts=("Are you still there?", "Shall I hang up?"))
    call.reads("""
         0.05  agent: Hello?
         5.50  agent: Are you still there?
        11.82  agent: Shall I hang up?
        17.82  end: the user was idle
    """)
    assert [idle.action for idle in call.all(UserIdle)] == ["prompt", "prompt", "end"]
    assert all(idle.seconds == pytest.approx(5.0, abs=0.001) for idle in call.all(UserIdle))


def test_user_who_answers_the_prompt_is_asked_anew_the_next_time() -> None:
    call = quiet([line(0.8, 7.5, "now")], "yes, I am", says=["Good."], prompt_after=5.0)
    call.reads("""
         0.05  agent: Hello?
         5.50  agent: Are you still there?
         7.49  user: yes, I am
         8.65  agent: Good.
        14.03  agent: Are you still there?
        20.30  end: the user was idle
    """)


def test_user_who_speaks_is_not_idle() -> None:
    """Neither is one who is answered at length, however long the other is silent."""
    call = quiet(
        [line(8.0, 1.5, "now"), line(0.4, 3.0)],
        "a long story",
        "bye",
        says=[ANSWER, "Bye."],
        prompt_after=5.0,
    )
    assert [idle.action for idle in call.all(UserIdle)] == ["prompt", "end"]
    assert call.times(UserIdle)[0] > call.times(ReplyEnded)[2]


def test_away_is_told_once_and_nobody_hangs_up() -> None:
    """After so long without a sign of the user, whatever the agent says meanwhile."""
    call = quiet(
        [line(0.8, 25.0, "now")], "I am back", says=["Fine."], prompt_after=8.0, away_after=15.0,
        then_end=False,
    )  # fmt: skip
    assert [idle.action for idle in call.all(UserIdle)] == ["prompt", "away", "prompt", "away"]
    prompted, away = call.times(UserIdle)[:2]
    assert away == pytest.approx(call.times(ReplyEnded)[0] + 15.0, abs=0.01)
    assert prompted == pytest.approx(call.times(ReplyEnded)[0] + 8.0, abs=0.01)
    assert [turn.text for turn in call.all(UserTurn)] == ["I am back"]


# Mute ------------------------------------------------------------------------------------------------


@tool
async def lookup() -> str:
    """Takes two seconds."""
    await sleep(2)
    return "found"


def muted(
    *rules: str, lines: Sequence[CallerLine], hears: Sequence[str], says: Sequence[Sequence[Answer] | str]
) -> HeldCall:
    """A call with rules; the greeting takes three seconds."""
    agent = Agent(
        "x",
        greeting="This is the shop for bicycles of all kinds.",
        tools=[lookup],
        listening=Listening(mute=rules),
        **services(hears, says),
    )
    call = run_virtual(hold(agent, lines))
    check(call)
    return call


def test_greeting_is_heard_to_the_end() -> None:
    """Who speaks over it is not heard; who speaks over the next reply is."""
    lines = [line(0.8, 1.0, "now"), line(0.8, 1.8, "now"), line(0.8, 1.0, "barge-in")]
    call = muted("greeting", lines=lines, hears=["hello", "no, wait"], says=[ANSWER, "Yes?"])
    call.reads("""
         0.05  agent: This is the shop for bicycles of all kinds.
         3.62  user: hello
         4.72  agent: Well, that —
         5.73  user: no, wait
         6.89  agent: Yes?
        10.16  end: the caller hung up
    """)


def test_first_words_are_heard_to_the_end() -> None:
    """Those that are said first, be they a greeting or an answer."""
    agent = Agent(
        "x",
        listening=Listening(mute=["first words"]),
        **services(["hello", "stop it"], ["Good morning to you.", "Yes?"]),
    )
    lines = [line(0.8, 0.5, "now"), line(0.5, 0.3, "barge-in"), line(0.8, 1.2, "now")]
    call = run_virtual(hold(agent, lines))
    check(call)
    call.reads("""
        0.51  user: hello
        1.72  agent: Good morning to you.
        3.71  user: stop it
        4.89  agent: Yes?
        8.16  end: the caller hung up
    """)


def test_nobody_is_heard_while_a_tool_runs() -> None:
    says = [["One moment.", ToolCall("1", "lookup", "{}")], "I have found it.", "You are welcome."]
    lines = [line(0.8, 4.0, "now"), line(0.6, 1.2, "barge-in"), line(0.8, 1.8, "now")]
    call = muted("tools", lines=lines, hears=["look it up", "thank you so much"], says=says)
    call.reads("""
         0.05  agent: This is the shop for bicycles of all kinds.
         4.00  user: look it up
         5.20  agent: One moment. I have found it.
         7.15  tool lookup: found
         8.80  user: thank you so much
        10.03  agent: You are welcome.
        14.10  end: the caller hung up
    """)
    assert len(call.all(SpeechStarted)) == 2


def test_always_muted_while_the_agent_speaks() -> None:
    lines = [
        line(0.8, 1.0, "now"),
        line(0.8, 1.8, "now"),
        line(0.8, 1.0, "barge-in"),
        line(0.8, 7.0, "now"),
    ]
    call = muted("speaking", lines=lines, hears=["hello", "bye"], says=[ANSWER, "Bye."])
    assert not call.all(Interrupted)
    assert [turn.text for turn in call.all(UserTurn)] == ["hello", "bye"]
    assert len(call.all(SpeechStopped)) == 2


def test_each_call_has_its_own_greeting() -> None:
    """Who speaks over it is not heard, in the second call as in the first."""
    agent = Agent(
        "x",
        greeting="Hello, this is the shop, how can I help you?",
        listening=Listening(mute=[UntilGreeted]),
        **services(["one", "two"], ["Yes?", "Yes?"]),
    )
    for said in ("one", "two"):
        call = run_virtual(hold(agent, [line(0.8, 1.0, "now"), line(0.8, 3.0, "now")]))
        check(call)
        assert [turn.text for turn in call.all(UserTurn)] == [said]
        assert len(call.all(SpeechStarted)) == 1


def test_rule_that_calls_would_share_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="pass the rule's class"):
        Agent("x", listening=Listening(mute=[UntilGreeted()]), **services([], []))  # pyright: ignore[reportArgumentType]


def test_user_who_is_only_heard_by_words_is_not_idle() -> None:
    """Without a VAD the words are the sign."""
    words = [(2.0 + n / 2, Recognized("I want " + "very " * n + "much", False)) for n in range(20)]
    ears = StreamingSTT([*words, (12.0, Recognized("I want a bike.", True))])
    good: dict[str, Any] = {**services((), ["Certainly."]), "vad": None, "eot": None, "stt": ears}
    policy = TurnSettings(idle=IdleSettings(prompt_after=4.0))
    call = run_virtual(hold(Agent("x", greeting="Hello.", turns=policy, **good), [line(12.0, 0.5, "now")]))
    check(call)
    assert not call.all(UserIdle)
    assert [turn.text for turn in call.all(UserTurn)] == ["I want a bike."]
