"""What a small model reads, and what is read of what it writes."""

from itertools import pairwise
from typing import Any

import pytest

from antiphon.context import AgentSaid, Context, Entry, Image, ToolAnswered, ToolSpec, UserSaid
from antiphon.errors import BadResponseError, UsageError
from antiphon.frames import ToolCall
from antiphon.services.ports import TextDelta
from antiphon.vendors.local.dialogue import Writing, callable_tools, grammar, messages, newest


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


def written(*pieces: str, speaking: bool = False) -> list[TextDelta | ToolCall]:
    writing = Writing(speaking=speaking)
    items = [item for piece in pieces for item in writing.read(piece)]
    writing.end()
    return items


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
        ("assistant", "- From nine."),
    ]


def test_each_tool_has_an_example() -> None:
    examples = chat(tools=(HOURS, PRICE))
    assert ("assistant", 'hours {"day": "alpha"}') in examples
    assert ("user", "The price of a day: bravo, 7, yes.") in examples
    assert ("assistant", 'price {"item": "bravo", "count": 7, "new": true}') in examples


def test_examples_follow_any_schema() -> None:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {
            "size": {"enum": ["s", "l"]},
            "who": {"$ref": "#/$defs/Person"},
            "days": {"type": "array", "items": {"type": "string"}},
            "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        },
        "$defs": {"Person": {"type": "object", "properties": {"name": {"type": "string"}}}},
    }
    said = [content for _, content in chat(tools=(ToolSpec("order", "Order it.", schema),))]
    assert 'order {"size": "l", "who": {"name": "bravo"}, "days": ["delta"], "note": "alpha"}' in said


def test_a_turn_begins_with_the_whole_turn_before() -> None:
    for tools in ((), (HOURS,)):
        before = chat(ASKED, CALLED, ANSWERED, tools=tools)
        after = chat(ASKED, CALLED, ANSWERED, AgentSaid("From nine."), UserSaid("Thanks."), tools=tools)
        assert after[: len(before)] == before


# What it may write -----------------------------------------------------------------------------------


def test_a_tool_is_called_once_in_a_turn() -> None:
    context = Context("", (ASKED, CALLED, ANSWERED), (HOURS, PRICE))
    assert callable_tools(context) == (PRICE,)
    again = Context("", (*context.entries, UserSaid("And on Sunday?")), (HOURS, PRICE))
    assert callable_tools(again) == (HOURS, PRICE)


def test_the_grammar_has_speech_and_each_call_with_its_schema() -> None:
    text = grammar((HOURS, PRICE))
    assert 'start: said | call ("\\n" call)*' in text
    assert '"hours " %json {"additionalProperties": false, "type": "object"' in text
    assert '| "price " %json' in text


# What it wrote ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("pieces", [("-", " From", " nine."), ("- From nine.",), ("-", " ", "From nine.")])
def test_words_come_at_once(pieces: tuple[str, ...]) -> None:
    items = written(*pieces)
    assert "".join(item.text for item in items if isinstance(item, TextDelta)) == "From nine."
    assert len(items) == len([piece for piece in pieces if piece.strip(" -")])


def test_without_tools_every_word_is_speech() -> None:
    assert written("-5", " degrees", speaking=True) == [TextDelta("-5"), TextDelta(" degrees")]


def test_a_call_comes_once_and_whole_however_it_is_split() -> None:
    text = 'hours {"day": "a } or {\\"b\\""}\nprice {"item": "x", "count": {"n": 1}}'
    calls = [
        ToolCall("call-1", "hours", '{"day": "a } or {\\"b\\""}'),
        ToolCall("call-2", "price", '{"item": "x", "count": {"n": 1}}'),
    ]
    for size in range(1, len(text) + 1):
        assert written(*(text[at : at + size] for at in range(0, len(text), size))) == calls


def test_a_call_comes_before_the_next_begins() -> None:
    writing = Writing(speaking=False)
    assert len([*writing.read("hours {}")]) == 1
    assert not [*writing.read("\nprice ")]


def test_a_call_that_breaks_off_is_an_error() -> None:
    with pytest.raises(BadResponseError, match="incomplete call"):
        written('hours {"day": "Mon')


def test_going_round_is_noticed() -> None:
    writing = Writing(speaking=True)
    noticed: list[bool] = []
    for _ in range(6):
        assert list(writing.read(" I am open."))
        noticed.append(writing.goes_round)
    assert noticed == [False] * 4 + [True] * 2


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
