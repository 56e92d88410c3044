"""Calls in which a voice or a model falls silent at some point, in the stages' own rules."""

import asyncio
import itertools
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import pytest

from antiphon import Agent
from antiphon.clock import LoopClock
from antiphon.context import AgentSaid
from antiphon.frames import Failed, ReplyEnded, UserTurn
from antiphon.services.llm import LLM
from antiphon.services.ports import Speech, Word
from antiphon.services.tts import TTS
from antiphon.switch import Switch
from antiphon.testing import ScriptedLLM, ScriptedTTS, loud, run_virtual
from antiphon.testing.assertions import HeldCall, check, no_task_left, services
from antiphon.transports.caller import Caller, CallerLine

sleep = LoopClock().sleep

TEXT = "Certainly, I can look that up. And the second sentence is a good deal longer. Bye now."
NOTHING = 2.0  # seconds that the caller may hear nothing


class Stalling(ScriptedTTS):
    """Falls silent after so many seconds of a reply's audio, as often as `times` says."""

    def __init__(self, after: float, times: int = 1, *, stubborn: bool = False) -> None:
        super().__init__()
        self.after = after
        self.times = times
        self.stubborn = stubborn

    async def speak(self, text: AsyncIterator[str]) -> AsyncGenerator[Speech | Word, None]:
        left = self.after
        stalls, self.times = self.times > 0, self.times - 1
        if stalls and left < 0:
            await asyncio.Event().wait()  # without its text
        async for item in super().speak(text):
            if stalls and left <= 0:
                await self._stall()
            yield item
            if isinstance(item, Speech):
                left -= len(item.pcm) / 2 / self.sample_rate
        if stalls:
            await self._stall()

    async def _stall(self) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if self.stubborn:
                await sleep(30.0)
            raise


def talk(parts: dict[type, Any] | None = None, **changed: Any) -> HeldCall:
    """A call of one turn, some of whose parts are changed."""
    agent = Agent("x", **{**services(["hello"], [TEXT]), **changed})

    async def main() -> HeldCall:
        made: list[Any] = list(agent.pipeline(Caller([CallerLine(loud(0.8), 0.5, "now")], 16000)))
        for kind, part in (parts or {}).items():
            place = next(index for index, one in enumerate(made) if isinstance(one, kind))
            made[place] = part
        call = HeldCall(made)
        async with call:
            await call.session.wait()
        no_task_left()
        return call

    call = run_virtual(main())
    check(call)
    return call


def longest_nothing(call: HeldCall) -> float:
    """The longest time in which nothing was heard, up to the end of the last reply."""
    moments = [call.all(UserTurn)[0].ended, *(seen.at for seen in call.voice), call.times(ReplyEnded)[-1]]
    return max(after - before for before, after in itertools.pairwise(moments))


def said(call: HeldCall) -> str:
    return " ".join(entry.text for entry in call.entries if isinstance(entry, AgentSaid))


POINTS = (-1.0, 0.0, 0.5, 3.0, 1000.0)  # before the text is taken, before the audio, in it, before the end


@pytest.mark.parametrize("after", POINTS)
def test_a_spare_voice_goes_on_where_one_fell_silent(after: float) -> None:
    spare = ScriptedTTS()
    call = talk({TTS: Switch(main=TTS(Stalling(after)), spare=TTS(spare))})
    assert longest_nothing(call) < NOTHING
    assert said(call) == TEXT
    assert [(one.error, one.recovered) for one in call.all(Failed)] == [("ServiceTimeoutError", True)]
    assert TEXT.endswith(" ".join(map(str, spare.spoken)))


@pytest.mark.parametrize("after", POINTS)
def test_a_voice_that_fell_silent_is_asked_once_more_for_the_rest(after: float) -> None:
    call = talk(tts=Stalling(after))
    assert longest_nothing(call) < NOTHING
    assert said(call) == TEXT
    assert [(one.retried, one.recovered) for one in call.all(Failed)] == [(True, True)]


def test_a_voice_that_does_not_stop_when_cancelled_holds_up_nobody() -> None:
    spare = ScriptedTTS()
    agent = Agent("x", **services(["hello"], [TEXT]))

    async def main() -> HeldCall:
        parts: list[Any] = list(agent.pipeline(Caller([CallerLine(loud(0.8), 0.5, "now")], 16000)))
        place = next(index for index, one in enumerate(parts) if isinstance(one, TTS))
        parts[place] = Switch(main=TTS(Stalling(0.5, stubborn=True)), spare=TTS(spare))
        call = HeldCall(parts)
        async with call:
            await call.session.wait()
        return call

    call = run_virtual(main())
    assert longest_nothing(call) < NOTHING
    assert said(call) == TEXT


def test_a_voice_held_back_by_playout_is_not_called_silent() -> None:
    """It has made 20 s of audio at once, of which 8 may wait: nothing is asked of it for a long time."""
    text = "This is a sentence that is spoken for a while. " * 20
    call = talk(llm=ScriptedLLM([text], each=0.0))
    assert not call.all(Failed)
    assert said(call) == text.strip()


def test_a_voice_may_be_silent_while_the_model_is() -> None:
    class Hesitating(ScriptedLLM):
        async def generate(self, context: Any) -> AsyncIterator[Any]:
            async for item in super().generate(context):
                yield item
                if "up." in getattr(item, "text", ""):
                    await sleep(4.5)

    call = talk(llm=Hesitating([TEXT]))
    assert not call.all(Failed)
    assert longest_nothing(call) < NOTHING
    assert said(call).count("One moment, please.") == 1


def test_a_voice_whose_audio_lasts_is_not_hurried() -> None:
    """Each sentence takes 3 s to make, and lasts longer than that: nobody hears that it is slow."""

    class Whole(ScriptedTTS):
        async def speak(self, text: AsyncIterator[str]) -> AsyncGenerator[Speech | Word, None]:
            piece = -1
            async for said in text:
                piece += 1
                await sleep(3.0 if piece else 0.3)
                yield Speech(b"\x00\x10" * round(len(said) / 4 * self.sample_rate), piece)

    call = talk(tts=Whole(), llm=ScriptedLLM(["This is a long sentence to begin with. " * 4]))
    assert not call.all(Failed)


def test_a_silent_model_is_replaced_by_the_spare() -> None:
    never = ScriptedLLM(["too late"], first=1000.0)
    call = talk({LLM: Switch(main=LLM(never), spare=LLM(ScriptedLLM(["Here I am."])))})
    assert longest_nothing(call) < NOTHING
    assert said(call) == "Here I am."


@pytest.mark.parametrize(("first", "each"), [(1000.0, 0.03), (0.2, 1000.0)])
def test_a_caller_of_a_silent_model_is_asked_to_wait_and_hears_an_apology(first: float, each: float) -> None:
    call = talk(llm=ScriptedLLM(["The answer is this."], first=first, each=each))
    assert longest_nothing(call) < NOTHING
    assert "One moment, please." in said(call)
    assert said(call).endswith("Could you say that again?")


def test_a_slow_model_is_waited_for() -> None:
    call = talk(llm=ScriptedLLM(["Here I am."], first=5.0))
    assert not call.all(Failed)
    assert longest_nothing(call) < NOTHING
    assert said(call).endswith("One moment, please. Here I am.")
