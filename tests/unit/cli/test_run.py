"""`agent.run()`: the agent as a program."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

MAIN = "\nif __name__ == '__main__':\n    agent.run()\n"


@pytest.fixture
def program(shop: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    shop.write_text(shop.read_text() + MAIN)

    def run(*line: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(shop), *line]
        return subprocess.run(command, input=typed, capture_output=True, text=True, timeout=60)

    return run


Program = Callable[..., subprocess.CompletedProcess[str]]


def test_help_says_how_it_can_be_talked_to(program: Program) -> None:
    result = program("--help")
    assert result.returncode == 0
    for expected in ("shop.py", "--terminal", "--text", "--wav"):
        assert expected in result.stdout


def test_it_can_be_typed_to(program: Program) -> None:
    result = program("--text", typed="hello\n")
    assert (result.returncode, result.stderr) == (0, "")
    assert "you    hello\nagent  Hello. How are you?\n" in result.stdout


def test_it_can_be_called_by_a_recording(program: Program, caller: Path, folder: Path) -> None:
    result = program("--wav", str(caller), "--virtual", "--json", "r.json")
    assert (result.returncode, result.stderr) == (0, "")
    assert len(json.loads((folder / "r.json").read_text())["turns"]) == 3


def test_one_way_at_a_time(program: Program) -> None:
    result = program("--text", "--terminal")
    assert (result.returncode, result.stderr) == (
        2,
        "antiphon: choose one of --phone, --terminal, --text and --wav\n",
    )


def test_without_sound_it_cannot_be_spoken_to(program: Program, folder: Path) -> None:
    (folder / "sounddevice.py").write_text("raise OSError('PortAudio library not found')\n")
    result = program("--terminal")
    assert result.returncode == 2
    assert "apt-get install libportaudio2" in result.stderr


def test_a_phone_needs_to_know_how_it_is_reached(program: Program) -> None:
    result = program("--phone")
    assert result.returncode == 2
    assert "ANTIPHON_PUBLIC_URL" in result.stderr
