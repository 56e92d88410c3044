"""Finding the agent in a file, and saying what is wrong with the file where there is none."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from antiphon.agent_file import chosen, from_file
from antiphon.cli import app
from antiphon.errors import ConfigurationError, UsageError

WriteAgent = Callable[..., Path]


def test_the_one_that_is_called_agent_is_taken(write_agent: WriteAgent) -> None:
    path = write_agent("from antiphon import Agent\nother = Agent('a')\nagent = Agent('b')\n")
    assert from_file(path).instructions == "b"


def test_else_the_only_one(write_agent: WriteAgent) -> None:
    assert (
        from_file(write_agent("from antiphon import Agent\nshop = again = Agent('a')\n")).instructions == "a"
    )


def test_its_neighbours_can_be_imported(write_agent: WriteAgent) -> None:
    write_agent("WORDS = 'be brief'\n", "words_of_the_shop.py")
    path = write_agent(
        "from antiphon import Agent\nfrom words_of_the_shop import WORDS\nagent = Agent(WORDS)\n"
    )
    assert from_file(path).instructions == "be brief"


def test_it_may_have_whatever_a_module_may(write_agent: WriteAgent) -> None:
    text = """
from __future__ import annotations
from dataclasses import dataclass
from typing import ClassVar
from antiphon import Agent, tool

@dataclass
class Hours:
    day: str
    known: ClassVar[int] = 7

@tool
async def opening_hours(day: str) -> Hours:
    \"\"\"Look up the opening hours.\"\"\"
    return Hours(day)

agent = Agent("Be brief.", tools=[opening_hours])
"""
    assert from_file(write_agent(text)).tools[0].spec.parameters["required"] == ["day"]


def test_what_runs_it_does_not_run(write_agent: WriteAgent) -> None:
    main = "if __name__ == '__main__':\n    agent.run()\n"
    assert (
        from_file(write_agent(f"from antiphon import Agent\nagent = Agent('a')\n{main}")).instructions == "a"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\n", "has no agent: write agent = Agent"),
        ("from antiphon import Agent\na = Agent('a')\nb = Agent('b')\n", r"several agents \(a, b\)"),
        ("agent = = 1\n", r"other\.py, line 1 is not Python"),
        ("x = 1\n\nprint(y)\n", r"other\.py, line 3: NameError: name 'y' is not defined"),
        ("\nopen('nothing')\n", r"other\.py, line 2: FileNotFoundError"),
        ("import sys\nsys.exit(3)\n", r"other\.py, line 2: SystemExit: 3"),
        ("import asyncio\nraise asyncio.CancelledError\n", r"other\.py, line 2: CancelledError"),
        ("class Stop(BaseException): ...\nraise Stop('now')\n", r"other\.py, line 2: Stop: now"),
        ("from antiphon import Agent\nagent = Agent('')\n", "an agent needs instructions"),
        ("\x00", "is not Python"),
    ],
)
def test_what_is_wrong_is_said(text: str, message: str, write_agent: WriteAgent) -> None:
    with pytest.raises(ConfigurationError, match=message):
        from_file(write_agent(text))


def test_ctrl_c_while_a_file_loads_stays_ctrl_c(write_agent: WriteAgent) -> None:
    path = write_agent("raise KeyboardInterrupt\n")
    done = CliRunner().invoke(app, ["serve", str(path)])
    assert (done.exit_code, done.stderr) == (130, "antiphon: stopped\n")
    done = CliRunner().invoke(
        app, ["serve", str(write_agent("class Stop(BaseException): ...\nraise Stop\n"))]
    )
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1


def test_a_file_that_runs_its_agent_at_once_is_told_how_not_to(write_agent: WriteAgent) -> None:
    path = write_agent("from antiphon import Agent\nagent = Agent('a')\nagent.run()\n")
    with pytest.raises(UsageError, match=r'under if __name__ == "__main__"'):
        from_file(path)


def test_a_file_that_is_none(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file"):
        from_file(folder / "absent.py")
    with pytest.raises(ConfigurationError, match="directory"):
        from_file(folder)


def test_without_a_file_it_is_the_agent_of_the_demo() -> None:
    assert "bicycle shop" in chosen(None).instructions
