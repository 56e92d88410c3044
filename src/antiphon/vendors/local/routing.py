"""Tool routing: which tool does the user's newest turn need, if any?

A small language model that reads tools calls them for everything, or repeats its last call. So sentence
embeddings decide, the same for every language model: a tool is needed if the turn is near the tool's
description and name in meaning, and if it has words that are near the names of the parameters. The weights
are learnt in `benchmarks/tool_routing` from some 140 sentences to eleven agents.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from ...context import AgentSaid, Context, ToolAnswered, ToolSpec, UserSaid
from .arguments import EMPTY_WORDS, spoken_numbers, stem, words
from .meaning import SentenceModel

ABOUT, NAMED, GIVEN, NEEDED = 8.3, 5.4, 13.6, -10.2
"""The weights of the three likenesses below, and the constant: a sum above 0 calls the tool."""
WITH_EARLIER, FOLLOWS = 0.8, 0.45
"""A turn such as "And on Sunday?" may only give a new argument to the question before it. If its words fit
the parameters better than FOLLOWS, both turns together are compared too, at a weight of WITH_EARLIER."""
CERTAIN, UNSURE = 0.6, 0.2  # how well numbers and choices fit if one value was said, and if several were
NOT_SAID = 0.2  # how well a parameter fits of which nothing was said: low, but the agent may ask for it
NO_PARAMETER = 0.4  # how well a tool without required parameters fits
MOST_SENTENCES = 4  # of a description, each compared by itself
A_NAME = 0.5  # the least that a text parameter fits if a name was said
NAME = re.compile(r"(?<=[a-z,] )(?!I\b)[A-Z]\w+")
"""A capital letter within a sentence, as speech recognition writes names."""


@dataclass(frozen=True, slots=True)
class LastExchange:
    """The newest turn of the user, and what was said before it."""

    earlier: str = ""
    """The user's turn before the newest."""
    agent: str = ""
    """What the agent said between the two."""
    newest: str = ""

    @property
    def arguments_from(self) -> tuple[str, ...]:
        """The turns that arguments may come from: with a question of the agent, all."""
        return (self.earlier, self.agent, self.newest) if self.agent.endswith("?") else (self.newest,)


def last_exchange(context: Context) -> LastExchange:
    """Return the end of the conversation, without what the tools answered."""
    parts: list[list[str]] = [[], [], []]  # newest, agent, earlier
    at = 0
    for entry in reversed(context.entries):
        match entry:
            case UserSaid(text):
                at = 2 if at == 1 else at
                parts[at].insert(0, text)
            case AgentSaid(text) if text:
                if at == 2:
                    break
                if parts[0]:
                    at = 1
                    parts[at].insert(0, text)
            case _:
                pass
    newest, agent, earlier = (" ".join(part) for part in parts)
    return LastExchange(earlier, agent, newest)


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


def needed_tool(tools: Sequence[ToolSpec], last: LastExchange, model: SentenceModel) -> ToolSpec | None:
    """Return the tool that the newest turn needs."""
    if not words(last.newest):
        return None
    scores = [(score(tool, last, model), tool) for tool in tools]
    best, tool = max(scores, key=lambda one: one[0])
    return tool if best > 0 else None


def score(tool: ToolSpec, last: LastExchange, model: SentenceModel) -> float:
    """Return the log odds that the newest turn needs this tool."""
    about, named, given = likenesses(tool, last, model)
    return NEEDED + ABOUT * about + NAMED * named + GIVEN * given


def likenesses(tool: ToolSpec, last: LastExchange, model: SentenceModel) -> tuple[float, float, float]:
    """Return how near the turn is to the tool's description, name and parameters."""
    turn = model.vector(last.newest)
    ways = np.stack([model.vector(sentence) for sentence in _sentences(tool)])
    about, given = float((ways @ turn).max()), _given(tool, " ".join(last.arguments_from), model)
    if last.earlier and given > FOLLOWS:
        both = model.vector(f"{last.earlier} {last.newest}")
        about = max(about, WITH_EARLIER * float((ways @ both).max()))
    named = float(turn @ model.vector(tool.name.replace("_", " ")))
    return about, named, given


def _sentences(tool: ToolSpec) -> list[str]:
    """Return the first sentences of the tool's description; without one, its name."""
    description = " ".join(tool.description.split()) or tool.name.replace("_", " ")
    return re.split(r"(?<=[.!?]) ", description)[:MOST_SENTENCES]


def _given(tool: ToolSpec, said: str, model: SentenceModel) -> float:
    """Return how well what was said fits the required parameter that it fits least."""
    properties: Mapping[str, dict[str, Any]] = tool.parameters.get("properties", {})
    required = [
        (name, properties[name]) for name in properties if name in tool.parameters.get("required", ())
    ]
    known = {stem(word) for word in words(f"{tool.name.replace('_', ' ')} {tool.description}")}
    telling = tuple(
        dict.fromkeys(
            "number" if spoken_numbers(word) else word
            for word in words(said)
            if word not in EMPTY_WORDS and stem(word) not in known
        )
    )
    fits = (_fit(name, schema, said, telling, model) for name, schema in required)
    return min(fits, default=NO_PARAMETER)


def _fit(
    name: str, schema: dict[str, Any], said: str, telling: tuple[str, ...], model: SentenceModel
) -> float:
    """Return how well what was said fits a parameter."""
    if values := cast(list[object], schema.get("enum")):
        heard = set(words(said))
        count = sum(set(words(str(value))) <= heard for value in values)
        return NOT_SAID if not count else CERTAIN if count == 1 else UNSURE
    match schema.get("type", "string"):
        case "integer" | "number":
            return CERTAIN if spoken_numbers(said) else NOT_SAID
        case "string":
            if not telling:
                return NOT_SAID
            meaning = str(schema.get("description") or name.replace("_", " "))
            near = float((model.vectors(telling) @ model.vector(meaning)).max())
            return max(near, A_NAME if NAME.search(said) else NOT_SAID)
        case _:
            return NO_PARAMETER
