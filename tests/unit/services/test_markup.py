"""Markdown and emoji as a voice should read them, with every character's place in the written text."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.services import markup
from antiphon.services.digits import digit_by_digit
from antiphon.services.markup import without_markup
from antiphon.services.respelling import Respelled

SAID = {
    "We have **two** bikes.": "We have two bikes.",
    "# Hours\nNine to five.": "Hours\nNine to five.",
    "**Hours**\n## *Big* heading ##": "Hours\nBig heading",
    "- red\n- blue\n* green": "red\nblue\ngreen",
    "- [ ] to do\n- [x] done": "to do\ndone",
    "1. Open it.\n2) Close it.": "1, Open it.\n2, Close it.",
    "Run `make demo` now.": "Run make demo now.",
    "```python\nprint(1)\n```": "\nprint(1)\n",
    "| Day | Hours |\n|:----|------|\n| Mon | 9-5 |": "Day, Hours\n\nMon, 9-5",
    "See [our page](https://example.com/a_b?c=1).": "See our page.",
    "![A bicycle](b.png)": "A bicycle",
    "> quoted\n---\nagain": "quoted\n\nagain",
    "***Both*** _really_ *$5* (see *this*).": "Both really $5 (see this).",
    "~~old~~ new<br>": "old new",
    "Great! 👍🏽 😀": "Great!",
    "👨‍👩‍👧 family ☎️ 1️⃣ →": "family 1",
    "👍": "",
    "half \ud83d of it": "half \ufffd of it",
    # what is no markup
    "I think 3 < 5 and 5 > 3, 2*3, 5 * 3.": "I think 3 < 5 and 5 > 3, 2*3, 5 * 3.",
    "snake_case, C# and F#, #1, -5 degrees, 20 °C ™": "snake_case, C# and F#, #1, -5 degrees, 20 °C ™",
    "a - b, [sic], नमस्ते क्‍ष": "a - b, [sic], नमस्ते क्‍ष",
}


@pytest.mark.parametrize(("written", "said"), SAID.items())
def test_marks_are_not_said(written: str, said: str) -> None:
    assert without_markup(written).text == said


def test_inside_a_line_nothing_is_a_heading_or_an_item() -> None:
    assert without_markup("- two", begins_line=False).text == "- two"
    assert without_markup("# x\n# Hours", begins_line=False).text == "# x\nHours"


def test_a_link_that_was_cut_in_two() -> None:
    assert without_markup("See [our", begins_line=True).text == "See our"
    assert without_markup("page](https://x.example).", begins_line=False).text == "page."


@settings(deadline=None)
@given(st.lists(st.sampled_from(list("#*_`|[]()>-~\\ \n0123.ab+!👍\ufe0f\ud83d")), max_size=60).map("".join))
def test_each_character_has_its_place_in_the_written_text(written: str) -> None:
    said = digit_by_digit(without_markup(written))
    said.text.encode()
    assert len(said.offsets) == len(said.text) + 1
    assert list(said.offsets) == sorted(said.offsets)
    assert said.written(len(said.text)) == len(written)
    assert said.written(-1) >= 0
    for place, character in enumerate(said.text):
        if character.isalnum() and character != "\ufffd":
            assert written[said.offsets[place]] == character


def test_a_word_ends_where_it_is_written() -> None:
    said = digit_by_digit(Respelled.of("Call (555) 123-4567 now."))
    assert said.text == "Call 5 5 5, 1 2 3, 4 5 6 7 now."
    assert said.written(len("Call 5")) == len("Call (5")
    assert said.written(said.text.index(" now")) == len("Call (555) 123-4567")


@settings(deadline=None)
@given(st.text(st.sampled_from("ab1 .-,:'\"!?)“éя漢ก\n|")), st.booleans())
def test_text_that_is_searched_for_nothing_holds_nothing_to_find(text: str, begins_line: bool) -> None:
    quick = without_markup(text, begins_line=begins_line)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(markup, "_PLAIN", re.compile("(?!)"))
        assert without_markup(text, begins_line=begins_line) == quick
