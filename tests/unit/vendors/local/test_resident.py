"""A model is loaded once, whoever asks, and runs beside the loop."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from antiphon.errors import ConfigurationError
from antiphon.testing import run_virtual
from antiphon.vendors.local.resident import Resident, library


class Loads:
    """A loader that counts; it fails the first time if told to."""

    def __init__(self, failures: int = 0) -> None:
        self.count = 0
        self.failures = failures
        self.threads: set[int] = set()

    def __call__(self) -> object:
        self.count += 1
        self.threads.add(threading.get_ident())
        if self.count <= self.failures:
            raise OSError("no such file")
        return object()


async def ask(model: Resident[object], times: int) -> set[int]:
    return {id(found) for found in await asyncio.gather(*(model.get() for _ in range(times)))}


def test_many_sessions_and_loops_share_one_load() -> None:
    loads = Loads()
    model = Resident("test", loads)
    with ThreadPoolExecutor(4) as loops:
        running = [loops.submit(asyncio.run, ask(model, 20)) for _ in range(4)]
        found = set[int]().union(*(loop.result() for loop in running))
    assert loads.count == len(found) == 1
    assert threading.get_ident() not in loads.threads


def test_a_load_that_failed_is_tried_again() -> None:
    async def main() -> None:
        with pytest.raises(OSError, match="no such file"):
            await model.get()
        await model.get()

    loads = Loads(failures=1)
    model = Resident("test", loads)
    asyncio.run(main())
    assert loads.count == 2


def test_cancelling_who_waits_harms_nobody() -> None:
    async def main() -> None:
        first = asyncio.create_task(model.get())
        second = asyncio.create_task(model.get())
        await asyncio.to_thread(begun.wait, 10)
        first.cancel()
        release.set()
        assert await second is not None
        assert first.cancelled()

    def load() -> object:
        begun.set()
        assert release.wait(10)
        return object()

    begun, release = threading.Event(), threading.Event()
    model = Resident("test", load)
    asyncio.run(main())


def test_in_virtual_time_it_runs_in_place() -> None:
    loads = Loads()
    model = Resident("test", loads)
    run_virtual(ask(model, 3))
    assert loads.threads == {threading.get_ident()}


def test_a_library_that_is_missing_says_how_to_get_it() -> None:
    with pytest.raises(ConfigurationError, match=r'pip install "antiphon\[local\]"'):
        library("no_such_library_as_this")
