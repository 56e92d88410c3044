"""Whole calls through models that hear and speak, each on loopback."""

from collections.abc import Callable
from typing import Any

import pytest

from antiphon import Agent
from antiphon.context import AgentSaid, ToolAnswered, UserSaid
from antiphon.conversation.tools import tool
from antiphon.frames import Failed
from antiphon.services.ports import RealtimeModel
from antiphon.testing import LoudVAD, ScriptedEOT, loud, run_virtual
from antiphon.testing.assertions import HeldCall, check
from antiphon.testing.loopback.azure_realtime import AzureOpenAIServer, VoiceLiveServer
from antiphon.testing.loopback.inworld_realtime import InworldRealtimeServer
from antiphon.testing.loopback.openai_live_realtime import GPTLiveServer
from antiphon.testing.loopback.openai_realtime import OpenAIRealtimeServer
from antiphon.testing.loopback.qwen_realtime import QwenRealtimeServer
from antiphon.testing.loopback.server import KEY, WORDS, VendorServer
from antiphon.testing.loopback.xai_realtime import XaiRealtimeServer
from antiphon.transports.caller import Caller, CallerLine
from antiphon.vendors.azure.realtime import Realtime as VoiceLive
from antiphon.vendors.azure_openai.realtime import Realtime as AzureOpenAI
from antiphon.vendors.inworld.realtime import Realtime as Inworld
from antiphon.vendors.openai.realtime import Realtime as OpenAI
from antiphon.vendors.openai_live.realtime import Realtime as GPTLive
from antiphon.vendors.qwen.realtime import Realtime as Qwen
from antiphon.vendors.xai.realtime import Realtime as Xai


class PacedLiveServer(GPTLiveServer):
    speed = 1.0


MODELS: dict[str, tuple[type[VendorServer], Callable[[str], RealtimeModel]]] = {
    "openai": (OpenAIRealtimeServer, lambda url: OpenAI(key=KEY, base_url=url)),
    "azure_openai": (
        AzureOpenAIServer,
        lambda url: AzureOpenAI("my-deployment", key=KEY, base_url=f"{url}/openai/v1"),
    ),
    "azure": (VoiceLiveServer, lambda url: VoiceLive(key=KEY, base_url=url)),
    "xai": (XaiRealtimeServer, lambda url: Xai(key=KEY, base_url=f"{url}/v1")),
    "inworld": (InworldRealtimeServer, lambda url: Inworld(key=KEY, base_url=url)),
    "qwen": (QwenRealtimeServer, lambda url: Qwen(key=KEY, base_url=f"{url}/api-ws/v1")),
    "openai_live": (PacedLiveServer, lambda url: GPTLive(key=KEY, base_url=url)),
}
OURS: dict[str, Any] = {"vad": LoudVAD(), "eot": ScriptedEOT()}
THEIRS: dict[str, Any] = {"vad": None, "eot": None}
CALLS = [
    pytest.param(name, turns, id=f"{name} {whose}")
    for name in MODELS
    for whose, turns in (("ours", OURS), ("theirs", THEIRS))
    if (name, whose) != ("openai_live", "ours")
]


@tool
async def weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


def held(name: str, lines: list[CallerLine], **settings: Any) -> HeldCall:
    async def main() -> HeldCall:
        kind, make = MODELS[name]
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
    call = held(name, [line(0.8, 0.7, "now")], tools=[weather], **turns)
    assert not call.all(Failed), call.story()
    (answered,) = [entry for entry in call.entries if isinstance(entry, ToolAnswered)]
    assert answered.result == "sunny in Paris"
    assert isinstance(last := call.entries[-1], AgentSaid)
    assert last.text == "You said sunny in Paris."


@pytest.mark.parametrize(("name", "turns"), CALLS)
def test_a_barge_in(name: str, turns: dict[str, Any]) -> None:
    call = held(name, [line(0.8, 0.7, "now"), line(1.2, 0.6, "barge-in")], **turns)
    assert not call.all(Failed), call.story()
    said = [entry for entry in call.entries if isinstance(entry, AgentSaid)]
    assert [entry.interrupted for entry in said] == [True, False]
    assert f"You said {WORDS}.".startswith(said[0].text)
    assert said[1].text == f"You said {WORDS}."
