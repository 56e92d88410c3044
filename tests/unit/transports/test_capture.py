"""What is captured while the event loop is late: the newest is kept, and the thread is never held."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

from antiphon.testing import virtual
from antiphon.transports.capture import CaptureBuffer


async def rounds() -> None:
    for _ in range(100):
        await asyncio.sleep(0)


@virtual
async def test_a_stalled_loop_gets_the_newest_and_the_rest_is_counted() -> None:
    handled: list[bytes] = []
    buffer = CaptureBuffer[bytes](asyncio.get_running_loop(), handled.append, 1.0, lambda pcm: len(pcm) / 100)
    pieces = [bytes([number] * 10) for number in range(50)]
    with ThreadPoolExecutor(1) as device:
        device.submit(lambda: [buffer.put(piece) for piece in pieces]).result(5)  # the loop is held meanwhile
    assert handled == [], "only the loop handles anything"
    await rounds()
    assert handled == pieces[-10:], "a second of it"
    assert buffer.dropped == 40


@virtual
async def test_a_loop_in_time_gets_everything_in_order() -> None:
    handled: list[int] = []
    buffer = CaptureBuffer[int](asyncio.get_running_loop(), handled.append, 2)
    for number in range(20):
        with ThreadPoolExecutor(1) as device:
            device.submit(buffer.put, number).result(5)
        await rounds()
    assert handled == list(range(20))
    assert buffer.dropped == 0


@virtual
async def test_one_item_larger_than_the_limit_still_comes_through() -> None:
    handled: list[int] = []
    buffer = CaptureBuffer[int](asyncio.get_running_loop(), handled.append, 1.0, float)
    buffer.put(5)
    buffer.put(7)
    await rounds()
    assert (handled, buffer.dropped) == ([7], 1)


@virtual
async def test_an_item_put_while_others_are_handled_is_handled_after_them() -> None:
    handled: list[int] = []

    def handle(number: int) -> None:
        handled.append(number)
        if number < 3:
            buffer.put(number + 1)

    buffer = CaptureBuffer[int](asyncio.get_running_loop(), handle, 10)
    buffer.put(0)
    await rounds()
    assert handled == [0, 1, 2, 3]


@virtual
async def test_after_close_nothing_is_handled() -> None:
    handled: list[int] = []
    buffer = CaptureBuffer[int](asyncio.get_running_loop(), handled.append, 10)
    buffer.put(1)
    buffer.close()
    buffer.put(2)
    await rounds()
    assert handled == []


@virtual
async def test_a_handler_may_close_it() -> None:
    handled: list[int] = []

    def handle(number: int) -> None:
        handled.append(number)
        buffer.close()

    buffer = CaptureBuffer[int](asyncio.get_running_loop(), handle, 10)
    for number in range(3):
        buffer.put(number)
    await rounds()
    assert handled == [0]


@virtual
async def test_many_threads_may_put() -> None:
    handled: list[int] = []
    buffer = CaptureBuffer[int](asyncio.get_running_loop(), handled.append, 10_000)
    threads = [threading.Thread(target=lambda: [buffer.put(1) for _ in range(1000)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    while len(handled) < 4000:
        await rounds()
