"""The line that times all frameworks, with frameworks whose answers are known."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from benchmarks.line import PATIENCE, Answer, Ear, FrameworkCall, answer

from antiphon.clock import LoopClock
from antiphon.testing import run_virtual

sleep = LoopClock().sleep
"""Virtual time, where the loop is virtual."""
RATE = 24_000
LOUD = b"\x00\x20\x00\xe0"  # two samples of a loud square wave


def tone(seconds: float, rate: int) -> bytes:
    """Bursts of a loud sound, which a detector takes for speech."""
    burst, gap = LOUD * int(0.03 * rate), bytes(int(0.02 * rate) * 2)
    return (burst + gap) * round(seconds / 0.08)


CALLER = tone(0.8, 16_000) + bytes(16_000)
"""0.8 s of speech, less the last gap, and half a second of silence."""


class Script(FrameworkCall):
    """Speaks at given seconds of the call, for 1 s each time."""

    def __init__(self, ear: Ear, at: tuple[float, ...]) -> None:
        self.packets = 0
        self.speaking = [asyncio.create_task(self._speak(ear, moment)) for moment in at]

    async def _speak(self, ear: Ear, moment: float) -> None:
        await sleep(moment)
        for _ in range(10):
            ear.heard(tone(0.08, RATE), RATE)
            await sleep(0.08)

    def hear(self, packet: bytes) -> None:
        assert len(packet) == 640
        self.packets += 1

    def transcript(self) -> str:
        return f"{self.packets} packets"


class Scripted:
    """A framework whose agent follows a script."""

    def __init__(self, *at: float) -> None:
        self.at = at

    async def load(self) -> None:
        pass

    @asynccontextmanager
    async def call(self, ear: Ear) -> AsyncGenerator[FrameworkCall, None]:
        call = Script(ear, self.at)
        yield call
        for task in call.speaking:
            task.cancel()


def called(*at: float) -> Answer:
    return run_virtual(answer(Scripted(*at), CALLER))


def test_an_answer_is_timed_from_the_callers_last_sound_to_the_agents_first() -> None:
    one = called(2.0)
    assert one.latency_ms == pytest.approx(2000 - 300 - 780, abs=15)
    assert one.early == 0


def test_an_answer_before_the_caller_is_done_is_too_early_and_no_answer() -> None:
    one = called(0.5)
    assert (one.latency_ms, one.early) == (None, 1)
    both = called(0.35, 2.5)
    assert both.early == 1 and both.latency_ms == pytest.approx(2500 - 1080, abs=15)


def test_without_an_answer_the_caller_hangs_up() -> None:
    one = called()
    assert (one.latency_ms, one.early) == (None, 0)
    assert int(one.heard.split()[0]) * 0.02 == pytest.approx(0.3 + 0.78 + PATIENCE, abs=0.1)


def test_audio_that_was_cleared_before_it_could_be_played_was_not_heard() -> None:
    async def main() -> list[float]:
        ear = Ear()
        await sleep(0.5)
        for _ in range(10):
            ear.heard(tone(0.08, RATE), RATE)  # all at once, as a framework that does not pace
        ear.cleared()
        await sleep(0.5)
        ear.heard(tone(0.8, RATE), RATE)
        return [begin - ear.begun for begin in ear.begins()]

    assert run_virtual(main()) == [pytest.approx(1.0, abs=0.01)]
