"""Time is an input: virtual loops, and clocks that jump under a session."""

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from antiphon import Agent
from antiphon.clock import LoopClock, Timer, offload
from antiphon.frames import (
    AgentAudio,
    AudioEnded,
    ReplyEnded,
    SegmentEnded,
    SegmentStarted,
    SpeechStarted,
    SpeechStopped,
    Transcript,
    TurnScored,
    UserAudio,
    UserText,
    UserTurn,
)
from antiphon.journal import replay
from antiphon.pipeline import Part
from antiphon.playout.playout import Playout
from antiphon.processor import Processor
from antiphon.session import Session
from antiphon.testing import ScriptedLLM, ScriptedTTS
from antiphon.testing.assertions import HeldCall, check, no_task_left, services, voice_is_paced
from antiphon.testing.virtual import run_virtual, virtual
from antiphon.turns.endpointing import EndpointingSettings
from antiphon.turns.turn_taking import TurnTaking

sleep = LoopClock().sleep
"""Virtual time, where the loop is virtual."""


class Jumping:
    """A clock on the wall, which somebody sets: it jumps at some moments by so many seconds."""

    def __init__(self, jumps: Sequence[tuple[float, float]]) -> None:
        self.jumps = sorted(jumps)
        self.begun = asyncio.get_running_loop().time()

    def now(self) -> float:
        """Steps forth and back at its moments, and runs in between."""
        passed = asyncio.get_running_loop().time() - self.begun
        return 1e9 + passed + sum(by for at, by in self.jumps if at <= passed)

    def call_at(self, when: float, call: Callable[[], object]) -> Timer:
        return asyncio.get_running_loop().call_later(when - self.now(), call)

    async def sleep(self, seconds: float) -> None:
        await sleep(seconds)


def conversation() -> list[Part]:
    """Everything between the ears and the loudspeaker, with facts for ears."""
    agent = Agent("You are brief.", **services(says=["Yes, I can hear you well.", "Good."]))
    parts = agent.pipeline(Nowhere())
    return [
        part
        for part in parts
        if type(part).__name__ in ("TurnTaking", "Conversation", "LLM", "TTS", "Playout")
    ]


async def listen(call: HeldCall) -> None:
    """As a microphone does, so that the session sees the clock fifty times a second."""
    for number in range(10_000):
        call.session.send(UserAudio(bytes(640), 16000, number * 320))
        await sleep(0.02)


class Nowhere:
    """A transport that leads nowhere."""

    sample_rate = 24000
    lead = 0.0
    observers = ()

    def __init__(self) -> None:
        self.input, self.output = Processor(), Processor()


Jumps = st.lists(
    st.tuples(
        st.floats(0.0, 6.0), st.sampled_from([-3600.0, -5.0, -0.3, -0.01, 0.01, 0.1, 0.3, 5.0, 3600.0])
    ),
    max_size=4,
)


@settings(max_examples=60, deadline=None)
@given(Jumps)
@example([(3.0, -3600.0)])
@example([(3.0, 3600.0)])
@example([(2.1, -0.3), (2.1, 0.3)])
@example([(1.0, 5.0)])
def test_conversation_goes_on_whatever_the_clock_does(jumps: list[tuple[float, float]]) -> None:
    """Time in the session never goes back; a turn is answered, and the answer is heard, in time."""

    async def main() -> HeldCall:
        loop = asyncio.get_running_loop()
        call = HeldCall(conversation(), clock=Jumping(jumps))
        async with call:
            send = call.session.send
            microphone = asyncio.create_task(listen(call))
            await sleep(0.5)
            send(SpeechStarted(call.session.now - 0.1))
            await sleep(1)
            send(TurnScored(0.2, call.session.now))
            send(SpeechStopped(call.session.now))
            send(Transcript("can you hear me?", True))
            replies: list[float] = []
            call.session.on(ReplyEnded, lambda _: replies.append(loop.time()))
            await sleep(20)
            microphone.cancel()
            longest = EndpointingSettings().curve[0][1]  # a jump makes a turn look longer, which tells, too
            due = 1.5 + longest + 0.15 + 0.03 + 0.05 + 25 / ScriptedTTS().rate
            assert len(replies) == 1
            assert replies[0] <= due + 0.1 + 0.04 * len(jumps), "at most a moment for each jump"
        no_task_left()
        return call

    call = run_virtual(main())
    check(call)
    times = [seen.at for seen in call.seen]
    assert times == sorted(times)
    assert [turn.text for turn in call.all(UserTurn)] == ["can you hear me?"]
    assert call.all(ReplyEnded)[0].heard == "Yes, I can hear you well."
    assert replay(call.journal.lines, conversation()) == call.journal.lines


