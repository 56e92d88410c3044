"""The conversation: its context holds what was said and heard, in order; every call has its answer."""

import asyncio
from collections.abc import Generator, Sequence
from typing import Any

import pytest

from antiphon.clock import LoopClock
from antiphon.context import AgentSaid, Context, Entry, ToolAnswered, UserSaid
from antiphon.conversation.conversation import ROUNDS, Conversation
from antiphon.conversation.tools import Tool, tool
from antiphon.errors import AuthenticationError, BadResponseError, ConfigurationError, UnavailableError
from antiphon.frames import (
    AnswerPaced,
    ContextNote,
    Failed,
    Generated,
    PlayoutStarted,
    Prime,
    Prompt,
    ReplyEnded,
    Text,
    ToolCall,
    ToolEnded,
    ToolStarted,
    UserText,
    UserTurn,
)
from antiphon.journal import replay
from antiphon.playout.playout import Playout
from antiphon.services.llm import LLM
from antiphon.services.tts import TTS
from antiphon.session import Session
from antiphon.testing import ScriptedLLM, ScriptedTTS, virtual
from antiphon.testing.assertions import HeldCall, check, no_task_left
from antiphon.turns.timing import Exchange, Pace

sleep = LoopClock().sleep
"""Virtual time, where the loop is virtual."""

Answer = Sequence[str | ToolCall | Exception] | str


class Talk(HeldCall):
    """A conversation by keyboard, spoken by a scripted voice; ten characters a second."""

    def __init__(self, *answers: Answer, tools: Sequence[Tool] = (), **settings: Any) -> None:
        self.model = ScriptedLLM(answers, first=0.2, each=0.01)
        self.conversation = Conversation("Be brief.", tools, **settings)
        self.tts = ScriptedTTS(first=0.1, rate=10.0)
        super().__init__([self.conversation, LLM(self.model), TTS(self.tts), Playout()])

    def type(self, text: str) -> None:
        self.session.send(UserText(text))

    async def sleep(self, seconds: float) -> None:
        await self.session.clock.sleep(seconds)

    async def quiet(self) -> None:
        """Wait until nothing is said or done any more."""
        while self.session.reply is not None or any(work.outlives for work in self.session.works):
            await self.sleep(0.1)

    async def __aexit__(self, *error: Any) -> None:
        await super().__aexit__(*error)
        if error[0] is None:
            check(self)
            no_task_left()


def asked(entries: Sequence[Entry]) -> list[str]:
    """Entries, short."""
    lines: list[str] = []
    for entry in entries:
        match entry:
            case UserSaid(text):
                lines.append(f"U {text}")
            case AgentSaid(text, calls, interrupted):
                lines.append(
                    " ".join(["A", text, *(f"<{call.id}>" for call in calls), "—" * interrupted]).strip()
                )
            case ToolAnswered(call, result):
                lines.append(f"T {call.id} {result}")
    return lines


def call(name: str, number: str = "1", arguments: str = "{}") -> ToolCall:
    return ToolCall(number, name, arguments)


running: list[str] = []


@tool
async def quick() -> str:
    """Answers at once."""
    return "quick result"


@tool
async def slow() -> str:
    """Takes five seconds, whatever happens to the reply."""
    try:
        await sleep(5)
    except asyncio.CancelledError:
        running.append("cancelled")
        raise
    return "slow result"


@tool(on_interrupt="cancel")
async def fragile() -> str:
    """Takes five seconds, unless the reply is interrupted."""
    try:
        await sleep(5)
    except asyncio.CancelledError:
        running.append("cancelled")
        raise
    return "fragile result"


@tool(timeout=2)
async def endless() -> str:
    """Takes for ever."""
    await sleep(1000)
    return ""


@tool(timeout=2)
async def rude() -> str:
    """Takes twenty seconds, and does not let itself be cancelled."""
    loop = asyncio.get_running_loop()
    until = loop.time() + 20
    while loop.time() < until:
        try:
            await sleep(until - loop.time())
        except asyncio.CancelledError:
            continue
    return "far too late"


