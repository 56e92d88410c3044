"""A whole conversation on the phone: greeting, question, answer, barge-in and transfer, in virtual time."""

import json
from collections.abc import Callable
from typing import Any

from antiphon import Agent, Session, tool
from antiphon.context import UserSaid
from antiphon.frames import Interrupted, ToolCall, Transfer
from antiphon.testing import virtual
from antiphon.testing.scripted import LoudVAD, ScriptedLLM, ScriptedSTT, ScriptedTTS
from antiphon.transports.telephony.providers import provider
from antiphon.transports.telephony.transport import Telephone

LOUD, QUIET = b"\x00\x40" * 8000, bytes(16000)  # a second each


@tool
async def workshop(session: Session) -> str:
    """Put the caller through."""
    session.send(Transfer("+49303"))
    return "done"


@virtual
async def test_a_conversation(answered: Callable[..., Any], fars: Any) -> None:
    call = await answered(fars["twilio"]())
    llm = ScriptedLLM(
        ["Yes we do, and while you wait, every day from nine to five.", [ToolCall("1", "workshop", "{}")]]
    )
    agent = Agent(
        "You are brief.",
        greeting="Bicycles, hello, what can I do for you today?",
        stt=ScriptedSTT(["do you repair brakes", "wait put me through please"], sample_rate=8000),
        vad=LoudVAD(8000),
        eot=None,
        llm=llm,
        tts=ScriptedTTS(sample_rate=8000),
        tools=[workshop],
    )
    codec = provider("twilio").codec()
    for message in call.far.hello:
        codec.feed(message)
    phone = Telephone(codec, call.wire, call.far.call, credentials={})
    session = call.session = agent.session(phone)
    interruptions: list[Interrupted] = []
    session.on(Interrupted, interruptions.append)
    async with session:
        await call.wait(3.5)
        assert 2.8 < len(call.heard) / 16000 < 3.2, "the greeting was heard"
        await call.talk(LOUD + QUIET * 2)
        answer = [at for at in call.times("audio") if at > 4.5]
        assert 4.5 < answer[0] < 6.0
        await call.talk(LOUD * 2)
        cleared = call.times("clear")
        assert len(interruptions) == 1
        assert cleared
        later = [json.loads(message)["event"] for at, message in call.wire.sent if at > cleared[-1]]
        assert later == [], "nothing of the old reply comes after it was cleared"
        await call.talk(QUIET * 3)
        said = [entry.text for entry in llm.contexts[-1].entries if isinstance(entry, UserSaid)]
        assert said == ["do you repair brakes", "wait put me through please"]
    await phone.close()
    assert call.wire.closed
