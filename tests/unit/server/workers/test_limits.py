"""What a session may take: read from /proc, and held to by limits and groups."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from antiphon.errors import ConfigurationError
from antiphon.server.workers.cgroups import ControlGroups
from antiphon.server.workers.limits import WorkerLimits
from antiphon.server.workers.usage import ProcessUsage

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
def test_bounds_that_nobody_can_live_in_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError):
        WorkerLimits(**wrong)  # pyright: ignore[reportArgumentType]  a number where there is one


def test_memory_beyond_the_limit_is_refused() -> None:
    done = subprocess.run([sys.executable, "-c", LIMITED], capture_output=True, text=True, check=True)
    assert done.stdout == "refused\n"


def test_use_is_read_whatever_a_process_calls_itself(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    numbers = " ".join(["0"] * 11 + ["200", "300"] + ["0"] * 20)
    (tmp_path / "7" / "stat").write_text(f"7 (a) b) (c) {numbers.replace('0', 'S', 1)}\n")
    (tmp_path / "7" / "statm").write_text("900 50 20 1 0 40 0\n")
    use = ProcessUsage.of(7, tmp_path)
    assert use is not None
    assert use.cpu == 500 / os.sysconf("SC_CLK_TCK")
    assert use.memory == 50 * os.sysconf("SC_PAGE_SIZE")


def test_a_process_that_is_gone_uses_nothing(tmp_path: Path) -> None:
    assert ProcessUsage.of(7, tmp_path) is None
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "stat").write_text("")
    (tmp_path / "7" / "statm").write_text("")
    assert ProcessUsage.of(7, tmp_path) is None


def test_a_group_bounds_memory_and_processor(tmp_path: Path) -> None:
    """A folder stands for the kernel's: files that appear there by themselves are put there first."""
    folder = tmp_path / "antiphon-1"
    group = folder / "worker-1"
    group.mkdir(parents=True)
    (group / "memory.max").write_text("max")
    groups = ControlGroups(WorkerLimits(memory_mb=100, cpu=0.5), folder)
    assert groups.place("worker-1", 4711)
    written = {file.name: file.read_text() for file in group.iterdir()}
    assert written == {"memory.max": "100000000", "cpu.max": "50000 100000", "cgroup.procs": "4711"}


def test_groups_that_the_kernel_does_not_bound_are_not_used(tmp_path: Path) -> None:
    folder = tmp_path / "antiphon-1"
    assert not ControlGroups(WorkerLimits(), folder).create()
    assert not ControlGroups(WorkerLimits(), None).place("worker-1", 4711)


def test_nothing_is_made_where_there_are_no_groups(tmp_path: Path) -> None:
    groups = ControlGroups.here(WorkerLimits(), tmp_path)
    assert not groups.used
    assert list(tmp_path.rglob("*")) == []