@tool
async def broken() -> str:
    """Fails."""
    raise ValueError("no such table")


@tool
async def count(number: int) -> int:
    """Counts."""
    return number + 1


TOOLS = [quick, slow, fragile, endless, rude, broken, count]


@pytest.fixture(autouse=True)
def _forget() -> None:
    running.clear()


# What is said and heard ------------------------------------------------------------------------------


@virtual
async def test_turn_is_answered_and_both_are_in_the_context() -> None:
    async with Talk("Hello there.", "Good.") as talk:
        talk.type("hi")
        await talk.quiet()
        talk.session.send(UserTurn("how are you?", 1.0, 2.0))
        await talk.quiet()
    assert talk.entries == [
        UserSaid("hi"),
        AgentSaid("Hello there."),
        UserSaid("how are you?"),
        AgentSaid("Good."),
    ]
    first, second = talk.model.contexts
    assert first == Context("Be brief.", (UserSaid("hi"),), ())
    assert second.entries == tuple(talk.entries[:3])
    read = [prime.context.entries for prime in talk.all(Prime)]
    assert read == [(), tuple(talk.entries[:2]), tuple(talk.entries)], "what was said is read at leisure"


@virtual
async def test_greeting_and_history_come_first() -> None:
    history = [UserSaid("hello?"), AgentSaid("Wait.")]
    async with Talk("Fine.", greeting="Thank you for waiting.", history=history) as talk:
        await talk.quiet()
        talk.type("at last")
        await talk.quiet()
        assert talk.conversation.context.entries == (
            *history,
            AgentSaid("Thank you for waiting."),
            UserSaid("at last"),
            AgentSaid("Fine."),
        )
        del talk.entries[:2]
    assert history == [UserSaid("hello?"), AgentSaid("Wait.")]


@pytest.mark.parametrize(
    ("seconds", "entries"),
    [
        (0.1, ["U hi", "U stop"]),  # the model thinks
        (0.25, ["U hi", "U stop"]),  # its words are on their way to the voice
        (0.36, ["U hi", "U stop"]),  # the first 50 ms of sound
        (1.1, ["U hi", "A One two —", "U stop"]),
        (2.2, ["U hi", "A One two three four —", "U stop"]),
        (2.6, ["U hi", "A One two three four —", "U stop"]),  # in the last word
        (2.8, ["U hi", "A One two three four five.", "U stop"]),  # just after it
    ],
)
@virtual
async def test_reply_is_remembered_as_it_was_heard(seconds: float, entries: list[str]) -> None:
    async with Talk("One two three four five.") as talk:
        talk.type("hi")
        await talk.sleep(seconds)
        talk.session.interrupt("the user spoke")
        talk.type("stop")
        assert asked(talk.entries) == entries
        await talk.quiet()
    assert asked(talk.model.contexts[1].entries) == entries


@virtual
async def test_turn_interrupts_the_answer_to_the_one_before() -> None:
    async with Talk("This is for the first.", "For both.") as talk:
        talk.type("first")
        await talk.sleep(0.1)
        talk.type("second")
        await talk.quiet()
    assert asked(talk.entries) == ["U first", "U second", "A For both."]
    assert [ended.reason for ended in talk.all(ReplyEnded)] == ["the user said more", ""]


@virtual
async def test_turns_during_a_reply_that_may_not_be_interrupted_are_answered_once() -> None:
    async with Talk("Both answers.", "one too many") as talk:
        talk.session.say("This call is recorded.", interruptible=False)
        await talk.sleep(0.5)
        talk.type("first")
        talk.type("second")
        await talk.quiet()
    assert asked(talk.entries) == ["A This call is recorded.", "U first", "U second", "A Both answers."]
    assert len(talk.model.contexts) == 1


@virtual
async def test_what_the_program_says_is_in_the_context_too() -> None:
    async with Talk("Yes.") as talk:
        talk.session.say("Are you there?")
        talk.session.say("Hello?")
        await talk.quiet()
        talk.type("I am")
        await talk.quiet()
    assert asked(talk.entries) == ["A Are you there?", "A Hello?", "U I am", "A Yes."]


