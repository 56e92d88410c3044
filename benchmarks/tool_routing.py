"""How often does a sentence model find the right tool, and with which weights?

`vendors/local/routing.py` adds up three likenesses of a turn to a tool. The weights are learnt here, by
logistic regression, from sentences to eight agents (`tool_routing_cases`) and the tuned ones of
`local_dialogue`. Precision and recall are those of each agent with weights learnt from the others.

    python -m benchmarks.tool_routing
"""

import asyncio
import sys
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from antiphon.context import Context, ToolSpec
from antiphon.vendors.local.meaning import MODEL, SentenceModel
from antiphon.vendors.local.mel import FloatArray
from antiphon.vendors.local.routing import ABOUT, GIVEN, NAMED, NEEDED, last_exchange, likenesses

from .local_dialogue_cases import AGENTS, Case
from .tool_routing_cases import LEARNT_FROM

Exact = NDArray[np.float64]

RIDGE = 0.3  # keeps the weights, of likenesses scaled to a deviation of 1, small
STEPS = 60  # of Newton's method, far more than it takes
SHIFT = 0.7  # added to the constant: with it, precision and recall are about equal


@dataclass(frozen=True, slots=True)
class Pair:
    """A turn and a tool; `wanted` is the name of the tool that the turn needs."""

    agent: str
    said: str
    tool: str
    wanted: str
    likenesses: tuple[float, float, float]


def pairs(model: SentenceModel) -> list[Pair]:
    """Every turn with every tool of its agent."""
    agents: dict[str, tuple[tuple[ToolSpec, ...], tuple[Case, ...]]] = LEARNT_FROM | {
        agent.name: (agent.tools, agent.tuned) for agent in AGENTS
    }
    return [
        Pair(name, case.said, tool.name, case.tool, likenesses(tool, last_exchange(context), model))
        for name, (tools, cases) in agents.items()
        for case in cases
        for context in [Context("", case.entries, tools)]
        for tool in tools
    ]


def weights(learnt: list[Pair]) -> FloatArray:
    """The weight of each likeness, and the constant."""
    likeness: Exact = np.array([pair.likenesses for pair in learnt], np.float64)
    mean: Exact = likeness.mean(0)
    deviation: Exact = likeness.std(0)
    inputs: Exact = np.column_stack([(likeness - mean) / deviation, np.ones(len(learnt))])
    needed: Exact = np.array([pair.tool == pair.wanted for pair in learnt], np.float64)
    found: Exact = np.zeros(4)
    for _ in range(STEPS):
        odds: Exact = 1 / (1 + np.exp(-inputs @ found))
        curvature: Exact = (inputs * (odds * (1 - odds))[:, None]).T @ inputs + RIDGE * np.eye(4)
        found += np.linalg.solve(curvature, inputs.T @ (needed - odds) - RIDGE * found)
    scaled: Exact = found[:3] / deviation
    return np.array([*scaled, found[3] - float(scaled @ mean) + SHIFT], np.float32)


def judged(found: list[Pair], used: FloatArray) -> tuple[int, int, int]:
    """How many calls are right, are made, and are wanted."""
    turns: defaultdict[tuple[str, str], list[tuple[float, Pair]]] = defaultdict(list)
    for pair in found:
        score = float(used[:3] @ np.array(pair.likenesses, np.float32) + used[3])
        turns[pair.agent, pair.said].append((score, pair))
    best = [max(scores, key=lambda one: one[0]) for scores in turns.values()]
    calls = [pair for score, pair in best if score > 0]
    right = sum(pair.tool == pair.wanted for pair in calls)
    return right, len(calls), sum(bool(pair.wanted) for _, pair in best)


def main() -> int:
    """Show the weights that are learnt and those in use, and how good they are."""

    async def loaded() -> SentenceModel:
        return await MODEL.get()

    console, found = Console(), pairs(asyncio.run(loaded()))
    counts = np.zeros(3, int)
    for agent in dict.fromkeys(pair.agent for pair in found):
        others = weights([pair for pair in found if pair.agent != agent])
        counts += judged([pair for pair in found if pair.agent == agent], others)
    in_use = np.array([ABOUT, NAMED, GIVEN, NEEDED], np.float32)
    for name, (right, made, wanted) in (
        ("each agent with weights of the others", counts),
        ("the weights in use", judged(found, in_use)),
    ):
        console.print(f"{name}: precision {100 * right / made:.0f} %, recall {100 * right / wanted:.0f} %")
    console.print(f"learnt {weights(found).round(1)}, in use {in_use.round(1)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
