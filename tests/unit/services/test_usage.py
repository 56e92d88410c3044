"""What services consume is told once for each utterance or reply, also if that was cut off."""

from collections.abc import AsyncIterator
from typing import Any

from antiphon import Agent
from antiphon.clock import LoopClock
from antiphon.context import Context
from antiphon.errors import UnavailableError
from antiphon.frames import ReplyEnded, Usage
from antiphon.journal import replay
from antiphon.playout.playout import Playout
from antiphon.services.ports import TextDelta, TokenUsage
from antiphon.services.tts import TTS
from antiphon.switch import Switch
from antiphon.testing import LoudVAD, ScriptedEOT, ScriptedLLM, ScriptedSTT, ScriptedTTS, loud, virtual
from antiphon.testing.assertions import HeldCall
from antiphon.testing.scripted import StreamingSTT
from antiphon.transports.caller import Caller, CallerLine

LINES = [CallerLine(loud(0.8), 0.7, "now"), CallerLine(loud(0.8), 0.7, "answer")]
SAYS = ["It is nine.", "You are welcome."]


class CountedLLM(ScriptedLLM):
    """Tells its tokens after each answer; `vendor` and `model` are those of a real one."""

    vendor, model = "openai", "gpt-4.1-mini"

    async def generate(self, context: Context) -> AsyncIterator[Any]:
        async for item in super().generate(context):
            yield item
        yield TokenUsage(100, 10, 40, 20)


def agent(**changed: Any) -> Agent:
    services: dict[str, Any] = {
        "stt": ScriptedSTT(["what time is it", "thanks"]),
        "llm": CountedLLM(SAYS),
        "tts": ScriptedTTS(),
        "vad": LoudVAD(),
        "eot": ScriptedEOT([1.0]),
    }
    return Agent("Be brief.", **(services | changed))


async def held(made: Agent, linger: float = 3.0) -> HeldCall:
    call = HeldCall(made.pipeline(Caller(LINES, 16000, linger=linger)))
    async with call:
        await call.session.wait()
    return call


def used(call: HeldCall, unit: str) -> list[float]:
    return [usage.amount for usage in call.all(Usage) if usage.unit == unit]


@virtual
async def test_a_call_tells_what_each_service_consumed() -> None:
    call = await held(agent())
    assert used(call, "characters spoken") == [float(len(text)) for text in SAYS]
    assert [round(seconds, 1) for seconds in used(call, "seconds spoken")] == [0.7, 1.1]
    heard = used(call, "seconds heard")
    assert len(heard) == 2, "once for each utterance"
    assert 1.6 < sum(heard) < 2.6, "the speech, and a little before it"
    assert used(call, "tokens read") == [100, 100]
    assert used(call, "tokens stored") == [20, 20]
    assert {(one.vendor, one.model) for one in call.all(Usage) if one.unit == "tokens written"} == {
        ("openai", "gpt-4.1-mini")
    }
    assert not used(call, "answers uncounted")


@virtual
async def test_a_streaming_recogniser_is_billed_for_silence_too() -> None:
    call = await held(agent(stt=StreamingSTT([]), vad=LoudVAD()))
    end = call.seen[-1].at
    assert abs(sum(used(call, "seconds heard")) - end) < 0.2
    assert len(used(call, "seconds heard")) <= 4


@virtual
async def test_a_connection_that_is_billed_while_it_is_open() -> None:
    service = StreamingSTT([])
    service.bills_open = True
    call = await held(agent(stt=service))
    assert abs(sum(used(call, "seconds open")) - call.seen[-1].at) < 0.2
    assert not used(call, "seconds heard")


@virtual
async def test_a_reply_that_is_cut_off_is_billed_as_far_as_it_was_given() -> None:
    long = "One sentence is here. " * 40
    call = HeldCall([TTS(ScriptedTTS(rate=1000.0)), Playout()])
    async with call:
        call.session.say(long)
        await call.session.clock.sleep(1.0)
        call.session.interrupt()
        await call.session.clock.sleep(1.0)
        told = used(call, "characters spoken")
        call.session.say("And the last words.")
        await call.session.clock.sleep(0.2)
    assert len(told) == 1
    assert 20 < told[0] <= len(long)
    assert used(call, "characters spoken") == [*told, 18.0], "the session ended in mid-reply"


@virtual
async def test_a_second_try_is_billed_again() -> None:
    voice = ScriptedTTS()
    voice.failures = [UnavailableError("gone")]
    async with HeldCall([TTS(voice), Playout()]) as call:
        await call.session.say("Good morning.")
    assert used(call, "characters spoken") == [13.0, 13.0]


@virtual
async def test_a_voice_that_is_switched_off_has_told_what_it_was_given() -> None:
    broken = ScriptedTTS()
    broken.failures = [UnavailableError("gone")] * 4
    broken.vendor = "rime"
    async with HeldCall([Switch(main=TTS(broken), spare=TTS(ScriptedTTS())), Playout()]) as call:
        await call.session.say("Good morning.")
    assert [(one.vendor, one.amount) for one in call.all(Usage) if one.unit == "characters spoken"] == [
        ("rime", 13.0),
        ("", 13.0),
    ]


@virtual
async def test_an_answer_that_is_cut_off_has_no_count() -> None:
    class Slow(CountedLLM):
        async def generate(self, context: Context) -> AsyncIterator[Any]:
            yield TextDelta("It is ")
            await LoopClock().sleep(60)

    call = HeldCall(agent(llm=Slow([])).pipeline(Caller(LINES[:1], 16000, linger=60.0)))
    async with call:
        await call.session.clock.sleep(4)
    assert used(call, "answers uncounted") == [1]
    assert not used(call, "tokens read")


@virtual
async def test_an_answer_that_is_refused_is_not_billed() -> None:
    call = await held(agent(llm=CountedLLM([[UnavailableError("gone"), "x"], "It is nine.", "Bye."])))
    assert not used(call, "answers uncounted")


@virtual
async def test_usage_replays() -> None:
    made = agent()
    call = await held(made)
    assert call.all(ReplyEnded)
    assert replay(call.journal.lines, made.pipeline(Caller(LINES, 16000, linger=3.0))) == call.journal.lines


@virtual
async def test_a_service_that_is_changed_in_mid_call_is_told_under_its_own_name() -> None:
    first, second = ScriptedTTS(), ScriptedTTS()
    first.vendor, second.vendor = "rime", "cartesia"
    stage = TTS(first)
    async with HeldCall([stage, Playout()]) as call:
        await call.session.say("Good morning.")
        await stage.use(second)
        await call.session.say("Good evening.")
    spoken = [one for one in call.all(Usage) if one.unit == "characters spoken"]
    assert [(one.vendor, one.amount) for one in spoken] == [("rime", 13.0), ("cartesia", 13.0)]