@virtual
async def test_note_is_read_with_the_next_turn() -> None:
    async with Talk("Ada.") as talk:
        talk.session.send(ContextNote("I am Ada"))
        await talk.sleep(1)
        assert talk.session.reply is None
        talk.type("who am I?")
        await talk.quiet()
    assert asked(talk.model.contexts[0].entries) == ["U I am Ada", "U who am I?"]


@virtual
async def test_reply_that_is_to_be_read_passes_the_voice_by() -> None:
    async with Talk(["Let me look.", call("quick")], "It is open.", "Aloud.", tools=TOOLS) as talk:
        talk.session.send(UserText("open?", aloud=False))
        await talk.quiet()
        assert talk.session.now < 1.0
        talk.type("and now?")
        await talk.quiet()
    assert [ended.heard for ended in talk.all(ReplyEnded)] == ["Let me look. It is open.", "Aloud."]
    assert talk.tts.spoken == ["Aloud."] and talk.all(Text, 1)
    assert (talk.pcm(1), bool(talk.pcm(2))) == (b"", True)


class Asked:
    """A response timing that has to be awaited."""

    def pace(self, exchange: Exchange) -> "Asked":
        return self

    def __await__(self) -> Generator[Any, None, Pace]:
        yield from sleep(0.1).__await__()
        return Pace(1.5, "it is sad")


@virtual
async def test_awaited_timing_is_an_input_and_replays() -> None:
    async with Talk("Oh no.", timing=Asked()) as talk:
        talk.session.send(UserTurn("my dog died", 0.0, 0.0))
        await talk.quiet()
    assert [seen.what for seen in talk.seen if seen.is_input and isinstance(seen.what, AnswerPaced)] == [
        AnswerPaced("Conversation", 1.5, "it is sad")
    ]
    assert talk.times(PlayoutStarted) == [pytest.approx(1.5)]
    parts = [Conversation("Be brief.", timing=Asked()), LLM(ScriptedLLM([])), TTS(ScriptedTTS()), Playout()]
    assert replay(talk.journal.lines, parts) == talk.journal.lines


# Tools -----------------------------------------------------------------------------------------------


@virtual
async def test_result_of_a_tool_leads_to_the_rest_of_the_reply() -> None:
    async with Talk(["Let me look.", call("quick")], "It is open.", tools=TOOLS) as talk:
        talk.type("open?")
        await talk.quiet()
    assert asked(talk.entries) == ["U open?", "A Let me look. <1>", "T 1 quick result", "A It is open."]
    assert asked(talk.model.contexts[1].entries) == asked(talk.entries)[:3]
    assert talk.all(ReplyEnded) == [
        ReplyEnded(1, "Let me look. It is open.", "Let me look. It is open.", False)
    ]
    assert len(talk.model.contexts[0].tools) == len(TOOLS)


@virtual
async def test_tools_run_side_by_side_and_stand_in_the_order_of_their_calls() -> None:
    async with Talk(
        [call("slow", "a"), call("quick", "b"), call("count", "c", '{"number": 41}')], "Done.", tools=TOOLS
    ) as talk:
        talk.type("go")
        await talk.quiet()
    assert asked(talk.entries) == [
        "U go",
        "A  <a> <b> <c>",
        "T a slow result",
        "T b quick result",
        "T c 42",
        "A Done.",
    ]
    assert [ended.call.id for ended in talk.all(ToolEnded)] == ["b", "c", "a"]
    assert len(talk.model.contexts) == 2, "the model is asked once, when all have answered"


