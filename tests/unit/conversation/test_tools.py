"""Tools: what a function tells a model of itself, and what a call of it does."""

import asyncio
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Literal

import pytest

from antiphon.clock import LoopClock
from antiphon.conversation.scope import Scope
from antiphon.conversation.tools import Tool, tool
from antiphon.errors import ConfigurationError
from antiphon.frames import ToolCall
from antiphon.session import Session
from antiphon.testing.virtual import run_virtual, virtual

sleep = LoopClock().sleep
"""Virtual time, where the loop is virtual."""


@tool
async def book(
    day: Annotated[Literal["monday", "tuesday"], "which day"],
    people: int = 2,
    note: str | None = None,
) -> str:
    """Book a table.

    Only in the evening.
    """
    return f"{people} on {day}" + (f": {note}" if note else "")


class Size(Enum):
    SMALL = "small"
    LARGE = "large"


@dataclass
class Order:
    name: str
    size: Size = Size.SMALL


@tool
def order(items: list[Order]) -> dict[str, int]:
    """Order things."""
    return {item.name: {Size.SMALL: 1, Size.LARGE: 2}[item.size] for item in items}


async def answer(text: str) -> str:
    return text


def run(called: Tool, arguments: str, session: Session | None = None) -> tuple[str, bool]:
    call = ToolCall("1", called.spec.name, arguments)
    return run_virtual(called.call(Scope(session or Session([]), call, 1)))


# What it tells ---------------------------------------------------------------------------------------


def test_schema_comes_from_types_and_docstring() -> None:
    assert book.spec.name == "book"
    assert book.spec.description == "Book a table.\n\nOnly in the evening."
    assert book.spec.parameters == {
        "type": "object",
        "properties": {
            "day": {"enum": ["monday", "tuesday"], "description": "which day"},
            "people": {"type": "integer", "default": 2},
            "note": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
        },
        "required": ["day"],
    }


def test_schema_of_nested_types_has_its_definitions_beside_it() -> None:
    parameters = order.spec.parameters
    assert set(parameters["$defs"]) == {"Order", "Size"}
    assert parameters["properties"]["items"]["items"] == {"$ref": "#/$defs/Order"}
    json.dumps(parameters)


def test_session_is_no_parameter_of_the_model() -> None:
    @tool
    async def wait(session: Session, seconds: float = 1.0) -> str:
        """Wait."""
        await session.clock.sleep(seconds)
        return f"{session.clock.now():g}"

    assert list(wait.spec.parameters["properties"]) == ["seconds"]
    assert run(wait, '{"seconds": 2}') == ("2", False)


def test_scope_is_no_parameter_of_the_model() -> None:
    @tool
    async def who(scope: Scope, session: Session, polite: bool = True) -> str:
        """Who calls."""
        assert scope.session is session and scope.client is None
        return f"{scope.call.name} {scope.reply}"

    assert list(who.spec.parameters["properties"]) == ["polite"]
    assert run(who, "{}") == ("who 1", False)


def test_scope_is_for_async_functions() -> None:
    def threaded(scope: Scope) -> str:
        """Runs in a thread."""
        return ""

    with pytest.raises(ConfigurationError, match="uses the session: make it async"):
        tool(threaded)


def test_tool_is_still_the_function() -> None:
    assert order([Order("bread")]) == {"bread": 1}
    assert asyncio.run(book("monday")) == "2 on monday"


def undocumented(day: str) -> str:
    return day


def untyped(day: str) -> str:
    """Does something."""
    return ""


del untyped.__annotations__["day"]


def starred(*days: str) -> str:
    """Does something."""
    return ""


def positional(day: str, /) -> str:
    """Does something."""
    return ""


def unspeakable(when: Callable[[], int]) -> str:
    """Does something."""
    return ""


