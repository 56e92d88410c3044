"""Changes of services in mid-call: when the new one takes over, who closes what, and what if it fails."""

from typing import Any

import pytest

from antiphon import Agent
from antiphon.clock import LoopClock
from antiphon.conversation.scope import Scope
from antiphon.conversation.tools import tool
from antiphon.errors import ConfigurationError, UnavailableError, UsageError
from antiphon.frames import (
    Failed,
    ReplyEnded,
    ServiceChanged,
    SpeechStarted,
    SpeechStopped,
    Text,
    ToolCall,
    Transcript,
    UserText,
)
from antiphon.journal import replay
from antiphon.pipeline import Part
from antiphon.playout.playout import Playout
from antiphon.race import Race
from antiphon.services.llm import LLM
from antiphon.services.stt import STT
from antiphon.services.tts import TTS
from antiphon.session import Session
from antiphon.switch import Switch
from antiphon.testing.assertions import HeldCall, check, no_task_left, services
from antiphon.testing.scripted import ScriptedLLM, ScriptedSTT, ScriptedTTS
from antiphon.testing.virtual import virtual
from antiphon.transports.caller import Caller

sleep = LoopClock().sleep


class Voice(ScriptedTTS):
    """Takes a while to open, or fails to; knows what was done with it."""

    def __init__(self, opens_in: float = 0.0, error: Exception | None = None) -> None:
        super().__init__()
        self.opens_in, self.error = opens_in, error
        self.opened = self.closed = 0

    async def open(self) -> None:
        await sleep(self.opens_in)
        if self.error is not None:
            raise self.error
        self.opened += 1

    async def close(self) -> None:
        self.closed += 1


def said_by(voice: Voice) -> str:
    return " ".join(map(str, voice.spoken))


def made_by_name(**named: Any) -> Any:
    def create(port: str, name: str) -> Any:
        if name not in named:
            raise ConfigurationError(f"there is no {name}")
        return named[name]

    return create


@virtual
async def test_voice_changes_with_the_next_reply_and_not_in_the_middle_of_one() -> None:
    old, new = Voice(), Voice(opens_in=0.2)
    async with HeldCall([TTS(old), Playout()]) as call:
        reply = call.session.say("A rather long sentence, which is being spoken now.")
        await sleep(0.5)
        await call.session.use(tts=new)
        assert new.opened == 1
        await reply
        await call.session.say("And now another voice.")
    check(call)
    assert [ended.heard for ended in call.all(ReplyEnded)] == [
        "A rather long sentence, which is being spoken now.",
        "And now another voice.",
    ]
    assert said_by(new) == "And now another voice."
    assert (old.closed, new.closed) == (0, 0), "both were given, and may be shared"
    assert len(call.all(ServiceChanged)) == 1


@virtual
async def test_nobody_waits_for_a_change() -> None:
    old, new = Voice(), Voice(opens_in=5.0)
    async with HeldCall([TTS(old), Playout()]) as call:
        call.session.use(tts=new)
        await call.session.say("Still the old one.")
        await sleep(5.0)
        await call.session.say("The new one.")
    check(call)
    assert (said_by(old), said_by(new)) == ("Still the old one.", "The new one.")


@virtual
async def test_services_made_of_names_are_closed_when_replaced_and_at_the_end() -> None:
    first, second, third = Voice(), Voice(), Voice(opens_in=1.0)
    call = HeldCall([TTS(Voice()), Playout()])
    call.session.create = made_by_name(first=first, second=second, third=third)
    async with call:
        await call.session.use(tts="first")
        await call.session.say("One.")
        await call.session.use(tts="second")
        await call.session.say("Two.")
        await sleep(0.1)
        assert (first.closed, second.closed) == (1, 0)
        call.session.use(tts="third")
        await sleep(0.5)
    check(call)
    no_task_left()
    assert (first.closed, second.closed) == (1, 1)
    assert third.closed >= 1
    assert [changed.service for changed in call.all(ServiceChanged)] == ["first", "second"]


@virtual
async def test_service_that_cannot_be_opened_leaves_the_old_one_and_says_why() -> None:
    old, broken = Voice(), Voice(error=UnavailableError("no such host"))
    call = HeldCall([Switch(main=TTS(old), spare=TTS(Voice())), Playout()])
    call.session.create = made_by_name(broken=broken)
    async with call:
        with pytest.raises(UnavailableError, match="no such host"):
            await call.session.use(tts="broken")
        with pytest.raises(ConfigurationError, match="there is no other"):
            await call.session.use(tts="other")
        call.session.use(tts=None)
        await sleep(0.1)
        await call.session.say("Here I am still.")
        assert call.part(Switch).chosen == "main", "it has not failed in its work"
    check(call)
    assert said_by(old) == "Here I am still."
    assert broken.closed == 1
    assert [(failed.part, failed.error, failed.recovered) for failed in call.all(Failed)] == [
        ("TTS", "UnavailableError", True),
        ("TTS", "ConfigurationError", True),
        ("TTS", "ConfigurationError", True),
    ]


@virtual
async def test_last_change_wins() -> None:
    slow, quick = Voice(opens_in=2.0), Voice(opens_in=0.1)
    call = HeldCall([TTS(Voice()), Playout()])
    call.session.create = made_by_name(slow=slow, quick=quick)
    async with call:
        first = call.session.use(tts="slow")
        await sleep(0.5)
        await call.session.use(tts="quick")
        with pytest.raises(UnavailableError, match="given up"):
            await first
        await sleep(3.0)
        await call.session.say("Who speaks?")
    assert said_by(quick) == "Who speaks?"
    assert slow.closed == 1


