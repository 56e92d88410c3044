"""`antiphon models` without a network: everything but the pulling itself."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from antiphon.cli.models import app
from antiphon.models import CATALOGUE
from antiphon.vendors.local.speed import speed_of


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("ANTIPHON_OFFLINE", raising=False)
    monkeypatch.setenv("ANTIPHON_MODELS", str(tmp_path))
    return tmp_path


@pytest.fixture
def altered(folder: Path) -> Path:
    """A model whose only file has the right size and the wrong bytes."""
    (file,) = CATALOGUE["silero-vad"].files
    path = folder / "silero-vad" / file.name
    path.parent.mkdir()
    path.write_bytes(bytes(file.size))
    return path


class Measured:
    def tokens_a_second(self) -> float:
        return 16.4


def run(*line: str) -> Result:
    return CliRunner().invoke(app, line)


def test_the_list_has_a_line_for_each_model_and_says_what_is_here(altered: Path) -> None:
    result = run("list")
    assert result.exit_code == 0
    head, *lines = result.stdout.splitlines()
    assert head.split("  ")[0] == "name"
    assert [line.split()[0] for line in lines] == list(CATALOGUE)
    silero, smart_turn, *_ = lines
    assert "MIT" in silero and "2.3 MB" in silero and silero.endswith("not verified")
    assert smart_turn.endswith("absent")


def test_the_long_list_has_every_hash_and_source_and_marks_strangers(folder: Path) -> None:
    result = run("list", "--long")
    for model in CATALOGUE.values():
        assert all(file.sha256 in result.stdout for file in model.files)
        assert all(str(source) in result.stdout for source in model.sources)
    strange = [line for line in result.stdout.splitlines() if "trusted by its hash alone" in line]
    assert len(strange) == 5


def test_the_list_has_the_speed_of_what_was_measured(folder: Path) -> None:
    assert "tokens per second" not in run("list").stdout
    speed_of(Measured(), folder, "qwen2.5-coder-1.5b", 2)
    assert run("list").stdout.count("absent, 16 tokens per second here") == 1


def test_measure_wants_to_know_which_language_model(folder: Path) -> None:
    assert "name the language models" in run("measure").stderr
    assert "no local language model" in run("measure", "silero-vad").stderr


def test_verify_says_what_is_wrong_and_fails(altered: Path) -> None:
    result = run("verify")
    assert result.exit_code == 1
    assert result.stdout.startswith("silero-vad: silero_vad.onnx was altered: its SHA-256 is ")
    assert len(result.stdout.splitlines()) == 1  # the models that are not here are none of its business
    assert altered.exists()


def test_verify_of_a_model_that_is_not_here_fails(folder: Path) -> None:
    result = run("verify", "smart-turn")
    assert result.exit_code == 1
    assert result.stdout == "smart-turn: smart-turn-v3.2-cpu.onnx is missing\n"


def test_verify_of_nothing_is_well(folder: Path) -> None:
    assert run("verify").exit_code == 0


@pytest.mark.parametrize("command", ["path", "pull", "verify"])
def test_an_unknown_name_is_answered_with_the_nearest(folder: Path, command: str) -> None:
    result = run(command, "wisper-base")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "did you mean whisper-base" in result.stderr


@pytest.mark.parametrize("command", ["path", "pull"])
def test_offline_a_missing_model_is_an_error_on_stderr(
    folder: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTIPHON_OFFLINE", str(folder))
    result = run(command, "silero-vad")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert str(folder) in result.stderr and "antiphon models pull silero-vad" in result.stderr


def test_pull_wants_to_know_which(folder: Path) -> None:
    result = run("pull")
    assert result.exit_code == 1
    assert "--all" in result.stderr


def test_a_full_disk_ends_a_pull_without_a_traceback(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(folder)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1_000))  # pyright: ignore[reportUnknownLambdaType,reportUnknownArgumentType]
    result = run("pull", "silero-vad", "smart-turn")
    assert result.exit_code == 1
    assert "too full: 2.3 MB more are needed" in result.stderr
    assert "Traceback" not in result.output
    assert run("list").stdout.count("absent") == len(CATALOGUE)
