"""A vendor of speech to text is cut, stalls or talks nonsense at every point of a call.

What the user says arrives as a turn exactly once, or the agent apologises within two seconds. The servers on
loopback are real, and the calls in virtual time.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import pytest

from antiphon import Agent
from antiphon.context import AgentSaid, UserSaid
from antiphon.conversation.conversation import Conversation
from antiphon.frames import Failed, PlayoutStarted, TurnLost, UserTurn
from antiphon.journal import replay
from antiphon.services.http_stt import HttpSTT, TranscriptionEndpoint
from antiphon.services.ports import AudioChunk, Flush, Recognized, SpeechToText
from antiphon.services.stt import STT
from antiphon.switch import Switch
from antiphon.testing import ScriptedSTT, StreamingSTT, loud, run_virtual
from antiphon.testing.assertions import HeldCall, check, no_task_left, services
from antiphon.testing.loopback import KEY, WORDS, Fault, VendorServer
from antiphon.testing.loopback.assemblyai import AssemblyAIUniversal
from antiphon.testing.loopback.aws import AwsTranscribe
from antiphon.testing.loopback.azure import AzureRecognition
from antiphon.testing.loopback.cartesia import CartesiaInk
from antiphon.testing.loopback.deepgram import DeepgramFlux, DeepgramListen
from antiphon.testing.loopback.elevenlabs import ElevenLabsScribe
from antiphon.testing.loopback.http import HttpAnswer, VendorRequest
from antiphon.testing.loopback.realtime_transcription import OpenAITranscription
from antiphon.testing.loopback.server import Connection
from antiphon.testing.loopback.soniox import SonioxTokens
from antiphon.testing.loopback.speechmatics import SpeechmaticsRealtime
from antiphon.testing.loopback.whisper import WhisperTranscriptions
from antiphon.testing.loopback.xai import XaiTranscripts
from antiphon.transports.caller import Caller, CallerLine
from antiphon.vendors import assemblyai
from antiphon.vendors.aws import stt as transcribe
from antiphon.vendors.azure import stt as azure
from antiphon.vendors.cartesia import stt as ink
from antiphon.vendors.deepgram import stt as listen
from antiphon.vendors.elevenlabs import stt as scribe
from antiphon.vendors.openai import stt as transcription
from antiphon.vendors.soniox import stt as soniox
from antiphon.vendors.speechmatics import stt as speechmatics
from antiphon.vendors.xai import stt as xai

Kind = Callable[..., SpeechToText]

VENDORS: dict[type[VendorServer], Kind] = {
    DeepgramListen: listen.Nova,
    DeepgramFlux: listen.Flux,
    CartesiaInk: ink.STT,
    ElevenLabsScribe: scribe.STT,
    SonioxTokens: soniox.STT,
    SpeechmaticsRealtime: speechmatics.STT,
    OpenAITranscription: transcription.STT,
    AssemblyAIUniversal: assemblyai.STT,
    AzureRecognition: azure.STT,
    AwsTranscribe: partial(transcribe.STT, secret="secret", region="eu-central-1"),
    XaiTranscripts: xai.STT,
}
MOMENTS = {"before it is ready": 0.0, "during speech": 1.2, "at the end of speech": 1.65, "later": 2.6}
"""Seconds of the call; the user speaks from 0.5 to 1.6, and the words are asked for at about 1.8."""
ENDED = 1.6
SORRY = "Sorry, I had a problem just now. Could you say that again?"


def troubled(server: type[VendorServer], trouble: str, at: float, faulty: int) -> VendorServer:
    """A server whose first `faulty` connections fail in this way from this moment on."""

    class Troubled(server):
        async def talk(self, connection: Connection) -> None:
            if self.connections > faulty:
                return await super().talk(connection)
            websocket: Any = connection._websocket  # pyright: ignore[reportPrivateUsage]
            loop = asyncio.get_running_loop()

            def fail() -> None:
                if trouble == "is cut":
                    websocket.transport.abort()
                else:
                    connection.fault = Fault.SILENT if trouble == "stalls" else Fault.MALFORMED

            async def greet(message: Any) -> None:
                if trouble != "stalls":
                    await connection.send(message)

            if loop.time() >= at:
                fail()
                if at == 0.0:
                    connection.greet = greet
            else:
                loop.call_at(at, fail)
            return await super().talk(connection)

    return Troubled()


def held(
    kind: Kind, server: type[VendorServer], trouble: str, at: float, *, faulty: int, spare: bool = False
) -> HeldCall:
    """A call with one line, or a second after the answer if the trouble comes later."""
    lines = [CallerLine(loud(1.1), 0.5, "now")]
    if at > ENDED + 0.5:
        lines.append(CallerLine(loud(1.1), 0.5, "answer"))

    async def main() -> HeldCall:
        async with troubled(server, trouble, at, faulty) as vendor, server() as good:
            ports: dict[str, Any] = services((), ["Fine.", "Well."])
            ports["stt"] = kind(key=KEY, base_url=vendor.url)
            agent = Agent("x", **ports)
            parts: list[Any] = list(agent.pipeline(Caller(lines, 16000, awaits=5.0)))
            if spare:
                index = next(place for place, part in enumerate(parts) if isinstance(part, STT))
                parts[index] = Switch(main=parts[index], spare=STT(kind(key=KEY, base_url=good.url)))
            call = HeldCall(parts)
            async with call:
                await call.session.wait()
            no_task_left_but_those_of(vendor, good)
            assert not vendor.open
            assert not good.open
        return call

    call = run_virtual(main())
    check(call)
    return call


def no_task_left_but_those_of(*servers: VendorServer) -> None:
    tasks = [task for task in asyncio.all_tasks() if "antiphon" in task.get_name()]
    assert not tasks


def silence_after_speech(call: HeldCall) -> float:
    """How long the user waits for the agent's first sound after the last word of the first line."""
    return call.times(PlayoutStarted)[0] - ENDED


