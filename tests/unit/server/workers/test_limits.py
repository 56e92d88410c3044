"""What a worker may use, and the limit of its memory."""

import subprocess
import sys

import pytest

from antiphon.errors import ConfigurationError
from antiphon.server.workers.limits import WorkerLimits

LIMITED = """
from antiphon.server.workers.limits import limit_memory
limit_memory(50_000_000)
small = bytearray(10_000_000)
try:
    large = bytearray(100_000_000)
except MemoryError:
    print("refused")
"""


@pytest.mark.parametrize("wrong", [{"memory_mb": 3}, {"cpu": 0.0}, {"stuck_after": -1.0}])
def test_limits_that_no_worker_can_live_with_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError):
        WorkerLimits(**wrong)  # pyright: ignore[reportArgumentType]  a number where there is one


def test_memory_beyond_the_limit_is_refused() -> None:
    done = subprocess.run([sys.executable, "-c", LIMITED], capture_output=True, text=True, check=True)
    assert done.stdout == "refused\n"
