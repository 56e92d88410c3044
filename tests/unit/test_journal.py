"""The journal: the same input gives the same lines, byte for byte; with media, it can be run again."""

import json
import os
import random
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon import Agent
from antiphon.conversation.tools import tool
from antiphon.errors import ConfigurationError, UnavailableError
from antiphon.frames import (
    AgentVideo,
    ClientMessage,
    Failed,
    Frame,
    SessionStarted,
    Signal,
    ToolCall,
    UserKey,
    UserText,
    UserVideo,
    frame,
    replace,
)
from antiphon.journal import Journal, read, replay
from antiphon.pipeline import Tap
from antiphon.playout.playout import Playout
from antiphon.processor import Processor, on
from antiphon.services.ports import AudioChunk, Flush, Recognized
from antiphon.session import Session
from antiphon.stage import Stage
from antiphon.testing import (
    LoudVAD,
    ScriptedEOT,
    ScriptedLLM,
    ScriptedSTT,
    ScriptedTTS,
    StreamingSTT,
    loud,
    run_virtual,
    virtual,
)
from antiphon.testing.assertions import HeldCall, check, hold, services
from antiphon.transports.caller import Caller, CallerLine


@tool
async def opening_hours(day: str) -> str:
    """When the shop is open."""
    return "nine to five"


WORDS = [
    "yes",
    "no",
    "maybe",
    "we",
    "are",
    "open",
    "on",
    "monday",
    "and",
    "also",
    "on",
    "every",
    "other",
    "day",
    "of",
    "the",
    "week",
]


