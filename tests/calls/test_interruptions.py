"""Barge-in at every moment: what was heard stays said, the rest is gone, and the conversation goes on."""

from array import array
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from typing import Any

import pytest

from antiphon import Agent, Speaking
from antiphon.clock import LoopClock
from antiphon.context import AgentSaid, ToolAnswered, UserSaid
from antiphon.conversation.tools import Tool, tool
from antiphon.frames import (
    AgentAudio,
    FalseInterruption,
    Interrupted,
    PlayoutPaused,
    PlayoutResumed,
    PlayoutStarted,
    Prompt,
    ReplyEnded,
    SoundHeard,
    ToolCall,
    ToolEnded,
    ToolStarted,
    UserTurn,
    replace,
)
from antiphon.playout.playout import Playout
from antiphon.processor import Processor, on
from antiphon.services.ports import Speech, Word
from antiphon.session import Session
from antiphon.testing import loud, run_virtual
from antiphon.testing.assertions import HeldCall, check, hold, no_task_left, services
from antiphon.testing.scripted import Answer, ScriptedSTT, ScriptedTTS
from antiphon.transports.caller import Caller, CallerInput, CallerLine
from antiphon.turns.interruption import InterruptionSettings
from antiphon.turns.settings import TurnSettings
from antiphon.turns.turn_taking import TurnTaking

sleep = LoopClock().sleep
"""Virtual time, where the loop is virtual."""

ANSWER = "Well, that depends. There are many things to say, and I shall say them all, one after another."


def agent(*hears: str, says: Sequence[Sequence[Answer] | str], **settings: object) -> Agent:
    return Agent("Be patient.", **{**services(hears, says), **settings})  # type: ignore[arg-type]


def line(seconds: float, wait: float, cue: str) -> CallerLine:
    return CallerLine(loud(seconds), wait, cue)  # type: ignore[arg-type]


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
         1.46  agent: —
         2.82  user: second
         5.27  agent: One moment, please. Both of them.
        10.74  end: the caller hung up
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
    """The agent finishes it, and what the user says is the next turn. It speaks 15 characters a second."""
    spoken = len(ANSWER) / 15
    call = run_virtual(
        hold(
            agent("first", "second", says=[ANSWER, "Yes?"]),
            [line(0.8, 0.5, "now"), line(0.8, spoken - 0.3, "barge-in")],
        )
    )
    check(call)
    assert call.part(CallerInput).spoken[1][0] < call.times(ReplyEnded)[0]
    assert call.all(ReplyEnded)[0] == ReplyEnded(1, ANSWER, ANSWER, False)
    assert not call.all(PlayoutPaused)
    assert [turn.text for turn in call.all(UserTurn)] == ["first", "second"]


