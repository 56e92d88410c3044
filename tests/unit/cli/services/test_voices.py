"""`antiphon services voices` and `say`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from antiphon.audio.wav import read
from antiphon.cli.services import app
from antiphon.errors import ConfigurationError
from antiphon.testing import ScriptedTTS

from .conftest import Services


def run(*line: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, line)


def test_each_voice_is_listed_as_it_is_written() -> None:
    listed = run("voices", "openai")
    lines = listed.stdout.splitlines()
    assert lines[0].split() == ["voice", "name", "language", "about"]
    assert "openai:marin" in lines
    assert lines[-1] == 'To hear one: antiphon services say "openai:alloy" "Good morning."'


def test_voices_of_one_language() -> None:
    refused = run("voices", "openai", "--language", "de")
    assert refused.exit_code == 2
    assert "openai lists no voices for 'de'" in refused.stderr


def test_a_vendor_that_does_not_speak_has_none() -> None:
    assert "gladia provides no text to speech" in run("voices", "gladia").stderr
    assert "those of its speech to speech: https://docs.ultravox.ai" in run("voices", "ultravox").stderr


def test_a_missing_key_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CARTESIA_API_KEY", raising=False)
    refused = run("voices", "cartesia")
    assert refused.exit_code == 2
    assert "set CARTESIA_API_KEY" in refused.stderr


def test_a_text_is_said_into_a_file(services: Services, tmp_path: Path) -> None:
    services({"cartesia:a-voice": ScriptedTTS(first=0.0)})
    said = run("say", "cartesia:a-voice", "Good morning.", "--out", str(tmp_path / "said.wav"))
    assert said.exit_code == 0, said.stderr
    assert said.stdout.startswith("0.9 s of speech, the first after 0.0")
    assert read(tmp_path / "said.wav").seconds == pytest.approx(13 / 15, abs=0.01)


class Sound:
    PortAudioError = OSError

    def __init__(self, fails: bool = False) -> None:
        self.fails = fails
        self.played: list[tuple[int, int]] = []

    def play(self, data: Any, samplerate: int, *, blocking: bool) -> None:
        if self.fails:
            raise OSError("no device")
        assert blocking
        self.played.append((len(data), samplerate))


def none() -> Sound:
    raise ConfigurationError("not installed")


def test_a_text_is_played_by_a_loudspeaker(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    services({"hume": ScriptedTTS(first=0.0)})
    sound = Sound()
    monkeypatch.setattr("antiphon.transports.terminal.sound_device", lambda: sound)
    assert run("say", "hume", "Good morning.").exit_code == 0
    assert sound.played == [(20800, 24000)]


@pytest.mark.parametrize("device", [none, lambda: Sound(fails=True)], ids=["not installed", "no device"])
def test_without_a_loudspeaker_it_is_written(
    services: Services, folder: Path, monkeypatch: pytest.MonkeyPatch, device: Callable[[], Sound]
) -> None:
    services({"hume": ScriptedTTS(first=0.0)})
    monkeypatch.setattr("antiphon.transports.terminal.sound_device", device)
    said = run("say", "hume", "Good morning.")
    assert "no loudspeaker" in said.stderr
    assert said.stdout.endswith(": antiphon-says.wav\n")
    assert (folder / "antiphon-says.wav").exists()
