"""Barge-in at every moment: what was heard stays said, the rest is gone, and the conversation goes on."""

from collections.abc import Sequence

import pytest

from antiphon.agent import Agent
from antiphon.clock import LoopClock
from antiphon.conversation.context import ToolAnswered
from antiphon.conversation.tools import Tool, tool
from antiphon.frames import (
    Interrupted,
    PlayoutPaused,
    PlayoutStarted,
    Prompt,
    ReplyEnded,
    ToolCall,
    ToolEnded,
    UserTurn,
)
from antiphon.testing import loud, run_virtual
from antiphon.testing.assertions import Call, check, hold, no_task_left, services
from antiphon.testing.scripted import Answer
from antiphon.transports.caller import Caller, Line, Mouth

sleep = LoopClock().sleep
"""Virtual time, where the loop is virtual."""

ANSWER = "Well, that depends. There are many things to say, and I shall say them all, one after another."


def agent(*hears: str, says: Sequence[Sequence[Answer] | str], **settings: object) -> Agent:
    return Agent("Be patient.", **{**services(hears, says), **settings})  # type: ignore[arg-type]


def line(seconds: float, wait: float, cue: str) -> Line:
    return Line(loud(seconds), wait, cue)  # type: ignore[arg-type]


@tool
async def lookup() -> str:
    """Takes two seconds and finishes, whatever happens."""
    await sleep(2)
    return "found"


@tool(on_interrupt="cancel")
async def search() -> str:
    """Takes two seconds, and is cancelled with its reply."""
    await sleep(2)
    return "found"


# One moment each -------------------------------------------------------------------------------------


def test_while_the_model_thinks() -> None:
    good = services(["first", "second"], ["never heard", "Both of them."])
    good["llm"].first = 3.0
    call = run_virtual(hold(Agent("x", **good), [line(0.8, 0.5, "now"), line(0.8, 1.5, "now")]))
    check(call)
    call.reads("""
        0.51  user: first
        1.54  agent: —
        2.82  user: second
        6.96  agent: Both of them.
        10.8  end: the caller hung up
    """)


def test_in_the_first_50_ms_of_sound() -> None:
    call = run_virtual(
        hold(
            agent("first", "second", says=[ANSWER, "Yes?"]),
            [line(0.8, 0.5, "now"), line(0.8, 0.0, "barge-in")],
        )
    )
    check(call)
    interrupted, began = call.times(Interrupted)[0], call.times(PlayoutStarted)[0]
    assert call.times(PlayoutPaused)[0] - began < 0.1, "at the first sound"
    assert interrupted - began < 1.2, "as soon as there are words"
    assert [ended.heard for ended in call.all(ReplyEnded)] == ["", "Yes?"]


def test_in_the_last_word() -> None:
    """The voice speaks fifteen characters a second."""
    spoken = len(ANSWER) / 15
    call = run_virtual(
        hold(
            agent("first", "second", says=[ANSWER, "Yes?"]),
            [line(0.8, 0.5, "now"), line(0.8, spoken - 0.58, "barge-in")],
        )
    )
    check(call)
    assert call.all(ReplyEnded)[0].heard == ANSWER.removesuffix(" another.")
    assert call.all(ReplyEnded)[0].interrupted


def test_just_after_the_last_word() -> None:
    spoken = len(ANSWER) / 15
    call = run_virtual(
        hold(
            agent("first", "second", says=[ANSWER, "Yes?"]),
            [line(0.8, 0.5, "now"), line(0.8, spoken + 0.3, "barge-in")],
        )
    )
    check(call)
    assert call.all(ReplyEnded)[0] == ReplyEnded(1, ANSWER, ANSWER, False)


def test_twice_in_a_row() -> None:
    lines = [
        line(0.8, 0.5, "now"),
        line(0.8, 1.0, "barge-in"),
        line(0.8, 0.5, "barge-in"),
        line(0.8, 0.8, "barge-in"),
    ]
    call = run_virtual(
        hold(agent("first", "second", "third", "fourth", says=[ANSWER, ANSWER, ANSWER, "Calm down."]), lines)
    )
    check(call)
    call.reads("""
        0.51  user: first
        1.68  agent: Well, that —
        2.69  user: second
        3.92  agent: Well, —
        4.42  user: third
        5.64  agent: Well, that —
        6.43  user: fourth
        7.72  agent: Calm down.
        11.4  end: the caller hung up
    """)


def test_long_answer_is_stopped_in_time_however_much_of_it_is_ready() -> None:
    """Half a minute waits at playout, and more with the voice and the model; the user is heard at once."""
    story = "And then the bicycle went down the hill and up the next one. " * 10
    lines = [line(0.8, 0.5, "now"), line(1.0, 3.0, "barge-in"), line(1.0, 1.0, "barge-in")]
    call = run_virtual(hold(agent("a story", "stop", "enough of it", says=[story, story, "Bye."]), lines))
    check(call)
    begun = [at for at, _ in call.part(Mouth).spoken]
    silent = call.times(PlayoutPaused)
    assert all(at - spoke < 0.1 for at, spoke in zip(silent, begun[1:], strict=True))
    assert len(call.all(Interrupted)) == 2
    assert [turn.text for turn in call.all(UserTurn)] == ["a story", "stop", "enough of it"]


