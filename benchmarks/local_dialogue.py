"""Does the local language model call the right tools, with what was said, and answer in whole sentences?

Sixty sentences as people speak them are put to three agents with tools (`local_dialogue_cases`): a third
need a tool, a third are small talk and questions in the agent's field that no tool answers, a third are off
topic. Some come after the caller interrupted the agent. Tools answer at once, with a fixed text. Then each
agent holds one conversation of four turns, in which the model reads its own earlier calls and answers.

    python -m benchmarks.local_dialogue [--model NAME ...] [--part tuned|held_out|conversations] [--json FILE]

What is judged, by rule:

- calls: precision and recall of the right tool; a wrong tool is an error of both;
- arguments: each has the expected word, and nothing in it that nobody said;
- results: the answer after a call has a word or number of the tool's result in it;
- answers: not empty, begin and end as a sentence, no mark of a broken-off reply and no markup, not the same
  words for more than two of the sentences;
- generations: an answer without a tool takes one.

Targets: at least 90 % of each, in each part; the model and its prompts were tuned on the first part alone.
The time to the first word is wall time, which other work on the machine makes longer; the processor time
to the first word, of all threads, is not affected by it.
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
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import cast

from rich.console import Console
from rich.table import Table

from antiphon.context import AgentSaid, Context, Entry, ToolAnswered, UserSaid
from antiphon.frames import ToolCall
from antiphon.services.ports import LanguageModel, TextDelta, TokenUsage
from antiphon.vendors.local.llm import Llama

from .local_dialogue_cases import AGENTS, Case, TestedAgent

Item = TextDelta | ToolCall | TokenUsage

TARGET = 90.0  # percent
PARTS = ("tuned", "held_out", "conversations")
BROKEN_OFF = re.compile(r"\.\.\.|…")
MARKUP = re.compile(r"[*#`{}|\n]|Result:")
NUMBERS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9}
MOST_GENERATIONS = 4  # of one turn
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
    entries: tuple[Entry, ...] = field(default=(), repr=False)
    """The conversation with this turn."""
    generations: int = 0
    written: int = 0
    seconds: float = 0.0
    """From the request to the first word, with the tools' calls; `processor` is that of all threads."""
    processor: float = 0.0
    faults: list[str] = field(default_factory=list[str])
    """What is wrong with the answer; of the call: "call", "argument" or "invented"."""


async def play(model: LanguageModel, agent: TestedAgent, case: Case, before: tuple[Entry, ...] = ()) -> Turn:
    """Put one utterance to the model, with the tools' answers, until it has spoken.

    `before` is the conversation so far, if it is not the case's own.
    """
    turn = Turn(agent.name, case.kind, case.said, bool(case.before), case.tool)
    entries: tuple[Entry, ...] = (*before, *case.entries)
    begun, used = time.perf_counter(), time.process_time()
    while turn.generations < MOST_GENERATIONS and not turn.answer:
        turn.generations += 1
        calls: list[ToolCall] = []
        context = Context(agent.instructions, entries, agent.tools)
        async with aclosing(cast(AsyncGenerator[Item, None], model.generate(context))) as items:
            async for item in items:
                match item:
                    case TextDelta(text):
                        if not turn.answer:
                            turn.seconds = time.perf_counter() - begun
                            turn.processor = time.process_time() - used
                        turn.answer += text
                    case ToolCall():
                        calls.append(item)
                    case TokenUsage():
                        turn.written += item.written
        turn.calls += [(call.name, call.arguments) for call in calls]
        answers = [ToolAnswered(call, agent.results[call.name]) for call in calls]
        entries = (*entries, AgentSaid(turn.answer, tuple(calls)), *answers)
        if not calls:
            break
    turn.answer, turn.entries = turn.answer.strip(), entries
    turn.faults = [*wrong_call(turn, case), *wrong_answer(turn, agent)]
    return turn


async def converse(model: LanguageModel, agent: TestedAgent) -> list[Turn]:
    """Put the agent's conversation to the model, which reads its own earlier calls and answers."""
    turns: list[Turn] = []
    for case in agent.conversations:
        turns.append(await play(model, agent, case, turns[-1].entries if turns else ()))
    return turns


def wrong_call(turn: Turn, case: Case) -> list[str]:
    """The faults of the calls: the wrong tool, an argument that is wrong, and one that nobody said."""
    faults = [] if [name for name, _ in turn.calls] == ([case.tool] if case.tool else []) else ["call"]
    entries = turn.entries or case.entries
    heard = " ".join(entry.text for entry in entries if isinstance(entry, UserSaid))
    said = set(words(heard))
    numbers = {NUMBERS.get(word, word) for word in said} | {int(word) for word in said if word.isdigit()}
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
    for name, _ in turn.calls:
        if not any(re.search(rf"\b{fact}\b", text.lower()) for fact in agent.facts[name]):
            faults.append("result not told")
    return faults