@virtual
async def test_model_changes_with_the_next_prompt_and_several_ports_at_once() -> None:
    old, new = ScriptedLLM(["From the old one."]), ScriptedLLM(["From the new one."])
    new.first_within = 3.0
    voice = Voice()
    ports: dict[str, Any] = {**services(), "llm": old, "tts": Voice()}
    agent = Agent("x", **ports)
    call = HeldCall(agent.pipeline(Caller([], 16000)))
    async with call:
        call.session.send(UserText("hello"))
        await sleep(0.16)
        await call.session.use(llm=new, tts=voice)
        await sleep(3.0)
        call.session.send(UserText("hello again"))
        await sleep(3.0)
    assert [ended.heard for ended in call.all(ReplyEnded)] == ["From the old one.", "From the new one."]
    assert call.part(LLM).first_within == 3.0
    assert said_by(voice) == "From the new one."


@virtual
async def test_tool_that_awaits_the_new_voice_is_answered_in_it() -> None:
    new = Voice(opens_in=0.3)

    @tool
    async def change_voice(name: str, scope: Scope) -> str:
        """Change the voice."""
        await scope.session.use(tts=name)
        return "changed"

    answers: list[Any] = [[ToolCall("1", "change_voice", '{"name": "new"}')], "Like this?"]
    old = Voice()
    ports: dict[str, Any] = {**services((), answers), "tts": old}
    agent = Agent("x", tools=[change_voice], **ports)
    call = HeldCall(agent.pipeline(Caller([], 16000)))
    call.session.create = made_by_name(new=new)
    async with call:
        call.session.send(UserText("another voice, please"))
        await sleep(5.0)
    check(call)
    assert (old.spoken, new.spoken) == ([], ["Like this?"])
    assert new.closed == 1
    again = agent.pipeline(Caller([], 16000))
    assert replay(call.journal.lines, again) == call.journal.lines
    assert new.opened == 1, "a replay opens nothing"


@virtual
async def test_recogniser_changes_between_utterances() -> None:
    old, new = ScriptedSTT(["old one"] * 9), ScriptedSTT(["new one"] * 9, sample_rate=8000)

    async def speak() -> str:
        call.session.send(SpeechStarted(call.session.now))
        await sleep(1.0)
        call.session.send(SpeechStopped(call.session.now))
        await sleep(1.0)
        return call.all(Transcript)[-1].text

    async with HeldCall([STT(old)]) as call:
        assert await speak() == "old one"
        call.session.send(SpeechStarted(call.session.now))
        await call.session.use(stt=new)
        assert await speak() == "old one", "it was heard from the beginning by the old one"
        assert await speak() == "new one"
        await call.session.use(stt=old)
        assert await speak() == "old one"
        assert len(call.session.works) == 1
    no_task_left()


@virtual
async def test_stage_in_a_switch_or_a_race() -> None:
    voices = [Voice(), Voice(), Voice()]
    stages = [TTS(Voice()), TTS(voices[0])]
    async with Session([Switch(*stages), Playout()]) as session:
        await session.use(tts=voices[1])
        assert stages[0].service is voices[1], "the stage that is on"
        with pytest.raises(UsageError, match="TTS-2 is off"):
            stages[1].use(voices[2])
    racing = [TTS(Voice()), TTS(Voice())]
    async with Session([Race(*racing), Playout()]) as session:
        with pytest.raises(UsageError, match=r"several stages .*TTS, TTS-2: call use\(\)"):
            session.use(tts=voices[1])
        await racing[1].use(voices[2])
        assert racing[1].service is voices[2]
        with pytest.raises(UsageError, match="no stage for 'llm' is on"):
            session.use(llm=voices[1])


@virtual
async def test_change_that_the_end_of_the_session_overtakes_is_given_up() -> None:
    slow = Voice(opens_in=60.0)
    session = Session([TTS(Voice()), Playout()], create=made_by_name(slow=slow))
    async with session:
        change = session.use(tts="slow")
        await sleep(0.1)
    with pytest.raises(UnavailableError):
        await change
    assert slow.closed >= 1
    no_task_left()


@virtual
async def test_names_need_somebody_who_knows_them() -> None:
    async with Session([TTS(Voice()), Playout()]) as session:
        with pytest.raises(ConfigurationError, match=r"Agent\.session"):
            await session.use(tts="cartesia")


def test_sessions_of_an_agent_know_the_names_of_vendors() -> None:
    session = Agent("x", **services()).session(Caller([], 16000))
    assert session.create is not None
    assert session.create("tts", "local/fenrir").sample_rate == 24000


@virtual
async def test_change_replays_whatever_it_was() -> None:
    def parts() -> list[Part]:
        return [TTS(Voice()), Playout()]

    async with HeldCall(parts()) as call:
        await call.session.use(tts=Voice())
        await call.session.say("Hello.")
        call.session.use(tts=Voice(error=UnavailableError("gone")))
        await call.session.say("Hello again.")
    check(call)
    assert len(call.all(Text)) == 2
    assert replay(call.journal.lines, parts()) == call.journal.lines
