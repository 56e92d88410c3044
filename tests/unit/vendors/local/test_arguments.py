"""Arguments of a call: nothing but what was said, or what the schema names."""

import re
from typing import Any

import pytest

from antiphon.context import ToolSpec
from antiphon.vendors.local.arguments import arguments, spoken_numbers


def tool(required: list[str] | None = None, **properties: dict[str, Any]) -> ToolSpec:
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    schema["required"] = list(properties) if required is None else required
    return ToolSpec("opening_hours", "When the shop is open on a day.", schema)


TEXT: dict[str, Any] = {"type": "string"}


def texts(grammar: str) -> set[str]:
    """Every text that the rules for runs of words allow."""
    rules = dict(line.split(": ", 1) for line in grammar.splitlines() if re.match(r"\w+: ", line))

    def all_of(body: str) -> set[str]:
        found: set[str] = set()
        for part in body.split(" | "):
            literal = re.match(r'"(.*?)"(?: (\w+))?$', part)
            if literal is None:
                found |= all_of(rules[part])
            elif literal[2]:
                found |= {literal[1] + rest for rest in all_of(rules[literal[2]])}
            else:
                found.add(literal[1])
        return found

    return all_of(rules["span"])


def test_a_text_is_a_run_of_the_callers_words() -> None:
    grammar = arguments(tool(day=TEXT), ["Uh, are you open on Monday or next Friday?"]).grammar
    assert texts(grammar) == {
        "Monday",
        "Monday or next",
        "Monday or next Friday",
        "next",
        "next Friday",
        "Friday",
    }


def test_words_of_the_tool_itself_and_empty_ones_are_no_argument() -> None:
    assert arguments(tool(day=TEXT), ["When is the shop open?"]).missing == ("day",)
    assert arguments(tool(day=TEXT), [""]).missing == ("day",)


def test_what_was_said_before_counts_too() -> None:
    grammar = arguments(tool(day=TEXT), ["On Sunday?", "Sunday. And when do you close"]).grammar
    assert {"Sunday"} <= texts(grammar)


def test_quotes_and_backslashes_stay_inside_their_string() -> None:
    grammar = arguments(tool(day=TEXT), ['say"so \\today']).grammar
    assert r'"say\\\"so' in grammar


def test_a_number_was_spoken() -> None:
    people: dict[str, Any] = {"type": "integer"}
    assert '("4")' in arguments(tool(people=people), ["A table for four."]).grammar
    assert arguments(tool(people=people), ["A table please."]).missing == ("people",)


def test_of_the_values_that_the_schema_names_those_that_were_said() -> None:
    size: dict[str, Any] = {"enum": ["small", "large"]}
    said = arguments(tool(size=size), ["A large one, please."]).grammar
    assert r'"\"large\""' in said
    assert "small" not in said
    assert "small" in arguments(tool(size=size), ["The tiny one."]).grammar
    assert arguments(tool(size=size), ["When is the shop open?"]).missing == ("size",)


def test_a_call_begins_as_every_call_would() -> None:
    day = arguments(tool(day=TEXT), ["Monday"])
    assert day.begins == '{"day":'
    assert day.grammar.splitlines()[1].startswith('start: (" " ')
    assert arguments(tool([], day=TEXT), ["Monday"]).begins == "{"
    assert arguments(tool(None, **{'a "b"': TEXT}), ["Monday"]).begins == r'{"a \"b\"":'


def test_what_the_schema_names_needs_not_be_said() -> None:
    size: dict[str, Any] = {"enum": ["small", "large"]}
    gift: dict[str, Any] = {"type": "boolean"}
    count: dict[str, Any] = {"type": "integer", "default": 1}
    grammar = arguments(tool(size=size, gift=gift, count=count), ["Tiny."]).grammar
    for value in (r'"\"small\""', r'"\"large\""', '"true"', '"1"'):
        assert value in grammar


def test_what_is_optional_and_was_not_said_is_left_out() -> None:
    note: dict[str, Any] = {"type": "integer"}
    grammar = arguments(tool(["day"], day=TEXT, note=note), ["Monday"]).grammar
    assert "day" in grammar
    assert "note" not in grammar


def test_lists_objects_references_and_choices() -> None:
    person: dict[str, Any] = {"type": "object", "properties": {"name": TEXT}, "required": ["name"]}
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {
            "who": {"$ref": "#/$defs/Person"},
            "days": {"type": "array", "items": TEXT},
            "age": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        },
        "required": ["who", "days", "age"],
        "$defs": {"Person": person},
    }
    grammar = arguments(ToolSpec("order", "Order it.", schema), ["Anna on Monday"]).grammar
    assert r"\"name\": " in grammar
    assert '"null"' in grammar


def test_a_schema_that_contains_itself_ends() -> None:
    node: dict[str, Any] = {
        "type": "object",
        "properties": {"next": {"$ref": "#/$defs/N"}},
        "required": ["next"],
    }
    schema = node | {"$defs": {"N": node}}
    assert not arguments(ToolSpec("chain", "A chain.", schema), ["Monday"]).grammar


@pytest.mark.parametrize(
    ("said", "numbers"),
    [
        ("twenty five people and a dozen eggs", [25, 12]),
        ("thirty-one", [31]),
        ("4 7 1 1", [4, 7, 47, 1, 471, 4711]),
        ("at 7.30, for two", [7.3, 2]),
        ("nobody", []),
    ],
)
def test_spoken_numbers(said: str, numbers: list[float]) -> None:
    assert spoken_numbers(said) == numbers
