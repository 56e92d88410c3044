"""The stages around services that do everything wrong once, and what a conversation loses by it: one turn."""

import asyncio
import gc
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from antiphon import Agent
from antiphon.clock import LoopClock
from antiphon.context import Context
from antiphon.errors import AuthenticationError, ConfigurationError, RateLimitError, UnavailableError
from antiphon.frames import (
    AgentAudio,
    AudioJudged,
    Failed,
    Interrupted,
    Prompt,
    ReplyEnded,
    SegmentEnded,
    SegmentStarted,
    SoundHeard,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    SpeechStopped,
    Text,
    TextEnded,
    Transcript,
    TurnScored,
    Usage,
    UserAudio,
    WordTimed,
)
from antiphon.playout.playout import Playout
from antiphon.services.eot import EOT
from antiphon.services.llm import LLM
from antiphon.services.ports import AudioChunk, Flush, Recognized, Speech, TextDelta, TokenUsage, Word
from antiphon.services.stt import STT
from antiphon.services.tts import TTS
from antiphon.services.vad import VAD
from antiphon.session import Session
from antiphon.switch import Switch
from antiphon.testing import (
    LoudVAD,
    ScriptedEOT,
    ScriptedLLM,
    ScriptedSTT,
    ScriptedTTS,
    StreamingSTT,
    VirtualLoop,
    loud,
    virtual,
)
from antiphon.testing.assertions import HeldCall, check, no_task_left, services
from antiphon.transports.caller import Caller, CallerLine
from antiphon.turns.vad import VADSettings

sleep = LoopClock().sleep
"""Virtual time, where the loop is virtual."""

# A service that errs once ----------------------------------------------------------------------------


async def hang() -> None:
    await asyncio.get_running_loop().create_future()


async def ignore_cancellation() -> None:
    while True:
        try:
            await hang()
        except asyncio.CancelledError:
            continue


async def hang_in_close() -> None:
    try:
        await hang()
    finally:
        await sleep(30)


async def refuse() -> None:
    raise RateLimitError("too many at once", 1.0)


async def bug() -> None:
    raise ZeroDivisionError


async def cancel_itself() -> None:
    raise asyncio.CancelledError


WAYS: dict[str, Callable[[], Any]] = {
    "refuses": refuse,
    "has a bug": bug,
    "cancels itself": cancel_itself,
    "never answers": hang,
    "ignores cancellation": ignore_cancellation,
    "hangs in close": hang_in_close,
}
"""What any service may do in place of an answer. Others yield something first, or something else."""


class Hears(ScriptedSTT):
    """Errs when it is first asked for words."""

    def __init__(self, way: str) -> None:
        super().__init__(["one", "two", "three"])
        self.way = way
        self.erred = False

    async def transcribe(self, audio: AsyncIterator[AudioChunk | Flush]) -> AsyncIterator[Recognized]:
        if not self.erred:
            async for item in audio:
                if isinstance(item, Flush):
                    break
            self.erred = True
            if self.way in WAYS:
                await WAYS[self.way]()
            for out in {
                "nonsense": [42],
                "a list": [Recognized(["one"], True)],  # type: ignore[arg-type]
                "flood": [Recognized("on", False)] * 5000,
                "ends": [],
            }[self.way]:
                yield out  # type: ignore[misc]
            if self.way == "ends":
                return
        async for heard in super().transcribe(audio):
            yield heard


class Watches(LoudVAD):
    """Errs in the middle of the first line."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way = way
        self.count = 0

    async def detect(self, audio: AsyncIterator[bytes]) -> AsyncIterator[float]:
        async for window in audio:
            self.count += 1
            if self.count == 30:
                if self.way in WAYS:
                    await WAYS[self.way]()
                if self.way == "ends":
                    return
                for out in {"nonsense": ["loud"], "flood": [0.5] * 5000, "twice": [1.0]}[self.way]:
                    yield out  # type: ignore[misc]
            yield 1.0 if window.count(0) < len(window) * 3 // 4 else 0.0


class Judges(ScriptedEOT):
    """Errs at the first question."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way = way

    async def score(self, pcm: bytes) -> float:
        self.asked += 1
        if self.asked > 1:
            return 1.0
        if self.way in WAYS:
            await WAYS[self.way]()
        return {"nonsense": "certain", "none": None, "out of range": 7.0, "not a number": float("nan")}[
            self.way
        ]  # type: ignore[return-value]


