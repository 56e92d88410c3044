"""Tool routing: the prompt that asks for a tool, and how its answer is judged.

A small model that holds a conversation with tools in its prompt calls them for everything, or copies what it
did last. So the choice is a prompt of its own: examples from other fields, in which most utterances need no
tool, then the tools at hand, then the utterance with what the agent said before it. One token decides. The
prompt does not grow with the conversation, and only the utterance is new in it.

The probability of each tool is compared with that of `none`, and with what the same comparison gives for
utterances that need no tool whatever the tools are (`NEUTRAL`): some names are likelier than others.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...context import AgentSaid, Context, ToolSpec, UserSaid
from .dialogue import ChatMessage, one_line

NONE = "none"
TASK = "For each thing that a caller says, name the tool that it needs, or none."
OTHER_TOOLS = (
    "weather(place, day) - The weather forecast for a place.",
    "sunset() - When the sun goes down today.",
)
OTHER_CALLERS = (
    ("Do you know how tall the Eiffel Tower is?", NONE),
    ("Will it rain in Oslo tomorrow?", "weather"),
    ("I love it when it snows.", NONE),
    ("Hello, how are you?", NONE),
    ("Till when is it light today?", "sunset"),
    ("Why does thunder come after lightning?", NONE),
    ("And how warm will Rome be on Sunday?", "weather"),
    ("How do I read a weather map?", NONE),
    ("He had walked all the way to the old mill.", NONE),
)
BETWEEN = ("I like that very much.", "How are you?", "Why is that so?")
NEUTRAL = ("Hello.", "Thank you.", "Okay.", "It was a long day.", "What do you think?")

SHARE_OF_NEUTRAL = 0.5
"""How much of the score of neutral utterances is subtracted."""
MARGIN = 1.5
"""The least score that calls a tool, in nats. Both numbers were tuned on three agents that are not in
`benchmarks/local_dialogue`, and on the half of that benchmark that is called tuned. There, nearly all that
need no tool stay below 1.2; nearly all others are above it, by 0.3 with the 0.5B model and 1.7 with the 1.5B.
"""

Scores = Mapping[str, float]
"""By the name of a tool: the logarithm of its probability over that of `none`."""


def routing_prompt(tools: Sequence[ToolSpec], said: str, agent_said: str = "") -> list[ChatMessage]:
    """The chat whose next word is the name of a tool, or `none`."""
    chat = [ChatMessage(role="system", content=TASK)]
    _add_examples(chat, "Tools", OTHER_TOOLS, OTHER_CALLERS)
    examples: list[tuple[str, str]] = []
    for number, tool in enumerate(tools):
        examples += [(one_line(tool.description), tool.name), (BETWEEN[number % len(BETWEEN)], NONE)]
    _add_examples(chat, "Now other tools", [_signature(tool) for tool in tools], examples)
    before = f"Agent: {agent_said}\n" if agent_said else ""
    chat.append(ChatMessage(role="user", content=f"{before}Caller: {said}"))
    return chat


@dataclass(frozen=True, slots=True)
class LastExchange:
    """The newest turn of the user, and what was said before it."""

    earlier: str = ""
    """The user's turn before the newest."""
    agent: str = ""
    """What the agent said between the two."""
    newest: str = ""


def last_exchange(context: Context) -> LastExchange:
    """The end of the conversation, without what the tools answered."""
    parts: list[list[str]] = [[], [], []]  # newest, agent, earlier
    at = 0
    for entry in reversed(context.entries):
        match entry:
            case UserSaid(text):
                at = 2 if at == 1 else at
                parts[at].insert(0, text)
            case AgentSaid(text, _, interrupted) if text:
                if at == 2:
                    break
                if parts[0]:
                    at = 1
                    parts[at].insert(0, f"{text}..." if interrupted else text)
            case _:
                pass
    newest, agent, earlier = (" ".join(part) for part in parts)
    return LastExchange(earlier, agent, newest)


def scores(tools: Sequence[ToolSpec], first_token: Mapping[str, float]) -> Scores:
    """Return each tool's score, from the log probabilities of the first token."""
    floor = min(first_token.values(), default=0.0)

    def beginning(name: str) -> float:
        return max(
            (value for token, value in first_token.items() if token and name.startswith(token)), default=floor
        )

    none = beginning(NONE)
    return {tool.name: beginning(tool.name) - none for tool in tools}


def mean(neutral: Sequence[Scores]) -> Scores:
    """The mean score of each tool."""
    return {name: sum(one[name] for one in neutral) / len(neutral) for name in neutral[0]}


def needed(found: Scores, neutral: Scores, margin: float = MARGIN) -> tuple[str, ...]:
    """Return the tool that an utterance needs, or none; several if scores tie."""
    net = {name: score - SHARE_OF_NEUTRAL * neutral[name] for name, score in found.items()}
    best = max(net.values(), default=-math.inf)
    return tuple(name for name, score in net.items() if score == best) if best > margin else ()


def _add_examples(
    chat: list[ChatMessage], title: str, tools: Sequence[str], examples: Sequence[tuple[str, str]]
) -> None:
    listed = f"{title}:\n" + "\n".join(tools) + "\n\n"
    for said, answer in examples:
        chat.append(ChatMessage(role="user", content=f"{listed}Caller: {said}"))
        chat.append(ChatMessage(role="assistant", content=answer))
        listed = ""


def _signature(tool: ToolSpec) -> str:
    return f"{tool.name}({', '.join(tool.parameters.get('properties', {}))}) - {one_line(tool.description)}"
