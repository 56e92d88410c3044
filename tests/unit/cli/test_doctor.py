"""The doctor's findings, and that they agree with what the project declares."""

import re
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from antiphon.cli import app
from antiphon.cli.doctor import examine
from antiphon.cli.ready import EXTRAS
from antiphon.models import CATALOGUE, Store


def test_the_extras_are_those_of_the_project() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]

    def names(wanted: list[str]) -> set[str]:
        return {re.split(r"[<>=~ \[]", each)[0] for each in wanted}

    assert set(EXTRAS[""]) == names(project["dependencies"])
    for extra, wanted in project["optional-dependencies"].items():
        if extra != "all":
            assert set(EXTRAS[extra]) == names(wanted)


def test_missing_models_are_missing_and_can_be_mended(folder: Path) -> None:
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 1
    assert "antiphon models pull whisper-tiny.en" in result.stdout
    assert "cannot run yet" in result.stdout
    assert not (folder / "models").exists()  # it looks, and changes nothing


def test_a_full_disk_is_told_with_what_is_needed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nearly_full(place: Path) -> SimpleNamespace:
        return SimpleNamespace(free=10_000_000)

    monkeypatch.setattr("shutil.disk_usage", nearly_full)
    (disk,) = [finding for finding in examine(Store(folder)) if finding.what == "disk"]
    assert disk.state == "missing"
    assert re.fullmatch(r"0\.0 GB free, 0\.\d GB needed", disk.found)


def test_what_is_not_installed_is_named_with_its_extra(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EXTRAS, "local", {"no-such-package": "no_such_package"})
    monkeypatch.setitem(EXTRAS, "openai", {"nor-this-one": "nor_this_one"})
    findings = {finding.what: finding for finding in examine(Store(folder))}
    needed, other = findings["no-such-package [local]"], findings["nor-this-one [openai]"]
    assert (needed.state, needed.fix) == ("missing", 'pip install "antiphon[local]"')
    assert (other.state, other.fix) == ("optional", 'pip install "antiphon[openai]"')


def test_every_model_of_the_demo_is_looked_for(folder: Path) -> None:
    looked = {finding.what.removeprefix("model ") for finding in examine(Store(folder))}
    assert {"silero-vad", "smart-turn"} <= looked & set(CATALOGUE)
