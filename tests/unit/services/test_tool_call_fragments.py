"""Tool calls from fragments, in all shapes that endpoints of one protocol send them in."""

from typing import Any

import pytest

from antiphon.errors import BadResponseError
from antiphon.frames import ToolCall
from antiphon.services.tool_call_fragments import ToolCallFragments

DAY, BELL = '{"day": "Monday"}', '{"item": "bell"}'


def joined(*fragments: Any) -> list[tuple[str, str]]:
    reader = ToolCallFragments()
    for fragment in fragments:
        reader.add(fragment)
    calls = list(reader.calls())
    assert not list(reader.calls())
    assert len({call.id for call in calls}) == len(calls) or "same" in {call.id for call in calls}
    return [(call.name, call.arguments) for call in calls]


def part(arguments: Any = None, name: str | None = None, **fields: Any) -> dict[str, Any]:
    function = {"arguments": arguments} | ({"name": name} if name is not None else {})
    return {"function": function, **fields}


SHAPES: dict[str, list[Any]] = {
    "OpenAI": [
        part("", "hours", index=0, id="a"),
        part('{"day": ', index=0),
        part('"Monday"}', index=0),
        part("", "price", index=1, id="b"),
        part(BELL, index=1),
    ],
    "between each other": [
        part("", "hours", index=0, id="a"),
        part("", "price", index=1, id="b"),
        part('{"day": ', index=0),
        part('{"item": ', index=1),
        part('"Monday"}', index=0),
        part('"bell"}', index=1),
    ],
    "one index (Gemini)": [part(DAY, "hours", index=0, id="a"), part(BELL, "price", index=0, id="b")],
    "one index, in pieces": [
        part('{"day": ', "hours", index=0, id="a"),
        part('"Monday"}', index=0),
        part('{"item": ', "price", index=0, id="b"),
        part('"bell"}', index=0),
    ],
    "no index (Ollama)": [part(DAY, "hours", id="a"), part(BELL, "price", id="b")],
    "no index, in pieces": [
        part('{"day": ', "hours", id="a"),
        part('"Monday"}'),
        part('{"item": ', "price", id="b"),
        part('"bell"}'),
    ],
    "index null": [part(DAY, "hours", index=None, id="a"), part(BELL, "price", index=None, id="b")],
    "empty ids": [part(DAY, "hours", index=0, id=""), part(BELL, "price", index=0, id="")],
    "no ids": [part(DAY, "hours", index=0), part(BELL, "price", index=0)],
    "one id": [part(DAY, "hours", index=0, id="same"), part(BELL, "price", index=1, id="same")],
    "one id, in pieces": [
        part("", "hours", index=0, id="same"),
        part(DAY, index=0),
        part("", "price", index=1, id="same"),
        part(BELL, index=1),
    ],
    "name in every fragment (MiniMax)": [
        part('{"day": ', "hours", index=0, id="a"),
        part('"Monday"}', "hours", index=0),
        part(BELL, "price", index=1, id="b"),
    ],
    "name and id in every fragment (Fireworks)": [
        part('{"day": ', "hours", index=0, id="a"),
        part('"Monday"}', "hours", index=0, id="a"),
        part("", "hours", index=0, id="a"),
        part(BELL, "price", index=1, id="b"),
    ],
    "told once more as a whole": [
        part('{"day": ', "hours", index=0, id="a"),
        part('"Monday"}', index=0),
        part(DAY, "hours", index=0, id="a"),
        part(BELL, "price", index=1, id="b"),
    ],
    "arguments as objects": [
        part({"day": "Monday"}, "hours", index=0, id="a"),
        part({"item": "bell"}, "price", index=1, id="b"),
    ],
    "an empty object first": [
        part("{}", "hours", index=0, id="a"),
        part('{"day": ', index=0),
        part('"Monday"}', index=0),
        part({}, "price", index=1, id="b"),
        part(BELL, index=1),
    ],
    "an index for each fragment": [
        part('{"day": ', "hours", index=0, id="a"),
        part('"Monday"}', index=1),
        part(BELL, "price", index=2, id="b"),
    ],
    "index as text": [part(DAY, "hours", index="0", id="a"), part(BELL, "price", index="1", id="b")],
    "without the function around it": [
        {"id": "a", "name": "hours", "arguments": DAY},
        {"id": "b", "name": "price", "arguments": BELL},
    ],
    "blanks after the end": [
        part(DAY, "hours", index=0, id="a"),
        part("  \n", index=0),
        part(BELL, "price", index=1, id="b"),
    ],
    "what belongs to no call": [
        part('{"lost": 1}', index=0),
        part(DAY, "hours", index=1, id="a"),
        part(BELL, "price", index=2, id="b"),
    ],
}


@pytest.mark.parametrize("name", SHAPES)
def test_two_calls(name: str) -> None:
    assert joined(*SHAPES[name]) == [("hours", DAY), ("price", BELL)]


def test_same_tool_twice() -> None:
    other = '{"day": "Sunday"}'
    assert joined(part(DAY, "hours", index=0), part(other, "hours", index=0)) == [
        ("hours", DAY),
        ("hours", other),
    ]


@pytest.mark.parametrize("arguments", [None, "", {}, "{}"])
def test_call_without_arguments(arguments: Any) -> None:
    assert joined(part(arguments, "hours", index=0, id="a")) == [("hours", "{}")]


def test_braces_and_quotes_in_a_text_do_not_end_the_arguments() -> None:
    text = '{"text": "a } \\" {\\\\"}'
    pieces = [part(char, index=0) for char in text]
    assert joined(part("", "note", index=0, id="a"), *pieces) == [("note", text)]


def test_ids_are_made_for_those_without() -> None:
    reader = ToolCallFragments()
    reader.add(part(DAY, "hours", index=0))
    assert list(reader.calls()) == [ToolCall("call-0", "hours", DAY)]
    reader.add(part(DAY, "hours", index=0))
    assert list(reader.calls()) == [ToolCall("call-1", "hours", DAY)]


@pytest.mark.parametrize("fragment", [None, 7, "call", [], {}])
def test_what_is_no_fragment(fragment: Any) -> None:
    with pytest.raises(BadResponseError, match="not a fragment"):
        ToolCallFragments().add(fragment)


def test_arguments_without_an_end_are_refused() -> None:
    reader = ToolCallFragments()
    reader.add(part('{"a": "', "note", index=0, id="a"))
    with pytest.raises(BadResponseError, match="characters of arguments"):
        for _ in range(100):
            reader.add(part("x" * 10_000, index=0))


def test_calls_without_an_end_are_refused() -> None:
    reader = ToolCallFragments()
    with pytest.raises(BadResponseError, match="more than 128 tool calls"):
        for number in range(1000):
            reader.add(part("{}", "note", index=number, id=str(number)))
