"""A vendor that is cut, stalls or talks nonsense at every point of a call, with and without a spare.

The caller hears nothing for 2 s at most before another voice, another try or an apology. What is in the
context was heard, and no task, connection or utterance is left.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest

from antiphon import Agent
from antiphon.clock import LoopClock
from antiphon.context import AgentSaid
from antiphon.errors import BadResponseError, UnavailableError
from antiphon.frames import Failed, ReplyEnded, UserTurn
from antiphon.services.llm import LLM
from antiphon.services.ports import Speech, TextToSpeech, Word
from antiphon.services.socket_tts import SocketTTS
from antiphon.services.tts import TTS
from antiphon.switch import Switch
from antiphon.testing import ScriptedLLM, ScriptedTTS, loud, run_virtual
from antiphon.testing.assertions import HeldCall, check, services
from antiphon.testing.loopback import KEY, Fault
from antiphon.testing.loopback.anthropic import AnthropicMessages
from antiphon.testing.loopback.cartesia import CartesiaSonic
from antiphon.testing.loopback.openai import OpenAIChat, OpenAISpeechServer
from antiphon.transports.caller import Caller, CallerLine
from antiphon.vendors import anthropic
from antiphon.vendors.cartesia import tts as cartesia
from antiphon.vendors.openai import llm as openai
from antiphon.vendors.openai import tts as openai_tts

sleep = LoopClock().sleep

TEXT = "Certainly, I can look that up. And the second sentence is a good deal longer. Bye now."
APOLOGY = "Sorry, I had a problem just now. Could you say that again?"
NOTHING = 2.0  # seconds that the caller may hear nothing


@dataclass(frozen=True)
class Vendor:
    """A vendor on loopback, and after how many answers each point of a reply is reached."""

    server: Callable[..., Any]
    service: Callable[[str], Any]
    middle: int
    end: int


VOICES = {
    "cartesia": Vendor(CartesiaSonic, lambda url: cartesia.TTS(key=KEY, base_url=url), 3, 28),
    "openai": Vendor(OpenAISpeechServer, lambda url: openai_tts.TTS(key=KEY, base_url=url), 3, 12),
}
MODELS = {
    "anthropic": Vendor(AnthropicMessages, lambda url: anthropic.LLM(key=KEY, base_url=url), 4, 5),
    "chat": Vendor(OpenAIChat, lambda url: openai.LLM("m", key=KEY, base_url=url), 2, 3),
}
POINTS = ("connecting", "beginning", "middle", "end")
FAULTS = (Fault.CUT, Fault.SILENT, Fault.MALFORMED)


@asynccontextmanager
async def faulty(vendor: Vendor, point: str, fault: Fault, times: int) -> AsyncGenerator[Any]:
    """Serve a vendor whose first connections or requests fail at a point; yields its service."""
    if point == "connecting":
        fault = {Fault.SILENT: Fault.STALLED, Fault.CUT: Fault.LIMITED}.get(fault, Fault.REFUSED)
    after = {"middle": vendor.middle, "end": vendor.end}.get(point, 0)
    async with vendor.server(fault, faulty=times, after=after) as server:
        service = vendor.service(server.url)
        yield service
        if isinstance(service, SocketTTS):
            assert not tasks_of("voice_connection.py", "_feed"), "an utterance is left"
        await service.close()
        await sleep(0.1)
        assert not tasks_of("/services/"), "a task is left"
        assert server.open == 0, "a connection is left"


def tasks_of(file: str, function: str = "") -> list[str]:
    """The tasks of this loop that run a function of a file."""
    codes: list[Any] = [task.get_coro().cr_code for task in asyncio.all_tasks()]  # type: ignore[union-attr]
    return [code.co_qualname for code in codes if file in code.co_filename and function in code.co_name]


def hold(
    vendor: Vendor, point: str, fault: Fault, *, kind: type, spare: Any = None, times: int = 1000
) -> HeldCall:
    """Hold a call of one turn with this vendor, and a spare if there is one."""

    async def main() -> HeldCall:
        async with faulty(vendor, point, fault, times) as service:
            agent = Agent("x", **services(["hello"], [TEXT]))
            parts: list[Any] = list(agent.pipeline(Caller([CallerLine(loud(0.8), 0.5, "now")], 16000)))
            place = next(index for index, part in enumerate(parts) if isinstance(part, kind))
            parts[place] = kind(service)
            if spare is not None:
                parts[place] = Switch(main=parts[place], spare=kind(spare))
            call = HeldCall(parts)
            async with call:
                await call.session.wait()
            return call

    call = run_virtual(main())
    check(call)
    return call


def longest_nothing(call: HeldCall) -> float:
    """The longest time in which nothing was heard, from the user's last word to the end of the reply."""
    begun = call.all(UserTurn)[0].ended
    ended = call.times(ReplyEnded)[-1]
    heard = [seen.at for seen in call.voice]
    moments = [begun, *heard, ended]
    return max(after - before for before, after in pairwise(moments))


