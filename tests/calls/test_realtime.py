"""Whole calls through a model that hears and speaks, in virtual time."""

from collections.abc import Sequence
from typing import Any

from antiphon import Agent
from antiphon.clock import LoopClock
from antiphon.context import AgentSaid, ToolAnswered, UserSaid
from antiphon.conversation.tools import tool
from antiphon.frames import ToolCall
from antiphon.testing import LoudVAD, ScriptedEOT, loud, run_virtual
from antiphon.testing.assertions import check, hold
from antiphon.testing.scripted_realtime import Answer, ScriptedRealtime
from antiphon.transports.caller import CallerLine

sleep = LoopClock().sleep


def say(seconds: float, wait: float = 0.7, cue: str = "answer") -> CallerLine:
    return CallerLine(loud(seconds), wait, cue)  # type: ignore[arg-type]


def agent(answers: Sequence[Sequence[Answer] | str], heard: Sequence[str], **settings: Any) -> Agent:
    model = ScriptedRealtime(answers, heard)
    return Agent(
        "You answer the phone.", realtime=model, **{"vad": LoudVAD(), "eot": ScriptedEOT(), **settings}
    )


@tool
async def opening_hours(day: str) -> str:
    """When the shop is open on a day of the week."""
    await sleep(0.5)
    return "nine to five"


CALL = ToolCall("1", "opening_hours", '{"day": "monday"}')
ANSWERS = ["Hello! What can I do for you?", [CALL], "From nine to five.", "Good bye!"]
HEARD = ["hello", "when are you open?", "thank you, bye"]


def test_shop_by_our_turns() -> None:
    shop = agent(ANSWERS, HEARD, greeting="Bicycle shop, good morning.", tools=[opening_hours])
    call = run_virtual(hold(shop, [say(0.6), say(2.0), say(1.0)]))
    for s in call.seen:
        if type(s.what).__name__ not in ("UserAudio", "AgentAudio", "tuple", "Prime"): print(round(s.at, 3), s.source, s.what)
    check(call)
    assert call.entries == [
        AgentSaid("Bicycle shop, good morning."),
        UserSaid("hello"),
        AgentSaid("Hello! What can I do for you?"),
        UserSaid("when are you open?"),
        AgentSaid("", (CALL,)),
        ToolAnswered(CALL, "nine to five"),
        AgentSaid("From nine to five."),
        UserSaid("thank you, bye"),
        AgentSaid("Good bye!"),
    ]
