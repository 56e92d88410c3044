"""What a small model reads of a conversation."""

from itertools import pairwise
from typing import Any

import pytest

from antiphon.context import AgentSaid, Context, Entry, Image, ToolAnswered, ToolSpec, UserSaid
from antiphon.errors import UsageError
from antiphon.frames import ToolCall
from antiphon.vendors.local.dialogue import callable_tools, goes_round, messages, newest


def spec(name: str, **properties: dict[str, Any]) -> ToolSpec:
    return ToolSpec(
        name,
        f"The {name} of a day.",
        {"type": "object", "properties": properties, "required": list(properties)},
    )


HOURS = spec("hours", day={"type": "string"})
PRICE = spec("price", item={"type": "string"}, count={"type": "integer"}, new={"type": "boolean"})
MONDAY = ToolCall("c1", "hours", '{"day": "Monday"}')
ASKED = UserSaid("When are you open on Monday?")
CALLED = AgentSaid("", (MONDAY,))
ANSWERED = ToolAnswered(MONDAY, "nine to five.")


def chat(*entries: Entry, tools: tuple[ToolSpec, ...] = ()) -> list[tuple[str, str]]:
    return [(m["role"], m["content"]) for m in messages(Context("Be brief.", entries, tools))]


# What it reads ---------------------------------------------------------------------------------------


def test_without_tools_it_is_plain_chat() -> None:
    said = chat(UserSaid("Hello?"), AgentSaid("Good day."), UserSaid("Who is it?"))
    assert said == [
        ("system", "Be brief."),
        ("user", "Hello?"),
        ("assistant", "Good day."),
        ("user", "Who is it?"),
    ]


def test_pictures_are_refused() -> None:
    with pytest.raises(UsageError, match="reads text only"):
        chat(UserSaid("What is this?", (Image(b"abc"),)))


def test_roles_alternate_whatever_was_said() -> None:
    entries = (
        AgentSaid("Hello."),
        AgentSaid("Anyone?"),
        UserSaid("Yes."),
        UserSaid("It's me."),
        CALLED,
        ANSWERED,
    )
    for tools in ((), (HOURS,)):
        roles = [role for role, _ in chat(*entries, tools=tools)]
        assert all(one != other for one, other in pairwise(roles))
        assert roles[-1] == "user"


def test_two_turns_in_a_row_are_one() -> None:
    assert chat(UserSaid("Hello?"), UserSaid("Are you there?"))[1:] == [("user", "Hello?\nAre you there?")]


def test_of_an_interrupted_reply_it_reads_what_was_heard_and_no_mark() -> None:
    assert chat(AgentSaid("We are open from", interrupted=True))[2] == ("assistant", "We are open from")
    assert chat(AgentSaid("", interrupted=True)) == chat()


def test_of_a_call_it_reads_the_result() -> None:
    after = chat(ASKED, CALLED, ANSWERED, AgentSaid("From nine."), UserSaid("Thanks."), tools=(HOURS,))
    assert after[1:] == [
        ("user", f"{ASKED.text}\nResult: nine to five. Tell me in a sentence."),
        ("assistant", "From nine."),
        ("user", "Thanks."),
    ]


def test_tools_stand_nowhere_in_it() -> None:
    assert chat(ASKED, tools=(HOURS, PRICE)) == chat(ASKED)


def test_what_is_missing_is_to_be_asked_for() -> None:
    last = messages(Context("", (ASKED,)), ["day", "first_name"])[-1]
    assert last["content"].endswith("\nAsk me for the day and the first name, in one short question.")


def test_a_turn_begins_with_the_whole_turn_before() -> None:
    for tools in ((), (HOURS,)):
        before = chat(ASKED, CALLED, ANSWERED, tools=tools)
        after = chat(ASKED, CALLED, ANSWERED, AgentSaid("From nine."), UserSaid("Thanks."), tools=tools)
        assert after[: len(before)] == before


def test_one_tool_is_called_in_a_turn() -> None:
    assert callable_tools(Context("", (ASKED,), (HOURS, PRICE))) == (HOURS, PRICE)
    context = Context("", (ASKED, CALLED, ANSWERED), (HOURS, PRICE))
    assert callable_tools(context) == ()
    again = Context("", (*context.entries, UserSaid("And on Sunday?")), (HOURS, PRICE))
    assert callable_tools(again) == (HOURS, PRICE)


def test_going_round_is_noticed() -> None:
    assert [goes_round("Yes." + " I am open." * times) for times in range(6)] == [False] * 4 + [True] * 2


# A conversation that is too long ---------------------------------------------------------------------


def turns(count: int) -> tuple[Entry, ...]:
    each = (ASKED, CALLED, ANSWERED, AgentSaid("From nine to five."))
    return each * count


def test_what_fits_is_kept_whole() -> None:
    context = Context("Be brief.", turns(2))
    assert newest(context, 10_000) is context


def test_what_is_kept_begins_with_a_turn_and_ends_with_the_newest() -> None:
    context = Context("Be brief.", turns(50), (HOURS,))
    for room in (1000, 700, 300, 1, -50):
        kept = newest(context, room)
        assert kept.entries[0] == ASKED
        assert kept.entries == context.entries[-len(kept.entries) :]
        assert (kept.instructions, kept.tools) == (context.instructions, context.tools)


def test_the_beginning_moves_seldom() -> None:
    firsts = [count * 4 - len(newest(Context("", turns(count)), 500).entries) for count in range(1, 100)]
    moves = sum(one != other for one, other in pairwise(firsts))
    assert firsts == sorted(firsts)
    assert 5 < moves < 30
