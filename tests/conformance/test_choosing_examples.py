"""The guides' agents that choose between services in a call."""

from typing import Any

import pytest

from antiphon.context import ToolCall
from antiphon.frames import ReplyEnded, UserText
from antiphon.testing import ScriptedLLM, ScriptedSTT, ScriptedTTS, virtual
from antiphon.testing.assertions import HeldCall
from antiphon.transports.loopback import Loopback

from .test_examples import example


@virtual
async def test_the_hedge_answers_when_the_first_model_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    hedge: Any = example("hedge")
    monkeypatch.setattr(hedge, "SECOND", ScriptedLLM(["I am quick."]))
    slow = ScriptedLLM(["I am slow."], first=5.0)
    services = {"stt": ScriptedSTT([]), "llm": slow, "tts": ScriptedTTS(), "vad": None, "eot": None}
    agent = hedge.Hedged("Be brief.", **services)
    async with HeldCall(agent.pipeline(Loopback(16000))) as call:
        call.session.send(UserText("hello"))
        await call.session.clock.sleep(3)
    assert [ended.heard for ended in call.all(ReplyEnded)] == ["I am quick."]
    assert slow.cancelled == 1


@virtual
async def test_the_voice_changes_when_it_is_asked_to() -> None:
    change: Any = example("change_voice")
    voices = {"local/emma": ScriptedTTS()}
    answers = [[ToolCall("1", "change_voice", '{"voice": "emma"}')], "Like this?"]
    services = {"stt": ScriptedSTT([]), "llm": ScriptedLLM(answers), "tts": ScriptedTTS()}
    agent = change.agent.with_services(**services, vad=None, eot=None)
    call = HeldCall(agent.pipeline(Loopback(16000)))

    def create(port: str, name: str) -> ScriptedTTS:
        return voices[name]

    call.session.create = create
    async with call:
        await call.session.clock.sleep(4)
        call.session.send(UserText("another voice, please"))
        await call.session.clock.sleep(3)
    assert voices["local/emma"].spoken == ["Like this?"]
