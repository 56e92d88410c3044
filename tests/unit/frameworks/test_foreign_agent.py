"""What holds for the agents of all frameworks, shown with one that does as it is told."""

from collections.abc import AsyncGenerator
from types import SimpleNamespace
from typing import Any

import pytest

from antiphon.context import Context, ToolCall, ToolSpec, UserSaid
from antiphon.errors import (
    AuthenticationError,
    BadResponseError,
    ConfigurationError,
    RateLimitError,
    ServiceTimeoutError,
    UnavailableError,
    UsageError,
)
from antiphon.frameworks import langgraph, openai_agents, pydantic_ai
from antiphon.frameworks.foreign_agent import ForeignAgent, StepEnded
from antiphon.services.ports import TextDelta, TokenUsage
from antiphon.testing import check_llm, run_virtual

PLAIN = Context("Be brief.", (UserSaid("Hello?"),))


class Told(ForeignAgent):
    """Yields what it is told, and raises what is an error."""

    framework = "the framework"

    def __init__(self, *events: Any) -> None:
        super().__init__(within=9.0, acts=True)
        self.events = events

    async def run(self, context: Context) -> AsyncGenerator[Any]:
        for event in self.events:
            if isinstance(event, Exception):
                raise event
            yield event


async def _answer(*events: Any, context: Context = PLAIN) -> list[Any]:
    return [item async for item in Told(*events).generate(context)]


def answer(*events: Any, context: Context = PLAIN) -> list[Any]:
    return run_virtual(_answer(*events, context=context))


def text(items: list[Any]) -> str:
    return "".join(item.text for item in items if isinstance(item, TextDelta))


def test_it_conforms() -> None:
    run_virtual(check_llm(lambda: Told(TextDelta("Good "), TextDelta("day."), TokenUsage(3, 2)), tools=False))


def test_answers_of_one_run_are_kept_apart() -> None:
    step = StepEnded(acted=True)
    assert text(answer(step, TextDelta("One moment."), step, TextDelta("Nine."))) == "One moment. Nine."
    assert text(answer(TextDelta("Well, "), step, step, TextDelta("nine."))) == "Well, nine."


def test_the_time_that_its_tools_may_take_is_its_own() -> None:
    service = Told()
    assert (service.first_within, service.next_within, service.acts) == (9.0, 9.0, True)


def test_tools_that_it_cannot_take_are_refused() -> None:
    tools = (ToolSpec("hang_up", "", {}),)
    with pytest.raises(ConfigurationError, match="leave out tools="):
        answer(TextDelta("Hello."), context=Context("Be brief.", (), tools))


class RefusedError(Exception):
    """As clients raise it."""

    def __init__(self, status_code: int, seconds: str | None = None) -> None:
        super().__init__("no, because " + "x" * 1000)
        self.status_code = status_code
        self.response = SimpleNamespace(headers={"retry-after": seconds} if seconds else {})


class UserError(Exception):
    """As two of the frameworks call a wrong use."""


class APIConnectionError(Exception):
    """As clients raise it."""


class ReadTimeoutError(Exception):
    """As clients raise it."""


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (RefusedError(401), AuthenticationError),
        (RefusedError(429, "7"), RateLimitError),
        (RefusedError(503), UnavailableError),
        (RefusedError(400), BadResponseError),
        (RefusedError(12), BadResponseError),
        (UserError("no model"), UsageError),
        (ReadTimeoutError(), ServiceTimeoutError),
        (TimeoutError(), ServiceTimeoutError),
        (APIConnectionError("gone"), UnavailableError),
        (ConnectionResetError("gone"), UnavailableError),
        (ValueError("a tool is wrong"), BadResponseError),
        (UnavailableError("as it is"), UnavailableError),
    ],
)
def test_errors_have_names(error: Exception, kind: type[Exception]) -> None:
    with pytest.raises(kind) as raised:
        answer(error)
    assert type(raised.value) is kind
    assert len(str(raised.value)) < 500
    if isinstance(raised.value, RateLimitError):
        assert raised.value.retry_after == 7


def test_what_has_been_done_is_not_done_again() -> None:
    for error in (RefusedError(429), RefusedError(503), TimeoutError(), ConnectionResetError()):
        with pytest.raises(BadResponseError, match="not asked again"):
            answer(StepEnded(acted=True), error)


def test_tools_without_a_word_are_a_failure_that_is_not_tried_again() -> None:
    with pytest.raises(BadResponseError, match="without a word"):
        answer(StepEnded(acted=True), TextDelta(" \n"))
    assert answer(StepEnded(acted=False)) == []
    call = ToolCall("1", "hang_up", "{}")
    assert answer(StepEnded(acted=True), call) == [call]


MODELS = [langgraph.LangGraphModel, pydantic_ai.PydanticAIModel, openai_agents.OpenAIAgentsModel]


@pytest.mark.parametrize("model", MODELS)
def test_what_is_no_agent_of_the_framework_is_refused(model: Any) -> None:
    with pytest.raises(ConfigurationError, match="is not a"):
        model("gpt-4.1-mini")