@pytest.mark.parametrize(
    ("called", "result"),
    [
        (call("guess"), "There is no tool named guess; the tools are: quick, slow, fragile, "),
        (call("count", arguments='{"number": "x"}'), "The arguments of count do not fit: "),
        (call("count", arguments="{"), "The arguments of count do not fit: "),
        (call("broken"), "broken failed: no such table."),
        (call("endless"), "endless took longer than 2 seconds and was stopped."),
        (call("rude"), "rude took longer than 2 seconds and was stopped."),
    ],
    ids=lambda value: getattr(value, "name", ""),
)  # fmt: skip
@virtual
async def test_tool_that_fails_is_told_to_the_model_which_goes_on(called: ToolCall, result: str) -> None:
    async with Talk([called], "I could not find out.", tools=TOOLS) as talk:
        talk.type("go")
        await talk.quiet()
        assert talk.session.now < 10, "the reply does not wait for a tool that will not stop"
        await talk.sleep(30)
    (ended,) = talk.all(ToolEnded)
    assert ended.failed
    assert ended.result.startswith(result)
    assert asked(talk.entries)[-1] == "A I could not find out."
    assert isinstance(talk.entries[2], ToolAnswered)
    assert talk.entries[2].result == ended.result


@virtual
async def test_interrupted_tool_that_finishes_gives_its_result_to_the_next_turn() -> None:
    async with Talk(["One moment.", call("slow")], "Still looking.", "Here it is.", tools=TOOLS) as talk:
        talk.type("look")
        await talk.sleep(2)
        talk.type("are you there?")
        await talk.quiet()
        assert running == []
        talk.type("and now?")
        await talk.quiet()
    assert asked(talk.model.contexts[1].entries) == [
        *("U look", "A One moment. <1>", "T 1 still running", "U are you there?"),
    ]
    assert asked(talk.entries) == [
        *("U look", "A One moment. <1>", "T 1 slow result"),
        *("U are you there?", "A Still looking.", "U and now?", "A Here it is."),
    ]


@virtual
async def test_interrupted_tool_that_is_cancelled_says_so() -> None:
    async with Talk(["One moment.", call("fragile")], "All right.", tools=TOOLS) as talk:
        talk.type("look")
        await talk.sleep(2)
        talk.type("never mind")
        await talk.quiet()
    assert running == ["cancelled"]
    assert asked(talk.entries) == [
        *("U look", "A One moment. <1>", "T 1 stopped: the reply was interrupted"),
        *("U never mind", "A All right."),
    ]
    assert not talk.all(ToolEnded)


@virtual
async def test_hang_up_during_a_tool() -> None:
    for name in ("slow", "fragile"):
        running.clear()
        async with Talk(["One moment.", call(name)], tools=TOOLS) as talk:
            talk.type("look")
            await talk.sleep(1)
        assert running == ["cancelled"]
        assert asked(talk.entries)[1].startswith("A One")


@virtual
async def test_calls_with_the_same_id_are_told_apart() -> None:
    """Some models number the calls of each generation anew, or not at all."""
    async with Talk(
        [call("count", "1", '{"number": 1}'), call("count", "1", '{"number": 2}')],
        [call("count", "1", '{"number": 3}'), call("quick", "")],
        "Counted.",
        [call("slow", "1")],
        "Wait.",
        "Ready.",
        tools=TOOLS,
    ) as talk:
        talk.type("count")
        await talk.quiet()
        assert len(talk.model.contexts) == 3
        talk.type("slowly")
        await talk.sleep(1)
        talk.type("hello?")
        await talk.quiet()
    results = [entry.result for entry in talk.entries if isinstance(entry, ToolAnswered)]
    assert results == ["2", "3", "4", "quick result", "slow result"]
    ids = [entry.call.id for entry in talk.entries if isinstance(entry, ToolAnswered)]
    assert len(set(ids)) == 5
    assert all(ids)


@virtual
async def test_model_that_calls_tools_for_ever_is_stopped() -> None:
    answers: list[Answer] = [[f"Round {number}.", call("quick", str(number))] for number in range(50)]
    async with Talk(*answers, tools=TOOLS) as talk:
        talk.type("go")
        await talk.quiet()
    assert len(talk.model.contexts) == ROUNDS + 1
    assert len(talk.all(ToolStarted)) == ROUNDS