def test_in_the_last_word_but_one() -> None:
    spoken = len(ANSWER) / 15
    call = run_virtual(
        hold(
            agent("first", "second", says=[ANSWER, "Yes?"]),
            [line(0.8, 0.5, "now"), line(0.8, spoken - 0.75, "barge-in")],
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


def test_in_the_first_of_two_sentences() -> None:
    """Nothing of the second is in the context, though it was written and spoken long before."""
    says = ["First I tell you this, which is long. Then I tell you that.", "Yes?"]
    call = run_virtual(
        hold(agent("hello", "wait", says=says), [line(0.8, 0.5, "now"), line(0.5, 1.0, "barge-in")])
    )
    check(call)
    call.reads("""
        0.51  user: hello
        1.72  agent: First I tell you —
        2.72  user: wait
        3.72  agent: Yes?
        7.00  end: the caller hung up
    """)
    assert call.entries[1] == AgentSaid("First I tell you", interrupted=True)
    assert call.all(Prompt)[-1].context.entries == tuple(call.entries[:-1])


def test_agent_and_user_begin_at_once() -> None:
    """The user goes first: nothing of the reply is heard, and nothing of it is in the context."""
    call = run_virtual(
        hold(
            agent("hello", "sorry, one more thing", says=[ANSWER, "Yes?"]),
            [line(0.8, 0.5, "now"), line(0.8, 0.25, "now")],
        )
    )
    check(call)
    call.reads("""
        0.51  user: hello
        1.46  agent: —
        1.57  user: sorry, one more thing
        2.78  agent: Yes?
        6.06  end: the caller hung up
    """)
    assert not call.pcm(1)


def test_agent_backs_off_after_a_collision() -> None:
    """Who has just begun and is interrupted waits a little longer the next time; later on it does not."""
    gaps: list[float] = []
    for moment in (0.3, 3.0):
        policy = TurnSettings(interruption=InterruptionSettings(back_off=0.8))
        call = run_virtual(
            hold(
                agent("hello", "and also this", says=[ANSWER, "Fine."], turns=policy),
                [line(0.8, 0.5, "now"), line(0.8, moment, "barge-in")],
            )
        )
        check(call)
        gaps.append(call.times(PlayoutStarted)[1] - call.all(UserTurn)[1].ended)
    assert gaps[0] >= 0.8 > 0.6 >= gaps[1]


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
         1.66  agent: Well, that —
         2.66  user: second
         3.80  agent: Well, —
         4.29  user: third
         5.42  agent: Well, that —
         6.21  user: fourth
         7.40  agent: Calm down.
        11.08  end: the caller hung up
    """)


def test_long_answer_is_stopped_in_time_however_much_of_it_is_ready() -> None:
    """Half a minute waits at playout, and more with the voice and the model; the user is heard at once."""
    story = "And then the bicycle went down the hill and up the next one. " * 10
    lines = [line(0.8, 0.5, "now"), line(1.0, 3.0, "barge-in"), line(1.0, 1.0, "barge-in")]
    call = run_virtual(hold(agent("a story", "stop", "enough of it", says=[story, story, "Bye."]), lines))
    check(call)
    begun = [at for at, _ in call.part(CallerInput).spoken]
    silent = call.times(PlayoutPaused)
    assert all(at - spoke < 0.1 for at, spoke in zip(silent, begun[1:], strict=True))
    assert len(call.all(Interrupted)) == 2
    assert [turn.text for turn in call.all(UserTurn)] == ["a story", "stop", "enough of it"]


def test_reply_that_may_not_be_interrupted_is_heard_to_the_end() -> None:
    parts = agent("hello", says=["Now you."]).pipeline(Caller([line(0.8, 0.5, "now")], 16000))
    call = HeldCall(parts)

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
        2.91  agent: Now you.
        6.46  end: the caller hung up
    """)


def test_head_of_a_queue_that_may_not_be_interrupted() -> None:
    """The user speaks over both: the first is heard to the end, the second is not."""
    call = HeldCall(
        agent("hello", "no, thank you", says=["Bye."]).pipeline(
            Caller([line(0.8, 0.5, "now"), line(0.8, 3.0, "now")], 16000)
        )
    )

    async def main() -> None:
        async with call:
            call.session.say("This call is recorded for your own good.", interruptible=False)
            call.session.say("May I tell you about our offers of the week, which are many?")
            await call.session.wait()
        no_task_left()

    run_virtual(main())
    check(call)
    call.reads("""
        0.05  agent: This call is recorded for your own good.
        0.51  user: hello
        2.70  agent: May I tell you about our —
        4.29  user: no, thank you
        5.45  agent: Bye.
        8.72  end: the caller hung up
    """)


# Not for the floor -----------------------------------------------------------------------------------


class Counting(ScriptedTTS):
    """A voice whose every sample is another, so that none can be lost, repeated or swapped unseen."""

    async def speak(self, text: AsyncIterator[str]) -> AsyncGenerator[Speech | Word, None]:
        said = 0
        async with aclosing(super().speak(text)) as spoken:
            async for item in spoken:
                if isinstance(item, Speech):
                    count = len(item.pcm) // 2
                    numbers = array("h", (1 + (said + n) % 30000 for n in range(count)))
                    item, said = Speech(numbers.tobytes(), item.piece), said + count
                yield item


class Buffered(Caller):
    """A caller whose transport holds 200 ms ahead of time, and forgets it when playout is paused."""

    lead = 0.2


def at_the_speaker(call: HeldCall, reply: int = 1) -> bytes:
    """What was heard of a reply where the transport forgets what it holds on PlayoutPaused."""
    rate = call.part(Playout).sample_rate
    pieces: list[AgentAudio] = []
    for seen in call.seen:
        if isinstance(seen.what, AgentAudio) and seen.source == call.part(Playout).name:
            pieces.append(seen.what)
        elif isinstance(seen.what, PlayoutPaused) and call.part(Playout).lead:
            now = round(seen.at * rate)
            pieces = [replace(piece, pcm=piece.pcm[: 2 * max(0, now - piece.at)]) for piece in pieces]
    return b"".join(piece.pcm for piece in pieces if piece.reply == reply)


def disturbed(
    transport: type[Caller], *hears: str, lines: Sequence[CallerLine] = (), **settings: Any
) -> HeldCall:
    """A call in which the agent gives its long answer while the caller makes some sound."""
    settings.setdefault("tts", Counting())
    good = services(["hello", *hears], [ANSWER, "Yes?"]) | settings
    parts = Agent("x", **good).pipeline(transport([line(0.8, 0.5, "now"), *lines], 16000))
    call = HeldCall(parts)

    async def main() -> None:
        async with call:
            await call.session.wait()
        no_task_left()

    run_virtual(main())
    check(call)
    return call


@pytest.mark.parametrize("transport", [Caller, Buffered])
@pytest.mark.parametrize(
    ("heard", "kind"), [("", "noise"), ("mhm", "backchannel"), ("yeah, right", "backchannel")]
)
def test_false_interruption_resumes_at_the_exact_sample(
    transport: type[Caller], heard: str, kind: str
) -> None:
    """Three sounds over the voice: all that is heard of it is, sample for sample, what it was to be."""
    alone = disturbed(transport)
    lines = [line(0.3, 1.0, "barge-in"), line(0.4, 1.313, "now"), line(0.06, 1.0, "now")]
    call = disturbed(transport, heard, heard, lines=lines)
    assert len(call.times(PlayoutPaused)) == len(call.times(PlayoutResumed)) == 3
    assert [false.kind for false in call.all(FalseInterruption)] == [kind, kind]
    assert at_the_speaker(call) == at_the_speaker(alone) == alone.pcm(1)
    assert call.times(ReplyEnded)[0] > alone.times(ReplyEnded)[0] + 0.5, "it was silent for as long"
    assert not call.all(Interrupted)
    assert call.entries == alone.entries == [UserSaid("hello"), AgentSaid(ANSWER)]


def test_voice_may_wait_before_it_goes_on() -> None:
    """So that nobody is talked over who only took a breath; with the same words, and at the same sample."""
    gaps: list[float] = []
    for patience in (0.0, 0.9):
        policy = TurnSettings(interruption=InterruptionSettings(resume_after=patience))
        call = disturbed(Caller, "mhm", lines=[line(0.3, 1.0, "barge-in")], turns=policy)
        gaps.append(call.times(PlayoutResumed)[0] - call.part(CallerInput).spoken[1][1])
        assert call.pcm(1) == disturbed(Caller).pcm(1)
    assert gaps[0] < 0.5
    assert gaps[1] == pytest.approx(0.9, abs=0.05)


@pytest.mark.parametrize("moment", [0.4, 0.8, 1.3, 2.6])
def test_voice_may_finish_its_word_first(moment: float) -> None:
    """A graceful stop: at most half a second later it is held, at the end of a word that counts as heard."""
    lines = [line(0.4, moment, "barge-in")]
    cut, graceful = (
        disturbed(
            Caller,
            "wait",
            lines=lines,
            turns=TurnSettings(interruption=InterruptionSettings(finish_word=finish)),
        )
        for finish in (False, True)
    )
    assert 0 <= graceful.times(PlayoutPaused)[0] - cut.times(PlayoutPaused)[0] <= 0.5
    heard = graceful.all(ReplyEnded)[0].heard.rstrip()
    assert heard in ANSWER and cut.all(ReplyEnded)[0].heard.rstrip() in heard
    clauses = sum(heard.count(mark) for mark in ",.")  # between which the voice needs no time for a space
    assert len(heard) - clauses <= len(graceful.pcm(1)) / 48000 * 15 + 0.01 < len(heard) + 1


@pytest.mark.parametrize("heard", ["", "mhm"])
def test_transport_that_cannot_pause_plays_on(heard: str) -> None:
    """What is no barge-in cannot be told from a call in which nobody made a sound."""
    policy = TurnSettings(interruption=InterruptionSettings(first="play on"))
    alone = disturbed(Caller, turns=policy)
    call = disturbed(Caller, heard, lines=[line(0.4, 1.0, "barge-in")], turns=policy)
    assert not call.all(PlayoutPaused)
    assert [false.kind for false in call.all(FalseInterruption)] == ["noise" if not heard else "backchannel"]
    assert call.pcm(1) == alone.pcm(1)
    assert call.times(ReplyEnded)[0] == pytest.approx(alone.times(ReplyEnded)[0], abs=0.001)


def test_transport_that_cannot_pause_is_interrupted_by_words() -> None:
    policy = TurnSettings(interruption=InterruptionSettings(first="play on"))
    call = disturbed(Caller, "wait a second", lines=[line(0.8, 2.0, "barge-in")], turns=policy)
    call.reads("""
        0.51  user: hello
        1.66  agent: Well, that depends. There are many things to —
        3.65  user: wait a second
        4.81  agent: Yes?
        8.08  end: the caller hung up
    """)


def test_long_noise_takes_the_voice_and_gives_it_back() -> None:
    """A lorry: after a second and a half it might be a user; when no words come, the agent says the rest."""
    call = disturbed(Caller, "", lines=[line(2.5, 2.0, "barge-in")])
    call.reads("""
         0.51  user: hello
         1.66  agent: Well, that depends. There are —
         6.43  agent: many things to say, and I shall say them all, one after another.
        13.58  end: the caller hung up
    """)
    assert " ".join(ended.heard for ended in call.all(ReplyEnded)) == ANSWER


def test_ducking() -> None:
    """At the first sound the voice is softer, after an "mhm" as loud as ever; no sample of it is missing."""
    policy = TurnSettings(interruption=InterruptionSettings(first="duck", duck_to=0.25))
    alone = disturbed(Caller, turns=policy)
    call = disturbed(Caller, "mhm", lines=[line(0.3, 1.0, "barge-in")], turns=policy)
    assert not call.all(PlayoutPaused)
    loud_, ducked = array("h", alone.pcm(1)), array("h", call.pcm(1))
    soft = [at for at, (one, other) in enumerate(zip(loud_, ducked, strict=True)) if one != other]
    assert all(abs(ducked[at] - loud_[at] / 4) <= 1 for at in soft)
    assert soft == list(range(soft[0], soft[-1] + 1)), "once, and without a gap"
    began = call.times(PlayoutStarted)[0]
    assert began + 1.0 < began + soft[0] / 24000 < began + 1.1
    assert began + soft[-1] / 24000 == pytest.approx(call.times(FalseInterruption)[0], abs=0.03)


def test_reply_after_one_that_was_ducked_is_as_loud_as_ever() -> None:
    policy = TurnSettings(interruption=InterruptionSettings(first="duck"))
    call = disturbed(Caller, "wait", lines=[line(0.4, 1.0, "barge-in")], turns=policy)
    assert [ended.interrupted for ended in call.all(ReplyEnded)] == [True, False]
    assert call.pcm(2).startswith(array("h", range(1, 1000)).tobytes())


def test_voice_is_not_held_for_words_that_do_not_come() -> None:
    """The ears take a second: after 0.6 s of quiet it was noise, and what they say later changes nothing."""
    slow = ScriptedSTT(["hello", "mhm"], delay=1.0)
    call = disturbed(Caller, lines=[line(0.3, 1.0, "barge-in")], stt=slow)
    quiet = call.part(CallerInput).spoken[1][1]
    assert call.times(PlayoutResumed)[0] - quiet == pytest.approx(0.6, abs=0.05)
    assert call.entries == [UserSaid("hello"), AgentSaid(ANSWER)]


def test_users_backchannels_are_no_words_of_the_conversation() -> None:
    call = disturbed(
        Caller, "mhm", "yeah", "okay.", lines=[line(0.3, 1.0, "barge-in"), *[line(0.4, 0.8, "now")] * 2]
    )
    assert [false.text for false in call.all(FalseInterruption)] == ["mhm", "yeah", "okay."]
    assert call.entries == [UserSaid("hello"), AgentSaid(ANSWER)]


@pytest.mark.parametrize(("heard", "wait"), [("well that", 0.1), ("there are many things to say", 1.7)])
def test_echo_of_the_agents_own_words(heard: str, wait: float) -> None:
    """Right after the voice begins a few words are enough to know it by; later it takes more of them."""
    call = disturbed(Caller, heard, lines=[line(0.6, wait, "barge-in")])
    assert [false.kind for false in call.all(FalseInterruption)] == ["echo"]
    assert call.all(ReplyEnded)[0].heard == ANSWER
    assert call.entries == [UserSaid("hello"), AgentSaid(ANSWER)]


def test_command_at_once() -> None:
    """A "stop" needs no second word, though two are asked for; a single other word is no barge-in then."""
    policy = TurnSettings(interruption=InterruptionSettings(min_words=2))
    call = disturbed(
        Caller, "bicycles", "stop", lines=[line(0.5, 1.0, "barge-in"), line(0.4, 1.0, "now")], turns=policy
    )
    call.reads("""
        0.51  user: hello
        1.66  agent: Well, that depends. There are —
        4.16  user: stop
        4.91  agent: Yes?
        8.18  end: the caller hung up
    """)
    assert [false.text for false in call.all(FalseInterruption)] == ["bicycles"]


def test_voice_stops_within_a_piece_and_fades() -> None:
    """No more than 20 ms of it after the decision, and these go to nothing."""
    policy = TurnSettings(interruption=InterruptionSettings(first="play on"))
    call = disturbed(Caller, "wait", lines=[line(0.4, 1.0, "barge-in")], turns=policy, tts=Counting(0.057))
    decided = call.times(Interrupted)[0]
    last = [seen for seen in call.voice if isinstance(seen.what, AgentAudio) and seen.what.reply == 1][-1]
    assert isinstance(last.what, AgentAudio)
    assert (last.what.at + len(last.what.pcm) // 2) / 24000 <= decided + 0.02 + 1e-4
    assert abs(array("h", last.what.pcm)[-1]) < 300


# Tools -----------------------------------------------------------------------------------------------


def test_tool_that_finishes_is_known_to_the_next_reply_but_one() -> None:
    says = [["Let me look.", ToolCall("1", "lookup", "{}")], "I am still at it.", "I have found it."]
    lines = [line(0.8, 0.5, "now"), line(0.5, 0.9, "barge-in"), line(0.8, 1.5, "answer")]
    call = run_virtual(hold(agent("look", "hello?", "any news?", says=says, tools=[lookup]), lines))
    check(call)
    call.reads("""
         0.51  user: look
         1.75  agent: Let me —
         2.66  user: hello?
         3.57  agent: I am still at it.
         3.70  tool lookup: found
         6.14  user: any news?
         7.34  agent: I have found it.
        11.36  end: the caller hung up
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


@tool
async def print_it() -> str:
    """Fails after two seconds."""
    await sleep(2)
    raise RuntimeError("no paper")


@tool
async def count(number: int) -> str:
    """Counts."""
    return "counted"


@pytest.mark.parametrize(
    ("called", "result"),
    [
        (ToolCall("1", "juggle", "{}"), "There is no tool named juggle; the tools are: count."),
        (ToolCall("1", "count", '{"number": "many"}'), "The arguments of count do not fit: "),
        (ToolCall("1", "count", '{"number": 1'), "The arguments of count do not fit: "),
        (ToolCall("1", "count", "{}"), "The arguments of count do not fit: "),
    ],
)
def test_call_that_cannot_be_made_is_answered_all_the_same(called: ToolCall, result: str) -> None:
    says = [["One moment.", called], "I cannot do that."]
    call = run_virtual(hold(agent("count", says=says, tools=[count]), [line(0.8, 0.5, "now")]))
    check(call)
    user, asked, answered, said = call.entries
    assert (user, asked) == (UserSaid("count"), AgentSaid("One moment.", (called,)))
    assert isinstance(answered, ToolAnswered)
    assert answered.call == called and answered.result.startswith(result)
    assert said == AgentSaid("I cannot do that.")


def test_tool_that_fails_after_the_interruption() -> None:
    """Its failure takes the place of "still running", and the model knows it the next time."""
    says = [["Let me print it.", ToolCall("1", "print_it", "{}")], "Still at it.", "There is no paper."]
    lines = [line(0.8, 0.5, "now"), line(0.5, 0.9, "barge-in"), line(0.8, 1.5, "answer")]
    call = run_virtual(hold(agent("print it", "hello?", "and now?", says=says, tools=[print_it]), lines))
    check(call)
    call.reads("""
         0.51  user: print it
         1.72  agent: Let me print —
         2.62  user: hello?
         3.53  agent: Still at it.
         3.73  tool print_it: print_it failed: no paper.
         5.86  user: and now?
         7.08  agent: There is no paper.
        11.30  end: the caller hung up
    """)
    results = [
        [entry.result for entry in prompt.context.entries if isinstance(entry, ToolAnswered)]
        for prompt in call.all(Prompt)
    ]
    assert results == [[], ["still running"], ["print_it failed: no paper."]]


def test_filler_while_a_tool_takes_long() -> None:
    """Only where nothing has been said; it is part of the reply, and can be interrupted like the rest."""
    says = [[ToolCall("1", "lookup", "{}")], "I have found it.", "Yes?"]
    lines = [line(0.8, 0.5, "now"), line(0.8, 2.0, "barge-in")]
    fills = Speaking(fillers=["Let me see, one moment please."])
    call = run_virtual(hold(agent("look", "wait", says=says, tools=[lookup], speaking=fills), lines[:1]))
    check(call)
    call.reads("""
        0.51  user: look
        2.46  agent: Let me see, one moment please. I have found it.
        3.61  tool lookup: found
        8.48  end: the caller hung up
    """)
    assert [type(entry) for entry in call.entries] == [UserSaid, AgentSaid, ToolAnswered, AgentSaid]
    cut = run_virtual(hold(agent("look", "wait", says=says, tools=[lookup], speaking=fills), lines))
    check(cut)
    assert cut.all(ReplyEnded)[0].interrupted
    assert isinstance(said := cut.entries[1], AgentSaid) and fills.fillers[0].startswith(
        said.text.split(" I ")[0]
    )


def test_twice_in_a_row_during_a_tool() -> None:
    """The second reply knows that the first one's tool runs; the tool is called once."""
    says = [["Let me look.", ToolCall("1", "lookup", "{}")], "Just a second, please.", "Found."]
    lines = [line(0.8, 0.5, "now"), line(0.4, 0.7, "barge-in"), line(0.4, 0.6, "barge-in")]
    call = run_virtual(hold(agent("look", "hello?", "are you there?", says=says, tools=[lookup]), lines))
    check(call)
    assert [ended.interrupted for ended in call.all(ReplyEnded)] == [True, True, False]
    assert len(call.all(ToolStarted)) == len(call.all(ToolEnded)) == 1
    assert sum(isinstance(entry, ToolAnswered) for entry in call.entries) == 1


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

    async def main(moment: float) -> HeldCall:
        says = [["Let me look.", ToolCall("1", "lookup", "{}")], "We are open from nine to five.", "Yes?"]
        good = agent("when?", "wait", says=says, tools=[lookup], greeting="Hello.")
        call = HeldCall(good.pipeline(Caller([line(0.6, 1.0, "now"), line(0.6, 3.5, "barge-in")], 16000)))
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
    async def main(moment: float) -> HeldCall:
        says = [["Let me look.", ToolCall("1", "lookup", "{}")], "We are open from nine to five."]
        call = HeldCall(
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


# What outlives its cause -----------------------------------------------------------------------------


def during(
    agent: Agent, lines: Sequence[CallerLine], *acts: tuple[float, Callable[[Session], object]]
) -> HeldCall:
    """A call in which something is done at a time."""
    call = HeldCall(agent.pipeline(Caller(lines, 16000, linger=8.0)))

    async def main() -> None:
        async with call:
            for at, act in acts:
                await sleep(at - call.session.clock.now())
                act(call.session)
            await call.session.wait()
        no_task_left()

    run_virtual(main())
    check(call)
    return call


def test_word_that_is_finished_does_not_hold_the_next_reply() -> None:
    """The sound came over a long word; before its end the program said something else."""
    policy = TurnSettings(interruption=InterruptionSettings(finish_word=True))

    def anew(session: Session) -> None:
        session.interrupt("program")
        session.say("Something new that must be heard.")

    call = during(
        agent("first", says=["Internationalization notwithstanding everything else."], turns=policy),
        [line(0.8, 0.5, "now"), line(0.06, 0.3, "barge-in")],
        (2.11, anew),
    )
    assert call.times(PlayoutStarted)[0] < call.times(SoundHeard)[1] < 2.11
    assert not call.all(PlayoutPaused)
    assert [ended.heard for ended in call.all(ReplyEnded)] == ["", "Something new that must be heard."]


def test_reply_after_one_that_ended_softly_is_as_loud_as_ever() -> None:
    policy = TurnSettings(interruption=InterruptionSettings(first="duck", near_end=0.0))
    says = ["I can do that for you right now.", "Yes, of course, here it is for you."]
    lines = [line(0.8, 0.5, "now"), line(1.6, 1.3, "barge-in")]
    call = run_virtual(hold(agent("first", "mhm", says=says, turns=policy), lines))
    check(call)
    first, second = array("h", call.pcm(1)), array("h", call.pcm(2))
    assert not call.all(ReplyEnded)[0].interrupted
    assert first[-1] < first[0] == second[0] == second[-1]


NOISE = [line(0.8, 0.5, "now"), line(2.2, 0.5, "barge-in")]
"""Words, and then a lorry over the agent."""


def test_noise_while_the_model_writes() -> None:
    good = services(["first", ""], [ANSWER])
    good["llm"].each = 0.4
    call = during(Agent("x", **good), NOISE)
    last = call.all(ReplyEnded)[-1]
    assert [false.kind for false in call.all(FalseInterruption)] == ["noise"]
    assert (last.heard, last.interrupted) == (ANSWER, False)


def test_noise_while_a_tool_runs() -> None:
    """Its result is said all the same."""
    says = [["Let me look it up.", ToolCall("1", "lookup", "{}")], "It is found."]
    call = during(agent("first", "", says=says, tools=[lookup]), NOISE)
    assert [ended.result for ended in call.all(ToolEnded)] == ["found"]
    assert call.entries[-1] == AgentSaid("It is found.")


def test_noise_over_the_greeting() -> None:
    greeting = "Hello, this is the shop for bicycles, how can I help you today?"
    call = during(agent("", says=[], greeting=greeting), [line(2.2, 0.5, "now")])
    assert " ".join(ended.heard.strip() for ended in call.all(ReplyEnded)) == greeting
    assert not call.all(UserTurn)


def test_backchannel_over_what_may_not_be_interrupted_is_no_turn() -> None:
    call = during(
        agent("mhm", "yeah", "mhm", says=["never said"]),
        [line(0.5, 1.5, "now"), line(0.5, 1.8, "now"), line(0.5, 1.8, "now")],
        (0.1, lambda session: session.say(ANSWER + " That is all that there is.", interruptible=False)),
    )
    assert not call.all(UserTurn)
    assert call.entries == [AgentSaid(ANSWER + " That is all that there is.")]


class Swallowing(Processor):
    """Lets no turn of the user pass."""

    @on(UserTurn)
    def turn(self, frame: UserTurn) -> None:
        pass


def test_turn_that_gets_lost_does_not_hold_the_voice_for_ever() -> None:
    parts = agent("blah blah", says=["never said"]).pipeline(
        Caller([line(1.5, 0.5, "now")], 16000, linger=12.0)
    )
    parts.insert(next(at for at, part in enumerate(parts) if isinstance(part, TurnTaking)) + 1, Swallowing())
    call = HeldCall(parts)

    async def main() -> None:
        async with call:
            await sleep(1.0)
            call.session.say("Your order is here and waits.")
            await call.session.wait()
        no_task_left()

    run_virtual(main())
    assert call.times(PlayoutStarted)[0] - 1.0 <= 8.0 + 0.05
    assert call.all(ReplyEnded)[0].heard == "Your order is here and waits."
