"""Errors in one message, tables in two forms."""

import io

import pytest
import typer
from rich.console import Console

from antiphon.cli.show import reports_errors, step, table
from antiphon.errors import ConfigurationError, UnavailableError


def out(*, terminal: bool) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=60, highlight=False, markup=False)


def text(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize(
    ("error", "code"),
    [(ConfigurationError("set X"), 2), (UnavailableError("no answer"), 1), (KeyboardInterrupt(), 130)],
)
def test_errors_are_one_message_and_a_status(
    error: BaseException, code: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ANTIPHON_DEBUG", raising=False)

    def command() -> None:
        raise error

    with pytest.raises(typer.Exit) as exit_:
        reports_errors(command)()
    assert exit_.value.exit_code == code
    assert capsys.readouterr().err == f"antiphon: {error if str(error) else 'stopped'}\n"


def test_where_it_came_from_is_shown_when_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTIPHON_DEBUG", "1")

    def command() -> None:
        raise ConfigurationError("set X")

    with pytest.raises(typer.Exit):
        reports_errors(command)()
    assert "Traceback" in capsys.readouterr().err


def test_a_bug_is_not_an_error_of_anybody_and_passes() -> None:
    def command() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        reports_errors(command)()


def test_a_table_is_plain_where_it_is_piped() -> None:
    console = out(terminal=False)
    table(console, ("what", "ms"), [("first [token]", "150"), ("stt", "9")], "-r")
    assert text(console) == "what            ms\nfirst [token]  150\nstt              9\n"


def test_a_table_fits_a_terminal() -> None:
    console = out(terminal=True)
    table(console, ("what", "found"), [("models", "word " * 40)])
    lines = text(console).splitlines()
    assert all(len(line) < 200 for line in lines)
    assert len(lines) > 5
    assert "─" in text(console)


def test_a_step_says_what_it_does_and_then_how_long_it_took() -> None:
    console = out(terminal=False)
    with step(console, "Loading silero-vad", "Models loaded"):
        assert text(console) == "Loading silero-vad ...\n"
    assert text(console) == "Loading silero-vad ...\nModels loaded: 0.0 s\n"
