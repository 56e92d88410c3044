import asyncio
import threading
import time

import pytest
from benchmarks import onecore


def test_idle_time_is_skipped_and_counted() -> None:
    async def wait_an_hour() -> float:
        began = time.perf_counter()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 3600)
        return time.perf_counter() - began

    really = time.monotonic()
    assert 3600 <= onecore.run(wait_an_hour()) < 3601
    assert time.monotonic() - really < 60


def test_work_counts_as_the_cpu_time_that_it_takes() -> None:
    async def work() -> tuple[float, float]:
        began, cpu = time.perf_counter(), time.process_time()
        sum(range(300_000))
        return time.perf_counter() - began, time.process_time() - cpu

    shown, spent = onecore.run(work())
    assert shown == pytest.approx(spent, rel=0.2)


def test_a_thread_is_waited_for_before_time_is_skipped() -> None:
    go = threading.Event()

    async def race() -> str:
        loop = asyncio.get_running_loop()
        order: list[str] = []
        loop.call_later(60, order.append, "timer")
        thread = loop.run_in_executor(None, go.wait)
        thread.add_done_callback(lambda _: order.append("thread"))
        loop.call_soon(go.set)
        await thread
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 120)
        return " ".join(order)

    assert onecore.run(race()) == "thread timer"


def test_the_clocks_are_the_real_ones_again_afterwards() -> None:
    before = time.perf_counter, time.monotonic, time.time

    async def fail() -> None:
        assert time.perf_counter is not before[0]
        raise LookupError

    with pytest.raises(LookupError):
        onecore.run(fail())
    assert (time.perf_counter, time.monotonic, time.time) == before
