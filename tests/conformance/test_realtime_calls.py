"""Whole calls through models that hear and speak, each on loopback."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from antiphon import Agent
from antiphon.clock import LoopClock
from antiphon.context import AgentSaid, ToolAnswered, UserSaid
from antiphon.conversation.tools import tool
from antiphon.frames import Failed, ReplyEnded, SessionEnded
from antiphon.session import Session
from antiphon.testing import LoudVAD, ScriptedEOT, run_virtual
from antiphon.testing.assertions import HeldCall, check
from antiphon.testing.loopback.server import WORDS, Fault
from antiphon.transports.caller import Caller, CallerLine

from .test_realtime import PAIRS

TONE = b"\x00\x40" * 12 + b"\x00\xc0" * 12
"""A millisecond of a voice, which Opus can encode."""
RATE = 24000
OURS: dict[str, Any] = {"vad": LoudVAD(), "eot": ScriptedEOT()}
THEIRS: dict[str, Any] = {"vad": None, "eot": None}
WHOSE = {"ours": [OURS], "theirs": [THEIRS], "either": [OURS, THEIRS]}
CALLS = [
    pytest.param(name, turns, id=f"{name} {'theirs' if turns is THEIRS else 'ours'}")
    for name, pair in PAIRS.items()
    for turns in WHOSE[pair.model("").detection]
]
DUMB = "it says by its answer alone that it has heard a turn"
CANNOT = {
    (
        "test_a_barge_in",
        "moshi theirs",
    ): "it falls silent by itself and does not say so: nothing tells an interruption",
    ("test_a_connection_lost_in_mid_reply", "moshi theirs"): "it cannot be asked to go on: it begins again",
    (
        "test_a_connection_lost_in_mid_reply",
        "unmute theirs",
    ): "it cannot be asked to go on: an apology is all",
    ("test_a_connection_lost_in_mid_reply", "xai ours"): "it answers a turn as soon as that is committed,"
    " so that the answer is heard again from its beginning",
    ("test_a_connection_that_answers_nothing", "moshi theirs"): DUMB,
    ("test_a_model_that_is_silent_for_ever", "moshi theirs"): DUMB,
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
    return served(name, lines, **settings)[0]


def served(
    name: str,
    lines: list[CallerLine],
    *,
    fault: Fault | None = None,
    faulty: int = 1000,
    lost_at: float | None = None,
    set_up: Callable[[Any], None] | None = None,
    awaits: float = 3.0,
    **settings: Any,
) -> tuple[HeldCall, Any]:
    """Hold a call, and return it with its server, which cuts all connections at this time if it must."""

    async def main() -> tuple[HeldCall, Any]:
        make, kind = PAIRS[name]
        async with kind(fault, faulty=faulty) as server:
            server.speed = 1.0
            if set_up is not None:
                set_up(server)

            def spoke(at: int, pcm: bytes) -> None:
                if lost_at is not None and at == round(lost_at * RATE):
                    server.drop()

            agent = Agent("Be brief.", realtime=make(server.url), **settings)
            caller = Caller(lines, RATE, linger=2.0, awaits=awaits, spoke=spoke)
            call = HeldCall(agent.pipeline(caller))
            async with call:
                await call.session.wait()
            await agent.close()
            return call, server

    call, server = run_virtual(main())
    check(call)
    return call, server


def problems(call: HeldCall) -> list[Failed]:
    """What has failed and was not made good."""
    return [failed for failed in call.all(Failed) if not failed.recovered]


def cannot_call(name: str) -> None:
    if not PAIRS[name].model("").calls_tools:
        pytest.skip("it calls no tools")


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
    cannot_call(name)
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


@tool
async def broken(city: str) -> str:
    """A tool that fails."""
    raise OSError("the sensor is broken")


@pytest.mark.parametrize(("name", "turns"), CALLS)
def test_a_tool_that_fails(name: str, turns: dict[str, Any]) -> None:
    cannot_call(name)
    call = held(name, [line(0.8, 0.7, "now")], tools=[broken], **turns)
    (answered,) = [entry for entry in call.entries if isinstance(entry, ToolAnswered)]
    assert "broken" in answered.result
    assert isinstance(last := call.entries[-1], AgentSaid)
    assert answered.result in last.text


@tool
async def slow(city: str) -> str:
    """A tool that takes its time."""
    await LoopClock().sleep(3.0)
    return f"slow in {city}"


@pytest.mark.parametrize(("name", "turns"), CALLS)
def test_a_barge_in_while_a_tool_runs(name: str, turns: dict[str, Any]) -> None:
    cannot_call(name)
    call = held(name, [line(0.8, 0.7, "now"), line(1.2, 1.5, "now")], tools=[slow], **turns)
    assert not problems(call), call.story()
    assert [entry.text for entry in call.entries if isinstance(entry, UserSaid)] == [WORDS, WORDS]
    assert isinstance(last := call.entries[-1], AgentSaid), call.entries
    assert last.text and not last.interrupted


@pytest.mark.parametrize(("name", "turns"), CALLS)
def test_a_cough_over_the_agents_voice(name: str, turns: dict[str, Any]) -> None:
    if turns is THEIRS:
        pytest.skip("the vendor decides what a cough is")
    call, server = served(name, [line(0.8, 0.7, "now"), line(0.2, 0.6, "barge-in")], **turns)
    assert not call.all(Failed), call.story()
    assert said(call) == expected(name)
    assert [ended.interrupted for ended in call.all(ReplyEnded)] == [False]
    assert server.cancelled == 0


@pytest.mark.parametrize(("name", "turns"), CALLS)
def test_a_connection_that_answers_nothing(name: str, turns: dict[str, Any]) -> None:
    lines = [line(0.8, 0.7, "now")]
    call, server = served(name, lines, fault=Fault.SILENT, faulty=1, awaits=8.0, **turns)
    assert not problems(call), call.story()
    assert said(call) == expected(name)
    assert server.connections == 2


@pytest.mark.parametrize(("name", "turns"), CALLS)
def test_a_model_that_is_silent_for_ever(name: str, turns: dict[str, Any]) -> None:
    lines = [line(0.8, 0.7, "now")]
    call, server = served(name, lines, fault=Fault.SILENT, awaits=9.0, **turns)
    assert "ServiceTimeoutError" in {failed.error for failed in call.all(Failed)}, call.story()
    assert not [entry for entry in call.entries if isinstance(entry, AgentSaid)]
    assert server.connections >= 2


@pytest.mark.parametrize(("name", "turns"), CALLS)
def test_a_connection_lost_in_mid_reply(name: str, turns: dict[str, Any]) -> None:
    def set_up(server: Any) -> None:
        server.cut_voice_after = 6

    lines = [line(0.8, 0.7, "now"), line(0.8, 4.0, "now")]
    call, server = served(name, lines, set_up=set_up, **turns)
    assert server.connections == 2
    assert said(call)[-2:] == expected(name)
    agent = [entry for entry in call.entries if isinstance(entry, AgentSaid)]
    first, _, rest = agent[0].text.partition(" And")
    assert (f"You said {WORDS}.".startswith(first), rest) == (True, " so on."), agent


@pytest.mark.parametrize(("name", "turns"), CALLS)
def test_a_connection_lost_in_mid_turn(name: str, turns: dict[str, Any]) -> None:
    call, server = served(name, [line(1.6, 0.7, "now")], lost_at=1.6, awaits=10.0, **turns)
    assert server.connections == 2
    assert not problems(call), call.story()
    assert said(call) == expected(name)


@pytest.mark.parametrize(("name", "turns"), CALLS)
def test_a_connection_lost_in_a_pause(name: str, turns: dict[str, Any]) -> None:
    lines = [line(0.8, 0.7, "now"), line(0.8, 4.0, "now")]
    call, server = served(name, lines, lost_at=5.0, awaits=10.0, **turns)
    assert server.connections == 2
    assert not problems(call), call.story()
    assert said(call) == expected(name) * 2


@pytest.mark.parametrize(("name", "turns"), CALLS)
def test_a_refused_key(name: str, turns: dict[str, Any]) -> None:
    call, _ = served(name, [line(0.8, 1.7, "now")], fault=Fault.REFUSED, **turns)
    refused = [failed for failed in call.all(Failed) if failed.error == "AuthenticationError"]
    assert "key" in refused[0].message.lower(), refused
    assert call.all(SessionEnded)[-1].reason == "the caller hung up"


@pytest.mark.parametrize(("name", "turns"), CALLS)
def test_a_rate_limit(name: str, turns: dict[str, Any]) -> None:
    lines = [line(0.8, 1.7, "now")]
    call, server = served(name, lines, fault=Fault.LIMITED, faulty=1, awaits=15.0, **turns)
    assert call.all(Failed)[0].error == "RateLimitError", call.story()
    assert server.connections >= 2
    assert said(call) == expected(name), call.story()


@tool
async def traffic(city: str) -> str:
    """The traffic in a city."""
    return f"calm in {city}"


AT_ONCE = ("gemini", "vertex", "ultravox", "nova")  # whose servers on loopback call all tools at once


@pytest.mark.parametrize(("name", "turns"), [call for call in CALLS if call.values[0] in AT_ONCE])
def test_two_tools_at_once(name: str, turns: dict[str, Any]) -> None:
    call = held(name, [line(0.8, 0.7, "now")], tools=[weather, traffic], **turns)
    assert not call.all(Failed), call.story()
    answered = [entry for entry in call.entries if isinstance(entry, ToolAnswered)]
    assert {one.result for one in answered} == {"sunny in Paris", "calm in Paris"}
    spoken = [entry.text for entry in call.entries if isinstance(entry, AgentSaid) and entry.text]
    assert len(spoken) == 1 and " in Paris" in spoken[0], spoken


@pytest.mark.parametrize(("name", "turns"), CALLS)
def test_the_agent_hangs_up(name: str, turns: dict[str, Any]) -> None:
    cannot_call(name)
    ending: list[Any] = []

    @tool
    async def goodbye(city: str, session: Session) -> str:
        """End the call."""
        ending.append(asyncio.ensure_future(session.end("the agent hung up")))
        return "good bye"

    call = held(name, [line(0.8, 0.7, "now")], tools=[goodbye], **turns)
    assert not call.all(Failed), call.story()
    assert call.all(SessionEnded)[-1].reason == "the agent hung up"