class Thinks(ScriptedLLM):
    """Errs at the first prompt."""

    def __init__(self, way: str) -> None:
        super().__init__(["Answer one.", "Answer two.", "Answer three."])
        self.way = way

    async def generate(self, context: Context) -> AsyncIterator[Any]:
        if not self.contexts:
            self.contexts.append(context)
            if self.way.startswith("then "):
                yield TextDelta("Half a sentence. ")
                await WAYS[self.way.removeprefix("then ")]()
            if self.way in WAYS:
                await WAYS[self.way]()
            if self.way == "ends":
                return
            outs: dict[str, list[Any]] = {
                "nonsense": ["text"],
                "flood": [TextDelta("word ")] * 5000,
                "flood of nothing": [TextDelta("")] * 50_000,
                "flood of usage": [TokenUsage(1, 1)] * 1000,
            }
            for out in outs[self.way]:
                yield out
        async for out in super().generate(context):
            yield out


class Speaks(ScriptedTTS):
    """Errs at the first piece."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way = way
        self.replies = 0

    async def speak(self, text: AsyncIterator[str]) -> AsyncGenerator[Any, None]:
        self.replies += 1
        if self.replies > 1:
            async for out in super().speak(text):
                yield out
            return
        await anext(aiter(text))
        if self.way.startswith("then "):
            yield Speech(bytes(4800), 0)
            await WAYS[self.way.removeprefix("then ")]()
        if self.way in WAYS:
            await WAYS[self.way]()
        outs: dict[str, list[Any]] = {
            "nonsense": [b"pcm"],
            "half a sample": [Speech(b"123", 0)],
            "samples as numbers": [Speech([1, 2], 0)],  # type: ignore[arg-type]
            "another piece": [Speech(b"12", 5)],
            "piece before": [Speech(b"12", -1)],
            "flood": [Speech(bytes(480), 0)] * 2000,
            "flood of nothing": [Speech(b"", 0)] * 20_000,
            "flood of words": [Word(0, 1, 0.1)] * 20_000,
            "ends": [],
        }
        for out in outs[self.way]:
            yield out


def erring(port: str, way: str) -> Agent:
    """An agent with one bad service among good ones."""
    kinds: dict[str, type] = {"stt": Hears, "vad": Watches, "eot": Judges, "llm": Thinks, "tts": Speaks}
    good = services(["one", "two", "three"], ["Answer one.", "Answer two.", "Answer three."])
    return Agent("You are patient.", **{**good, port: kinds[port](way)})


LINES = [
    CallerLine(loud(1.0), 0.5, "now"),
    CallerLine(loud(1.0), 15.0, "now"),
    CallerLine(loud(1.0), 15.0, "now"),
]

DEAF_AFTER = (
    "STT does not start its service again once it did not answer in time, or was cancelled from within"
)
BLIND_AFTER = "VAD does not start its service again, and does not notice one that is silent"
BLAMED = "EOT passes on what is no number, and TurnTaking is blamed"

STUCK = ("never answers", "ignores cancellation", "hangs in close")

LATER = tuple(f"then {way}" for way in WAYS)
FLOODS = ("flood", "flood of nothing")

SILENT = {
    ("stt", "flood"),
    *(("eot", way) for way in STUCK),
    *(("llm", way) for way in (*FLOODS, "flood of usage")),
}
"""No failure at all: it was answered all the same, or nothing was wrong."""

CASES = [
    *(("stt", way) for way in (*WAYS, "nonsense", "a list", "flood", "ends")),
    *(("vad", way) for way in (*WAYS, "nonsense", "flood", "twice", "ends")),
    *(("eot", way) for way in (*WAYS, "nonsense", "none", "out of range", "not a number")),
    *(("llm", way) for way in (*WAYS, *LATER, *FLOODS, "flood of usage", "nonsense", "ends")),
    *(("tts", way) for way in (*WAYS, *LATER, *FLOODS, "flood of words", "nonsense", "ends")),
    *(("tts", way) for way in ("half a sample", "samples as numbers", "another piece", "piece before")),
]


@pytest.mark.parametrize(
    ("port", "way"),
    CASES,
)
def test_service_that_errs_once_costs_one_turn_at_most(port: str, way: str) -> None:
    """The failure is named, the next turns are answered, and nothing is left but what refuses to die."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        call, names = runner.run(_call(port, way))
        for task in asyncio.all_tasks(runner.get_loop()):
            task.get_coro().close()  # type: ignore[union-attr]  it would keep the loop from closing
    check(call)
    assert names == ([f"antiphon {port.upper()}"] if "ignores" in way else [])
    answers = [ended.heard for ended in call.all(ReplyEnded)]
    assert answers[-1] in ("Answer two.", "Answer three."), call.story()
    assert call.times(ReplyEnded)[-1] == pytest.approx(35, abs=2), call.story()
    assert {failed.part for failed in call.all(Failed)} == (
        set() if (port, way) in SILENT else {port.upper()}
    )
    if port == "tts" and all(failed.retried for failed in call.all(Failed)):
        assert answers[0] == "Answer one.", "what failed was spoken at the second try"
    elif port == "tts" and way not in ("flood",) and not way.startswith("then"):
        assert answers[0] == "", "nothing was spoken, so nothing was heard"


