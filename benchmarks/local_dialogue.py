"""Does the local language model call the right tools, with what was said, and answer in whole sentences?

Sixty sentences as people speak them are put to three agents with tools (`local_dialogue_cases`): a third
need a tool, a third are small talk and questions in the agent's field that no tool answers, a third are off
topic. Some come after the caller interrupted the agent. Tools answer at once, with a fixed text.

    python -m benchmarks.local_dialogue [--model NAME ...] [--half tuned|held_out] [--calls] [--json FILE]

What is judged, by rule:

- calls: precision and recall of the right tool; a wrong tool is an error of both;
- arguments: each has the expected word, and nothing in it that nobody said;
- answers: not empty, begin and end as a sentence, no mark of a broken-off reply and no markup, not the same
  words for more than two of the sentences; after a tool, they tell its result;
- generations: an answer without a tool takes one.

Targets: at least 90 % of each, in both halves; the model and its prompts were tuned on the first half alone.
"""

import argparse
import asyncio
import json
import re
import sys
import time
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import cast

from rich.console import Console
from rich.table import Table

from antiphon.context import AgentSaid, Context, Entry, ToolAnswered, UserSaid
from antiphon.frames import ToolCall
from antiphon.services.ports import LanguageModel, TextDelta, TokenUsage
from antiphon.vendors.local.arguments import spoken_numbers, words
from antiphon.vendors.local.llm import Llama

from .local_dialogue_cases import AGENTS, Case, TestedAgent

Item = TextDelta | ToolCall | TokenUsage

TARGET = 90.0  # percent
SPEED = 15.0  # tokens a second that make a model quick enough to be the default
HALVES = ("tuned", "held_out")
BROKEN_OFF = re.compile(r"\.\.\.|…")
MARKUP = re.compile(r"[*#`{}|\n]|Result:")
CALLS = ("precision of calls", "recall of calls", "arguments right", "nothing invented")
SAME_WORDS = 2  # sentences that may have the same answer


@dataclass
class Turn:
    """One utterance, and what came of it."""

    agent: str
    kind: str
    said: str
    interrupted: bool
    wanted: str
    calls: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    answer: str = ""
    generations: int = 0
    written: int = 0
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list[str])
    """What is wrong with the answer; of the call: "call", "argument" or "invented"."""


async def play(model: LanguageModel, agent: TestedAgent, case: Case, *, calls_only: bool = False) -> Turn:
    """Put one utterance to the model, with the tools' answers, until it has spoken.

    With `calls_only` the first word of an answer is enough.
    """
    turn = Turn(agent.name, case.kind, case.said, bool(case.before), case.tool)
    entries: tuple[Entry, ...] = case.entries
    begun = time.perf_counter()
    while turn.generations < 4 and not turn.answer:
        turn.generations += 1
        calls: list[ToolCall] = []
        context = Context(agent.instructions, entries, agent.tools)
        async with aclosing(cast(AsyncGenerator[Item, None], model.generate(context))) as items:
            async for item in items:
                match item:
                    case TextDelta(text):
                        turn.answer += text
                        if calls_only:
                            break
                    case ToolCall():
                        calls.append(item)
                    case TokenUsage():
                        turn.written += item.written
        turn.calls += [(call.name, call.arguments) for call in calls]
        if not calls or calls_only:
            break
        answers = [ToolAnswered(call, agent.results[call.name]) for call in calls]
        entries = (*entries, AgentSaid(turn.answer, tuple(calls)), *answers)
    turn.seconds = time.perf_counter() - begun
    turn.answer = turn.answer.strip()
    turn.faults = [*wrong_call(turn, case), *([] if calls_only else wrong_answer(turn, agent))]
    return turn


def wrong_call(turn: Turn, case: Case) -> list[str]:
    """The faults of the calls: the wrong tool, an argument that is wrong, and one that nobody said."""
    faults = [] if [name for name, _ in turn.calls] == ([case.tool] if case.tool else []) else ["call"]
    heard = " ".join(text for entry in case.entries if isinstance(entry, UserSaid) for text in (entry.text,))
    said, numbers = set(words(heard)), set(spoken_numbers(heard))
    for name, given in turn.calls:
        arguments: dict[str, object] = json.loads(given)
        specs = {tool.name: tool for agent in AGENTS for tool in agent.tools}[name].parameters["properties"]
        for key, value in arguments.items():
            known = cast(list[object], specs[key].get("enum", []))
            if value in known or value in numbers:
                continue
            if not isinstance(value, str) or not value.strip() or not set(words(value)) <= said:
                faults.append("invented")
        if name == case.tool and any(
            expected not in str(arguments.get(key, "")).lower() for key, expected in case.arguments.items()
        ):
            faults.append("argument")
    return faults


