"""A slower model that thinks for the one that talks.

    Agent("...", realtime="openai", tools=[thinking_tool("openai/gpt-5.2")])

It is a tool that runs in the background: the voice goes on talking, and tells the answer when it is there.
"""

from collections.abc import Iterator
from contextlib import aclosing
from typing import Annotated

from ..context import Context, Entry, ToolAnswered, UserSaid
from ..conversation.scope import Scope
from ..conversation.tools import Tool, tool
from ..errors import BadResponseError, ConfigurationError, NothingSaidError
from ..flow import replace
from .ports import LanguageModel, TextDelta, TokenUsage, verified
from .reasoning import ReasoningFilter, answers
from .streams import ready
from .usage import token_usage

__all__ = ["thinking_tool"]

LONGEST = 10_000  # characters of an answer
WHEN = """Think hard about a question that you cannot answer at once: a calculation, a plan, a comparison.
It takes a while; go on talking with the user."""
HOW = """You think for a colleague who is talking with a user, and who will tell the user your answer aloud.
Answer the last question, in a few plain sentences."""


def thinking_tool(
    model: str | LanguageModel,
    *,
    name: str = "think",
    when: str = WHEN,
    instructions: str = HOW,
    timeout: float = 60.0,
) -> Tool:
    """Make a tool of a model, which reads the conversation and answers a question.

    `when` tells the model that talks when to call it; `instructions` tell the one that thinks how to answer,
    for which it has `timeout` seconds. A name such as "openai/gpt-5.2" is made a model at the first call.

    Raises ConfigurationError for an object that is no language model.
    """
    made = None if isinstance(model, str) else verified("llm", model)

    async def think(
        question: Annotated[str, "the question, with everything that is needed to answer it"], scope: Scope
    ) -> str:
        nonlocal made
        if made is None:
            made = _created(str(model), scope)
        await ready(made)
        said = tuple(_said(scope.context))
        return await _answer(made, Context(instructions, (*said, UserSaid(question))), scope)

    think.__doc__ = when
    return tool(name=name, timeout=timeout, background=True)(think)


def _created(model: str, scope: Scope) -> LanguageModel:
    if scope.session.create is None:
        raise ConfigurationError(f"this session makes no services by name: pass an object, not {model!r}")
    return verified("llm", scope.session.create("llm", model))


def _said(context: Context) -> Iterator[Entry]:
    """Yield what was said, without tools, which the other model does not have."""
    for entry in context.entries:
        if isinstance(entry, ToolAnswered):
            continue
        if isinstance(entry, UserSaid):
            yield entry
        elif entry.text:
            yield replace(entry, calls=())


async def _answer(model: LanguageModel, context: Context, scope: Scope) -> str:
    text = ""
    async with aclosing(answers(model.generate(context), ReasoningFilter())) as items:
        async for item in items:
            match item:
                case TextDelta(piece):
                    text += piece
                case TokenUsage():
                    for used in token_usage(scope.call.name, model, item, scope.reply):
                        scope.session.send(used)
                case _:
                    pass
            if len(text) > LONGEST:
                raise BadResponseError(f"an answer of more than {LONGEST} characters")
    if not text.strip():
        raise NothingSaidError("the model that thinks ended without a word")
    return text.strip()
