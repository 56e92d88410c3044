"""Whole calls through models that hear and speak, each on loopback."""

from typing import Any

import pytest

from antiphon import Agent
from antiphon.context import AgentSaid, ToolAnswered, UserSaid
from antiphon.conversation.tools import tool
from antiphon.frames import Failed
from antiphon.testing import LoudVAD, ScriptedEOT, run_virtual
from antiphon.testing.assertions import HeldCall, check
from antiphon.testing.loopback.server import WORDS
from antiphon.transports.caller import Caller, CallerLine

from .test_realtime import PAIRS

TONE = b"\x00\x40" * 12 + b"\x00\xc0" * 12
"""A millisecond of a voice, which Opus can encode."""
OURS: dict[str, Any] = {"vad": LoudVAD(), "eot": ScriptedEOT()}
THEIRS: dict[str, Any] = {"vad": None, "eot": None}
WHOSE = {"ours": [OURS], "theirs": [THEIRS], "either": [OURS, THEIRS]}
CALLS = [
    pytest.param(name, turns, id=f"{name} {'theirs' if turns is THEIRS else 'ours'}")
    for name, pair in PAIRS.items()
    for turns in WHOSE[pair.model("").detection]
]
CANNOT = {
    (
        "test_a_barge_in",
        "moshi theirs",
    ): "it falls silent by itself and does not say so: nothing tells an interruption",
}
"""What a protocol cannot, and why."""


@pytest.fixture(autouse=True)
def _what_cannot_be(request: pytest.FixtureRequest) -> None:
    test, _, call = request.node.name.removesuffix("]").partition("[")
    if reason := CANNOT.get((test, call)):
        request.node.add_marker(pytest.mark.xfail(reason=reason, strict=True))


@tool
async def weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


def held(name: str, lines: list[CallerLine], **settings: Any) -> HeldCall:
    async def main() -> HeldCall:
        make, kind = PAIRS[name]
        async with kind() as server:
            server.speed = 1.0
            agent = Agent("Be brief.", realtime=make(server.url), **settings)
            call = HeldCall(agent.pipeline(Caller(lines, 24000, linger=3.0)))
            async with call:
                await call.session.wait()
            await agent.close()
            return call

    call = run_virtual(main())
    check(call)
    return call


def said(call: HeldCall) -> list[str]:
    return [entry.text for entry in call.entries if isinstance(entry, UserSaid | AgentSaid)]


def expected(name: str) -> list[str]:
    """What is said in one turn."""
    return [WORDS if name != "moshi" else "", f"You said {WORDS}."]


def line(seconds: float, wait: float, cue: str) -> CallerLine:
    return CallerLine(TONE * round(seconds * 1000), wait, cue)  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "turns"), CALLS)
def test_a_call(name: str, turns: dict[str, Any]) -> None:
    lines = [line(0.8, 0.7, "answer"), line(0.8, 1.5, "answer")]
    greeting = {"greeting": "Hello."}
    if not PAIRS[name].model("").takes_words:
        greeting, lines[0] = {}, line(0.8, 0.7, "now")
    call = held(name, lines, **greeting, **turns)
    assert not call.all(Failed), call.story()
    assert said(call) == [*greeting.values(), *expected(name), *expected(name)]


@pytest.mark.parametrize(("name", "turns"), CALLS)
def test_a_tool(name: str, turns: dict[str, Any]) -> None:
    if not PAIRS[name].model("").calls_tools:
        pytest.skip("it calls no tools")
    call = held(name, [line(0.8, 0.7, "now")], tools=[weather], **turns)
    assert not call.all(Failed), call.story()
    (answered,) = [entry for entry in call.entries if isinstance(entry, ToolAnswered)]
    assert answered.result == "sunny in Paris"
    assert isinstance(last := call.entries[-1], AgentSaid)
    assert "sunny in Paris" in last.text


@pytest.mark.parametrize(("name", "turns"), CALLS)
def test_a_barge_in(name: str, turns: dict[str, Any]) -> None:
    call = held(name, [line(0.8, 0.7, "now"), line(1.2, 0.6, "barge-in")], **turns)
    assert not call.all(Failed), call.story()
    said = [entry for entry in call.entries if isinstance(entry, AgentSaid)]
    assert [entry.interrupted for entry in said] == [True, False]
    assert f"You said {WORDS}.".startswith(said[0].text)
    assert said[1].text == f"You said {WORDS}."