troubles = pytest.mark.parametrize("trouble", ["is cut", "stalls", "talks nonsense"])
moments = pytest.mark.parametrize("moment", MOMENTS)
OTHERS = [server for server in VENDORS if server not in (DeepgramListen, CartesiaInk, ElevenLabsScribe)]
others = pytest.mark.parametrize("server", OTHERS, ids=lambda server: server.__name__)
proven = pytest.mark.parametrize(
    "server", [DeepgramListen, CartesiaInk, ElevenLabsScribe], ids=lambda server: server.__name__
)


@troubles
@moments
@proven
def test_a_vendor_that_fails_once_hears_everything_in_the_end(
    server: type[VendorServer], moment: str, trouble: str
) -> None:
    call = held(VENDORS[server], server, trouble, MOMENTS[moment], faulty=1)
    count = 2 if moment == "later" else 1
    assert [turn.text for turn in call.all(UserTurn)] == [WORDS] * count, call.story()
    assert silence_after_speech(call) < 2.5


@troubles
@moments
@proven
def test_a_spare_hears_what_the_first_one_has_not_answered(
    server: type[VendorServer], moment: str, trouble: str
) -> None:
    call = held(VENDORS[server], server, trouble, MOMENTS[moment], faulty=1000, spare=True)
    count = 2 if moment == "later" else 1
    assert [turn.text for turn in call.all(UserTurn)] == [WORDS] * count, call.story()
    assert silence_after_speech(call) < 2.5


@troubles
@pytest.mark.parametrize("moment", [*MOMENTS][:3])
@proven
def test_a_vendor_that_fails_for_good_is_apologised_for(
    server: type[VendorServer], moment: str, trouble: str
) -> None:
    answered_or_apologised(held(VENDORS[server], server, trouble, MOMENTS[moment], faulty=1000))


def answered_or_apologised(call: HeldCall) -> None:
    said = [entry.text for entry in call.entries if isinstance(entry, AgentSaid)]
    if turns := call.all(UserTurn):  # it had told all words before
        assert ([turn.text for turn in turns], said) == ([WORDS], ["Fine."])
    else:
        assert call.all(Failed)
        assert said == [SORRY]
    assert silence_after_speech(call) < 2.05


WORST = pytest.mark.parametrize(
    ("trouble", "moment"),
    [("is cut", "at the end of speech"), ("stalls", "during speech"), ("stalls", "before it is ready")],
)