class Conversation:
    """A conversation drawn by lot: what is heard, said and spoken, with failures and odd delays."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.turns = self.draw.randint(1, 4)
        self.texts = [self.words(1, 8) for _ in range(self.turns)]
        self.answers = [self.answer(number) for number in range(self.turns * 2)]
        self.lines = [
            CallerLine(
                loud(self.draw.uniform(0.2, 2.0)),
                self.draw.uniform(0.0, 2.5),
                self.draw.choice(["answer", "now", "barge-in"]) if number else "now",
            )
            for number in range(self.turns)
        ]
        self.delays = [self.draw.uniform(0.01, 0.4) for _ in range(4)]
        self.scores = [self.draw.random() for _ in range(5)]
        self.voice_fails = self.draw.random() < 0.2
        self.rate = self.draw.choice([16000, 24000])

    def words(self, least: int, most: int) -> str:
        return " ".join(self.draw.choices(WORDS, k=self.draw.randint(least, most)))

    def answer(self, number: int) -> list[str | ToolCall | Exception]:
        answer: list[str | ToolCall | Exception] = [self.words(1, 40)]
        chance = self.draw.random()
        if chance < 0.2:
            answer.append(ToolCall(str(number), "opening_hours", '{"day":"monday"}'))
        elif chance < 0.3:
            answer.insert(self.draw.randint(0, 1), UnavailableError("overloaded"))
        return answer

    def agent(self) -> Agent:
        tts = ScriptedTTS(first=self.delays[0], sample_rate=self.rate)
        tts.failures = [UnavailableError("no voice")] if self.voice_fails else []
        return Agent(
            "You are brief.",
            greeting="Hello." if self.turns % 2 else None,
            stt=ScriptedSTT(self.texts, delay=self.delays[1]),
            llm=ScriptedLLM(self.answers, first=self.delays[2], each=self.delays[3] / 10),
            tts=tts,
            vad=LoudVAD(),
            eot=ScriptedEOT(self.scores),
            tools=[opening_hours],
        )

    def hold(self) -> HeldCall:
        return run_virtual(hold(self.agent(), self.lines))


# The same lines --------------------------------------------------------------------------------------


def test_same_conversation_gives_the_same_journal_every_time() -> None:
    first = Conversation(7).hold()
    check(first)
    assert len(first.journal.lines) > 200
    for _ in range(20):
        assert Conversation(7).hold().journal.lines == first.journal.lines


def test_same_journal_in_every_process() -> None:
    """Nothing hangs on the order of sets or on addresses."""
    program = (
        "import importlib.util, hashlib, sys;"
        f"spec = importlib.util.spec_from_file_location('journals', {__file__!r});"
        "module = importlib.util.module_from_spec(spec); spec.loader.exec_module(module);"
        "lines = [line for seed in (3, 7) for line in module.Conversation(seed).hold().journal.lines];"
        "print(len(lines), hashlib.sha256(b'\\n'.join(lines)).hexdigest())"
    )
    src = str(Path(sys.modules["antiphon"].__file__ or "").parents[1])
    told = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": src},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("0", "1", "4242")
    }
    assert len(told) == 1
    assert int(told.pop().split()[0]) > 400


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 100_000))
def test_replay_of_any_conversation_gives_its_journal(seed: int) -> None:
    conversation = Conversation(seed)
    call = conversation.hold()
    check(call)
    parts = Conversation(seed).agent().pipeline(Caller(conversation.lines, 16000))
    assert replay(call.journal.lines, parts) == call.journal.lines


class DeafSTT(StreamingSTT):
    """Takes what it is given and says nothing."""

    async def transcribe(self, audio: AsyncIterator[AudioChunk | Flush]) -> AsyncIterator[Any]:
        async for _ in audio:
            pass
        yield


class FailingVAD(LoudVAD):
    """Stops after so many windows, the first time: it raises, or answers no more."""

    def __init__(self, windows: int, *, silently: bool) -> None:
        super().__init__()
        self.left: int | None = windows
        self.silently = silently

    async def detect(self, audio: AsyncIterator[bytes]) -> AsyncIterator[float]:
        left, self.left = self.left, None
        async for probability in super().detect(audio):
            if left == 0:
                if not self.silently:
                    raise UnavailableError("gone")
                continue
            left = None if left is None else left - 1
            yield probability


FAILING: dict[str, dict[str, Any]] = {
    "stt raises": {
        "stt": lambda: StreamingSTT(
            [
                *((0.9, Recognized("I want", False)), (1.0, UnavailableError("gone"))),
                *((1.4, UnavailableError("gone")), (1.9, Recognized("I want it.", True))),
            ]
        )
    },
    "stt owes a transcript for too long": {"stt": lambda: DeafSTT([])},
    "vad raises": {"vad": lambda: FailingVAD(60, silently=False)},
    "vad owes a probability for too long": {"vad": lambda: FailingVAD(60, silently=True)},
    "eot raises": {"eot": lambda: ScriptedEOT([UnavailableError("gone"), 1.0])},
}


@pytest.mark.parametrize("name", FAILING)
def test_replay_of_a_call_in_which_a_service_failed_gives_its_journal(name: str) -> None:
    """A stage that begins again sets a timer, and all timers after it are numbered behind that."""

    def agent() -> Agent:
        scripted = services(["I want it.", "And that."], ["Certainly.", "That, too."])
        return Agent("x", **scripted | {kind: make() for kind, make in FAILING[name].items()})

    lines = [CallerLine(loud(1.2), 0.5, "now"), CallerLine(loud(1.0), 8.0, "now")]
    call = run_virtual(hold(agent(), lines))
    assert {failed.part.lower() for failed in call.all(Failed)} == set(FAILING[name])
    again = replay(call.journal.lines, agent().pipeline(Caller(lines, 16000)))
    assert again == call.journal.lines


@virtual
async def test_replay_of_a_session_that_took_time_to_start_and_lived_by_another_clock() -> None:
    """Times are those of the session; how its clock counts does not matter."""

    class Slow(Processor):
        async def open(self) -> None:
            await self.session.clock.sleep(1 / 3)

        @on(UserText)
        def text(self, text: UserText) -> None:
            self.after(1 / 7, lambda: self.push(ClientMessage("later", self.session.now)))

    async with HeldCall([Slow(), Playout(16000)]) as call:
        for _ in range(20):
            await call.session.clock.sleep(1 / 9)
            call.session.send(UserText("x"))
            call.session.say("text only")
    assert replay(call.journal.lines, [Slow(), Playout(16000)]) == call.journal.lines


# What can be in it -----------------------------------------------------------------------------------


@frame
class Mood(Frame):
    """A frame of a program's own."""

    name: str
    strength: float = 1.0


class Moods(Stage):
    @on(UserText)
    async def feel(self, text: UserText) -> AsyncGenerator[Frame | Signal, None]:
        yield Mood(text.text)

    @on(Mood)
    def show(self, mood: Mood) -> None:
        self.push(ClientMessage("mood", mood.name))


@virtual
async def test_frames_of_a_program_and_text_alone_replay() -> None:
    async with HeldCall([Moods(), Moods()]) as call:
        call.session.send(UserText("merry"))
        await call.session.clock.sleep(1)
    assert call.all(ClientMessage) == [ClientMessage("mood", "merry")]
    assert replay(call.journal.lines, [Moods(), Moods()]) == call.journal.lines


@virtual
async def test_nonsense_and_failures_replay() -> None:
    class Babble(Stage):
        @on(UserText)
        async def text(self, text: UserText) -> AsyncGenerator[Any, None]:
            yield 42
            yield UserKey("1")
            raise UnavailableError("gone")

        @on(UserKey)
        def key(self, key: UserKey) -> None:
            raise ValueError("bug")

    def parts() -> list[Processor]:
        return [Babble(), Babble()]

    async with HeldCall(parts()) as call:
        call.session.send(UserText("x"))
        call.session.send(7)  # type: ignore[arg-type]
        await call.session.clock.sleep(1)
    assert [(failed.part, failed.error) for failed in call.all(Failed)] == [
        *(("session", "UsageError"), ("Babble", "UsageError")),
        *(("Babble-2", "ValueError"), ("Babble", "UnavailableError")),
    ]
    assert replay(call.journal.lines, parts()) == call.journal.lines


