"""How fast a model is here: measured once, remembered, and not believed for ever if it was slow."""

import json
from pathlib import Path

import pytest

from antiphon.vendors.local import speed
from antiphon.vendors.local.speed import FAST_ENOUGH, FILE, WEEK, remembered, speed_of


class Model:
    def __init__(self, tokens: float) -> None:
        self.tokens = tokens

    def tokens_a_second(self) -> float:
        return self.tokens


def test_a_measurement_is_remembered_for_this_machine_and_these_threads(tmp_path: Path) -> None:
    assert remembered(tmp_path, "qwen", 2) is None
    assert speed_of(Model(20.0), tmp_path, "qwen", 2) == 20.0
    assert remembered(tmp_path, "qwen", 2) == remembered(tmp_path, "qwen") == 20.0
    assert remembered(tmp_path, "qwen", 4) is None
    assert remembered(tmp_path, "other") is None


def test_another_machine_measures_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    speed_of(Model(20.0), tmp_path, "qwen", 2)
    monkeypatch.setattr(speed, "machine", lambda: "another, 64 cores")
    assert remembered(tmp_path, "qwen", 2) is None


def test_slow_is_measured_again_after_a_week(tmp_path: Path) -> None:
    speed_of(Model(FAST_ENOUGH - 1), tmp_path, "qwen", 2)
    assert remembered(tmp_path, "qwen", 2) == FAST_ENOUGH - 1
    known = json.loads((tmp_path / FILE).read_text())
    for one in known.values():
        one["when"] -= WEEK + 1
    (tmp_path / FILE).write_text(json.dumps(known))
    assert remembered(tmp_path, "qwen", 2) is None


@pytest.mark.parametrize("content", ["", "[]", '{"a": 1}', '{"a": {"when": "x"}}', "\xff"])
def test_a_damaged_file_is_no_memory(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE).write_text(content, encoding="latin-1")
    assert remembered(tmp_path, "qwen", 2) is None


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    assert speed_of(Model(20.0), tmp_path / "absent", "qwen", 2) == 20.0
