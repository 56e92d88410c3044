"""What a small model reads, and what is read of what it writes."""

from itertools import pairwise
from typing import Any

import pytest

from antiphon.context import AgentSaid, Context, Entry, Image, ToolAnswered, ToolSpec, UserSaid
from antiphon.errors import UsageError
from antiphon.frames import ToolCall
from antiphon.vendors.local.dialogue import goes_round, messages, newest


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


def test_of_an_interrupted_reply_it_reads_what_was_heard_without_a_mark() -> None:
    assert chat(AgentSaid("We are open from", interrupted=True))[2] == ("assistant", "We are open from")
    assert chat(AgentSaid("", interrupted=True)) == chat()


def test_calls_are_read_as_they_are_written() -> None:
    after = chat(ASKED, CALLED, ANSWERED, AgentSaid("From nine."), tools=(HOURS,))
    assert after[-5:-1] == [
        ("user", ASKED.text),
        ("assistant", 'hours {"day": "Monday"}'),
        ("user", "Result: nine to five. Tell me in a sentence."),
        ("assistant", "From nine."),
    ]


def test_the_tools_are_not_read() -> None:
    assert chat(ASKED, tools=(HOURS,)) == chat(ASKED)


def test_what_is_missing_is_to_be_asked_for() -> None:
    (*_, last) = messages(Context("", (UserSaid("A table, please."),)), ["number_of_people", "day"])
    assert last["content"].endswith("Ask me for the number of people and the day, in one short question.")


def test_a_turn_begins_with_the_whole_turn_before() -> None:
    for tools in ((), (HOURS,)):
        before = chat(ASKED, CALLED, ANSWERED, tools=tools)
        after = chat(ASKED, CALLED, ANSWERED, AgentSaid("From nine."), UserSaid("Thanks."), tools=tools)
        assert after[: len(before)] == before


# What it wrote ---------------------------------------------------------------------------------------


def test_going_round_is_noticed() -> None:
    noticed = [goes_round("Well. " + " I am open." * times) for times in range(1, 7)]
    assert noticed == [False] * 3 + [True] * 3


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