@pytest.mark.parametrize(
    "data",
    [object(), {1: "one", (2, 3): "pair"}, float("nan"), "\ud800", {"a": {1, 2}}, b"raw", 2**70, [Path("x")]],
    ids=["object", "keys", "nan", "surrogate", "set", "bytes", "huge", "path"],
)
@virtual
async def test_any_message_passes_whatever_can_be_written_of_it(data: Any) -> None:
    """A journal that cannot write something must not hold it up; at worst it ends."""
    got: list[Any] = []

    class Sink(Processor):
        @on(ClientMessage)
        def message(self, message: ClientMessage) -> None:
            got.append(message.data)

    journal = Journal(media=True)
    async with Session([Sink()], observers=[journal]) as session:
        session.send(ClientMessage("x", data))
    assert len(got) == 1
    assert all(json.loads(line) for line in journal.lines)


@virtual
async def test_lines_are_compact_and_leave_out_defaults_and_sound() -> None:
    journal = Journal()
    async with Session([Playout()], observers=[journal]) as session:
        session.send(UserText("hello"))
        session.say("hi")
    assert [line.decode() for line in journal.lines] == [
        '[0.0,"journal","Journal",{"format":1,"media":false}]',
        '[0.0,"call","started",null,1]',
        '[0.0,"session","SessionStarted",{}]',
        '[0.0,"session","UserText",{"text":"hello"},1]',
        '[0.0,"call","say",["hi",true],1]',
        '[0.0,"session","ReplyStarted",{"reply":1}]',
        '[0.0,"session","Text",{"reply":1,"text":"hi","at":0}]',
        '[0.0,"session","TextEnded",{"reply":1}]',
        '[0.0,"session","ReplyEnded",{"reply":1,"text":"hi","heard":"hi","interrupted":false}]',
        '[0.0,"call","end","left",1]',
        '[0.0,"session","SessionEnded",{"reason":"left"}]',
    ]


def test_journal_without_media_has_neither_sound_nor_timers() -> None:
    conversation = Conversation(7)
    journal = Journal()

    async def main() -> None:
        await conversation.agent().session(Caller(conversation.lines, 16000), observers=[journal]).run()

    run_virtual(main())
    kinds = {line.kind for line in read(journal.lines)}
    assert not kinds & {"UserAudio", "AgentAudio", "timer"}
    assert {"UserTurn", "ReplyEnded", "SessionEnded", "Prompt"} <= kinds


class Collage(Stage):
    """Answers a picture in a task, which makes an input of it."""

    @on(SessionStarted)
    def started(self, signal: SessionStarted) -> None:
        self.after(0.1, lambda: self.push(ClientMessage("tick")))

    @on(UserVideo)
    async def show(self, frame: UserVideo) -> AsyncGenerator[Frame | Signal, None]:
        yield AgentVideo(frame.pixels, frame.width, frame.height, frame.at)


class Negative(Processor):
    """Makes a picture of one at once, which is no input."""

    @on(AgentVideo)
    def invert(self, frame: AgentVideo) -> None:
        self.push(replace(frame, pixels=bytes(255 - value for value in frame.pixels)))


async def pictured() -> tuple[list[bytes], list[bytes], list[bytes]]:
    """The journals of a call with pictures: without media, and with it; and what was shown in it."""
    shown: list[bytes] = []
    door = Processor()
    without, media = Journal(), Journal(media=True)
    parts = [door, Collage(), Negative(), Tap(lambda frame: shown.append(frame.pixels), AgentVideo)]
    async with Session(parts, observers=[without, media]) as session:
        for number in range(3):
            door.push(UserVideo(bytes([number, 0, 255, 254, 10, 13]), 2, 2, session.elapsed()))
            await session.clock.sleep(0.2)
    return without.lines, media.lines, shown


@virtual
async def test_journal_without_media_has_no_pictures_and_timers_even_beside_one_with_media() -> None:
    without, lines, _ = await pictured()
    assert not {line.kind for line in read(without)} & {"UserVideo", "AgentVideo", "timer"}
    assert {line.kind for line in read(lines)} >= {"UserVideo", "AgentVideo", "timer"}


