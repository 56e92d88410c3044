"""What clients and the console are told of a call through a model that hears and speaks."""

from collections.abc import Callable
from io import StringIO
from random import Random
from typing import Any

import pytest
from rich.console import Console

from antiphon import Agent, tool
from antiphon.cli.screen import Screen
from antiphon.clock import LoopClock
from antiphon.context import Context
from antiphon.frames import Measured, PlayoutStarted, Prompt, ReplyStarted, ToolCall, UserTurn
from antiphon.rtvi import RTVI
from antiphon.telemetry.latency import PARTS, Latency
from antiphon.testing import LoudVAD, ScriptedEOT, WireClient, loud, run_virtual
from antiphon.testing.assertions import services
from antiphon.testing.scripted_realtime import ScriptedRealtime
from antiphon.transports.caller import Caller, CallerLine
from antiphon.transports.websocket import Websocket

sleep = LoopClock().sleep
LONG = "Well, that depends. There are many things to say, and I shall say them all, one after another."
HEARD = ["what hours", "tell me", "stop please"]
ANSWERS: list[Any] = [[ToolCall("1", "hours", "{}")], "Nine to five.", "You typed.", LONG, "Yes?"]
OURS: dict[str, Any] = {"vad": LoudVAD(), "eot": ScriptedEOT()}
THEIRS: dict[str, Any] = {"vad": None, "eot": None}


@tool
async def hours() -> str:
    """When the shop is open."""
    await sleep(0.3)
    return "nine to five"


def noise(seconds: float) -> bytes:
    return Random(1).randbytes(round(seconds * 16000) * 2)


def talk(sound: Callable[[float], bytes] = loud, **settings: Any) -> WireClient:
    """A turn with a tool, typed words, and an answer that is interrupted."""
    client = WireClient()

    async def hold() -> None:
        transport = Websocket(client, rtvi=RTVI(observe=True))
        session = Agent("x", tools=[hours], greeting="Hello.", **settings).session(transport)
        client.ready()
        client.say("client-message", {"t": "antiphon.observe"}, "observe")
        async with session:
            await sleep(2)
            await client.talk(sound(0.8) + bytes(32000 * 4))
            client.say("send-text", {"content": "typed words"})
            await sleep(3.3)
            await client.talk(sound(0.8) + bytes(32000 * 3))
            await client.talk(sound(1.5) + bytes(32000 * 4))

    run_virtual(hold())
    return client


def turns(client: WireClient) -> dict[int, Any]:
    """The last report of each turn."""
    told = client.all("server-message")
    return {item["number"]: item for item in told if item["type"] == "antiphon.turn"}


def figures(client: WireClient, kind: str) -> list[Any]:
    return [item["value"] for metric in client.all("metrics") for item in metric.get(kind, ())]


CALL = (
    "user-started-speaking", "user-stopped-speaking", "bot-started-speaking", "bot-stopped-speaking",
    "bot-interrupted", "llm-function-call-started", "llm-function-call-in-progress",
    "llm-function-call-stopped",
)  # fmt: skip


@pytest.mark.parametrize("decides", [OURS, THEIRS], ids=["ours", "theirs"])
def test_a_client_sees_the_same_call_as_with_a_cascade(decides: dict[str, Any]) -> None:
    cascade = talk(**services(HEARD, ANSWERS))
    client = talk(realtime=ScriptedRealtime(ANSWERS, HEARD), **decides)
    order = [told.type for told in client.told if told.type in CALL]
    assert order == [told.type for told in cascade.told if told.type in CALL]
    words = [told["text"] for told in client.all("user-transcription") if told["final"]]
    assert words == HEARD == [told["text"] for told in cascade.all("user-transcription") if told["final"]]
    assert [turns(client)[n]["said"] for n in turns(client)] == [
        turns(cascade)[n]["said"] if n != 3 else LONG for n in turns(cascade)
    ]
    assert turns(client)[3]["interrupted"] and LONG.startswith(turns(client)[3]["heard"])
    assert [run["name"] for run in turns(client)[1]["tools"]] == ["hours"]


@pytest.mark.parametrize("decides", [OURS, THEIRS], ids=["ours", "theirs"])
def test_a_turn_is_told_again_with_words_that_come_late(decides: dict[str, Any]) -> None:
    client = talk(realtime=ScriptedRealtime(ANSWERS, HEARD, words_after=1.0), **decides)
    assert [turn["user"] for turn in turns(client).values()] == [HEARD[0], "typed words", *HEARD[1:]]


def test_the_parts_of_a_turn_add_up() -> None:
    turn = turns(talk(realtime=ScriptedRealtime(ANSWERS, HEARD), **OURS))[3]
    assert list(turn["parts"]) == list(PARTS)
    assert sum(turn["parts"].values()) == pytest.approx(turn["voice_to_voice"], abs=1e-3)
    assert turn["parts"]["first_token"] == pytest.approx(0.2, abs=0.01)


def test_the_latency_of_a_model_that_detects_turns_begins_with_the_users_last_sound() -> None:
    client = talk(noise, realtime=ScriptedRealtime(ANSWERS, HEARD), **THEIRS)
    for number in (3, 4):
        parts = turns(client)[number]["parts"]
        assert parts["endpointing"] == pytest.approx(0.5, abs=0.05), "the model waits for half a second"
        assert parts["first_token"] == pytest.approx(0.2, abs=0.01)


def test_figures_of_a_model_are_told_once_for_each_answer() -> None:
    client = talk(realtime=ScriptedRealtime(ANSWERS, HEARD), **OURS)
    said = ["Hello.", "Nine to five.", "You typed.", LONG, "Yes?"]
    assert figures(client, "characters") == [len(text) for text in said]
    assert figures(client, "ttfb") == pytest.approx([0.2] * len(said), abs=0.01)


def test_the_console_shows_late_words_of_the_caller() -> None:
    out, latency = StringIO(), Latency()
    screen = Screen(Console(file=out, width=80), latency)
    model = ScriptedRealtime(["Good morning, and what can I do for you?"], ["hello there"])
    session = Agent("x", realtime=model, **OURS).session(
        Caller([CallerLine(loud(0.6), 0.5, "now")], 16000), observers=[latency, screen]
    )
    run_virtual(session.run())
    lines = [line.split(maxsplit=1)[1] for line in out.getvalue().splitlines() if line.startswith(" 0:")]
    assert lines == ["caller   hello there", "agent    Good morning, and what can I do for you?"]


def test_a_voice_before_its_words_takes_the_time_of_the_first_token() -> None:
    latency = Latency()
    for now, what in (
        (1.0, UserTurn("", 0.0, 1.0, "", words_late=True)),
        (1.0, ReplyStarted(1)),
        (1.1, Prompt(1, Context(""))),
        (1.5, Measured("Realtime", "first audio", 0.4, 1)),
        (1.5, PlayoutStarted(1)),
    ):
        latency.saw(now, "x", what, False)
    parts = latency.turns[0].parts
    assert parts is not None and parts["first_token"] == pytest.approx(0.5)
