"""Windows of many sessions share runs of the model, and nothing else."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, cast

import numpy as np
import pytest

from antiphon.clock import LoopClock
from antiphon.errors import ConfigurationError, UsageError
from antiphon.testing import run_virtual
from antiphon.vendors.local import vad
from antiphon.vendors.local.resident import Resident
from antiphon.vendors.local.vad import GATHER, TOGETHER, Silero


class Counting:
    """Judges a window by its samples, how many came before it, and the sample before it."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.broken = False

    def run(self, output_names: None, inputs: dict[str, Any]) -> list[Any]:
        rows, state = inputs["input"], inputs["state"]
        if self.broken:
            raise RuntimeError("out of memory")
        context = rows.shape[1] // 9
        assert inputs["sr"] == context * 250
        assert state.shape == (2, len(rows), 128)
        self.batches.append(len(rows))
        before = rows[:, context - 1, None] / 10
        return [rows[:, -1:] + before + state[0, :, :1] / 1000, state + 1]


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Counting:
    counting = Counting()
    monkeypatch.setattr(vad, "MODEL", cast(Any, Resident("test", lambda: counting)))
    return counting


def window(level: float, samples: int = 512) -> bytes:
    return np.full(samples, round(level * 32768), "<i2").tobytes()


async def windows(levels: list[float], phase: float = 0.0, samples: int = 512) -> AsyncGenerator[bytes, None]:
    """A window every 32 ms."""
    clock = LoopClock()
    due = clock.now() + phase
    for level in levels:
        due += 0.032
        await clock.sleep(due - clock.now())
        yield window(level, samples)


async def detect(
    levels: list[float], phase: float = 0.0, silero: Silero | None = None
) -> list[tuple[float, float]]:
    """The probabilities, each with when it came."""
    silero = silero or Silero()
    heard = silero.detect(windows(levels, phase, silero.window))
    clock = LoopClock()
    return [(round(probability, 3), clock.now()) async for probability in heard]


@pytest.mark.parametrize("sample_rate", [16000, 8000])
def test_a_lone_session_is_answered_at_once(model: Counting, sample_rate: int) -> None:
    heard = run_virtual(detect([0.5, 0.25, 0.0], silero=Silero(sample_rate=sample_rate)))
    assert [probability for probability, _ in heard] == [0.5, 0.301, 0.027]  # context and state are its own
    assert [at for _, at in heard] == pytest.approx([0.032, 0.064, 0.096])
    assert model.batches == [1, 1, 1]


@pytest.mark.parametrize("sessions", [2, TOGETHER, TOGETHER + 1, 100])
def test_sessions_in_step_share_runs(model: Counting, sessions: int) -> None:
    async def main() -> list[list[tuple[float, float]]]:
        return await asyncio.gather(*(detect([n / 128, 0.5]) for n in range(sessions)))

    for n, heard in enumerate(run_virtual(main())):
        assert [probability for probability, _ in heard] == pytest.approx(
            [n / 128, 0.501 + n / 1280], abs=1e-3
        )
    full, rest = divmod(sessions, TOGETHER)
    assert model.batches == ([TOGETHER] * full + [rest] * bool(rest)) * 2


def test_sessions_out_of_step_share_runs_and_wait_no_longer_than_that(model: Counting) -> None:
    async def main() -> list[list[tuple[float, float]]]:
        return await asyncio.gather(*(detect([0.5] * 20, phase=n * 0.032 / 64) for n in range(64)))

    for n, heard in enumerate(run_virtual(main())):
        due = [n * 0.032 / 64 + 0.032 * (k + 1) for k in range(20)]
        assert max(at - best for (_, at), best in zip(heard, due, strict=True)) <= GATHER + 1e-6
    assert sum(model.batches) == 64 * 20
    assert len(model.batches) <= (20 + 1) * 0.032 / GATHER + 1


def test_who_leaves_while_it_waits_harms_nobody(model: Counting) -> None:
    async def main() -> None:
        first = asyncio.create_task(detect([0.5, 0.25]))
        leaving = asyncio.create_task(detect([0.5, 0.25], phase=0.001))
        staying = asyncio.create_task(detect([0.5, 0.25], phase=0.001))
        await LoopClock().sleep(0.034)  # the first has been judged, the others are waiting
        leaving.cancel()
        for heard in (await first, await staying, await detect([0.5, 0.25])):
            assert [probability for probability, _ in heard] == [0.5, 0.301]
        assert leaving.cancelled()

    run_virtual(main())
    assert model.batches == [1] * 6


@pytest.mark.parametrize("sessions", [1, TOGETHER + 1])
def test_a_failure_reaches_all_who_wait_and_the_next_run_works(model: Counting, sessions: int) -> None:
    async def main() -> None:
        model.broken = True
        failed = await asyncio.gather(*(detect([0.5]) for _ in range(sessions)), return_exceptions=True)
        assert [str(error) for error in failed] == ["out of memory"] * sessions
        model.broken = False
        assert [probability for probability, _ in await detect([0.5])] == [0.5]

    run_virtual(main())


@pytest.mark.parametrize("samples", [0, 160, 513])
def test_what_is_not_a_window_is_refused(model: Counting, samples: int) -> None:
    async def main() -> None:
        async for _ in Silero().detect(windows([0.5], samples=samples)):
            pass

    with pytest.raises(UsageError, match="1024 bytes"):
        run_virtual(main())


def test_other_rates_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="not at 44100"):
        Silero(sample_rate=44100)


def test_one_service_serves_one_loop_after_another(model: Counting) -> None:
    """Programs run a loop for each conversation; one may end in the middle of a window."""
    silero = Silero()

    async def broken_off() -> None:
        stream = silero.detect(windows([0.1] * 10))
        await anext(stream)

    for _ in range(2):
        asyncio.run(broken_off())
        assert len(run_virtual(detect([0.1, 0.2], silero=silero))) == 2
