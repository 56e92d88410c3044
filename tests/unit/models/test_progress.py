"""What a pull shows where stderr is no terminal, and where it is."""

import io
import sys

import pytest

from antiphon.models.progress import shown


def test_elsewhere_each_step_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with shown() as progress:
        for done in (0, 5_000_000, 9_000_000):
            progress("small", "from here", done, 10_000_000)
        progress("small", "ready", 10_000_000, 10_000_000)
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "small: from here (0.0 of 10.0 MB here)\nsmall: ready (10.0 of 10.0 MB here)\n"


def test_on_a_terminal_there_is_a_bar_for_each_model(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with shown() as progress:
        progress("small", "from [here]", 5_000_000, 10_000_000)
        progress("large", "from there", 5_000_000, 50_000_000)
    seen = terminal.getvalue()
    assert "small" in seen and "5.0/10.0 MB" in seen and "from [here]" in seen
    assert "large" in seen and "5.0/50.0 MB" in seen


def test_a_caller_s_own_progress_is_used_as_it_is() -> None:
    def own(model: str, what: str, done: int, total: int) -> None:
        """Somebody's own."""

    with shown(own) as progress:
        assert progress is own
