"""The prompt for a small model, and the grammar and parser of its answer.

Models of this size do not master the tool format of their own template. So the first token of an answer
decides: `-` begins speech, the name of a tool begins a call. The grammar allows nothing else, and each tool's
schema constrains its arguments. Examples in the prompt, generated from the tools, show the format.

Nothing here depends on the model or its runtime. A prompt begins with the whole prompt of the turn before,
which is then in the model's cache and costs nothing to read.
"""

import json
import re
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any, TypedDict, cast

from ...context import AgentSaid, Context, Entry, ToolAnswered, ToolSpec, UserSaid
from ...errors import BadResponseError, UsageError
from ...frames import ToolCall, replace
from ...services.ports import TextDelta

SPEAK = "-"
CHATTER = (
    ("Hi there!", "Hello! How can I help you?"),
    ("How are you?", "I am fine, thank you!"),
    ("Thanks, bye.", "You are welcome. Goodbye!"),
)
WORDS = ("alpha", "bravo", "delta")  # arguments of the examples, which nobody says in earnest
CUT_OFF = "..."
A_MESSAGE, A_TOKEN = 8, 3  # to overestimate tokens: those around each message, and bytes per token
ROUND_AND_ROUND = re.compile(r"(.{4,80}?)\1{3}$", re.DOTALL)


class ChatMessage(TypedDict):
    """A message of the chat template."""

    role: str
    content: str


def messages(context: Context) -> list[ChatMessage]:
    """Return the context as a chat of alternating roles, the user last.

    Raises UsageError if an entry has attachments.
    """
    chat = _head(context)
    said = f"{SPEAK} " if context.tools else ""
    for entry in context.entries:
        if not isinstance(entry, ToolAnswered) and entry.attachments:
            raise UsageError("the local language model reads text only: choose a model that sees pictures")
        match entry:
            case UserSaid(text):
                _add(chat, "user", text)
            case ToolAnswered(_, result):
                _add(chat, "user", f"Result: {result.rstrip('.')}. Tell me in a sentence.")
            case AgentSaid(text, calls, interrupted):
                lines = [f"{call.name} {call.arguments}" for call in calls]
                if text:
                    lines.insert(0, said + text + (CUT_OFF if interrupted else ""))
                if lines:
                    _add(chat, "assistant", "\n".join(lines))
    if chat[-1]["role"] != "user":
        chat.append({"role": "user", "content": ""})  # silence
    return chat


def callable_tools(context: Context) -> tuple[ToolSpec, ...]:
    """Return the tools that may be called now: each only once per turn."""
    called: set[str] = set()
    for entry in reversed(context.entries):
        match entry:
            case UserSaid():
                break
            case ToolAnswered(call, _):
                called.add(call.name)
            case AgentSaid():
                pass
    return tuple(tool for tool in context.tools if tool.name not in called)


def grammar(tools: Sequence[ToolSpec]) -> str:
    """Return the answer's llguidance grammar: a line of speech, or calls in lines.

    https://github.com/guidance-ai/llguidance/blob/main/docs/syntax.md
    """
    calls = " | ".join(f"{json.dumps(tool.name + ' ')} %json {json.dumps(_strict(tool))}" for tool in tools)
    return rf"""%llguidance {{}}
start: said | call ("\n" call)*
said: "{SPEAK} " /[^ \n{{}}][^\n{{}}]*/
call: {calls}
"""


