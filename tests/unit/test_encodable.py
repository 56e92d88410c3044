"""Half of a surrogate pair: no text that enters a session, and no JSON that leaves it, holds one."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.context import Context, ToolCall, ToolSpec, UserSaid
from antiphon.encodable import SurrogateJoiner, encodable, encodable_data, from_json, to_json
from antiphon.frames import Generated, ServerMessage

HALF = "\ud83d"
OTHER = "\ude00"
ANY_TEXT = st.text(st.characters() | st.sampled_from([HALF, OTHER]))


@settings(deadline=None)
@given(ANY_TEXT)
def test_every_text_can_be_encoded_and_only_halves_change(text: str) -> None:
    mended = encodable(text)
    mended.encode()
    assert encodable(mended) is mended
    if not any("\ud800" <= char <= "\udfff" for char in text):
        assert mended is text


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        (f"a{HALF}", "a\ufffd"),
        (f"{HALF}{OTHER}!", "\U0001f600!"),
        (f"{OTHER}{HALF}", "\ufffd\ufffd"),
        (f"{HALF}{HALF}{OTHER}", "\ufffd\U0001f600"),
        ("caf\udce9.txt", "caf\ufffd.txt"),
    ],
)
def test_halves_are_joined_or_replaced_one_by_one(text: str, mended: str) -> None:
    assert encodable(text) == mended


@settings(deadline=None)
@given(ANY_TEXT, st.integers(1, 4))
def test_a_stream_is_mended_like_the_whole_text(text: str, size: int) -> None:
    joiner = SurrogateJoiner()
    pieces = [joiner.feed(text[at : at + size]) for at in range(0, len(text), size)]
    assert "".join([*pieces, joiner.flush()]) == encodable(text)


def test_data_is_mended_wherever_text_stands_in_it() -> None:
    assert encodable_data({HALF: [f"x{HALF}", 1, None, ("y",)]}) == {"\ufffd": ["x\ufffd", 1, None, ("y",)]}
    context = Context(f"Be{HALF}", (UserSaid(f"hi {HALF}"),), (ToolSpec("a", "b", {"c": HALF}),))
    assert encodable_data(context) == Context(
        "Be\ufffd", (UserSaid("hi \ufffd"),), (ToolSpec("a", "b", {"c": "\ufffd"}),)
    )
    assert encodable_data(Generated(1, (ToolCall("1", "a", HALF),))).calls[0].arguments == "\ufffd"


@pytest.mark.parametrize("value", ["x", {"a": ["b", 1]}, ("a", "é"), Context("é", (UserSaid("x"),)), None, 3])
def test_what_is_well_is_the_same_object(value: Any) -> None:
    assert encodable_data(value) is value


def test_json_is_written_and_read_whatever_is_in_it() -> None:
    assert msgspec.json.decode(to_json({"a": [HALF], "b": ServerMessage(HALF)}))["a"] == ["\ufffd"]
    assert from_json('{"a": "x\\ud83d", "b": "\\ud83d\\ude00"}') == {"a": "x\ufffd", "b": "\U0001f600"}
    assert from_json(f'["{HALF}"]') == ["\ufffd"]
    for wrong in ("{", '["\\ud83d"', '["\\ud83d", NaN]'):
        with pytest.raises(ValueError, match=r".+"):
            from_json(wrong)