@virtual
async def test_tool_may_speak_and_hang_up() -> None:
    @tool
    async def hang_up(session: Session) -> str:
        """Ends the call."""
        await session.end("the agent hung up")
        return "done"

    talk = Talk(["Good bye!", call("hang_up")], "See you.", tools=[hang_up])
    await talk.session.start()
    talk.type("bye")
    await talk.session.wait()
    check(talk)
    assert asked(talk.entries) == ["U bye", "A Good bye! <1>", "T 1 done", "A See you."]
    assert talk.session.now < 10


def test_two_tools_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="two tools have the same name"):
        Conversation("x", [quick, quick])


# Failure ---------------------------------------------------------------------------------------------

WAIT = "One moment, please."
SORRY = "Sorry, I had a problem just now. Could you say that again?"


@virtual
async def test_failure_that_may_pass_is_tried_again_and_nobody_hears_of_it() -> None:
    async with Talk([UnavailableError("overloaded")], "Hello.") as talk:
        talk.type("hi")
        await talk.quiet()
    assert asked(talk.entries) == ["U hi", "A Hello."]
    assert [(failed.part, failed.recovered) for failed in talk.all(Failed)] == [("LLM", True)]
    assert len(talk.all(Generated)) == 1


@pytest.mark.parametrize(
    "answers",
    [
        [[AuthenticationError("the key has expired")]],
        [[BadResponseError("nonsense")]],
        [[ValueError("a bug")]],
        [[UnavailableError("overloaded")], [UnavailableError("still overloaded")]],
    ],
    ids=["refused", "nonsense", "bug", "twice"],
)
@virtual
async def test_failure_before_the_first_word_is_apologised_for(answers: list[Answer]) -> None:
    async with Talk(*answers, "Better now.") as talk:
        talk.type("hi")
        await talk.quiet()
        talk.type("again")
        await talk.quiet()
    assert asked(talk.entries) == ["U hi", f"A {SORRY}", "U again", "A Better now."]
    assert [failed.recovered for failed in talk.all(Failed)][-1] is False


@virtual
async def test_failure_after_the_first_words_speaks_what_there_is() -> None:
    async with Talk(["This much I know.", UnavailableError("gone")], "Back.") as talk:
        talk.type("hi")
        await talk.quiet()
    assert asked(talk.entries) == ["U hi", "A This much I know."]


@pytest.mark.parametrize("half", ["The shop opens at", "It is 9.30 to 6. On Sundays", "Well,"])
@virtual
async def test_failure_in_the_middle_of_a_sentence_is_apologised_for(half: str) -> None:
    async with Talk([half, UnavailableError("gone")], "Back.") as talk:
        talk.type("hi")
        await talk.quiet()
        talk.type("again")
        await talk.quiet()
    assert asked(talk.entries) == ["U hi", f"A {half} {SORRY}", "U again", "A Back."]


@virtual
async def test_model_that_stalls_after_some_words_is_apologised_for() -> None:
    async with Talk("The shop opens at nine.") as talk:
        talk.model.each = 1000.0
        talk.type("hi")
        await talk.quiet()
        assert talk.session.now < 20
    assert asked(talk.entries) == ["U hi", f"A The {WAIT} {WAIT} {SORRY}"]
    assert [failed.error for failed in talk.all(Failed)] == ["ServiceTimeoutError"]


@virtual
async def test_failure_after_a_tool_is_apologised_for() -> None:
    async with Talk(["Let me look.", call("quick")], [ValueError("a bug")], tools=TOOLS) as talk:
        talk.type("hi")
        await talk.quiet()
    assert asked(talk.entries) == ["U hi", "A Let me look. <1>", "T 1 quick result", f"A {SORRY}"]


@virtual
async def test_without_an_apology_the_reply_ends_in_silence() -> None:
    async with Talk([ValueError("a bug")], apology=None) as talk:
        talk.type("hi")
        await talk.quiet()
    assert asked(talk.entries) == ["U hi"]


