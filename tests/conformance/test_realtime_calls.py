"""Whole calls through models that hear and speak, each on loopback."""

from typing import Any

import pytest

from antiphon import Agent
from antiphon.context import AgentSaid, ToolAnswered, UserSaid
from antiphon.conversation.tools import tool
from antiphon.frames import Failed
from antiphon.testing import LoudVAD, ScriptedEOT, loud, run_virtual
from antiphon.testing.assertions import HeldCall, check
from antiphon.testing.loopback.openai_live_realtime import GPTLiveServer
from antiphon.testing.loopback.server import WORDS
from antiphon.transports.caller import Caller, CallerLine

from .test_realtime import PAIRS


class PacedLiveServer(GPTLiveServer):
    speed = 1.0


MODELS = PAIRS | {"openai_live": PAIRS["openai_live"]._replace(server=PacedLiveServer)}
OURS: dict[str, Any] = {"vad": LoudVAD(), "eot": ScriptedEOT()}
THEIRS: dict[str, Any] = {"vad": None, "eot": None}
WHOSE = {"ours": [OURS], "theirs": [THEIRS], "either": [OURS, THEIRS]}
CALLS = [
    pytest.param(name, turns, id=f"{name} {'theirs' if turns is THEIRS else 'ours'}")
    for name, pair in MODELS.items()
    for turns in WHOSE[pair.model("").detection]
]
OPEN = {
    ("test_a_call", "moshi theirs"): "it tells no words of the user, and takes no sound of a constant",
    ("test_a_call", "unmute theirs"): "it takes no sound of a constant, of which the calls are made",
    **{
        ("test_a_barge_in", f"{name} theirs"): "its server has sent its voice before the caller cuts in"
        for name in ("gemini", "vertex", "hume", "ultravox", "nova")
    },
}
"""Calls that do not go as they should yet."""


@pytest.fixture(autouse=True)
def _open_calls(request: pytest.FixtureRequest) -> None:
    test, _, call = request.node.name.removesuffix("]").partition("[")
    if reason := OPEN.get((test, call)):
        request.node.add_marker(pytest.mark.xfail(reason=reason, strict=True))


@tool
async def weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


def held(name: str, lines: list[CallerLine], **settings: Any) -> HeldCall:
    async def main() -> HeldCall:
        make, kind = MODELS[name]
        async with kind() as server:
            agent = Agent("Be brief.", realtime=make(server.url), **settings)
            call = HeldCall(agent.pipeline(Caller(lines, 24000, linger=3.0)))
            async with call:
                await call.session.wait()
            await agent.close()
            return call

    call = run_virtual(main())
    check(call)
    return call


def line(seconds: float, wait: float, cue: str) -> CallerLine:
    return CallerLine(loud(seconds), wait, cue)  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "turns"), CALLS)
def test_a_call(name: str, turns: dict[str, Any]) -> None:
    call = held(name, [line(0.8, 0.7, "answer"), line(0.8, 1.5, "answer")], greeting="Hello.", **turns)
    assert not call.all(Failed), call.story()
    assert [entry.text for entry in call.entries if isinstance(entry, UserSaid | AgentSaid)] == [
        "Hello.", WORDS, f"You said {WORDS}.", WORDS, f"You said {WORDS}.",
    ]  # fmt: skip


@pytest.mark.parametrize(("name", "turns"), CALLS)
def test_a_tool(name: str, turns: dict[str, Any]) -> None:
    if not MODELS[name].model("").calls_tools:
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
