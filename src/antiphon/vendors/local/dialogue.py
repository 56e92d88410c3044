"""The conversation as a small language model reads it, and what it may say.

It is a plain chat of the instructions and of what was said, called and answered. The tools are not in it: a
small model that reads tools calls them for everything, so `routing` decides whether one is called.

Nothing here depends on the model or its runtime. A prompt begins with the whole prompt of the turn before,
which is then in the model's cache and costs nothing to read.
"""

import re
from collections.abc import Sequence
from itertools import accumulate
from typing import TypedDict

from ...context import AgentSaid, Context, Entry, ToolAnswered, UserSaid
from ...errors import UsageError
from ...frames import replace

A_MESSAGE, A_TOKEN = 8, 3  # tokens around each message, and bytes per token: both overestimate the tokens
ROUND_AND_ROUND = re.compile(r"(.{4,80}?)\1{3}$", re.DOTALL)
SPOKEN = r"""%llguidance {}
start: /[^\s{}*#`|\-][^\n{}*#`|]*/
"""
"""The grammar of what may be said: one line, without the marks of lists, headings, tables and code."""


class ChatMessage(TypedDict):
    """A message of the chat template."""

    role: str
    content: str


def messages(context: Context, missing: Sequence[str] = ()) -> list[ChatMessage]:
    """Return the context as a chat of alternating roles, the user last.

    Of a reply that was interrupted it has what was heard, without a mark: a small model copies any mark.
    `missing` names arguments that the agent is to ask for. Raises UsageError if an entry has attachments.
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
            case AgentSaid(text, calls):
                lines = [text] if text else []
                lines += [f"{call.name} {call.arguments}" for call in calls]
                if lines:
                    _add(chat, "assistant", "\n".join(lines))
    if missing:
        names = " and the ".join(name.replace("_", " ") for name in missing)
        _add(chat, "user", f"Ask me for the {names}, in one short question.")
    if chat[-1]["role"] != "user":
        chat.append({"role": "user", "content": ""})  # silence
    return chat


def newest(context: Context, tokens: int) -> Context:
    """Return the context without its oldest turns, in about this many tokens.

    Turns are left out in large steps, so that the beginning, and with it the cache, stays valid for long.
    """
    tokens -= _tokens(context.instructions)
    ends = list(accumulate((_tokens(_words(entry)) for entry in context.entries), initial=0))
    step = max(1, tokens // 2)
    out = -(-max(0, ends[-1] - tokens) // step) * step
    turns = [at for at, entry in enumerate(context.entries) if isinstance(entry, UserSaid)]
    first = next((at for at in turns if ends[at] >= out), turns[-1] if turns else 0)
    return replace(context, entries=context.entries[first:]) if out else context


def goes_round(said: str) -> bool:
    """Return whether what was said ends with the same words again and again."""
    return ROUND_AND_ROUND.search(said[-400:]) is not None


def _add(chat: list[ChatMessage], role: str, content: str) -> None:
    """Add to the chat so that the roles alternate.

    Messages of the user are joined; between two of the assistant goes an empty one of the user.
    """
    last = chat[-1]
    if last["role"] == role and role == "user":
        last["content"] += "\n" + content
        return
    if role == "assistant" and last["role"] != "user":
        chat.append({"role": "user", "content": ""})
    chat.append({"role": role, "content": content})


def _tokens(text: str) -> int:
    return A_MESSAGE + len(text.encode()) // A_TOKEN


def _words(entry: Entry) -> str:
    match entry:
        case UserSaid(text):
            return text
        case ToolAnswered(_, result):
            return result
        case AgentSaid(text, calls):
            return text + "".join(call.name + call.arguments for call in calls)
