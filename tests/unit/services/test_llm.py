"""The stage that asks the language model: nothing said, values of wrong types, limits that bound."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from antiphon.clock import LoopClock
from antiphon.context import Context
from antiphon.errors import RateLimitError, UnavailableError
from antiphon.frames import Failed, Generated, Prompt, Text, ToolCall, Usage
from antiphon.playout.playout import Playout
from antiphon.reply import Reply
from antiphon.services.llm import LLM
from antiphon.services.ports import TextDelta, TokenUsage
from antiphon.testing import ScriptedLLM, virtual
from antiphon.testing.assertions import HeldCall


class Answers(ScriptedLLM):
    """Yields the items of a list for each generation, whatever they are; raises those that are errors."""

    def __init__(self, *answers: list[Any], each: float = 0.0) -> None:
        super().__init__([])
        self.items = list(answers)
        self.pause = each

    async def generate(self, context: Context) -> AsyncIterator[Any]:
        self.contexts.append(context)
        for item in self.items.pop(0):
            await LoopClock().sleep(self.pause)
            if isinstance(item, Exception):
                raise item
            yield item


async def answered(model: Answers, seconds: float = 20) -> HeldCall:
    """A call in which the model was prompted once, by the stage alone."""
    async with HeldCall([LLM(model), Playout()]) as call:
        call.session.new_reply(lambda reply: call.session.send(Prompt(reply.number, Context("x"))))
        await call.session.clock.sleep(seconds)
    return call


def outcome(call: HeldCall) -> tuple[str, list[tuple[str, bool]]]:
    """The text that the stage gave, and the failures with whether each was tried again."""
    text = "".join(text.text for text in call.all(Text))
    return text, [(failed.error, failed.retried) for failed in call.all(Failed)]


@pytest.mark.parametrize(
    "silent",
    [[], [TextDelta("")], [TextDelta("\n\n")], [TextDelta("…"), TextDelta("\u200b")], [TokenUsage(9, 0)]],
)
@virtual
async def test_llm_that_says_nothing_is_asked_once_more_and_then_it_is_a_failure(silent: list[Any]) -> None:
    assert outcome(await answered(Answers(silent, [TextDelta("Hello.")]))) == (
        "Hello.",
        [("NothingSaidError", True)],
    )
    assert outcome(await answered(Answers(silent, silent))) == (
        "",
        [("NothingSaidError", True), ("NothingSaidError", False)],
    )


@virtual
async def test_blanks_before_the_first_word_are_left_out() -> None:
    call = await answered(Answers([*map(TextDelta, ("\n", " ", "Oh", " ", "no."))]))
    assert [(text.text, text.at) for text in call.all(Text)] == [("Oh", 0), (" ", 2), ("no.", 3)]


@virtual
async def test_text_to_be_read_may_be_a_sign_that_nobody_can_speak() -> None:
    async with HeldCall([LLM(Answers([TextDelta(" 👍")])), Playout()]) as call:
        call.session.new_reply(
            lambda reply: call.session.send(Prompt(reply.number, Context("x"))), voiced=False
        )
        await call.session.clock.sleep(1)
    assert outcome(call) == ("👍", [])


@pytest.mark.parametrize(
    "nonsense",
    [TextDelta(["text"]), TextDelta(None), ToolCall("c", "f", {"day": 1}), ToolCall(None, "f", "{}")],  # type: ignore[arg-type]
)
@virtual
async def test_llm_with_values_of_wrong_types_is_a_failure_and_nothing_of_it_enters(nonsense: Any) -> None:
    call = await answered(Answers([nonsense]))
    assert outcome(call) == ("", [("BadResponseError", False)])
    assert not [frame for frame in call.all(Generated) if frame.calls]


@virtual
async def test_usage_that_cannot_be_counted_is_nothing_and_costs_no_answer() -> None:
    odd = TokenUsage(None, -3, 10**30)  # type: ignore[arg-type]
    call = await answered(Answers([TextDelta("Hello."), odd]))
    assert outcome(call) == ("Hello.", [])
    assert [usage.amount for usage in call.all(Usage)] == [0, 0, 0]


@virtual
async def test_first_word_is_awaited_for_one_limit_with_all_tries_together() -> None:
    late = [TextDelta("\n"), UnavailableError("busy")]  # after six seconds
    call = await answered(Answers(late, [TextDelta("Much too late.")] * 3, each=3.0))
    assert outcome(call) == ("", [("UnavailableError", True), ("ServiceTimeoutError", False)])
    assert call.times(Failed) == pytest.approx([6.0, 7.0], abs=0.01)


@virtual
async def test_llm_that_wants_to_be_asked_later_is_asked_then_or_not_at_all() -> None:
    def busy(seconds: float) -> list[Any]:
        return [RateLimitError("slowly", seconds)]

    call = await answered(Answers(busy(2.0), [TextDelta("Hello.")]))
    assert outcome(call) == ("Hello.", [("RateLimitError", True)])
    assert call.times(Text) == pytest.approx([2.0], abs=0.01)
    assert outcome(await answered(Answers(busy(60.0)))) == ("", [("RateLimitError", False)])


@pytest.mark.parametrize("flood", [[TextDelta("word " * 5000)] * 50, [ToolCall("c", "f", "{}")] * 1000])
@virtual
async def test_answer_without_an_end_is_bounded(flood: list[Any]) -> None:
    call = await answered(Answers(flood))
    assert outcome(call)[1] == [("BadResponseError", False)]
    assert sum(len(text.text) for text in call.all(Text)) <= 100_000


@virtual
async def test_a_service_that_acts_is_not_asked_on_a_guess() -> None:
    model = Answers([TextDelta("Hello.")], [TextDelta("Hello again.")])
    model.acts = True
    async with HeldCall([LLM(model), Playout()]) as call:

        def guess() -> Reply:
            return call.session.new_reply(
                lambda reply: call.session.send(Prompt(reply.number, Context("x"))), speculative=True
            )

        wrong = guess()
        await call.session.clock.sleep(1)
        wrong.interrupt()
        right = guess()
        await call.session.clock.sleep(1)
        assert model.contexts == []
        call.session.replies.commit(right)
        await call.session.clock.sleep(1)
    assert outcome(call) == ("Hello.", [])
    assert len(model.contexts) == 1


@virtual
async def test_the_time_for_the_next_word_is_the_services_own() -> None:
    model = Answers([TextDelta("Hello."), TextDelta(" Goodbye.")], each=6.0)
    assert outcome(await answered(model)) == ("Hello.", [("ServiceTimeoutError", False)])
    model = Answers([TextDelta("Hello."), TextDelta(" Goodbye.")], each=6.0)
    model.next_within = 7.0
    assert outcome(await answered(model)) == ("Hello. Goodbye.", [])