def newest(context: Context, tokens: int) -> Context:
    """Return the context without its oldest turns, in about this many tokens.

    Turns are left out in large steps, so that the beginning, and with it the cache, stays valid for long.
    """
    tokens -= sum(_tokens(message["content"]) for message in _head(context))
    ends = list(accumulate((_tokens(_words(entry)) for entry in context.entries), initial=0))
    step = max(1, tokens // 2)
    out = -(-max(0, ends[-1] - tokens) // step) * step
    turns = [at for at, entry in enumerate(context.entries) if isinstance(entry, UserSaid)]
    first = next((at for at in turns if ends[at] >= out), turns[-1] if turns else 0)
    return replace(context, entries=context.entries[first:]) if out else context


class Writing:
    """A parser of an answer while it is written: words at once, calls when whole."""

    def __init__(self, *, speaking: bool) -> None:
        self._speaking = speaking
        self._said = ""
        self._unread = ""
        self._calls = 0

    def read(self, piece: str) -> Iterator[TextDelta | ToolCall]:
        """Yield what another piece of the answer adds."""
        self._unread += piece
        if not self._speaking and self._unread.startswith(SPEAK) and not self._calls:
            self._speaking = True
            self._unread = self._unread.removeprefix(SPEAK)
        if self._speaking:
            text, self._unread = (self._unread if self._said else self._unread.lstrip()), ""
            if text:
                self._said = (self._said + text)[-400:]
                yield TextDelta(text)
        elif "}" in piece:
            yield from self._whole_calls()

    @property
    def goes_round(self) -> bool:
        """True if the same words come again and again."""
        return ROUND_AND_ROUND.search(self._said) is not None

    def end(self) -> None:
        """End the answer. Raises BadResponseError if a call is incomplete."""
        if self._unread.strip():
            raise BadResponseError(f"the local model wrote an incomplete call: {self._unread[:200]!r}")

    def _whole_calls(self) -> Iterator[ToolCall]:
        while match := re.match(r"\s*(\S+) (?=\{)", self._unread):
            try:
                _, end = json.JSONDecoder().raw_decode(self._unread, match.end())
            except json.JSONDecodeError:
                return
            self._calls += 1
            yield ToolCall(f"call-{self._calls}", match[1], self._unread[match.end() : end])
            self._unread = self._unread[end:]


def _head(context: Context) -> list[ChatMessage]:
    """Return what begins every prompt: instructions, tools and examples."""
    if not context.tools:
        return [{"role": "system", "content": context.instructions}]
    lines = [f"{tool.name} {json.dumps(_meanings(tool))} - {_line(tool)}" for tool in context.tools]
    lines.append(f"{SPEAK} - greetings, small talk, thanks, and what you know already.")
    chat: list[ChatMessage] = [
        {"role": "system", "content": "\n".join([context.instructions, "", "Tools:", *lines])}
    ]
    for number, tool in enumerate(context.tools):
        arguments = {
            name: _example(schema, tool.parameters, number + at)
            for at, (name, schema) in enumerate(_properties(tool).items())
        }
        values = ", ".join(map(_spoken, arguments.values()))
        wish = _line(tool).rstrip(".") + (f": {values}." if values else ".")
        _add(chat, "user", wish)
        _add(chat, "assistant", f"{tool.name} {json.dumps(arguments)}")
    for asked, said in CHATTER:
        _add(chat, "user", asked)
        _add(chat, "assistant", f"{SPEAK} {said}")
    return chat


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


def _line(tool: ToolSpec) -> str:
    return " ".join(tool.description.split())


def _properties(tool: ToolSpec) -> dict[str, dict[str, Any]]:
    return tool.parameters.get("properties", {})


def _meanings(tool: ToolSpec) -> dict[str, str]:
    return {name: schema.get("description", "...") for name, schema in _properties(tool).items()}


def _strict(tool: ToolSpec) -> dict[str, Any]:
    """Return the tool's schema, without additional properties, for llguidance."""
    style = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": ", "lenient": True}
    return {"additionalProperties": False, **tool.parameters, "x-guidance": style}


def _example(schema: dict[str, Any], root: dict[str, Any], number: int) -> Any:
    """Return a value that roughly fits a JSON schema."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return _example(root.get("$defs", {}).get(name, {}), {}, number)
    if choice := schema.get("anyOf") or schema.get("oneOf"):
        return _example(choice[0], root, number)
    if values := schema.get("enum"):
        return values[-1]
    if "const" in schema:
        return schema["const"]
    match schema.get("type"):
        case "integer" | "number":
            return 7
        case "boolean":
            return True
        case "array":
            return [_example(schema.get("items", {}), root, number)]
        case "object":
            return {
                name: _example(inner, root, number + at)
                for at, (name, inner) in enumerate(schema.get("properties", {}).items())
            }
        case _:
            return WORDS[number % len(WORDS)]


def _spoken(value: Any) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case dict():
            return ", ".join(map(_spoken, cast(dict[str, Any], value).values()))
        case list():
            return " and ".join(map(_spoken, cast(list[Any], value)))
        case _:
            return str(value)