@WORST
@others
def test_whatever_the_protocol_a_spare_hears_it(
    server: type[VendorServer], trouble: str, moment: str
) -> None:
    call = held(VENDORS[server], server, trouble, MOMENTS[moment], faulty=1000, spare=True)
    assert [turn.text for turn in call.all(UserTurn)] == [WORDS], call.story()
    assert silence_after_speech(call) < 3.0


@WORST
@others
def test_whatever_the_protocol_the_user_is_not_left_in_silence(
    server: type[VendorServer], trouble: str, moment: str
) -> None:
    call = held(VENDORS[server], server, trouble, MOMENTS[moment], faulty=1000)
    answered_or_apologised(call)


def test_a_request_that_is_never_answered_is_apologised_for() -> None:
    class Stalled(WhisperTranscriptions):
        async def answer(self, request: VendorRequest, answer: HttpAnswer) -> None:
            if len(self.requests) > 1:
                await super().answer(request, answer)
            else:
                await over.wait()

    over = asyncio.Event()

    async def main() -> HeldCall:
        async with Stalled() as vendor:
            ports: dict[str, Any] = services((), ["Fine."])
            endpoint = TranscriptionEndpoint("groq", vendor.url, "GROQ_API_KEY", "whisper-large-v3")
            ports["stt"] = HttpSTT("", endpoint, key=KEY)
            lines = [CallerLine(loud(1.1), 0.5, "now"), CallerLine(loud(1.1), 0.5, "answer")]
            call = HeldCall(Agent("x", **ports).pipeline(Caller(lines, 16000, awaits=5.0)))
            async with call:
                await call.session.wait()
            over.set()
            await ports["stt"].close()
        return call

    call = run_virtual(main())
    check(call)
    said = [entry.text for entry in call.entries if isinstance(entry, AgentSaid | UserSaid)]
    assert said == [SORRY, WORDS, "Fine."]
    assert silence_after_speech(call) < 2.05


class Deaf(StreamingSTT):
    """Hears nothing the first time, and its next stream everything."""

    answered_within = 1.0
    streams = 0

    async def transcribe(self, audio: AsyncIterator[AudioChunk | Flush]) -> AsyncIterator[Any]:
        self.streams += 1
        stream = self.streams
        async for item in audio:
            if isinstance(item, Flush) and item.final and stream > 1:
                yield Recognized("hello again", True)


@pytest.mark.parametrize("apology", ["Pardon?", None])
def test_words_that_are_lost_are_said_again_and_the_journal_replays(apology: str | None) -> None:
    def parts() -> list[Any]:
        ports: dict[str, Any] = services((), ["Fine."])
        ports["stt"] = Deaf([])
        parts: list[Any] = list(Agent("x", **ports).pipeline(Caller(lines, 16000)))
        next(part for part in parts if isinstance(part, Conversation)).apology = apology
        return parts

    lines = [CallerLine(loud(1.0), 0.5, "now"), CallerLine(loud(1.0), 5.0, "now")]
    call = HeldCall(parts())

    async def main() -> None:
        async with call:
            await call.session.wait()
        no_task_left()

    run_virtual(main())
    check(call)
    assert len(call.all(TurnLost)) == 1
    assert [turn.text for turn in call.all(UserTurn)] == ["hello again"]
    said = [entry.text for entry in call.entries if isinstance(entry, AgentSaid)]
    assert said == [*filter(None, [apology]), "Fine."]
    assert replay(call.journal.lines, parts()) == call.journal.lines


def test_a_call_in_which_a_spare_took_over_replays() -> None:
    def parts() -> list[Any]:
        ports: dict[str, Any] = services((), ["Fine."])
        ports["stt"] = Deaf([])
        parts: list[Any] = list(Agent("x", **ports).pipeline(Caller(lines, 16000)))
        place = next(place for place, part in enumerate(parts) if isinstance(part, STT))
        parts[place] = Switch(main=parts[place], spare=STT(ScriptedSTT(["hello"])))
        return parts

    lines = [CallerLine(loud(1.0), 0.5, "now")]
    call = HeldCall(parts())

    async def main() -> None:
        async with call:
            await call.session.wait()
        no_task_left()

    run_virtual(main())
    check(call)
    assert [turn.text for turn in call.all(UserTurn)] == ["hello"]
    assert replay(call.journal.lines, parts()) == call.journal.lines
