"""`antiphon turns replay` over a call that is recorded here, and `--policy` of the other commands."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from antiphon.cli import app


def antiphon(*line: str | Path) -> Result:
    return CliRunner().invoke(app, [*map(str, line)])


@pytest.fixture
def journal(caller: Path, shop: Path, folder: Path) -> Path:
    path = folder / "call.journal"
    assert antiphon("converse", caller, "--agent", shop, "--journal", path, "--virtual").exit_code == 0
    return path


@pytest.fixture
def slow(folder: Path) -> Path:
    path = folder / "slow.toml"
    path.write_text("[endpointing]\nfloor = 1.5\n")
    return path


@pytest.fixture
def default(folder: Path) -> Path:
    path = folder / "default.toml"
    path.write_text("")
    return path


def report(journal: Path, *policies: Path) -> dict[str, Any]:
    result = antiphon(
        "turns", "replay", journal, "--json", *(x for file in policies for x in ("--policy", file))
    )
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_the_policy_of_the_recording_changes_nothing(journal: Path, default: Path) -> None:
    told = report(journal, default)
    (same,) = told["policies"]
    assert (told["turns"], same["same"], same["saved_ms"]) == (3, 3, {"median": 0, "p95": 0})
    counts = ("interruptions", "false_interruptions", "guesses", "guesses_dropped")
    assert [same[name] for name in counts] == [told[name] for name in counts]
    assert told["interruptions"] == 1


def test_a_slower_policy_is_later_by_as_much_as_it_waits(journal: Path, slow: Path) -> None:
    (told,) = report(journal, slow)["policies"]
    assert (told["policy"], told["later"], told["cut_off"]) == (str(slow), 3, 0)
    first = told["turns"][0]
    assert first["user"] == "hello there"
    assert first["replayed"] == pytest.approx(first["ended"] + 1.5, abs=0.01)
    assert first["saved_ms"] == round((first["recorded"] - first["replayed"]) * 1000) < 0
    assert told["saved_ms"]["median"] == sorted(turn["saved_ms"] for turn in told["turns"])[1]


def test_policies_are_compared_in_a_table(journal: Path, slow: Path, default: Path) -> None:
    result = antiphon("turns", "replay", journal, "--policy", slow, "--policy", default)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    rows = {line[:18].strip(): line.split()[-2:] for line in lines if line}
    assert rows["later"] == ["3", "0"]
    assert rows["ms saved, median"][1] == "0"
    assert rows["interruptions"] == ["1", "1"]
    (hello,) = (line for line in lines if "hello there" in line and "same" in line)
    assert hello.split()[3:7] == ["+0.20", "+0.20", "0", "same"], hello


def test_what_is_no_journal_or_policy_is_refused(journal: Path, slow: Path, shop: Path, folder: Path) -> None:
    for arguments, says in (
        ((shop, "--policy", slow), f"antiphon: {shop}: line 1 is not a line of a journal"),
        ((folder / "none", "--policy", slow), "cannot be read: No such file"),
        ((journal, "--policy", journal), f"antiphon: the policy {journal}: not TOML"),
        ((journal,), "--policy"),
    ):
        result = antiphon("turns", "replay", *arguments)
        assert (result.exit_code, result.stdout) == (2, "")
        assert says in result.stderr


def test_converse_takes_a_policy(journal: Path, caller: Path, shop: Path, slow: Path, folder: Path) -> None:
    path = folder / "r.json"
    result = antiphon("converse", caller, "--agent", shop, "--json", path, "--policy", slow, "--virtual")
    assert result.exit_code == 0, result.output
    turn = json.loads(path.read_text())["turns"][0]
    assert turn["parts_ms"]["endpointing"] + turn["parts_ms"]["stt"] > 1400
    wrong = antiphon("converse", caller, "--agent", shop, "--policy", shop)
    assert wrong.exit_code == 2
    assert "not TOML" in wrong.stderr
