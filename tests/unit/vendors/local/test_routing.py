"""Which tool a turn needs, judged with a model that compares words."""

from typing import Any

import pytest

from antiphon.context import AgentSaid, Context, Entry, ToolAnswered, ToolSpec, UserSaid
from antiphon.frames import ToolCall
from antiphon.vendors.local.routing import (
    LastExchange,
    callable_tools,
    last_exchange,
    likenesses,
    needed_tool,
)

from .word_model import WordModel


def tool(name: str, description: str, **properties: dict[str, Any]) -> ToolSpec:
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return ToolSpec(name, description, schema)


HOURS = tool("opening_hours", "The opening hours on a day.", day={"type": "string"})
PRICE = tool("price", "The price of a bike.", size={"enum": ["small", "large"]}, count={"type": "integer"})
NOW = tool("time_now", "The time now.")
MODEL = WordModel()


def needed(newest: str, earlier: str = "", agent: str = "") -> str:
    found = needed_tool((HOURS, PRICE, NOW), LastExchange(earlier, agent, newest), MODEL)
    return found.name if found else ""


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("What are the opening hours on Monday?", "opening_hours"),
        ("What is the price of two large ones?", "price"),
        ("What is the time now?", "time_now"),
        ("How do I choose a good tire?", ""),
        ("Thanks, bye.", ""),
        ("...", ""),
        ("", ""),
    ],
)
def test_a_tool_is_needed_if_the_turn_is_about_it(said: str, name: str) -> None:
    assert needed(said) == name


def test_a_turn_that_only_adds_an_argument_is_about_the_same_as_the_one_before() -> None:
    before = "What are the opening hours on Friday?"
    assert needed("And on Sunday?", before) == "opening_hours"
    assert needed("And on Sunday?") == ""
    assert needed("And how do I choose a tire?", before) == ""


def test_what_answers_a_question_of_the_agent_belongs_to_what_was_said_before() -> None:
    last = LastExchange("What are the opening hours?", "On which day?", "Sunday.")
    assert last.arguments_from == ("What are the opening hours?", "On which day?", "Sunday.")
    assert LastExchange("On Friday?", "From nine.", "Sunday?").arguments_from == ("Sunday?",)


def given(tool: ToolSpec, said: str) -> float:
    return likenesses(tool, LastExchange(newest=said), MODEL)[2]


def test_the_parameter_that_fits_least_counts() -> None:
    assert given(PRICE, "Two large ones.") > given(PRICE, "Two, small or large.") == given(PRICE, "Two.")
    assert given(PRICE, "A large one") > given(PRICE, "A large bike.")
    assert given(HOURS, "Monday.") > given(HOURS, "We like bikes.")


def test_a_name_may_be_any_text() -> None:
    book = tool("find_book", "Whether the library has a book.", title={"type": "string"})
    assert given(book, "Have you got Moby Dick?") > given(book, "Have you got something?")


def test_each_sentence_of_a_description_is_compared_by_itself() -> None:
    both = tool("balance", "The money in an account. How much is left?")
    assert likenesses(both, LastExchange(newest="How much is left?"), MODEL)[0] > 0.99


def test_a_turn_calls_once() -> None:
    call = ToolCall("c1", "opening_hours", "{}")
    entries: tuple[Entry, ...] = (UserSaid("Monday?"), AgentSaid("", (call,)), ToolAnswered(call, "nine"))
    assert callable_tools(Context("", entries, (HOURS, PRICE))) == ()
    again = (*entries, AgentSaid("Nine."), UserSaid("And on Sunday?"))
    assert callable_tools(Context("", again, (HOURS, PRICE))) == (HOURS, PRICE)
    assert callable_tools(Context("", (), (HOURS,))) == ()


def test_the_last_exchange() -> None:
    entries = (
        UserSaid("Hi."),
        AgentSaid("Hello."),
        UserSaid("A."),
        AgentSaid("B?"),
        UserSaid("C"),
        UserSaid("D"),
    )
    assert last_exchange(Context("", entries)) == LastExchange("A.", "B?", "C D")
    assert last_exchange(Context("")) == LastExchange()
