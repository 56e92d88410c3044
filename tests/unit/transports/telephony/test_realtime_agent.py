"""A model that hears and speaks on the phone: G.711 both ways, keys, a transfer, the end of a call."""

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from antiphon.context import AgentSaid
from antiphon.conversation.conversation import Conversation
from antiphon.frames import Interrupted, SessionEnded, ToolCall
from antiphon.journal import Journal
from antiphon.services.realtime_vocabulary import CutShort, Respond, UserWords
from antiphon.testing import LoudVAD, ScriptedRealtime, virtual
from antiphon.transports.telephony.providers import provider
from antiphon.transports.telephony.transport import Telephone

EXAMPLE = Path(__file__).parents[4] / "examples/realtime_phone.py"
LOUD, QUIET = b"\x00\x40" * 8000, bytes(16000)  # a second each


async def begun(answered: Callable[..., Any], far: Any, model: ScriptedRealtime, **turns: Any) -> Any:
    call = await answered(far)
    agent = runpy.run_path(str(EXAMPLE))["agent"].with_services(realtime=model, **turns)
    codec = provider("twilio").codec()
    for message in call.far.hello:
        codec.feed(message)
    call.phone = Telephone(codec, call.wire, call.far.call, credentials={})
    call.journal = Journal()
    call.session = agent.session(call.phone, observers=[call.journal])
    return call


@pytest.mark.parametrize(
    "turns", [{"vad": LoudVAD(8000), "eot": None}, {"vad": None}], ids=["ours", "theirs"]
)
@virtual
async def test_a_call(answered: Callable[..., Any], fars: Any, turns: dict[str, Any]) -> None:
    """Greeting, question, barge-in, keys with a tool, good-bye: the agent hangs up when it has said so."""
    model = ScriptedRealtime(
        [
            "We are open every day from nine to five, and on Saturdays until noon.",
            "Which number?",
            [ToolCall("1", "repair", '{"number": "4711"}')],
            "It is ready.",
            ["Thank you.", ToolCall("2", "hang_up", "{}")],
            "Good bye!",
        ]
    )
    call = await begun(answered, fars["twilio"](), model, **turns)
    session, interruptions, ends = call.session, list[Interrupted](), list[SessionEnded]()
    session.on(Interrupted, interruptions.append)
    session.on(SessionEnded, ends.append)
    async with session:
        await call.wait(4.6)
        assert 3.5 < len(call.heard) / 16000 < 4.5, "the greeting was heard"
        await call.talk(LOUD + QUIET * 2)
        await call.talk(LOUD * 2 + QUIET * 4)
        cleared = call.times("clear")
        assert len(interruptions) == 1
        assert cleared
        assert any(isinstance(item, CutShort) and item.heard > 0.3 for item in model.inputs)
        for key in "4711#":
            call.wire.put(call.far.presses(key))
        await call.talk(QUIET * 4)
        pressed = UserWords("[The user pressed 4 7 1 1 # on the keypad.]")
        assert model.inputs[model.inputs.index(pressed) + 1 :].count(Respond()) >= 1
        said = [e.text for e in session_entries(session) if isinstance(e, AgentSaid)]
        assert said[-1] == "It is ready."
        await call.talk(LOUD + QUIET * 6)
    assert [ended.reason for ended in ends] == ["the agent hung up"]
    assert [e.text for e in session_entries(session) if isinstance(e, AgentSaid)][-1] == "Good bye!"
    await call.phone.close()
    assert call.wire.closed


def session_entries(session: Any) -> list[Any]:
    return next(part for part in session.parts if isinstance(part, Conversation)).history.entries


@virtual
async def test_caller_is_put_through(answered: Callable[..., Any], fars: Any) -> None:
    model = ScriptedRealtime([["One moment.", ToolCall("1", "transfer_to_workshop", "{}")], "Good luck."])
    call = await begun(answered, fars["twilio"](), model, vad=LoudVAD(8000), eot=None)
    async with call.session:
        await call.wait(5.0)
        await call.talk(LOUD + QUIET * 6)
    (line,) = [line for line in call.journal.lines if b'"Transfer"' in line]
    assert b"+4930123456" in line
    await call.phone.close()