def test_reply_that_may_not_be_interrupted_is_heard_to_the_end() -> None:
    parts = agent("hello", says=["Now you."]).pipeline(Caller([line(0.8, 0.5, "now")], 16000))
    call = Call(parts)

    async def main() -> None:
        async with call:
            call.session.say("This call is recorded for your own good.", interruptible=False)
            await call.session.wait()
        no_task_left()

    run_virtual(main())
    check(call)
    call.reads("""
        0.05  agent: This call is recorded for your own good.
        0.51  user: hello
        3.0   agent: Now you.
        6.6   end: the caller hung up
    """)


# Tools -----------------------------------------------------------------------------------------------


def test_tool_that_finishes_is_known_to_the_next_reply_but_one() -> None:
    says = [["Let me look.", ToolCall("1", "lookup", "{}")], "I am still at it.", "I have found it."]
    lines = [line(0.8, 0.5, "now"), line(0.5, 0.9, "barge-in"), line(0.8, 1.5, "answer")]
    call = run_virtual(hold(agent("look", "hello?", "any news?", says=says, tools=[lookup]), lines))
    check(call)
    call.reads("""
        0.51  user: look
        1.83  agent: Let me —
        2.75  user: hello?
        3.75  agent: I am still at it.
        3.73  tool lookup: found
        6.30  user: any news?
        7.66  agent: I have found it.
       11.6   end: the caller hung up
    """)
    results = [
        [entry.result for entry in prompt.context.entries if isinstance(entry, ToolAnswered)]
        for prompt in call.all(Prompt)
    ]
    assert results == [[], ["still running"], ["found"]]


def test_tool_that_is_cancelled_is_never_heard_of_again() -> None:
    says = [["Let me look.", ToolCall("1", "search", "{}")], "All right."]
    lines = [line(0.8, 0.5, "now"), line(0.5, 0.9, "barge-in")]
    call = run_virtual(hold(agent("look", "stop", says=says, tools=[search]), lines))
    check(call)
    assert not call.all(ToolEnded)
    assert [entry.result for entry in call.entries if isinstance(entry, ToolAnswered)] == [
        "stopped: the reply was interrupted"
    ]


# Every moment ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [lookup, search], ids=["finish", "cancel"])
def test_at_every_moment_of_a_reply_with_a_tool(kind: Tool) -> None:
    """From the first word of the user to the last of the agent, a fifth of a second at a time."""
    name = kind.spec.name
    heards: set[str] = set()
    for moment in range(3, 75, 2):
        says = [
            ["Let me look.", ToolCall("1", name, "{}")],
            "We are open from nine to five.",
            "Yes?",
            "Go on.",
        ]
        lines = [line(0.6, 0.5, "now"), line(0.6, moment / 10, "now")]
        call = run_virtual(hold(agent("when are you open?", "wait", says=says, tools=[kind]), lines))
        check(call)
        ended = call.all(ReplyEnded)
        heards.add(ended[0].heard)
        assert " ".join(turn.text for turn in call.all(UserTurn)) == "when are you open? wait"
        assert not ended[-1].interrupted, "somebody always has the last word"
    assert {
        "",
        "Let me look.",
        "Let me look. We are open",
        "Let me look. We are open from nine to five.",
    } <= {heard.strip() for heard in heards}


def test_hang_up_at_every_moment() -> None:
    """Wherever the call stands: one end, nothing after it, no task left, what was heard is kept."""

    async def main(moment: float) -> Call:
        says = [["Let me look.", ToolCall("1", "lookup", "{}")], "We are open from nine to five.", "Yes?"]
        good = agent("when?", "wait", says=says, tools=[lookup], greeting="Hello.")
        call = Call(good.pipeline(Caller([line(0.6, 1.0, "now"), line(0.6, 3.5, "barge-in")], 16000)))
        async with call:
            await call.session.clock.sleep(moment)
            begun = call.session.clock.now()
            await call.session.cancel()
            assert call.session.clock.now() - begun <= 0.6
        no_task_left()
        return call

    for moment in range(0, 90, 2):
        call = run_virtual(main(moment / 10))
        check(call)


def test_end_at_every_moment_speaks_what_was_promised() -> None:
    async def main(moment: float) -> Call:
        says = [["Let me look.", ToolCall("1", "lookup", "{}")], "We are open from nine to five."]
        call = Call(
            agent("when?", says=says, tools=[lookup], greeting="Hello.").pipeline(
                Caller([line(0.6, 1.0, "now")], 16000, linger=60)
            )
        )
        async with call:
            await call.session.clock.sleep(moment)
            await call.session.end()
        no_task_left()
        return call

    for moment in range(0, 90, 2):
        call = run_virtual(main(moment / 10))
        check(call)
        assert all(not ended.interrupted for ended in call.all(ReplyEnded)), call.story()