@virtual
async def test_model_that_never_answers_is_apologised_for() -> None:
    async with Talk("much too late") as talk:
        talk.model.first = 1000.0
        talk.type("hi")
        await talk.quiet()
        assert talk.session.now < 20
    assert asked(talk.entries) == ["U hi", f"A {WAIT} {WAIT} {WAIT} {SORRY}"]
    assert [failed.error for failed in talk.all(Failed)] == ["ServiceTimeoutError"]


@virtual
async def test_model_that_says_nothing_is_asked_again_and_then_apologised_for() -> None:
    async with Talk("", "Now.", "", [], "Then.") as talk:
        for text in ("one", "two", "three"):
            talk.type(text)
            await talk.quiet()
    assert asked(talk.entries) == ["U one", "A Now.", "U two", f"A {SORRY}", "U three", "A Then."]
    assert [failed.error for failed in talk.all(Failed)] == ["NothingSaidError"] * 3


@virtual
async def test_model_may_have_nothing_to_add_to_a_result_if_it_has_spoken_before() -> None:
    async with Talk(["I note that.", call("quick")], "", [], tools=[quick]) as talk:
        talk.type("one")
        await talk.quiet()
    assert [ended.heard.strip() for ended in talk.all(ReplyEnded)] == ["I note that."]
    assert [failed.retried for failed in talk.all(Failed)] == [True]


@virtual
async def test_model_that_only_calls_a_tool_and_then_says_nothing_is_apologised_for() -> None:
    async with Talk([call("quick")], "", [], tools=[quick]) as talk:
        talk.type("one")
        await talk.quiet()
    assert [ended.heard.strip() for ended in talk.all(ReplyEnded)] == [SORRY]


@virtual
async def test_failing_voice_ends_the_reply_with_what_was_heard() -> None:
    async with Talk("One. Two. Three.", "Better.") as talk:
        talk.tts.failures = [UnavailableError("no voice")] * 2
        talk.type("hi")
        await talk.quiet()
        talk.type("again")
        await talk.quiet()
    assert asked(talk.entries) == ["U hi", "U again", "A Better."]
    assert [(failed.part, failed.reply) for failed in talk.all(Failed)] == [("TTS", 1)] * 2


@virtual
async def test_context_is_a_snapshot() -> None:
    async with Talk("One.", "Two.") as talk:
        talk.type("hi")
        await talk.quiet()
        before = talk.all(Prompt)[0].context.entries
        talk.type("ho")
        await talk.quiet()
    assert before == (UserSaid("hi"),)


HALF = "\ud83d"  # of an emoji


@virtual
async def test_text_that_cannot_be_encoded_enters_no_history_and_no_request() -> None:
    """From the model, in two pieces or for good; from a tool, and the program."""

    @tool
    async def look_up() -> str:
        """Look something up."""
        return f"found {HALF}"

    call = ToolCall(f"c{HALF}", "look_up", "{}")
    talk = Talk(
        [call],
        ["Nice \ud83d", "\ude00 to hear."],
        [f"Nice {HALF} day."],
        "Fine.",
        tools=[look_up],
        apology=None,
    )
    async with talk:
        for text in ("one", f"two {HALF}", "three"):
            talk.type(text)
            await talk.sleep(8)
        await talk.session.say(f"said {HALF}")
    assert not talk.all(Failed)
    assert [entry.text for entry in talk.conversation.history.entries if isinstance(entry, AgentSaid)] == [
        "",
        "Nice \U0001f600 to hear.",
        "Nice \ufffd day.",
        "Fine.",
        "said \ufffd",
    ]
    for context in talk.model.contexts:
        str(context).encode()
    assert replay(talk.journal.lines, talk_again(look_up)) == talk.journal.lines


def talk_again(*tools: Tool) -> list[Any]:
    """The parts of a `Talk`, for a replay."""
    conversation = Conversation("Be brief.", tools, apology=None)
    return [conversation, LLM(ScriptedLLM([])), TTS(ScriptedTTS()), Playout()]