def said(call: HeldCall) -> str:
    return " ".join(entry.text for entry in call.entries if isinstance(entry, AgentSaid))


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("vendor", VOICES)
def test_a_spare_voice_goes_on(vendor: str, point: str, fault: Fault) -> None:
    call = hold(VOICES[vendor], point, fault, kind=TTS, spare=ScriptedTTS())
    assert longest_nothing(call) < NOTHING, call.story()
    assert call.all(ReplyEnded)[0].heard == TEXT
    assert all(failed.recovered for failed in call.all(Failed))


class WordsFirst(TextToSpeech):
    """Tells the times of the words, and fails before there is any audio."""

    sample_rate = 24000

    async def speak(self, text: AsyncIterator[str]) -> AsyncGenerator[Speech | Word, None]:
        async for piece in text:
            yield Word(0, len(piece.split()[0]), 0.3)
            raise UnavailableError("gone")


class Garbled(TextToSpeech):
    """Sends what is no audio, once."""

    sample_rate = 24000

    def __init__(self) -> None:
        self.voice, self.asked = ScriptedTTS(), 0

    async def speak(self, text: AsyncIterator[str]) -> AsyncGenerator[Speech | Word, None]:
        self.asked += 1
        if self.asked == 1:
            raise BadResponseError("not base64")
        async for spoken in self.voice.speak(text):
            yield spoken


def test_a_voice_without_a_spare_that_is_garbled_once_is_asked_again() -> None:
    async def main() -> HeldCall:
        parts: dict[str, Any] = services(["hello"], [TEXT]) | {"tts": Garbled()}
        agent = Agent("x", **parts)
        async with (call := HeldCall(agent.pipeline(Caller([CallerLine(loud(0.8), 0.5, "now")], 16000)))):
            await call.session.wait()
        return call

    call = run_virtual(main())
    check(call)
    assert call.all(ReplyEnded)[0].heard == TEXT


def test_a_spare_voice_speaks_what_had_word_times_and_no_audio() -> None:
    async def main() -> HeldCall:
        agent = Agent("x", **services(["hello"], [TEXT]))
        parts: list[Any] = list(agent.pipeline(Caller([CallerLine(loud(0.8), 0.5, "now")], 16000)))
        place = next(index for index, part in enumerate(parts) if isinstance(part, TTS))
        parts[place] = Switch(main=TTS(WordsFirst()), spare=TTS(ScriptedTTS()))
        async with (call := HeldCall(parts)):
            await call.session.wait()
        return call

    call = run_virtual(main())
    check(call)
    assert call.all(ReplyEnded)[0].heard == TEXT
    assert [failed.recovered for failed in call.all(Failed)] == [True]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("vendor", VOICES)
def test_a_voice_that_fails_once_is_asked_again(vendor: str, point: str, fault: Fault) -> None:
    call = hold(VOICES[vendor], point, fault, kind=TTS, times=1)
    if all(failed.retryable for failed in call.all(Failed)):
        assert call.all(ReplyEnded)[0].heard == TEXT
    else:
        assert fault is Fault.MALFORMED
    assert longest_nothing(call) < NOTHING, call.story()


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("vendor", MODELS)
def test_a_spare_model_is_asked(vendor: str, point: str, fault: Fault) -> None:
    call = hold(MODELS[vendor], point, fault, kind=LLM, spare=ScriptedLLM(["Here I am."]))
    assert longest_nothing(call) < NOTHING, call.story()
    begun = (
        point in ("middle", "end") and fault is Fault.SILENT
    )  # a guess that fails is made anew by the spare
    assert said(call).startswith("Good" if begun else "Here I am.")


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("vendor", MODELS)
def test_a_model_without_a_spare_is_apologised_for(vendor: str, point: str, fault: Fault) -> None:
    call = hold(MODELS[vendor], point, fault, kind=LLM)
    assert longest_nothing(call) < NOTHING, call.story()
    if point != "end":
        assert said(call).endswith(APOLOGY)
