"""A context as chat messages, items of responses, and turns for other vendors."""

from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Any

from ..context import AgentSaid, Attachment, Context, Entry, ToolAnswered, UserSaid
from ..errors import UsageError

__all__ = [
    "INTERRUPTED",
    "alternating",
    "conversation_key",
    "messages",
    "response_items",
    "tools",
    "with_strict_turns",
    "without_system",
]

INTERRUPTED = " […]"  # follows what was heard of a reply that the user interrupted
BEGINNING = "[The conversation begins.]"  # stands for the user's turn before a greeting
TAKES_TURNS = ("user", "assistant")


def conversation_key(context: Context) -> str:
    """Return what all requests of one conversation share, and few others.

    It is made of the instructions and the user's first words. OpenAI sends some 15 requests a minute with
    the same key to one machine, whose cache holds the conversation; with one key for all conversations of an
    agent they would scatter: https://developers.openai.com/api/docs/guides/prompt-caching
    """
    first = next((entry.text for entry in context.entries if isinstance(entry, UserSaid)), "")
    return sha256(f"{context.instructions}\0{first}".encode(errors="replace")).hexdigest()[:32]


def messages(context: Context) -> list[dict[str, Any]]:
    """Return the context as chat messages."""
    chat: list[dict[str, Any]] = [{"role": "system", "content": context.instructions}]
    for entry in context.entries:
        match entry:
            case UserSaid(text, attachments):
                chat.append({"role": "user", "content": _content(text, attachments)})
            case AgentSaid(text, calls, interrupted, attachments):
                if attachments:
                    raise UsageError("a chat completion takes pictures of the user, none of the agent")
                message: dict[str, Any] = {"role": "assistant", "content": text + INTERRUPTED * interrupted}
                if calls:
                    message["tool_calls"] = [
                        {
                            "id": call.id,
                            "type": "function",
                            "function": {"name": call.name, "arguments": call.arguments},
                        }
                        for call in calls
                    ]
                chat.append(message)
            case ToolAnswered(call, result):
                chat.append({"role": "tool", "tool_call_id": call.id, "content": result})
    return chat


def tools(context: Context) -> list[dict[str, Any]]:
    """Return the context's tools as chat completions describe them."""
    return [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.parameters,
            },
        }
        for tool in context.tools
    ]


def response_items(context: Context) -> list[dict[str, Any]]:
    """Return the context's entries as input items of OpenAI's Responses API."""
    return [item for entry in context.entries for item in _response_items(entry)]


def with_strict_turns(chat: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return messages in which user and assistant take turns, the user first.

    The chat templates of Gemma and Mistral, among others, refuse anything else.
    """
    turns: list[dict[str, Any]] = []
    for message in chat:
        last = turns[-1] if turns else None
        if message["role"] == "assistant" and (last is None or last["role"] == "system"):
            turns.append({"role": "user", "content": BEGINNING})
        elif last is not None and _joinable(last, message):
            turns[-1] = message | {"content": _joined(last["content"], message["content"])}
            continue
        turns.append(message)
    return turns


def without_system(chat: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return messages in which the user's first one begins with the system's text.

    Some chat templates, those of Gemma 1 and 2 among them, refuse the role "system".
    """
    turns: list[dict[str, Any]] = []
    for message in chat:
        if message["role"] == "system":
            message = message | {"role": "user"}
        if len(turns) == 1 and message["role"] == "user":
            turns = [message | {"content": _joined(turns[0]["content"], message["content"])}]
        else:
            turns.append(message)
    return turns


def alternating(
    entries: Sequence[Entry],
    parts: Callable[[Entry], Iterable[dict[str, Any]]],
    *,
    agent: str = "assistant",
    field: str = "content",
) -> list[dict[str, Any]]:
    """Return turns for vendors that want user and agent to alternate, the user first.

    Each turn has the role "user" or that of the `agent`, and in a `field` the parts of all its entries.
    `parts` makes those of one entry.
    """
    turns: list[tuple[bool, list[dict[str, Any]]]] = []
    for entry in entries:
        by_agent, content = isinstance(entry, AgentSaid), list(parts(entry))
        if not turns and by_agent:
            turns.append((False, list(parts(UserSaid(BEGINNING)))))
        if turns and turns[-1][0] == by_agent:
            turns[-1][1].extend(content)
        elif content:
            turns.append((by_agent, content))
    return [{"role": agent if by_agent else "user", field: content} for by_agent, content in turns]


def _response_items(entry: Entry) -> Iterator[dict[str, Any]]:
    match entry:
        case UserSaid(text, attachments):
            urls = [f"data:{one.media_type};base64,{b64encode(one.data).decode()}" for one in attachments]
            content = [{"type": "input_text", "text": text}] if text else []
            pictures = [{"type": "input_image", "image_url": url} for url in urls]
            yield {"type": "message", "role": "user", "content": [*content, *pictures]}
        case AgentSaid(text, calls, interrupted):
            if text:
                yield {"type": "message", "role": "assistant", "content": text + INTERRUPTED * interrupted}
            for call in calls:
                yield {
                    "type": "function_call",
                    "call_id": call.id,
                    "name": call.name,
                    "arguments": call.arguments,
                }
        case ToolAnswered(call, result):
            yield {"type": "function_call_output", "call_id": call.id, "output": result}


def _joinable(last: dict[str, Any], message: dict[str, Any]) -> bool:
    return last["role"] == message["role"] in TAKES_TURNS and "tool_calls" not in last


def _joined(first: Any, second: Any) -> Any:
    if isinstance(first, str) and isinstance(second, str):
        return "\n".join(filter(None, (first, second)))
    return [*_parts(first), *_parts(second)]


def _parts(content: Any) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _content(text: str, attachments: Sequence[Attachment]) -> str | list[dict[str, Any]]:
    """The content of a message: plain text, or a list of parts if there are pictures."""
    if not attachments:
        return text
    urls = [f"data:{image.media_type};base64,{b64encode(image.data).decode()}" for image in attachments]
    pictures = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return [*([{"type": "text", "text": text}] if text else []), *pictures]