def threaded(session: Session) -> str:
    """Does something with the session in a thread, where it must not be used."""
    return ""


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (undocumented, "tool undocumented needs a docstring"),
        (untyped, "tool untyped: parameter 'day' needs a type"),
        (starred, r"tool starred: parameter \*days: str cannot be named"),
        (positional, "tool positional: parameter day: str cannot be named"),
        (unspeakable, "tool unspeakable cannot be described to a model"),
        (threaded, "tool threaded uses the session: make it async"),
    ],
)
def test_function_that_cannot_be_described_is_refused(function: Callable[..., Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        tool(function)


# What a call does ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "result"),
    [
        ('{"day": "monday"}', "2 on monday"),
        ('{"day": "tuesday", "people": "5"}', "5 on tuesday"),
        ('{"day": "monday", "people": 3, "note": "by the window", "more": 1}', "3 on monday: by the window"),
    ],
)
def test_arguments_are_converted(arguments: str, result: str) -> None:
    assert run(book, arguments) == (result, False)


def test_nested_arguments_and_results_that_are_not_text() -> None:
    arguments = '{"items": [{"name": "bread"}, {"name": "milk", "size": "large"}]}'
    assert run(order, arguments) == ('{"bread":1,"milk":2}', False)


@pytest.mark.parametrize(
    "arguments",
    [
        "",
        "{}",
        '{"day": "sunday"}',
        '{"day": 3}',
        '{"day": "monday", "people": "many"}',
        "{",
        "[]",
        "null",
        "\ud800",
    ],
)
def test_arguments_that_do_not_fit_are_one_short_sentence(arguments: str) -> None:
    result, failed = run(book, arguments)
    assert failed
    assert result.startswith("The arguments of book do not fit: ")
    assert "\n" not in result
    assert len(result) < 200


def failing(error: BaseException) -> Tool:
    @tool(name="look_up")
    async def function() -> str:
        """Fails."""
        raise error

    return function


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (ValueError("no such day\nat all"), "look_up failed: no such day."),
        (ValueError(), "look_up failed: ValueError."),
        (RuntimeError("x" * 1000), f"look_up failed: {'x' * 200}."),
        (ExceptionGroup("things", [ValueError("a")]), "look_up failed: things (1 sub-exception)."),
        (asyncio.CancelledError(), "look_up failed: CancelledError."),
        (TimeoutError("the database"), "look_up failed: the database."),
        (SystemExit("no more"), "look_up failed: no more."),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_tool_that_raises_is_one_short_sentence_and_the_log_has_all(
    error: BaseException, says: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert run(failing(error), "{}") == (says, True)
    assert caplog.records[0].exc_info is not None


@virtual
async def test_tool_that_takes_too_long_is_stopped(caplog: pytest.LogCaptureFixture) -> None:
    stopped: list[bool] = []

    @tool(timeout=2.0)
    async def dream() -> str:
        """Takes its time."""
        try:
            await sleep(100)
        finally:
            stopped.append(True)
        return ""

    caplog.set_level(logging.WARNING)
    result = await dream.call(Scope(Session([]), ToolCall("1", "dream", ""), 1))
    assert result == ("dream took longer than 2 seconds and was stopped.", True)
    assert asyncio.get_running_loop().time() == 2
    assert stopped == [True]
    assert "tool dream was stopped after 2 s" in caplog.text


@virtual
async def test_cancelled_call_is_cancelled() -> None:
    @tool
    async def dream() -> str:
        """Takes its time."""
        await sleep(100)
        return ""

    task = asyncio.create_task(dream.call(Scope(Session([]), ToolCall("1", "dream", ""), 1)))
    await sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_plain_function_runs_in_a_thread_and_may_give_an_awaitable() -> None:
    import threading

    threads: list[int] = []

    @tool
    def where() -> list[int]:
        """Where it runs."""
        threads.append(threading.get_ident())
        return [1, 2]

    @tool
    def later() -> Any:
        """Gives a coroutine."""
        return answer("later")

    async def main() -> None:
        assert await where.call(Scope(Session([]), ToolCall("1", "where", "{}"), 1)) == ("[1,2]", False)
        assert await later.call(Scope(Session([]), ToolCall("1", "later", "{}"), 1)) == ("later", False)

    asyncio.run(main())
    assert threads != [threading.get_ident()]


def test_result_that_cannot_be_written_is_a_failure() -> None:
    @tool
    async def strange() -> object:
        """Gives something that no model can read."""
        return object()

    result, failed = run(strange, "{}")
    assert failed
    assert result.startswith("strange failed: ")
