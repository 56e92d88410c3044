"""Tools in the background, and notes that are to be answered, in whole calls."""

from typing import Any

import pytest

from antiphon import Agent
from antiphon.clock import LoopClock
from antiphon.context import AgentSaid, ToolCall, UserSaid
from antiphon.conversation.tools import tool
from antiphon.errors import ConfigurationError
from antiphon.frames import ContextNote, ReplyEnded, ReplyStarted, ToolEnded, ToolReported
from antiphon.journal import replay
from antiphon.services.realtime_vocabulary import Respond, ToolOutput, UserWords
from antiphon.testing import LoudVAD, ScriptedEOT, ScriptedRealtime, loud, run_virtual
from antiphon.testing.assertions import HeldCall, check, hold, services
from antiphon.transports.caller import Caller, CallerLine

sleep = LoopClock().sleep
CALL = ToolCall("1", "count_stars", "{}")
FOUND = "[count_stars has ended. Tell the user: nine]"


@tool(background=True)
async def count_stars() -> str:
    """Count the stars of the sky."""
    await sleep(6.0)
    return "nine"


def say(seconds: float, wait: float = 0.7, cue: str = "answer") -> CallerLine:
    return CallerLine(loud(seconds), wait, cue)  # type: ignore[arg-type]


def held(lines: list[CallerLine], **settings: Any) -> HeldCall:
    agent = Agent("You count.", tools=[count_stars], **settings)
    call = run_virtual(hold(agent, lines, linger=8.0))
    check(call)
    assert replay(call.journal.lines, agent.pipeline(Caller([], 16000))) == call.journal.lines
    return call


def told(call: HeldCall) -> list[str]:
    return [entry.text for entry in call.entries if isinstance(entry, UserSaid | AgentSaid) and entry.text]


def test_cascade_goes_on_talking_and_tells_the_result_when_it_is_there() -> None:
    script = services(
        ["how many stars are there", "and how are you"],
        [[CALL], "Let me count.", "I am fine.", "There are nine stars."],
    )
    call = held([say(1.0, 0.5, "now"), say(1.0, 0.5)], **script)
    assert told(call) == [
        "how many stars are there",
        "Let me count.",
        "and how are you",
        "I am fine.",
        FOUND,
        "There are nine stars.",
    ]
    (ended,) = call.all(ToolEnded)
    assert ended.result.startswith("It has begun.")
    assert call.all(ToolReported) == [ToolReported(CALL, "nine")]


def test_realtime_model_goes_on_talking_and_tells_the_result_when_it_is_there() -> None:
    model = ScriptedRealtime([[CALL], "Let me count.", "I am fine.", "There are nine stars."])
    call = held([say(1.0, 0.5, "now"), say(1.0, 0.5)], realtime=model, vad=LoudVAD(), eot=ScriptedEOT())
    assert [text for text in told(call) if text] == [
        "Let me count.",
        "I am fine.",
        FOUND,
        "There are nine stars.",
    ]
    inputs = [item for item in model.inputs if isinstance(item, ToolOutput | UserWords | Respond)]
    assert [type(item) for item in inputs] == [Respond, ToolOutput, Respond, Respond, UserWords, Respond]


def test_model_that_detects_turns_is_asked_to_tell_the_result() -> None:
    model = ScriptedRealtime([[CALL], "Let me count.", "There are nine stars."])
    call = held([say(1.0, 0.5, "now")], realtime=model, vad=None)
    assert told(call)[-2:] == [FOUND, "There are nine stars."]
    asked = [item for item in model.inputs if isinstance(item, UserWords | Respond)]
    assert asked[-2:] == [UserWords(FOUND), Respond()]


def test_result_that_comes_while_the_user_speaks_is_read_with_the_turn() -> None:
    script = services(
        ["how many stars are there", "and hello"], [[CALL], "Let me count.", "Hello. There are nine stars."]
    )
    call = held([say(1.0, 0.5, "now"), say(4.0, 3.0)], **script)
    assert told(call)[2:] == [FOUND, "and hello", "Hello. There are nine stars."]
    assert len(call.all(ReplyStarted)) - len([e for e in call.all(ReplyEnded) if e.speculative]) == 2


def test_noise_delays_the_result_and_does_not_keep_it() -> None:
    script = services(["how many stars are there", ""], [[CALL], "Let me count.", "There are nine stars."])
    call = held([say(1.0, 0.5, "now"), say(0.4, 3.9)], **script)
    assert told(call)[-1] == "There are nine stars."
    assert call.times(ReplyStarted)[-1] > call.times(ToolReported)[0] + 0.5


def test_note_of_a_program_is_answered_after_the_reply() -> None:
    script = services([], ["Your bicycle is ready."])
    agent = Agent("You are brief.", greeting="Hello, what can I do for you?", **script)
    call = HeldCall(agent.pipeline(Caller([CallerLine(b"", 20.0, "now")], 16000)))

    async def main() -> None:
        async with call:
            call.session.send(ContextNote("[The bicycle is ready.]", answered=True))
            await sleep(8.0)

    run_virtual(main())
    assert told(call) == [
        "Hello, what can I do for you?",
        "[The bicycle is ready.]",
        "Your bicycle is ready.",
    ]
    assert not any(ended.interrupted for ended in call.all(ReplyEnded))


def test_tool_in_the_background_cannot_end_with_its_reply() -> None:
    with pytest.raises(ConfigurationError, match="outlives its reply"):
        tool(background=True, on_interrupt="cancel")