@virtual
async def test_journal_without_media_has_no_pictures() -> None:
    door, journal = Processor(), Journal()
    async with Session([door, Collage(), Negative(), Tap(print, AgentVideo)], observers=[journal]) as session:
        door.push(UserVideo(bytes(6), 2, 2, 0.0))
        await session.clock.sleep(0.1)
    assert not {line.kind for line in read(journal.lines)} & {"UserVideo", "AgentVideo"}


@virtual
async def test_pictures_replay_and_those_that_are_made_of_others_are_not_written() -> None:
    _, lines, shown = await pictured()
    assert len(shown) == 3
    again: list[bytes] = []
    parts = [Processor(), Collage(), Negative(), Tap(lambda frame: again.append(frame.pixels), AgentVideo)]
    assert replay(lines, parts) == lines
    assert again == shown
    written = [line for line in read(lines) if line.kind in ("UserVideo", "AgentVideo")]
    assert [line.is_input for line in written].count(0) == 3
    assert all(line.content["pixels"] == 6 for line in written if not line.is_input)


# Files -----------------------------------------------------------------------------------------------


def test_file_is_read_and_replayed_like_lines(tmp_path: Path) -> None:
    conversation = Conversation(11)
    file = tmp_path / "call.jsonl"
    memory = Journal(media=True)

    async def main() -> None:
        session = conversation.agent().session(
            Caller(conversation.lines, 16000), observers=[Journal(file, media=True), memory]
        )
        await session.run()

    run_virtual(main())
    assert file.read_bytes().splitlines() == memory.lines
    assert [line.kind for line in read(str(file))] == [line.kind for line in read(memory.lines)]
    parts = Conversation(11).agent().pipeline(Caller(conversation.lines, 16000))
    assert replay(file, parts) == memory.lines


def test_file_that_cannot_be_written_or_read_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"the journal .*missing.* cannot be written: No such file"):
        Journal(tmp_path / "missing" / "call.jsonl")
    with pytest.raises(ConfigurationError, match=r"^this journal cannot be read: No such file"):
        list(read(tmp_path / "none.jsonl"))


def test_journal_without_media_is_refused() -> None:
    journal = Journal()
    with pytest.raises(ConfigurationError, match=r"record with Journal\(file, media=True\) to replay it"):
        replay(journal.lines, [])


FIRST = b'[0.0,"journal","Journal",{"format":1,"media":true}]'


@pytest.mark.parametrize(
    "lines",
    [
        [b"RIFF\x24\x00"],
        [b"{}"],
        [b'{"a":1,"b":2,"c":3,"d":4}'],
        [b"5"],
        [b'"abcdef"'],
        [b"[]"],
        [b"[0.0]"],
        [b'[0.0,"a","b",{}]'],
        [b'[0.0,"journal","Journal",{"format":2,"media":true}]'],
        [b'[0.0,"journal","Journal",7]'],
        [b""],
        [],
        [FIRST, b'[0.0,"a"'],
        [FIRST, b'["x","a","b",{}]'],
        [FIRST, b"\xff\xfe"],
    ],
    ids=repr,
)
def test_foreign_lines_are_a_clear_error(lines: list[bytes]) -> None:
    with pytest.raises(
        ConfigurationError, match=r"(line \d+ is not a line of a journal|this journal is empty)"
    ):
        list(read(lines))
    with pytest.raises(ConfigurationError):
        replay(lines, [])


@pytest.mark.parametrize(
    "line",
    [
        b'[0.0,"Babble","NoSuchFrame",{},1]',
        b'[0.0,"session","UserText",{"nothing":1},1]',
        b'[0.0,"session","UserText",[1,2],1]',
        b'[0.0,"call","nosuchcall",null,1]',
        b'[0.0,"call","say",null,1]',
        b'[0.0,"call","drop",[3,"x"],1]',
    ],
    ids=repr,
)
def test_lines_that_do_not_fit_are_named(line: bytes) -> None:
    with pytest.raises(ConfigurationError, match=r"line 3 of the journal, \w+ from \w+, cannot be replayed"):
        replay([FIRST, b'[0.0,"call","started",null,1]', line], [])


def test_replay_through_other_parts_shows_what_they_would_have_done() -> None:
    class Shout(Processor):
        @on(UserText)
        def text(self, text: UserText) -> None:
            self.push(UserText(text.text.upper()))

    async def main() -> list[bytes]:
        async with HeldCall([]) as call:
            call.session.send(UserText("quiet"))
        return call.journal.lines

    lines = run_virtual(main())
    seen: list[Any] = []

    class Watch:
        media = False

        def saw(self, now: float, source: str, what: Any, is_input: bool) -> None:
            seen.append(what)

        def close(self) -> None: ...

    again = replay(lines, [Shout()], Watch())
    assert b"QUIET" in b"".join(again)
    assert UserText("QUIET") in seen
