"""A conversation as a small model reads it, and what is read of what it writes.

The model is asked two things: whether the newest turn needs a tool (`routing`), and what to say. This is the
second: a plain chat of the instructions and what was said. It has no tools in it, because a small model
repeats what it reads there; a tool's answer stands as a line of the user's turn.

Nothing here depends on the model or its runtime, and whatever stood in front stays in front: a prompt begins
with the whole prompt of the turn before, which then costs nothing to read.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from typing import TypedDict

from ...context import AgentSaid, Context, Entry, ToolAnswered, ToolSpec, UserSaid
from ...errors import UsageError

A_MESSAGE, A_TOKEN = 8, 3  # tokens around each message, and the least bytes of a token: a careful estimate
ROUND_AND_ROUND = re.compile(r"(.{4,80}?)\1{3}$", re.DOTALL)


class ChatMessage(TypedDict):
    """A message of the chat template."""

    role: str
    content: str


def messages(context: Context, missing: Sequence[str] = ()) -> list[ChatMessage]:
    """The context as a chat in which user and assistant alternate, the user last.

    A reply that was interrupted is what was heard of it, without a mark: a model would copy the mark.
    `missing` names what the agent is to ask for. Raises UsageError if an entry has attachments.
    """
    chat: list[ChatMessage] = [{"role": "system", "content": context.instructions}]
    for entry in context.entries:
        if not isinstance(entry, ToolAnswered) and entry.attachments:
            raise UsageError("the local language model reads text only: choose a model that sees pictures")
        match entry:
            case UserSaid(text):
                _add(chat, "user", text)
            case ToolAnswered(_, result):
                _add(chat, "user", f"Result: {result.rstrip('.')}. Tell me in a sentence.")
            case AgentSaid(text) if text:
                _add(chat, "assistant", text)
            case AgentSaid():
                pass
    if missing:
        names = " and the ".join(name.replace("_", " ") for name in missing)
        _add(chat, "user", f"Ask me for the {names}, in one short question.")
    if chat[-1]["role"] != "user":
        chat.append({"role": "user", "content": ""})  # silence
    return chat


def callable_tools(context: Context) -> tuple[ToolSpec, ...]:
    """Return the tools that may be called: none if this turn has called one."""
    for entry in reversed(context.entries):
        match entry:
            case UserSaid():
                return context.tools
            case ToolAnswered():
                return ()
            case AgentSaid():
                pass
    return ()


def newest(context: Context, tokens: int) -> Context:
    """Return the context without its oldest turns, in about this many tokens.

    They are left out in large steps: what is kept begins with the same turn for a long while.
    """
    tokens -= _tokens(context.instructions)
    ends = list(accumulate((_tokens(_words(entry)) for entry in context.entries), initial=0))
    step = max(1, tokens // 2)
    out = -(-max(0, ends[-1] - tokens) // step) * step
    turns = [at for at, entry in enumerate(context.entries) if isinstance(entry, UserSaid)]
    first = next((at for at in turns if ends[at] >= out), turns[-1] if turns else 0)
    return replace(context, entries=context.entries[first:]) if out else context


def goes_round(said: str) -> bool:
    """Whether the same words come again and again at the end of what was said."""
    return ROUND_AND_ROUND.search(said[-400:]) is not None


def one_line(text: str) -> str:
    """A text without its line breaks."""
    return " ".join(text.split())


def _add(chat: list[ChatMessage], role: str, content: str) -> None:
    """Add to the chat so that roles alternate: two turns of the user are joined.

    Where the agent speaks first, or twice, it answers an empty message of the user.
    """
    last = chat[-1]
    if last["role"] == role == "user":
        last["content"] += f"\n{content}"
        return
    if role == "assistant" and last["role"] != "user":
        chat.append({"role": "user", "content": ""})
    chat.append({"role": role, "content": content})


def _tokens(text: str) -> int:
    return A_MESSAGE + len(text.encode()) // A_TOKEN


def _words(entry: Entry) -> str:
    match entry:
        case UserSaid(text) | AgentSaid(text):
            return text
        case ToolAnswered(_, result):
            return result
