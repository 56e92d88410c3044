"""Whole calls with vendors for ears, mind and voice, each on loopback, and with a vendor that dies."""

from typing import Any

import pytest

from antiphon import Agent
from antiphon.frames import Failed, ReplyEnded, UserTurn
from antiphon.telemetry.cost import Costs
from antiphon.telemetry.prices import package_prices
from antiphon.testing import LoudVAD, loud, run_virtual
from antiphon.testing.assertions import HeldCall
from antiphon.testing.loopback import KEY, WORDS, Fault
from antiphon.testing.loopback.anthropic import AnthropicMessages
from antiphon.testing.loopback.cartesia import CartesiaSonic
from antiphon.testing.loopback.deepgram import DeepgramListen
from antiphon.transports.caller import Caller, CallerLine
from antiphon.vendors.anthropic import LLM
from antiphon.vendors.cartesia.tts import TTS
from antiphon.vendors.deepgram.stt import Nova

LINES = [CallerLine(loud(0.8), 0.7, "now"), CallerLine(loud(0.8), 0.7, "answer")]


def call(**faults: Fault) -> Any:
    """Hold a call; `stt`, `llm` or `tts` may have a fault at its first connection or request."""

    async def main() -> Any:
        async with (
            DeepgramListen(faults.get("stt"), faulty=1) as ears,
            AnthropicMessages(faults.get("llm"), faulty=1) as mind,
            CartesiaSonic(faults.get("tts"), faulty=1) as voice,
        ):
            agent = Agent(
                "Be brief.",
                stt=Nova(key=KEY, base_url=ears.url),
                llm=LLM(key=KEY, base_url=mind.url),
                tts=TTS(key=KEY, base_url=voice.url),
                vad=LoudVAD(),
                eot=None,
            )
            held = HeldCall(agent.pipeline(Caller(LINES, 16000, linger=3.0)))
            async with held:
                await held.session.wait()
            await agent.close()
            return held

    return run_virtual(main())


def test_a_call_with_three_vendors() -> None:
    held = call()
    assert [turn.text for turn in held.all(UserTurn)] == [WORDS, WORDS]
    assert [ended.heard for ended in held.all(ReplyEnded)] == ["Good day.", "Good day."]
    assert not held.all(Failed)


@pytest.mark.parametrize(
    ("port", "fault"),
    [
        ("llm", Fault.CUT),
        ("llm", Fault.LIMITED),
        ("tts", Fault.CUT),
        ("tts", Fault.CLOSED),
        ("tts", Fault.SILENT),
        ("stt", Fault.CUT),
        ("stt", Fault.CLOSED),
    ],
)
def test_a_vendor_that_fails_once_costs_no_answer(port: str, fault: Fault) -> None:
    held = call(**{port: fault})
    assert [ended.heard for ended in held.all(ReplyEnded)][-1] == "Good day."
    assert held.all(UserTurn)[-1].text == WORDS


def test_a_call_with_three_vendors_says_what_it_costs() -> None:
    held, costs = call(), Costs(package_prices())
    for seen in held.seen:
        costs.saw(seen.at, seen.source, seen.what, seen.is_input)
    assert {one.name for one in costs.services()} == {
        "deepgram/nova-3",
        "anthropic/claude-haiku-4-5",
        "cartesia/sonic-3",
    }
    assert costs.unknown == []
    assert {port: round(usd, 6) for port, usd in costs.ports().items()} == {
        "stt": round(held.seen[-1].at / 3600 * 0.29, 6),
        "llm": round(2 * (4 * 1.0 + 8 * 0.1 + 2 * 1.25 + 3 * 5.0) / 1e6, 6),
        "tts": round(2 * len("Good day.") * 39 / 1e6, 6),
    }