def wrong_answer(turn: Turn, agent: TestedAgent) -> list[str]:
    """The faults of what was said."""
    text = turn.answer
    faults = [
        fault
        for fault, found in (
            ("empty", not text),
            (
                "no whole sentence",
                bool(text) and not re.fullmatch(r"[A-Z0-9\"'].*[.!?][\"')]*", text, re.DOTALL),
            ),
            ("broken off", BROKEN_OFF.search(text) is not None),
            ("markup", MARKUP.search(text) is not None),
        )
        if found
    ]
    told = [fact for name, _ in turn.calls for fact in agent.facts[name]]
    if told and not any(fact in text.lower() for fact in told):
        faults.append("result not told")
    return faults


def mark_the_same(turns: list[Turn]) -> None:
    """Mark answers that are given, without a tool, to more sentences than two."""
    free = [turn for turn in turns if not turn.calls]
    often = Counter((turn.agent, turn.answer) for turn in free)
    for turn in free:
        if often[turn.agent, turn.answer] > SAME_WORDS:
            turn.faults.append("the same for all")


def figures(turns: list[Turn]) -> dict[str, float]:
    """The figures of some turns, in percent but for the tokens."""
    called = [turn for turn in turns if turn.calls]
    needy = [turn for turn in turns if turn.wanted]
    right = [turn for turn in needy if "call" not in turn.faults]
    free = [turn for turn in turns if not turn.wanted]
    about_calls = {"call", "argument", "invented"}
    return {
        "precision of calls": share([turn in right for turn in called]),
        "recall of calls": share([turn in right for turn in needy]),
        "arguments right": share(["argument" not in turn.faults for turn in right]),
        "nothing invented": share(["invented" not in turn.faults for turn in called]),
        "answers right": share([not set(turn.faults) - about_calls for turn in turns]),
        "answers right after a barge-in": share(
            [not set(turn.faults) - about_calls for turn in turns if turn.interrupted]
        ),
        "one generation without a tool": share([turn.generations == 1 for turn in free]),
    }


def share(good: list[bool]) -> float:
    """Percent; 100 of nothing."""
    return 100 * sum(good) / len(good) if good else 100.0


def shown(name: str, halves: dict[str, list[Turn]], *, calls_only: bool) -> Table:
    """The figures of one model, each half beside the target; of the calls alone if only those were judged."""
    table = Table(name, "target", *(half.replace("_", " ") for half in halves), header_style="bold")
    columns = [figures(turns) for turns in halves.values()]
    for row in CALLS if calls_only else columns[0]:
        cells = [
            f"{column[row]:.0f} % {'[green]met[/]' if column[row] >= TARGET else '[red]missed[/]'}"
            for column in columns
        ]
        table.add_row(row, f"{TARGET:g} %", *cells)
    return table


async def measured(
    name: str, halves: tuple[str, ...], console: Console, *, calls_only: bool
) -> tuple[dict[str, list[Turn]], float]:
    """The turns of one model by half, and the tokens that it writes in a second."""
    model = Llama(name)
    await model.load()
    found: dict[str, list[Turn]] = {half: [] for half in halves}
    with console.status(name or "the default model") as status:
        for agent in AGENTS:
            await model.warm(Context(agent.instructions, (), agent.tools))
            for half in halves:
                for case in cast(tuple[Case, ...], getattr(agent, half)):
                    status.update(f"{name}: {agent.name}: {case.said}")
                    found[half].append(await play(model, agent, case, calls_only=calls_only))
    if not calls_only:
        mark_the_same([turn for turns in found.values() for turn in turns])
    return found, await model.measure()


def main() -> int:
    """Show and keep the figures; exit status 0 also where a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.local_dialogue", description=__doc__)
    parser.add_argument(
        "--model", nargs="+", default=["qwen2.5-coder-0.5b"], help="of the catalogue, or a file"
    )
    parser.add_argument("--calls", action="store_true", help="judge the calls alone, in a third of the time")
    parser.add_argument("--half", nargs="+", choices=HALVES, default=list(HALVES))
    parser.add_argument(
        "--json", type=Path, default=Path(__file__).parent / "results" / "local_dialogue.json"
    )
    options = parser.parse_args()
    console = Console(width=120) if not sys.stdout.isatty() else Console()
    kept: dict[str, object] = {}
    for name in options.model:
        halves, speed = asyncio.run(measured(name, tuple(options.half), console, calls_only=options.calls))
        console.print(shown(name, halves, calls_only=options.calls))
        for half, turns in halves.items():
            for turn in (turn for turn in turns if turn.faults):
                what = f"{half.replace('_', ' ')}, {turn.agent}: {', '.join(turn.faults)}: {turn.said!r}"
                console.print(f"  {what} -> {turn.calls} {turn.answer!r}", highlight=False, markup=False)
        verdict = "quick enough for the default" if speed > SPEED else "too slow for the default"
        console.print(f"{speed:.1f} tokens a second here; more than {SPEED:g} wanted: {verdict}")
        kept[name] = {
            "tokens_a_second": speed,
            "target": TARGET,
            "calls_only": options.calls,
            **{half: figures(turns) for half, turns in halves.items()},
            "turns": [asdict(turn) | {"half": half} for half, turns in halves.items() for turn in turns],
        }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
