"""The same conversations through a cascade and through the composite of its services."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from antiphon import Agent
from antiphon.clock import LoopClock
from antiphon.context import AgentSaid, Entry, ToolAnswered, UserSaid
from antiphon.conversation.tools import tool
from antiphon.errors import UnavailableError
from antiphon.frames import ReplyEnded, ToolCall
from antiphon.services.composite import Composite
from antiphon.testing import LoudVAD, ScriptedEOT, ScriptedLLM, ScriptedSTT, ScriptedTTS, loud, run_virtual
from antiphon.testing.assertions import HeldCall, check, hold
from antiphon.transports.caller import CallerLine

sleep = LoopClock().sleep


def say(seconds: float, wait: float = 0.7, cue: str = "answer") -> CallerLine:
    return CallerLine(loud(seconds), wait, cue)  # type: ignore[arg-type]


@tool
async def lookup(word: str) -> str:
    """Look something up."""
    await sleep(0.4)
    return "found"


LOOKUP = ToolCall("1", "lookup", '{"word": "x"}')
COUNTING = "One two three four five, six seven eight nine ten, eleven twelve thirteen."
Talk = tuple[Sequence[Any], Sequence[Any], Sequence[CallerLine]]
TALKS: dict[str, Talk] = {
    "one turn": (["hello"], ["Hello there."], [say(0.6)]),
    "three turns": (["a", "b", "c"], ["One.", "Two.", "Three."], [say(0.6), say(1.0), say(0.8)]),
    "a tool": (["look"], [[LOOKUP], "It is found."], [say(0.8)]),
    "words, then a tool": (["look"], [["One moment.", LOOKUP], "It is found."], [say(0.8)]),
    "two tools at once": (
        ["look"],
        [[LOOKUP, ToolCall("2", "lookup", '{"word": "y"}')], "Both."],
        [say(0.8)],
    ),
    "several sentences": (["tell me"], ["First this. Then that, and more. At last the end!"], [say(0.8)]),
    "barge-in": (
        ["count", "stop that please"],
        [COUNTING, "All right."],
        [say(0.6), say(1.4, 1.5, "barge-in")],
    ),
    "a cough": (["count", ""], [COUNTING], [say(0.6), say(0.15, 1.5, "barge-in")]),
    "ears that fail once": ([UnavailableError("no"), "hello"], ["Hello."], [say(0.6)]),
    "ears that fail for good": ([UnavailableError("no")] * 9, [], [say(0.6), say(0.1, 12.0, "now")]),
    "a failing model": (["hi", "again"], [[UnavailableError("no")] * 2, "Hello."], [say(0.6), say(0.6, 2.0)]),
}


def entries(call: HeldCall) -> list[Entry]:
    """The history, with the ids of calls left out: each model has its own."""
    plain: list[Entry] = []
    for entry in call.entries:
        match entry:
            case AgentSaid(text, calls, interrupted):
                calls = tuple(ToolCall("", one.name, one.arguments) for one in calls)
                plain.append(AgentSaid(text, calls, interrupted))
            case ToolAnswered(one, result):
                plain.append(ToolAnswered(ToolCall("", one.name, one.arguments), result))
            case UserSaid(""):
                pass  # a turn whose words never came
            case _:
                plain.append(entry)
    return plain


def cascade(hears: Sequence[Any], says: Sequence[Any]) -> dict[str, Any]:
    return {"stt": ScriptedSTT(hears), "llm": ScriptedLLM(says), "tts": ScriptedTTS()}


def composite(hears: Sequence[Any], says: Sequence[Any]) -> dict[str, Any]:
    return {"realtime": Composite(**cascade(hears, says))}


def held(made: Callable[[Sequence[Any], Sequence[Any]], dict[str, Any]], talk: Talk) -> HeldCall:
    hears, says, lines = talk
    agent = Agent("x", **made(hears, says), greeting="Hi.", tools=[lookup], vad=LoudVAD(), eot=ScriptedEOT())
    call = run_virtual(hold(agent, lines))
    check(call)
    return call


@pytest.mark.parametrize("name", TALKS)
def test_history_is_the_same(name: str) -> None:
    one, other = held(cascade, TALKS[name]), held(composite, TALKS[name])
    assert entries(other) == entries(one)


def test_words_are_heard_to_the_word() -> None:
    call = held(composite, TALKS["barge-in"])
    cut = next(ended for ended in call.all(ReplyEnded) if ended.interrupted)
    assert COUNTING.startswith(cut.heard.strip())
    assert 5 < len(cut.heard) < 40
