"""`antiphon services`: what is listed, and what a check says without a key or without speech."""

import pytest
from typer.testing import CliRunner, Result

from antiphon.cli.services import app


def run(*line: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, line)


def test_the_list_says_what_each_vendor_provides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARTESIA_API_KEY", "a-key")
    lines = {line.split()[0]: line.split()[1:] for line in run("list").stdout.splitlines()}
    assert lines["cartesia"] == ["ink-2", "sonic-3", "CARTESIA_API_KEY", "(set)"]
    assert lines["openrouter"] == ["name", "a", "model", "OPENROUTER_API_KEY"]
    assert lines["kokoro"] == ["kokoro", "none", "needed"]
    assert "krisp" not in lines


def test_one_kind_has_a_column_of_its_own() -> None:
    assert [line.split() for line in run("list", "--port", "vad").stdout.splitlines()] == [
        ["vendor", "vad", "key"],
        ["local", "yes", "none", "needed"],
    ]


def test_an_unknown_kind_is_refused_with_those_there_are() -> None:
    refused = run("list", "--port", "voice")
    assert refused.exit_code == 2
    assert "choose from vad, eot, stt, llm, tts" in refused.stderr


def test_a_check_names_the_missing_key_and_what_it_did_not_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CARTESIA_API_KEY", raising=False)
    checked = run("check", "cartesia")
    assert checked.exit_code == 1
    stt, tts = checked.stdout.splitlines()
    assert stt == "cartesia  stt  not checked: it needs speech, pass --wav FILE"
    assert tts.startswith("cartesia  tts  fails: cartesia needs a key: set CARTESIA_API_KEY")


def test_a_check_of_speech_to_text_alone_fails_without_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SONIOX_API_KEY", raising=False)
    checked = run("check", "soniox")
    assert checked.exit_code == 1
    assert checked.stdout.startswith("soniox  stt  fails: soniox needs a key: set SONIOX_API_KEY")
