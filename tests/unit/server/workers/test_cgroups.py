"""Workers' control groups, in a folder that stands for the kernel's."""

from pathlib import Path

from antiphon.server.workers.cgroups import ControlGroups
from antiphon.server.workers.limits import WorkerLimits


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
