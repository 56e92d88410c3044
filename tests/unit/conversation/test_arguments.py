"""The arguments of tools, as models give them: read where the meaning is plain, refused where it is not."""

import json
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Literal, TypedDict

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.conversation.arguments import as_json, decode
from antiphon.conversation.scope import Scope
from antiphon.conversation.tools import LONGEST, Tool, tool
from antiphon.frames import ToolCall
from antiphon.session import Session
from antiphon.testing.virtual import run_virtual


class Size(Enum):
    SMALL = "small"
    EXTRA_LARGE = "xl"


@dataclass
class Item:
    name: str
    count: int = 1


class Place(TypedDict):
    city: str
    zip: str


class Booking(msgspec.Struct):
    guests: int
    name: str = ""
    note: str | None = None
    tags: list[str] = []
    outside: bool = False
    seat: Literal["window", "by the door"] = "window"
    size: Size = Size.SMALL
    price: float = 0.0
    either: int | str = 0
    level: Annotated[int, msgspec.Meta(ge=0, le=9)] = 1
    items: list[Item] = []
    place: Place | None = None
    extra: dict[str, int] = {}
    pair: tuple[int, int] = (0, 0)
    table_number: int = 0


def read(**given: Any) -> Booking:
    booking = decode(json.dumps({"guests": 2, **given}), Booking)
    assert isinstance(booking, Booking)
    return booking


@pytest.mark.parametrize(
    ("name", "given", "read_as"),
    [
        ("guests", "2", 2),
        ("guests", 2.0, 2),
        ("guests", " 1,200 ", 1200),
        ("guests", [3], 3),
        ("name", 90210, "90210"),
        ("name", ["Ann"], "Ann"),
        ("name", None, ""),
        ("note", None, None),
        ("note", 5, "5"),
        ("note", "null", "null"),
        ("tags", "vegan", ["vegan"]),
        ("tags", '["vegan", "nuts"]', ["vegan", "nuts"]),
        ("tags", None, []),
        ("tags", "", []),
        ("tags", [1, "a"], ["1", "a"]),
        ("outside", "True", True),
        ("outside", "no", False),
        ("outside", 1, True),
        ("seat", "Window", "window"),
        ("seat", "by_the_door", "by the door"),
        ("size", "XL", Size.EXTRA_LARGE),
        ("size", "extra large", Size.EXTRA_LARGE),
        ("price", "12.50", 12.5),
        ("price", 12, 12.0),
        ("either", "five", "five"),
        ("either", 5, 5),
        ("level", "3", 3),
        ("items", {"name": "bread", "count": "2"}, [Item("bread", 2)]),
        ("items", '[{"name": "bread", "count": null}]', [Item("bread")]),
        ("place", '{"city": "Berlin", "zip": 10115}', {"city": "Berlin", "zip": "10115"}),
        ("extra", '{"chairs": "1"}', {"chairs": 1}),
        ("pair", ["1", 2.0], (1, 2)),
        ("tableNumber", 4, None),
    ],
)
def test_what_is_plain_is_read(name: str, given: Any, read_as: Any) -> None:
    booking = read(**{name: given})
    if name == "tableNumber":
        assert booking.table_number == 4
    else:
        assert getattr(booking, name) == read_as


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("guests", ""),
        ("guests", None),
        ("guests", "two"),
        ("guests", 2.5),
        ("guests", True),
        ("guests", [1, 2]),
        ("name", {"first": "Ann"}),
        ("name", True),
        ("outside", "perhaps"),
        ("seat", "roof"),
        ("size", ""),
        ("price", "cheap"),
        ("price", "nan"),
        ("level", 10),
        ("level", "10"),
        ("items", "bread"),
        ("pair", [1]),
        ("extra", "chairs"),
    ],
)
def test_what_is_not_plain_is_refused(name: str, given: Any) -> None:
    with pytest.raises(ValueError, match=name):
        read(**{name: given})


@pytest.mark.parametrize(
    "text",
    [
        '{"guests": 2}',
        '"{\\"guests\\": 2}"',
        '[{"guests": 2}]',
        '```json\n{"guests": 2}\n```',
        '```\n{"guests": 2}',
        '{"guests": 2,}',
        "{'guests': 2, 'outside': False, 'note': None}",
        '{"guests": 2, "date": "today"}',
        '{"Guests": 2}',
        '{"guests": 2, "name": "", "tags": [],}',
    ],
)
def test_nearly_json_is_read_and_the_history_gets_json(text: str) -> None:
    assert decode(text, Booking) == Booking(2)
    assert decode(as_json(text), Booking) == Booking(2)
    assert isinstance(json.loads(as_json(text)), dict)


def test_half_an_emoji_is_mended_and_a_comma_in_a_text_is_kept() -> None:
    assert decode('{"guests": 2, "name": "a\\ud83d"}', Booking) == Booking(2, "a\ufffd")
    assert decode('{"guests": 2, "name": "a,]",}', Booking) == Booking(2, "a,]")
    assert "\\ud83d" not in as_json('{"name": "a\\ud83d"}')


@pytest.mark.parametrize("text", ["", "{}", "null", "[]", '""', '{"dummy": ""}'])
def test_nothing_is_no_arguments(text: str) -> None:
    @tool
    async def now() -> str:
        """What time it is."""
        return "noon"

    assert run(now, text) == ("noon", False)


@pytest.mark.parametrize(
    "text", ["{", "[1, 2]", "5", "book a table", '{"guests": ', "__import__('os')", "[" * 5000]
)
def test_nonsense_is_refused_and_stays_as_it_is(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        decode(text, Booking)
    assert as_json(text) == text


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*Booking.__struct_fields__]), inner),
    )
)
def test_whatever_it_is_it_is_read_or_refused(value: Any) -> None:
    try:
        decode(json.dumps(value), Booking)
    except ValueError as error:
        assert str(error)


def test_a_result_is_read_up_to_a_limit() -> None:
    @tool
    async def catalogue(size: int) -> str:
        """All bicycles."""
        return "x" * size

    assert run(catalogue, f'{{"size": {LONGEST}}}') == ("x" * LONGEST, False)
    result, failed = run(catalogue, f'{{"size": {40 * LONGEST}}}')
    assert not failed and len(result) < LONGEST + 100
    assert result.endswith(f"[cut off: {LONGEST} of {40 * LONGEST} characters]")


@pytest.mark.parametrize(
    "answer", ["found \ud83d in it", {"found": "\ud83d"}, ["caf\udce9.txt"], Item("\ud83d")]
)
def test_a_result_can_be_encoded(answer: Any) -> None:
    @tool
    async def look_up() -> Any:
        """Look something up."""
        return answer

    result, failed = run(look_up, "{}")
    assert not failed and "\ufffd" in result
    result.encode()


def run(called: Tool, arguments: str) -> tuple[str, bool]:
    return run_virtual(called.call(Scope(Session([]), ToolCall("1", called.spec.name, arguments), 1)))
