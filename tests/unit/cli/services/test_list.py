"""`antiphon services list`: what each vendor provides."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from antiphon.cli.services import app


def run(*line: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, line)


def test_the_list_says_what_each_vendor_provides_and_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY", raising=False)
    shown = [line.split() for line in run("list").stdout.splitlines()]
    at = shown.index(["aws", "stt", "llm", "tts", "realtime", "AWS_ACCESS_KEY_ID"])
    assert shown[at + 1 : at + 3] == [["AWS_SECRET_ACCESS_KEY"], ["AWS_REGION", "(set)"]]
    assert ["kokoro", "tts", "no", "key"] in shown
    assert "krisp" not in {line[0] for line in shown}


def test_one_kind_is_shown_with_what_it_can_do_and_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANTIPHON_PRICES", raising=False)
    lines = [" ".join(line.split()) for line in run("list", "--port", "tts").stdout.splitlines()]
    assert "cartesia sonic-3 word times, cancel 42 $39/Mchar 2026-11" in lines
    assert "kokoro kokoro free 2026-11" in lines
    assert any(line.startswith("lmnt leah word times, cancel ? ") for line in lines)
    responses = next(
        line for line in run("list", "--port", "llm").stdout.splitlines() if "_responses" in line
    )
    assert "$1.75/$14" in responses, "it is billed as openai"


def test_realtime_models_are_listed_with_who_decides_and_their_limit() -> None:
    lines = [" ".join(line.split()) for line in run("list", "--port", "realtime").stdout.splitlines()]
    (nova,) = (line for line in lines if line.startswith("aws "))
    assert "turns, tools 8 min $3/$12" in nova
    (openai,) = (line for line in lines if line.startswith("openai "))
    assert "turns, our turns, heard, text, tools, images 60 min $32/$64" in openai
    assert any(line.startswith("ultravox ") and "$0.05/min" in line for line in lines)
    assert ["qwen", "realtime", "DASHSCOPE_API_KEY"] in [
        [word for word in line.split() if word != "llm"] for line in run("list").stdout.splitlines()
    ]


@pytest.mark.parametrize("port", [[], ["--port", "stt"], ["--port", "llm"], ["--port", "tts"]])
def test_the_list_fits_into_eighty_columns(port: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert all(len(line) <= 80 for line in run("list", *port).stdout.splitlines())


def test_what_a_user_pays_is_what_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prices = tmp_path / "prices.toml"
    prices.write_text('[rime.tts]\n"*" = { minute = 0.01 }')
    monkeypatch.setenv("ANTIPHON_PRICES", str(prices))
    assert "$0.01/min" in run("list", "--port", "tts").stdout
    prices.write_text('[rime.tts]\n"*" = { minutes = 0.01 }')
    refused = run("list", "--port", "tts")
    assert refused.exit_code == 2
    assert "did you mean minute?" in refused.stderr


def test_an_unknown_kind_is_refused_with_those_there_are() -> None:
    refused = run("list", "--port", "voice")
    assert refused.exit_code == 2
    assert "choose from vad, eot, stt, llm, tts" in refused.stderr


def test_without_a_command_the_vendors_are_listed() -> None:
    assert run().stdout == run("list").stdout
