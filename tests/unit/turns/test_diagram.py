"""The documentation shows the table as it is."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from antiphon.turns import engine
from antiphon.turns.diagram import arrows, renewed
from antiphon.turns.floor import State
from antiphon.turns.table import ALWAYS, TABLE

PAGE = Path(__file__).parents[3] / "docs" / "concepts" / "turns.md"
COMMAND = "python -m antiphon.turns.diagram docs/concepts/turns.md"


def test_page_shows_the_table_as_it_is() -> None:
    assert PAGE.read_text() == renewed(PAGE.read_text()), f"renew it: {COMMAND}"


def test_page_says_something_about_every_state_and_every_fact() -> None:
    page = PAGE.read_text()
    for state in State:
        assert f"**{state.name}**" in page
    assert all(fact.__name__ in page for _, fact in TABLE)


def test_every_state_can_be_come_to_and_left() -> None:
    assert {state for state, _ in arrows()} == {state for _, state in arrows()} == set(State)


def test_every_way_to_another_state_has_a_reason_and_staying_has_none() -> None:
    for (state, fact), row in TABLE.items():
        if fact not in ALWAYS:
            assert all(bool(why) is (then is not state) for then, why in row.then.items()), (state, fact)


def test_acts_return_the_state_that_follows_and_only_the_engine_sets_it() -> None:
    rooms = Path(engine.__file__).parent
    setters = [
        room.name for room in rooms.glob("*.py") if re.search(r"\bfloor\.state\b[^=\n]* = ", room.read_text())
    ]
    assert setters == ["engine.py"]


def test_what_is_always_done_is_done_in_every_state() -> None:
    for fact in ALWAYS:
        assert len({TABLE[state, fact].act for state in State}) == 1


def test_command_renews_a_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE.read_text().replace("LISTENING --> SPEAKING", "LISTENING --> NOWHERE"))
    subprocess.run([sys.executable, *COMMAND.split()[1:3], str(page)], check=True)
    assert page.read_text() == PAGE.read_text()


def test_page_without_a_place_for_it_is_refused() -> None:
    with pytest.raises(ValueError, match="the page needs the lines"):
        renewed("# Turns\n")