async def _call(port: str, way: str) -> tuple[HeldCall, list[str]]:
    call = HeldCall(erring(port, way).pipeline(Caller(LINES, 16000, linger=12)))
    async with call:
        await call.session.wait()
    names = [task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    return call, names


@pytest.mark.parametrize("port", ["stt", "vad", "eot", "llm", "tts"])
@pytest.mark.parametrize("way", ["never answers", "ignores cancellation", "hangs in close"])
def test_hang_up_while_a_service_is_stuck_takes_a_second_at_most(port: str, way: str) -> None:
    async def main() -> None:
        call = HeldCall(erring(port, way).pipeline(Caller(LINES, 16000)))
        async with call:
            await call.session.clock.sleep(1.75)
            begun = call.session.clock.now()
            await call.session.cancel()
            assert call.session.clock.now() - begun <= 1.05
        check(call)

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(main())
        for task in asyncio.all_tasks(runner.get_loop()):
            task.get_coro().close()  # type: ignore[union-attr]


# What closes with a stage ----------------------------------------------------------------------------


class Stream:
    """A stream that is no generator, as a vendor's client gives: it must be closed by those who opened it."""

    opened: list["Stream"] = []  # noqa: RUF012  shared on purpose

    def __init__(self, items: list[Any], text: AsyncIterator[str] | None = None) -> None:
        self.items = items
        self.text = text
        self.closed = False
        Stream.opened.append(self)

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        if self.text is not None:
            await anext(self.text, None)
            self.text = None
        if not self.items:
            raise StopAsyncIteration
        return self.items.pop(0)

    async def aclose(self) -> None:
        self.closed = True


@pytest.mark.parametrize("port", ["llm", "tts"])
@virtual
async def test_stream_of_a_service_is_closed_when_its_reply_is_interrupted(port: str) -> None:
    """Also where the stage does not wait for it at that moment, but is held by the queue behind."""

    class Model(ScriptedLLM):
        def generate(self, context: Context) -> Any:
            return Stream([TextDelta("A sentence of some length. ")] * 400)

    class Voice(ScriptedTTS):
        def speak(self, text: AsyncIterator[str]) -> Any:
            return Stream([Speech(bytes(48000), 0)] * 100, text)

    Stream.opened.clear()
    good = services([], ["One sentence."])
    good[port] = Model([]) if port == "llm" else Voice()
    agent = Agent("x", **good)
    conversation = agent.pipeline(Caller([], 16000))[4:9]
    gc.disable()
    try:
        async with Session(conversation) as session:
            session.new_reply(lambda reply: session.send(Prompt(reply.number, Context("x"))))
            await session.clock.sleep(3)
            session.interrupt(force=True)
            await session.clock.sleep(0.1)
            assert [stream.closed for stream in Stream.opened] == [True]
    finally:
        gc.enable()


# Speech in -------------------------------------------------------------------------------------------


class Ear:
    """Feeds a stage with sound, and facts of the VAD before it."""

    def __init__(self, session: Session, rate: int = 16000) -> None:
        self.session = session
        self.rate = rate
        self.at = 0

    async def hear(self, pcm: bytes) -> None:
        size = self.rate // 50 * 2
        for begun in range(0, len(pcm), size):
            self.session.send(UserAudio(pcm[begun : begun + size], self.rate, self.at))
            self.at += self.rate // 50
            await self.session.clock.sleep(0.02)


@virtual
async def test_stt_hears_the_speech_with_its_beginning_and_nothing_else() -> None:
    service = ScriptedSTT(["hello"])
    async with HeldCall([STT(service)]) as call:
        ear, send = Ear(call.session), call.session.send
        await ear.hear(bytes(32000 * 5))
        await ear.hear(loud(0.2))
        send(SpeechStarted(5.0))
        await ear.hear(loud(0.8))
        await ear.hear(bytes(32000 // 10))
        send(SpeechPaused(6.0))
        await ear.hear(bytes(32000 // 10))
        send(SpeechStopped(6.0))
        await ear.hear(bytes(32000))
    final = [transcript for transcript in call.all(Transcript) if transcript.final]
    assert final == [Transcript("hello", True, 5.0, 6.0)]
    (size,) = service.heard_bytes
    assert 1.1 <= size / 32000 <= 1.45, "from a little before it began to its pause"


@virtual
async def test_stt_that_takes_over_in_mid_speech_hears_it_from_its_beginning() -> None:
    spare = ScriptedSTT(["a bicycle"])
    parts = Switch(STT(StreamingSTT([(1.0, UnavailableError("gone"))])), STT(spare))
    async with HeldCall([parts]) as call:
        ear, send = Ear(call.session), call.session.send
        await ear.hear(bytes(16000))
        send(SpeechStarted(0.5))
        await ear.hear(loud(1.0))
        send(SpeechPaused(1.5))
        send(SpeechStopped(1.5))
        await ear.hear(bytes(32000))
    assert {(transcript.started, transcript.ended) for transcript in call.all(Transcript)} == {(0.5, 1.5)}
    assert spare.heard_bytes[0] / 32000 == pytest.approx(1.5, abs=0.25)
    assert len(call.all(SpeechStarted)) == len(call.all(SpeechStopped)) == 1
    audio = [frame.at for frame in call.all(UserAudio)]
    assert audio == sorted(set(audio)), "nothing is passed on twice"


@virtual
async def test_stt_that_resumes_is_one_utterance() -> None:
    service = ScriptedSTT(["hello you"])
    async with HeldCall([STT(service)]) as call:
        ear, send = Ear(call.session), call.session.send
        send(SpeechStarted(0.0))
        await ear.hear(loud(0.5))
        send(SpeechPaused(0.5))
        await ear.hear(bytes(32000 // 10))
        send(SpeechResumed(0.6))
        await ear.hear(loud(0.5))
        send(SpeechPaused(1.1))
        send(SpeechStopped(1.1))
        await ear.hear(bytes(32000))
    assert [transcript.text for transcript in call.all(Transcript) if transcript.final] == ["hello you"]
    assert 1.05 <= service.heard_bytes[0] / 32000 <= 1.35


@pytest.mark.parametrize("rate", [8000, 24000, 48000])
@virtual
async def test_stt_and_vad_get_their_rate(rate: int) -> None:
    service = ScriptedSTT(["hello"])
    async with HeldCall([VAD(LoudVAD()), STT(service)]) as call:
        ear = Ear(call.session, rate)
        await ear.hear(bytes(rate) + loud(1.0, rate) + bytes(rate * 2))
    (started,), (stopped,) = call.all(SpeechStarted), call.all(SpeechStopped)
    assert started.at == pytest.approx(0.5, abs=0.05)
    assert stopped.at == pytest.approx(1.5, abs=0.05)
    assert service.heard_bytes[0] / 32000 == pytest.approx(1.4, abs=0.2)


@virtual
async def test_capture_that_nobody_takes_is_dropped_and_counted() -> None:
    class Stuck(ScriptedSTT):
        segmented = False

        async def transcribe(self, audio: AsyncIterator[AudioChunk | Flush]) -> AsyncIterator[Recognized]:
            await hang()
            yield Recognized("", True)

    stage = STT(Stuck([]))
    async with Session([stage]) as session:
        for second in range(60):
            session.send(UserAudio(loud(1.0), 16000, second * 16000))
        channel = stage._input  # pyright: ignore[reportPrivateUsage]  there is no other way to see it
        assert channel.dropped >= 29
        assert channel.held <= 30


@virtual
async def test_vad_says_what_is_certain_and_when_it_was() -> None:
    async with HeldCall([VAD(LoudVAD())]) as call:
        ear = Ear(call.session)
        await ear.hear(
            bytes(32000) + loud(1.0) + bytes(32000 // 10 * 2 + 32000 // 50) + loud(0.5) + bytes(32000)
        )
    facts = [
        (type(seen.what).__name__, getattr(seen.what, "at", 0.0), seen.at)
        for seen in call.seen
        if seen.source == "VAD" and type(seen.what) not in (AudioJudged, SoundHeard, tuple)
    ]
    assert [name for name, _, _ in facts][:1] == ["SpeechStarted"]
    assert [name for name, _, _ in facts][-1:] == ["SpeechStopped"]
    assert facts[0][1] == pytest.approx(1.0, abs=0.04)
    assert facts[-1][1] == pytest.approx(2.72, abs=0.06)
    assert all(told >= at for _, at, told in facts)


@pytest.mark.parametrize(("again", "times"), [((), 1), ((0.4, 0.4), 3)])
@virtual
async def test_eot_is_asked_once_in_a_pause_or_as_often_as_wanted(
    again: tuple[float, ...], times: int
) -> None:
    service = ScriptedEOT([0.1, 0.2, 0.3, 0.4], delay=0.05)
    async with HeldCall([EOT(service, again=again)]) as call:
        call.session.send(UserAudio(loud(1.0), 16000, 0))
        call.session.send(SpeechPaused(1.0))
        await call.session.clock.sleep(0.1)
        call.session.send(SpeechStopped(1.0))
        await call.session.clock.sleep(5)
    scores = call.all(TurnScored)
    assert [score.probability for score in scores] == [0.1, 0.2, 0.3][:times]
    assert {score.at for score in scores} == {1.0}
    assert service.asked == times


@virtual
async def test_eot_forgets_a_question_that_has_answered_itself() -> None:
    service = ScriptedEOT([0.9], delay=0.5)
    async with HeldCall([EOT(service)]) as call:
        call.session.send(UserAudio(loud(1.0), 16000, 0))
        call.session.send(SpeechPaused(1.0))
        await call.session.clock.sleep(0.1)
        call.session.send(SpeechResumed(1.1))
        await call.session.clock.sleep(5)
    assert not call.all(TurnScored)


@pytest.mark.parametrize("rate", [8000, 16000])
@virtual
async def test_eot_hears_the_turn_and_a_second_before_at_its_rate(rate: int) -> None:
    heard: list[bytes] = []

    class Keeps(ScriptedEOT):
        async def score(self, pcm: bytes) -> float:
            heard.append(pcm)
            return await super().score(pcm)

    async with HeldCall([EOT(Keeps([0.9]))]) as call:
        ear = Ear(call.session, rate)
        await ear.hear(bytes(rate * 2 * 3))
        call.session.send(SpeechStarted(3.0))
        await ear.hear(loud(1.0, rate))
        call.session.send(SpeechPaused(4.0))
        await ear.hear(bytes(rate))
    (pcm,) = heard
    assert len(pcm) / 32000 == pytest.approx(2.0, abs=0.03)
    assert not any(pcm[: int(32000 * 0.98) // 2 * 2]), "the second before it is silence"
    assert b"\0\0\0\0" not in pcm[int(32000 * 1.02) // 2 * 2 :]


@virtual
async def test_speech_ends_when_the_microphone_is_switched_off() -> None:
    async with HeldCall([VAD(LoudVAD())]) as call:
        ear = Ear(call.session)
        await ear.hear(bytes(32000) + loud(1.0))
        await call.session.clock.sleep(5)
        (stopped,) = [seen for seen in call.seen if isinstance(seen.what, SpeechStopped)]
        assert stopped.at == pytest.approx(2.5, abs=0.1)
        assert getattr(stopped.what, "at", 0) == pytest.approx(2.0, abs=0.1)
        ear.at = 7 * 16000
        await ear.hear(loud(1.0) + bytes(32000))
    assert [round(fact.at) for fact in call.all(SpeechStarted)] == [1, 7]
    assert len(call.all(SpeechStopped)) == 2


@virtual
async def test_speech_that_is_placed_in_the_past_is_not_cut_by_silence() -> None:
    """What a stall held up belongs to the past, but it is there: the line is not silent."""
    async with HeldCall([VAD(LoudVAD())]) as call:
        ear = Ear(call.session)
        await ear.hear(bytes(32000) + loud(1.0))
        await call.session.clock.sleep(4)
        for n in range(100):
            call.session.send(UserAudio(loud(0.02), 16000, 2 * 16000 + n * 320))
            await call.session.clock.sleep(0.015)
        await call.session.clock.sleep(2)
    assert [round(fact.at, 1) for fact in call.all(SpeechStarted)] == [1.0, 2.0]
    assert [round(fact.at, 1) for fact in call.all(SpeechStopped)] == [2.0, 4.0]


@virtual
async def test_all_that_a_stall_held_up_is_judged() -> None:
    async with HeldCall([VAD(LoudVAD())]) as call:
        await Ear(call.session).hear(bytes(32000))
        await call.session.clock.sleep(8)
        for n in range(400):
            call.session.send(UserAudio(loud(0.02) if n < 350 else bytes(640), 16000, 16000 + n * 320))
        await call.session.clock.sleep(0.1)
    (started,), (stopped,) = call.all(SpeechStarted), call.all(SpeechStopped)
    assert (started.at, stopped.at) == (pytest.approx(1.0, abs=0.05), pytest.approx(8.0, abs=0.05))
    assert not call.all(Failed)


@virtual
async def test_the_last_sound_is_before_the_detector_hears_the_end() -> None:
    tone = (8000 * np.sin(2 * np.pi * 200 * np.arange(16000) / 16000)).astype("<i2").tobytes()
    async with HeldCall([VAD(LoudVAD())]) as call:
        faint = b"\x01\0\xff\xff" * 800  # 0.1 s, which LoudVAD takes for speech
        await Ear(call.session).hear(bytes(32000) + tone + faint + bytes(32000))
    for kind in (SpeechPaused, SpeechStopped):
        (fact,) = call.all(kind)
        assert fact.at == pytest.approx(2.1, abs=0.033)
        assert fact.sounded == pytest.approx(2.0, abs=0.012)


@virtual
async def test_the_last_sound_is_found_however_long_the_detector_waits() -> None:
    tone = (8000 * np.sin(2 * np.pi * 200 * np.arange(16000) / 16000)).astype("<i2").tobytes()
    async with HeldCall([VAD(LoudVAD(), VADSettings(stop_after=0.9))]) as call:
        await Ear(call.session).hear(bytes(32000) + tone + b"\x01\0\xff\xff" * 800 + bytes(48000))
    (stopped,) = call.all(SpeechStopped)
    assert stopped.sounded == pytest.approx(2.0, abs=0.012)


@virtual
async def test_a_sound_before_the_speech_is_not_its_last() -> None:
    bang = (8000 * np.sign(np.sin(2 * np.pi * 200 * np.arange(1600) / 16000))).astype("<i2").tobytes()

    class Deaf(LoudVAD):
        async def detect(self, audio: AsyncIterator[bytes]) -> AsyncGenerator[float]:
            async for window in audio:
                yield float(0 < np.abs(np.frombuffer(window, np.int16)).max() < 1000)

    async with HeldCall([VAD(Deaf())]) as call:
        await Ear(call.session).hear(
            bytes(32000) + bang + bytes(1600) + b"\x01\0\xff\xff" * 1600 + bytes(32000)
        )
    (stopped,) = call.all(SpeechStopped)
    assert stopped.at == pytest.approx(1.35, abs=0.033)
    assert stopped.sounded is None


@virtual
async def test_vad_hears_at_the_rate_of_the_line_where_it_can() -> None:
    class Tuned(LoudVAD):
        def at(self, sample_rate: int) -> LoudVAD | None:
            asked.append(sample_rate)
            return LoudVAD(sample_rate) if sample_rate == 8000 else None

    asked: list[int] = []
    for rate, heard_at in ((8000, 8000), (24000, 16000), (16000, 16000)):
        async with HeldCall([VAD(Tuned())]) as call:
            await Ear(call.session, rate).hear(bytes(rate) + loud(1.0, rate) + bytes(rate * 2))
        assert call.part(VAD).service.sample_rate == heard_at
        (started,), (stopped,) = call.all(SpeechStarted), call.all(SpeechStopped)
        assert (started.at, stopped.at) == (pytest.approx(0.5, abs=0.05), pytest.approx(1.5, abs=0.05))
    assert asked == [8000, 24000]


# Language and speech out -------------------------------------------------------------------------------


def prompted(call: HeldCall) -> None:
    call.session.new_reply(lambda reply: call.session.send(Prompt(reply.number, Context("x"))))


@virtual
async def test_llm_counts_offsets_and_usage() -> None:
    class Counts(ScriptedLLM):
        async def generate(self, context: Context) -> AsyncIterator[Any]:
            for text in ("One", " two", "", " three"):
                yield TextDelta(text)
            yield TokenUsage(10, 3, 7)

    async with HeldCall([LLM(Counts([])), Playout()]) as call:
        prompted(call)
        await call.session.clock.sleep(1)
    assert [(text.text, text.at) for text in call.all(Text)] == [("One", 0), (" two", 3), (" three", 7)]
    assert [(usage.part, usage.unit, usage.amount, usage.reply) for usage in call.all(Usage)] == [
        ("LLM", "tokens read", 10, 1),
        ("LLM", "tokens written", 3, 1),
        ("LLM", "tokens cached", 7, 1),
    ]


@virtual
async def test_llm_that_fails_on_being_cancelled_is_not_asked_again() -> None:
    class Sore(ScriptedLLM):
        async def generate(self, context: Context) -> AsyncIterator[Any]:
            self.contexts.append(context)
            try:
                await hang()
            except asyncio.CancelledError as error:
                raise UnavailableError("the connection was closed") from error
            yield TextDelta("never")

    model = Sore([])
    async with HeldCall([LLM(model), Playout()]) as call:
        prompted(call)
        await call.session.clock.sleep(1)
        call.session.interrupt()
        await call.session.clock.sleep(5)
    assert len(model.contexts) == 1
    assert not call.all(Failed)


def texts(call: HeldCall, *chunks: str) -> None:
    def begin(reply: Any) -> None:
        for chunk in chunks:
            call.session.send(Text(reply.number, chunk, reply.write(chunk)))
        call.session.send(TextEnded(reply.number))

    call.session.new_reply(begin)


@pytest.mark.parametrize("words", [False, True])
@virtual
async def test_tts_says_which_audio_speaks_which_text(words: bool) -> None:
    async with HeldCall([TTS(ScriptedTTS(rate=10.0, words=words)), Playout()]) as call:
        texts(call, "Hello there. ", "How are ", "you?")
        await call.session.clock.sleep(10)
    check(call)
    starts = call.all(SegmentStarted)
    assert len(starts) == len(call.all(SegmentEnded)) >= 2
    assert starts[0].start == 0
    assert starts[-1].end == 25
    assert all(before.end <= after.start for before, after in pairwise(starts))
    assert call.all(ReplyEnded)[0].heard == "Hello there. How are you?"
    if words:
        assert [word.end for word in call.all(WordTimed)] == [5, 12, 16, 20, 25]


@pytest.mark.parametrize("words", [False, True])
@virtual
async def test_tts_speaks_no_markup_and_counts_what_was_heard_as_it_was_written(words: bool) -> None:
    tts = ScriptedTTS(rate=20.0, words=words)
    written = "# Hours\n👍 **Nine** to five 👍🏽\n👍\n- call 555 123 4567\n\n🚲"
    async with HeldCall([TTS(tts, spell_numbers=True), Playout()]) as call:
        texts(call, *written.splitlines(keepends=True))
        await call.session.clock.sleep(20)
    check(call)
    assert tts.spoken == ["Hours.", "Nine to five.", "call 5 5 5, 1 2 3, 4 5 6 7."]
    assert call.all(ReplyEnded)[0].heard == written
    if words:
        ends = [word.end for word in call.all(WordTimed)]
        assert ends == sorted(ends)
        assert [written[:end].split()[-1] for end in ends[:4]] == ["Hours", "**Nine**", "to", "👍🏽"]
        assert written[: ends[-1]].endswith("4567")


@virtual
async def test_what_was_heard_of_a_spelled_number_is_a_part_of_it() -> None:
    tts = ScriptedTTS(first=0.0, rate=20.0, words=True)
    async with HeldCall([TTS(tts, spell_numbers=True), Playout()]) as call:
        texts(call, "Call 555 123 4567 now.")
        await call.session.clock.sleep(0.85)
        call.session.interrupt()
        await sleep(0)
    assert call.all(ReplyEnded)[0].heard == "Call 555 12"


@virtual
async def test_a_reply_of_nothing_to_say_ends() -> None:
    tts = ScriptedTTS()
    async with HeldCall([TTS(tts), Playout()]) as call:
        texts(call, "👍\n", "---\n", "😀")
        await call.session.clock.sleep(5)
    check(call)
    assert (tts.spoken, call.all(Failed)) == ([], [])
    assert len(call.all(ReplyEnded)) == 1


@virtual
async def test_a_voice_is_given_no_numbers_digit_by_digit_unless_it_needs_them() -> None:
    tts = ScriptedTTS(rate=50.0)
    async with HeldCall([TTS(tts), Playout()]) as call:
        texts(call, "Call 555 123 4567.")
        await call.session.clock.sleep(5)
    assert tts.spoken == ["Call 555 123 4567."]


@virtual
async def test_tts_begins_to_speak_before_the_text_is_complete() -> None:
    tts = ScriptedTTS()
    async with HeldCall([TTS(tts), Playout()]) as call:
        call.session.new_reply(lambda reply: call.session.send(Text(reply.number, "First sentence. Sec", 0)))
        await call.session.clock.sleep(1)
        assert tts.spoken == ["First sentence."]
        assert call.all(AgentAudio)
        call.session.interrupt()
        await sleep(0)
        assert tts.cancelled == 1
    assert len(call.all(Interrupted)) == 1


@virtual
async def test_a_hole_behind_a_short_first_clause_comes_once() -> None:
    """A voice that is late, as on a busy machine, gets more text to begin with in the next reply."""
    tts = ScriptedTTS(first=0.9)
    text = "Well, you could come by on Monday. Or call us."
    holes: list[int] = []
    async with HeldCall([TTS(tts), Playout()]) as call:
        for _ in range(2):
            texts(call, *re.findall(r"\S+ ?", text))
            await call.session.clock.sleep(12)
            number = call.all(ReplyEnded)[-1].reply
            heard = [piece for piece in call.all(AgentAudio, number) if piece.at]
            ends = [piece.at + len(piece.pcm) // 2 for piece in heard]
            holes.append(sum(piece.at > end for piece, end in zip(heard[1:], ends, strict=False)))
    assert holes[0] > 0
    assert holes[1] == 0
    assert tts.spoken[0] == "Well,"
    assert tts.spoken[3] == "Well, you could come"


def test_spare_voice_takes_over_in_a_whole_call() -> None:
    """A `Switch` around two voices: the first fails at once, and nobody hears the difference."""

    async def main() -> HeldCall:
        good = services(["one", "two"], ["Answer one.", "Answer two."])
        main_voice, spare = ScriptedTTS(), ScriptedTTS()
        main_voice.failures = [AuthenticationError("refused")] * 9
        parts: list[Any] = list(Agent("x", **good).pipeline(Caller(LINES[:2], 16000)))
        index = next(number for number, part in enumerate(parts) if isinstance(part, TTS))
        parts[index] = Switch(main=TTS(main_voice), spare=TTS(spare))
        call = HeldCall(parts)
        async with call:
            await call.session.wait()
        no_task_left()
        return call

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        call = runner.run(main())
    check(call)
    assert [ended.heard for ended in call.all(ReplyEnded)] == ["Answer one.", "Answer two."]
    assert [(failed.part, failed.recovered) for failed in call.all(Failed)] == [("TTS", True)]


def test_frames_pass_each_stage_in_order() -> None:
    """What a stage adds comes after what it passes on."""

    async def main() -> HeldCall:
        call = HeldCall([VAD(LoudVAD()), STT(ScriptedSTT(["x"])), EOT(ScriptedEOT())])
        async with call:
            await Ear(call.session).hear(loud(1.0) + bytes(32000))
        return call

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        call = runner.run(main())
    frames = call.all(UserAudio)
    assert [frame.at for frame in frames] == [320 * number for number in range(len(frames))]


@virtual
async def test_tts_that_never_takes_its_text_is_named_and_the_reply_ends() -> None:
    class Deaf(ScriptedTTS):
        async def speak(self, text: AsyncIterator[str]) -> AsyncGenerator[Any, None]:
            await asyncio.Event().wait()
            yield

    async with HeldCall([TTS(Deaf(), within=2.0), Playout()]) as call:
        reply = call.session.say("Hello there.")
        await reply
        assert call.session.now == pytest.approx(1.5 + 2.0, abs=0.1), "it was not asked once more"
        assert reply.heard == ""
        assert [failed.error for failed in call.all(Failed)] == ["ServiceTimeoutError"] * 2


@pytest.mark.parametrize("stage", [STT, LLM, TTS])
def test_a_name_is_no_service(stage: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"create\(.*openai"):
        stage("openai")
