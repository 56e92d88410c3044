"""What a process uses, read from /proc."""

import os
from pathlib import Path

from antiphon.server.workers.usage import ProcessUsage


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
