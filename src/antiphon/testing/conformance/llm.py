"""The conformance suite for language models: what every LLM service must do.

    await check_llm(lambda: MyLLM(key))

It requests a few short answers, and raises an AssertionError that says what is wrong. What a service does if
its vendor fails depends on the vendor's protocol; `tests/conformance` shows how to check that.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import cast

from ...context import AgentSaid, Context, ToolAnswered, ToolSpec, UserSaid
from ...frames import ToolCall
from ...services.ports import LanguageModel, TextDelta, TokenUsage
from .life import alive

__all__ = ["check_llm"]

Item = TextDelta | ToolCall | TokenUsage

TOOL = ToolSpec(
    "opening_hours",
    "Look up when the shop is open on a day of the week.",
    {"type": "object", "properties": {"day": {"type": "string"}}, "required": ["day"]},
)
INSTRUCTIONS = "You answer the phone of a bicycle shop. One short sentence."


async def check_llm(make: Callable[[], LanguageModel], *, tools: bool = True) -> None:
    """Check a language model service. `tools=False` does not ask it to call one."""
    async with alive("llm", make) as service:
        plain = Context(INSTRUCTIONS, (UserSaid("Hello, who is this?"),))
        await service.warm(plain)
        said = await _all(service, plain)
        assert _text(said).strip(), "no words came for a plain question"
        usages = [place for place, item in enumerate(said) if isinstance(item, TokenUsage)]
        assert usages in ([], [len(said) - 1]), "usage comes once, last, or never"
        one, two = await asyncio.gather(_all(service, plain), _all(service, plain))
        assert _text(one).strip(), "of two conversations at once, the first got no words"
        assert _text(two).strip(), "of two conversations at once, the second got no words"
        await _check_cancel(service, plain)
        interrupted = (
            UserSaid("Hello?"),
            AgentSaid("Good morning, this is", interrupted=True),
            UserSaid("Who?"),
        )
        assert _text(await _all(service, Context(INSTRUCTIONS, interrupted))).strip(), (
            "no words after an interruption"
        )
        twice = (UserSaid("Hello?"), UserSaid("Are you there?"))
        assert _text(await _all(service, Context(INSTRUCTIONS, twice))).strip(), (
            "no words after two turns in a row"
        )
        if tools:
            await _check_tools(service)


async def _check_tools(service: LanguageModel) -> None:
    asked = UserSaid("When are you open on Monday?")
    answer = await _all(service, Context(INSTRUCTIONS, (asked,), (TOOL,)))
    calls = [item for item in answer if isinstance(item, ToolCall)]
    assert len(calls) == 1, f"the tool must be called once, not {len(calls)} times: {answer}"
    assert calls[0].name == TOOL.name, f"called {calls[0].name}"
    arguments = json.loads(calls[0].arguments)
    assert "onday" in str(arguments["day"]).lower(), f"the day is missing in {calls[0].arguments}"
    done = (asked, AgentSaid("", (calls[0],)), ToolAnswered(calls[0], "nine to five"))
    after = await _all(service, Context(INSTRUCTIONS, done, (TOOL,)))
    assert _text(after).strip(), "no words after the tool's result"


async def _check_cancel(service: LanguageModel, context: Context) -> None:
    async with aclosing(cast(AsyncGenerator[Item, None], service.generate(context))) as answer:
        async for _ in answer:
            break
    assert _text(await _all(service, context)).strip(), "after a cancelled answer, the next has no words"


async def _all(service: LanguageModel, context: Context) -> list[Item]:
    return [item async for item in service.generate(context)]


def _text(items: list[Item]) -> str:
    return "".join(item.text for item in items if isinstance(item, TextDelta))
