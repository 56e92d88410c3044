"""What those who observe are told: the floor, every turn with its latency, and what went wrong."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from antiphon import Agent
from antiphon.clock import LoopClock
from antiphon.frames import ToolCall
from antiphon.rtvi import RTVI, client_tool
from antiphon.session import Session
from antiphon.telemetry.latency import PARTS
from antiphon.testing import WireClient, loud, run_virtual
from antiphon.testing.assertions import services
from antiphon.transports.websocket import Websocket

Act = Callable[[WireClient], Awaitable[None]]

wait = LoopClock().sleep
LONG = "Well, that depends. There are many things to say, and I shall say them all, one after another."


def observe(
    act: Act, hears: Any = (), says: Any = (), *, rtvi: RTVI | None = None, **settings: Any
) -> WireClient:
    """A conversation with a client that observes it."""
    client = WireClient()

    async def hold() -> None:
        transport = Websocket(client, rtvi=rtvi or RTVI(observe=True, agent="shop"))
        session: Session = Agent("Be brief.", **{**services(hears, says), **settings}).session(transport)
        client.ready()
        client.say("client-message", {"t": "antiphon.observe"}, "observe")
        async with session:
            await act(client)

    run_virtual(hold())
    return client


def told(client: WireClient, kind: str) -> list[Any]:
    return [item for item in client.all("server-message") if item["type"] == f"antiphon.{kind}"]


async def turn(client: WireClient) -> None:
    await client.talk(loud(0.8) + bytes(32000 * 4))


def test_it_must_be_allowed() -> None:
    client = observe(turn, ["hello"], ["Good morning."], rtvi=RTVI())
    assert client.answer("observe").type == "error-response"
    assert "observe=True" in client.answer("observe").data["error"]
    assert client.all("server-message") == []


def test_nothing_is_told_before_it_is_asked_for() -> None:
    client = WireClient()

    async def hold() -> None:
        session = Agent("x", **services(["hello"], ["Good morning."])).session(
            Websocket(client, rtvi=RTVI(observe=True))
        )
        client.ready()
        async with session:
            await turn(client)
            assert client.all("server-message") == []
            client.say("client-message", {"t": "antiphon.observe"}, "observe")
            await wait(0.1)

    run_virtual(hold())
    answer = client.answer("observe").data["d"]
    assert [item["user"] for item in answer["turns"]] == ["hello"]
    assert answer["turns"][0]["heard"] == "Good morning."
    assert answer["summary"]["answered"] == 1
    assert set(answer["summary"]["median"]) == {*PARTS, "voice_to_voice"}
    assert answer["floor"]["state"] == "nobody"


def test_the_first_answer_fits_into_a_message() -> None:
    async def often(client: WireClient) -> None:
        for number in range(60):
            client.say("send-text", {"content": f"{number} " + "x" * 3000}, f"t{number}")
            await wait(0.1)
        client.say("client-message", {"t": "antiphon.observe"}, "late")
        await wait(0.1)

    turns = observe(often).answer("late").data["d"]["turns"]
    assert [item["number"] for item in turns] == list(range(60 - len(turns) + 1, 61))
    assert 10 < len(turns) < 15


def test_the_floor_from_hand_to_hand() -> None:
    client = observe(turn, ["hello"], ["Good morning."])
    floors = told(client, "floor")
    assert [(item["state"], item["detail"]) for item in floors] == [
        ("user", "speaking"),
        ("user", "ending"),
        ("agent", "thinking"),
        ("agent", "talking"),
        ("nobody", "listening"),
    ]
    assert floors[2]["reason"] == "short answer", "why the turn was over"
    assert [item["at"] for item in floors] == sorted(item["at"] for item in floors)


def test_the_floor_over_the_agent_s_voice() -> None:
    async def over(client: WireClient) -> None:
        await client.talk(loud(0.8) + bytes(32000 * 3))
        await client.talk(loud(1.5) + bytes(32000 * 4))

    client = observe(over, ["tell me", "stop please"], [LONG, "Yes?"])
    states = [(item["state"], item["detail"]) for item in told(client, "floor")]
    held = states.index(("both", "held"))
    assert states[held - 1] == ("agent", "talking")
    assert states[held + 1][0] == "user"
    first = [item for item in told(client, "turn") if item["number"] == 1][-1]
    assert first["interrupted"] and first["interrupted_reason"]
    assert first["heard"] and LONG.startswith(first["heard"]) and first["said"] == LONG


def test_noise_gives_the_floor_back() -> None:
    client = observe(turn, [""], ["never said"])
    assert [(item["state"], item["detail"]) for item in told(client, "floor")] == [
        ("user", "speaking"),
        ("user", "ending"),
        ("nobody", "listening"),
    ]


def test_a_turn_adds_up() -> None:
    client = observe(turn, ["hello"], ["Good morning."])
    first, last = told(client, "turn")[0], told(client, "turn")[-1]
    assert first["number"] == last["number"] == 1
    assert first["heard"] == "" and last["heard"] == "Good morning."
    assert first["said"].startswith("Good")
    assert list(first["parts"]) == list(PARTS)
    assert sum(first["parts"].values()) == pytest.approx(first["voice_to_voice"], abs=1e-3)
    assert first["saved"] > 0 and first["started"] < first["ended"]


def test_what_was_said_unprompted() -> None:
    client = observe(lambda _: wait(3.0), greeting="Hello there.")
    (greeting,) = told(client, "unprompted")
    assert (greeting["said"], greeting["heard"], greeting["interrupted"]) == (
        "Hello there.",
        "Hello there.",
        False,
    )


def test_tools_and_failures() -> None:
    slow = client_tool("where", "Where the user is.", timeout=0.5)

    async def both(client: WireClient) -> None:
        client.say("send-text", {"content": "where am I"})
        await wait(3.0)

    client = observe(both, [], [[ToolCall("c1", "where", "{}")], [RuntimeError("it broke")]], tools=[slow])
    last = told(client, "turn")[-1]
    assert last["tools"] == [{"name": "where", "seconds": 0.5, "failed": True}]
    assert any("it broke" in failure for failure in last["failures"])
    (failed,) = told(client, "failed")
    assert (failed["part"], failed["message"]) == ("LLM", "it broke")


def test_false_interruptions() -> None:
    async def cough(client: WireClient) -> None:
        await client.talk(loud(0.8) + bytes(32000 * 3))
        await client.talk(loud(0.3) + bytes(32000 * 7))

    client = observe(cough, ["tell me", "mhm"], [LONG])
    (item,) = told(client, "false_interruption")
    assert (item["kind"], item["text"]) == ("backchannel", "mhm")
