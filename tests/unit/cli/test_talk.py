"""Typing to an agent, from a pipe, a file and a terminal; speaking where there is no sound."""

import os
import pty
from pathlib import Path

import pytest
from typer.testing import CliRunner

from antiphon import Agent
from antiphon.agent_file import from_file
from antiphon.cli import app
from antiphon.cli.talk import talk_by_text
from antiphon.errors import ConfigurationError

TALK = f"""agent  Good morning.
you    hello
agent  Hello. How are you?
you    when are you open?
agent  {""}
[opening_hours {{"day": "monday"}} → nine to five on monday]
We are open from nine to five, on Monday and on every other day of the week, but not on Sunday.
"""


def piped(text: bytes) -> int:
    read, write = os.pipe()
    os.write(write, text)
    os.close(write)
    return read


def after_loading(shown: str) -> str:
    first, second, rest = shown.split("\n", 2)
    assert first.startswith("Opening the agents' services")
    assert second.startswith("Services opened")
    return rest


def test_each_line_of_a_pipe_waits_for_the_answer_to_the_one_before(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    talk_by_text(from_file(shop), piped(b"hello\n\nwhen are you open?"))
    assert after_loading(capsys.readouterr().out) == TALK


def test_a_file_is_read_like_a_pipe(shop: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "said").write_bytes(b"hello\nwhen are you open?\n")
    with (folder / "said").open("rb") as file:
        talk_by_text(from_file(shop), file.fileno())
    assert after_loading(capsys.readouterr().out) == TALK


def test_a_terminal_is_asked_for_lines(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    master, slave = pty.openpty()
    os.write(master, b"hello\n\x04")  # Ctrl-D at the start of a line: the end
    talk_by_text(from_file(shop), slave)
    os.close(master)
    os.close(slave)
    shown = after_loading(capsys.readouterr().out)
    assert shown == "agent  Good morning.\nyou    agent  Hello. How are you?\nyou    \n"


def test_a_failing_part_is_shown_and_the_talk_goes_on(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shop.write_text(shop.read_text().replace('"Hello. How are you?"', '[RuntimeError("the line is down")]'))
    talk_by_text(from_file(shop), piped(b"hello\nwhen are you open?\n"))
    shown = capsys.readouterr().out
    assert "LLM failed: the line is down" in shown
    assert "We are open from nine" in shown


def test_an_agent_that_hangs_up_ends_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from antiphon import Session, tool
    from antiphon.frames import ToolCall
    from antiphon.testing import ScriptedLLM

    @tool
    async def hang_up(session: Session) -> str:
        """End the call."""
        await session.cancel("hung up")
        return "done"

    agent = Agent("Be brief.", llm=ScriptedLLM([["Bye.", ToolCall("1", "hang_up", "{}")]]), tools=[hang_up])
    read, write = os.pipe()
    os.write(write, b"bye\n")
    talk_by_text(agent, read)  # nothing more is typed, and the pipe stays open
    os.close(write)
    assert "agent  Bye." in capsys.readouterr().out


def test_without_sound_it_says_what_to_do(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent() -> None:
        raise ConfigurationError("no sound: --text")

    monkeypatch.setattr("antiphon.transports.terminal.sound_device", silent)
    result = CliRunner().invoke(app, ["talk", "--agent", str(shop)])
    assert (result.exit_code, result.stderr) == (2, "antiphon: no sound: --text\n")


def test_where_nothing_can_be_watched_a_thread_reads(
    shop: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unable(*_: object) -> None:
        raise NotImplementedError  # as in the event loop of Windows

    monkeypatch.setattr("asyncio.selector_events.BaseSelectorEventLoop.add_reader", unable)
    talk_by_text(from_file(shop), piped(b"hello\nwhen are you open?\n"))
    assert after_loading(capsys.readouterr().out) == TALK
