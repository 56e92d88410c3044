"""Whether an utterance needs a tool: the prompt, and how the answer is judged."""

from itertools import pairwise

import pytest

from antiphon.context import AgentSaid, Context, Entry, ToolAnswered, ToolSpec, UserSaid
from antiphon.frames import ToolCall
from antiphon.vendors.local.routing import (
    MARGIN,
    LastExchange,
    last_exchange,
    mean,
    needed,
    routing_prompt,
    scores,
)

HOURS = ToolSpec(
    "hours", "When we\n are open.", {"type": "object", "properties": {"day": {"type": "string"}}}
)
PRICE = ToolSpec("price", "What it costs.", {"type": "object"})
MONDAY = ToolCall("c1", "hours", '{"day": "Monday"}')


def test_the_prompt_has_the_tools_once_and_ends_with_the_utterance() -> None:
    chat = routing_prompt((HOURS, PRICE), "On Monday?", "Good morning...")
    assert all(one["role"] != other["role"] for one, other in pairwise(chat))
    assert chat[-1] == {"role": "user", "content": "Agent: Good morning...\nCaller: On Monday?"}
    whole = "\n".join(message["content"] for message in chat)
    assert whole.count("hours(day) - When we are open.") == 1
    assert whole.count("price() - What it costs.") == 1


def test_only_the_utterance_is_new_in_it() -> None:
    assert routing_prompt((HOURS,), "One.")[:-1] == routing_prompt((HOURS,), "Two.", "Hm.")[:-1]


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ((), LastExchange()),
        ((UserSaid("Hello?"), UserSaid("Anyone?")), LastExchange("", "", "Hello? Anyone?")),
        (
            (UserSaid("One."), AgentSaid("Two is", interrupted=True), UserSaid("Three.")),
            LastExchange("One.", "Two is...", "Three."),
        ),
        (
            (
                AgentSaid("Hi."),
                UserSaid("Monday?"),
                AgentSaid("", (MONDAY,)),
                ToolAnswered(MONDAY, "nine"),
                AgentSaid("At nine."),
                UserSaid("And Sunday?"),
            ),
            LastExchange("Monday?", "At nine.", "And Sunday?"),
        ),
    ],
)
def test_the_last_exchange(entries: tuple[Entry, ...], expected: LastExchange) -> None:
    assert last_exchange(Context("", entries)) == expected


def test_a_tool_is_scored_by_the_longest_beginning_of_its_name() -> None:
    found = scores((HOURS, PRICE), {"none": -1.0, "hours": -2.0, "h": -0.5, "x": -9.0})
    assert found == {"hours": 0.5, "price": -8.0}


def test_a_tool_is_needed_if_it_is_likelier_than_for_neutral_utterances() -> None:
    neutral = mean([{"hours": -4.0, "price": 0.0}, {"hours": -2.0, "price": 2.0}])
    assert neutral == {"hours": -3.0, "price": 1.0}
    assert needed({"hours": 0.5, "price": 1.0}, neutral) == ("hours",)
    assert needed({"hours": MARGIN - 1.6, "price": 1.0}, neutral) == ()
    assert needed({"hours": 5.0, "price": 7.0}, neutral) == ("hours", "price")
    assert needed({}, {}) == ()