def words(text: str) -> list[str]:
    """The words of a text in lower case, without punctuation around them."""
    return [word for raw in text.split() if (word := raw.strip(".,;:!?'\"").lower())]


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
    about_calls = {"call", "argument", "invented", "result not told"}
    return {
        "precision of calls": share([turn in right for turn in called]),
        "recall of calls": share([turn in right for turn in needy]),
        "arguments right": share(["argument" not in turn.faults for turn in right]),
        "nothing invented": share(["invented" not in turn.faults for turn in called]),
        "results told": share(["result not told" not in turn.faults for turn in called]),
        "answers right": share([not set(turn.faults) - about_calls for turn in turns]),
        "answers right after a barge-in": share(
            [not set(turn.faults) - about_calls for turn in turns if turn.interrupted]
        ),
        "one generation without a tool": share([turn.generations == 1 for turn in free]),
    }


def share(good: list[bool]) -> float:
    """Percent; 100 of nothing."""
    return 100 * sum(good) / len(good) if good else 100.0


def shown(name: str, parts: dict[str, list[Turn]]) -> Table:
    """The figures of one model, each part beside the target."""
    table = Table(name, "target", *(part.replace("_", " ") for part in parts), header_style="bold")
    columns = [figures(turns) for turns in parts.values()]
    for row in columns[0]:
        cells = [
            f"{column[row]:.0f} % {'[green]met[/]' if column[row] >= TARGET else '[red]missed[/]'}"
            for column in columns
        ]
        table.add_row(row, f"{TARGET:g} %", *cells)
    for row, called in (("without a tool", False), ("with a tool", True)):
        cells = [
            first_word([turn for turn in turns if bool(turn.calls) == called]) for turns in parts.values()
        ]
        table.add_row(f"first word {row}", "", *cells)
    return table


def first_word(turns: list[Turn]) -> str:
    """The medians of the time to the first word."""
    if not turns:
        return "-"
    wall, processor = median(turn.seconds for turn in turns), median(turn.processor for turn in turns)
    return f"{1000 * wall:.0f} ms, {1000 * processor:.0f} ms of CPU"


async def measured(name: str, parts: tuple[str, ...], console: Console) -> dict[str, list[Turn]]:
    """The turns of one model by part."""
    model = Llama(name)
    await model.load()
    found: dict[str, list[Turn]] = {part: [] for part in parts}
    with console.status(name) as status:
        for agent in AGENTS:
            await model.warm(Context(agent.instructions, (), agent.tools))
            for part in parts:
                status.update(f"{name}: {agent.name}: {part}")
                if part == "conversations":
                    found[part] += await converse(model, agent)
                    continue
                for case in cast(tuple[Case, ...], getattr(agent, part)):
                    found[part].append(await play(model, agent, case))
    mark_the_same([turn for turns in found.values() for turn in turns])
    return found


def main() -> int:
    """Show and keep the figures; exit status 0 also if a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.local_dialogue", description=__doc__)
    parser.add_argument(
        "--model", nargs="+", default=["qwen2.5-coder-0.5b"], help="of the catalogue, or a file"
    )
    parser.add_argument("--part", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument(
        "--json", type=Path, default=Path(__file__).parent / "results" / "local_dialogue.json"
    )
    options = parser.parse_args()
    console = Console(width=120) if not sys.stdout.isatty() else Console()
    kept: dict[str, object] = {}
    for name in options.model:
        parts = asyncio.run(measured(name, tuple(options.part), console))
        console.print(shown(name, parts))
        for part, turns in parts.items():
            for turn in (turn for turn in turns if turn.faults):
                what = f"{part.replace('_', ' ')}, {turn.agent}: {', '.join(turn.faults)}: {turn.said!r}"
                console.print(f"  {what} -> {turn.calls} {turn.answer!r}", highlight=False, markup=False)
        kept[name] = {
            "target": TARGET,
            **{part: figures(turns) for part, turns in parts.items()},
            "turns": [kept_turn(turn) | {"part": part} for part, turns in parts.items() for turn in turns],
        }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
    return 0


def kept_turn(turn: Turn) -> dict[str, object]:
    """The turn as data, without the conversation."""
    return {name: value for name, value in asdict(replace(turn, entries=())).items() if name != "entries"}


if __name__ == "__main__":
    sys.exit(main())