@settings(max_examples=60, deadline=None)
@given(Jumps)
def test_voice_is_whole_whatever_the_clock_does(jumps: list[tuple[float, float]]) -> None:
    voice = bytes(range(256)) * 375 * 2  # 4 s

    async def main() -> HeldCall:
        call = HeldCall([Playout()], clock=Jumping(jumps))
        async with call:
            reply = call.session.new_reply(lambda reply: reply.write("four seconds"))
            for frame in (
                SegmentStarted(1, 0, 12),
                AgentAudio(1, voice, 24000),
                SegmentEnded(1),
                AudioEnded(1),
            ):
                call.session.send(frame)
            loop = asyncio.get_running_loop()
            await reply
            backwards = sum(0.02 for _, by in jumps if by < 0)
            assert loop.time() <= 4.0 + backwards + 0.05
        return call

    call = run_virtual(main())
    check(call)
    voice_is_paced(call)
    assert call.pcm(1) == voice


@virtual
async def test_loop_clock_is_the_time_of_its_loop() -> None:
    clock, loop = LoopClock(), asyncio.get_running_loop()
    rang: list[float] = []
    clock.call_at(clock.now() + 3, lambda: rang.append(clock.now()))
    clock.call_at(clock.now() + 2, lambda: rang.append(-1)).cancel()
    clock.call_at(clock.now() - 1, lambda: rang.append(clock.now()))
    await clock.sleep(5)
    assert clock.now() == loop.time() == 5
    assert rang == [0, 3]


# The virtual loop ------------------------------------------------------------------------------------


def test_hour_takes_as_long_as_its_computing() -> None:
    begun = time.perf_counter()

    async def main() -> list[float]:
        loop = asyncio.get_running_loop()
        times: list[float] = []

        async def tick(every: float) -> None:
            while loop.time() < 3600:
                await sleep(every)
            times.append(loop.time())

        await asyncio.gather(tick(7.0), tick(60.0), tick(0.5))
        return times

    assert run_virtual(main()) == [3600.0, 3600.0, 3605.0]
    assert time.perf_counter() - begun < 5


@virtual
async def test_timeouts_are_virtual_too() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(100):
            await sleep(1000)
    assert asyncio.get_running_loop().time() == 100


def test_order_is_the_same_every_time() -> None:
    async def main() -> list[str]:
        order: list[str] = []

        async def worker(name: str, delay: float) -> None:
            for number in range(5):
                await sleep(delay)
                order.append(f"{name}{number}@{asyncio.get_running_loop().time():.3f}")

        await asyncio.gather(
            *(worker(name, delay) for name, delay in zip("abcd", (0.1, 0.2, 0.1, 0.05), strict=True))
        )
        return order

    first = run_virtual(main())
    assert all(run_virtual(main()) == first for _ in range(10))


@virtual
async def test_work_that_is_offloaded_runs_in_place_in_virtual_time() -> None:
    threads: list[int] = []
    assert await offload(None, lambda: threads.append(threading.get_ident())) is None
    assert threads == [threading.get_ident()]
    assert asyncio.get_running_loop().time() == 0
    with pytest.raises(ZeroDivisionError):
        await offload(None, lambda: 1 // 0)


def test_work_that_is_offloaded_runs_beside_a_real_loop() -> None:
    async def main() -> None:
        with ThreadPoolExecutor(1) as pool:
            assert await offload(pool, threading.get_ident) != threading.get_ident()
            with pytest.raises(ZeroDivisionError):
                await offload(pool, lambda: 1 // 0)

    asyncio.run(main())


def test_standstill_is_an_error_and_not_a_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[run_virtual.__module__], "STANDSTILL", 0.05)

    async def main() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(RuntimeError, match="virtual time stands still"):
        run_virtual(main())


def test_other_threads_may_wake_a_virtual_loop() -> None:
    async def main() -> int:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[int] = loop.create_future()
        with ThreadPoolExecutor(1) as pool:
            pool.submit(loop.call_soon_threadsafe, future.set_result, 7)
            return await future

    assert run_virtual(main()) == 7


def test_scripts_have_exactly_the_latencies_that_they_say() -> None:
    async def main() -> list[float]:
        loop = asyncio.get_running_loop()
        model = ScriptedLLM(["one two three"], first=0.5, each=0.25)
        context = Agent("x", **services()).conversation().context
        return [loop.time() async for _ in model.generate(context)]

    assert run_virtual(main()) == [0.5, 0.75, 1.0]


def test_turn_taking_alone_needs_no_loop() -> None:
    """The engine behind it knows neither clock nor loop; the part takes time from its session alone."""
    assert TurnTaking().engine.deadline is None


@virtual
async def test_elapsed_is_the_time_now_and_now_that_of_the_last_input() -> None:
    session = Session([Processor()], clock=Jumping([(10.0, -100.0)]))
    assert session.elapsed() == 0.0, "it has not begun"
    await sleep(1)
    async with session:
        session.send(UserText("hello"))
        await sleep(2)
        assert session.now == 0.0
        assert session.elapsed() == pytest.approx(2.0)
        await sleep(8)
        session.send(UserText("the clock has been set back meanwhile"))
        await sleep(1)
        assert session.elapsed() == pytest.approx(session.now + 1.0)
