"""The rules by which the local dialogue is judged."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import cast

import pytest
from benchmarks.local_dialogue import Turn, converse, figures, mark_the_same, wrong_answer, wrong_call
from benchmarks.local_dialogue_cases import AGENTS, RESTAURANT, SHOP, Case

from antiphon.context import Context, ToolAnswered
from antiphon.frames import ToolCall
from antiphon.services.ports import LanguageModel, TextDelta, TokenUsage

MONDAY = Case("tool", "Are you open on Monday?", "opening_hours", {"day": "monday"})


def turn(answer: str = "", *calls: tuple[str, str]) -> Turn:
    return Turn(SHOP.name, "tool", MONDAY.said, False, "opening_hours", calls=list(calls), answer=answer)


def test_there_are_sixty_a_third_of_each_kind_and_some_after_a_barge_in() -> None:
    cases = [case for agent in AGENTS for case in (*agent.tuned, *agent.held_out)]
    assert len({case.said for case in cases}) == 60
    assert all(19 <= count <= 21 for count in Counter(case.kind for case in cases).values())
    assert sum(bool(case.before) for case in cases) >= 10


@pytest.mark.parametrize(
    ("calls", "faults"),
    [
        ([("opening_hours", '{"day": "Monday"}')], []),
        ([], ["call"]),
        ([("opening_hours", '{"day": "alpha"}')], ["invented", "argument"]),
        ([("opening_hours", '{"day": "Monday"}')] * 2, ["call"]),
    ],
)
def test_calls(calls: list[tuple[str, str]], faults: list[str]) -> None:
    assert wrong_call(turn("", *calls), MONDAY) == faults


def test_a_spoken_number_is_not_invented() -> None:
    case = RESTAURANT.tuned[0]
    given = ("book_table", '{"people": 4, "day": "Friday", "time": "eight"}')
    assert wrong_call(turn("", given), case) == []


@pytest.mark.parametrize(
    ("answer", "faults"),
    [
        ("We are open from nine to five.", []),
        ("", ["empty"]),
        ("We are open from", ["no whole sentence"]),
        ("We are open from...", ["broken off"]),
        ("# Hours: nine.", ["no whole sentence", "markup"]),
    ],
)
def test_answers(answer: str, faults: list[str]) -> None:
    assert wrong_answer(turn(answer), SHOP) == faults


def test_a_result_must_be_told() -> None:
    called = ("opening_hours", '{"day": "Monday"}')
    assert wrong_answer(turn("Yes, come in.", called), SHOP) == ["result not told"]
    assert wrong_answer(turn("Until five.", called), SHOP) == []


def test_the_same_answer_to_everything_is_wrong() -> None:
    turns = [turn("Hello.") for _ in range(3)]
    mark_the_same(turns)
    assert all(one.faults == ["the same for all"] for one in turns)


class Told:
    """A model that calls the tool for each utterance, and then says the same."""

    def __init__(self, answer: str) -> None:
        self.answer = answer

    async def generate(self, context: Context) -> AsyncIterator[TextDelta | ToolCall | TokenUsage]:
        if isinstance(context.entries[-1], ToolAnswered):
            yield TextDelta(self.answer)
        else:
            yield ToolCall("1", "opening_hours", '{"day": "Saturday"}')


def test_the_model_reads_its_own_calls_and_answers_and_must_tell_each_result() -> None:
    turns = asyncio.run(converse(cast(LanguageModel, Told("From nine.")), SHOP))
    assert [turn.generations for turn in turns] == [2] * 4
    assert len(turns[-1].entries) == 4 * len(turns)
    assert figures(turns)["results told"] == 100
    assert (
        figures(asyncio.run(converse(cast(LanguageModel, Told("Shall I look?")), SHOP)))["results told"] == 0
    )
