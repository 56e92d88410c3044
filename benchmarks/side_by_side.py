"""How long do callers wait for Antiphon, Pipecat and LiveKit Agents, all with the same local models?

Part of `python -m benchmarks.voice_to_voice --peers`. Each framework runs in a process and an environment of
its own, and answers calls in real time (`line.py` says how they are timed). They take turns, call by call, so
that all have met the same load. The first calls of each are not counted: in them the language model reads the
instructions for each of its slots.

A word is lost if the language model does not get it, or gets another one; an answer is lost if none begins
within 8 s. "Spoke too early" counts answers that began while the caller was still speaking. The recogniser
alone, given each whole recording, tells how many words no framework could have saved.
"""

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from antiphon.errors import AntiphonError
from antiphon.services.ports import SpeechToText
from antiphon.telemetry.latency import PARTS, percentile

from .callers import QUESTIONS, Question, transcribed, words, words_lost
from .gauges import calibration_ms
from .line import Answer
from .peers.environments import PEERS, ROOT, prepare

OURS = "antiphon"
TITLES = {OURS: "Antiphon", **{name: peer.title for name, peer in PEERS.items()}}
WARM_UP = 2  # calls of each framework that are not counted
READY_WITHIN, ANSWERED_WITHIN = 180.0, 60.0  # seconds
TARGETS = {"median": 300.0, "95th percentile": 550.0}  # ms, on two quiet cores
SHARE = 0.5  # the target: at most this part of the better peer's


class PeerError(Exception):
    """A framework did not start, or stopped."""


@dataclass(frozen=True)
class Contestant:
    """A framework in its process."""

    title: str
    process: asyncio.subprocess.Process
    log: Path

    async def answer(self, pcm: Path) -> Answer:
        """Let it answer one call."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"pcm": str(pcm)}).encode() + b"\n")
        return Answer(**await self.told(ANSWERED_WITHIN))

    async def told(self, within: float) -> dict[str, Any]:
        """Return the next thing that it says."""
        assert self.process.stdout is not None
        try:
            line = await asyncio.wait_for(self.process.stdout.readline(), within)
        except TimeoutError:
            raise PeerError(f"{self.title} said nothing for {within:g} s") from None
        if not line:
            last = (self.log.read_text(errors="replace").strip().splitlines() or ["it said nothing"])[-1]
            raise PeerError(f"{self.title} stopped: {last}")
        return json.loads(line)


@asynccontextmanager
async def started(framework: str, folder: Path) -> AsyncGenerator[Contestant, None]:
    """Run a framework; it has loaded its models when the block begins."""
    title = TITLES[framework]
    python = Path(sys.executable) if framework == OURS else prepare(framework)
    module = "benchmarks.voice" if framework == OURS else f"benchmarks.peers.{framework}_voice"
    log = folder / f"{framework}.log"
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            str(python),
            *("-m", module),
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
        )
    contestant = Contestant(title, process, log)
    try:
        await contestant.told(READY_WITHIN)
        yield contestant
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


Calls = Sequence[tuple[Question, Mapping[str, Answer]]]
"""The calls in their order, each with the answer of every framework."""


async def hold_calls(questions: Sequence[Question], rounds: int, console: Console) -> Calls:
    """Let every framework answer all questions.

    Raises PeerError, or what `prepare` raises.
    """
    calls: list[tuple[Question, Mapping[str, Answer]]] = []
    with tempfile.TemporaryDirectory(prefix="antiphon-") as name:
        folder = Path(name)
        files = {question: folder / f"{number}.pcm" for number, question in enumerate(questions)}
        for question, file in files.items():
            file.write_bytes(question.pcm)
        async with AsyncExitStack() as stack:
            status = stack.enter_context(console.status(""))
            contestants: dict[str, Contestant] = {}
            for framework, title in TITLES.items():
                status.update(f"{title}: environment and models")
                contestants[framework] = await stack.enter_async_context(started(framework, folder))
            status.update("the first calls, which are not counted")
            for question in questions[:WARM_UP]:
                for contestant in contestants.values():
                    await contestant.answer(files[question])
            console.print(_columns("caller", *TITLES.values(), f"ours: {' '.join(PARTS)}"), soft_wrap=True)
            for question in [*questions] * rounds:
                status.update(question.name)
                answers = {name: await one.answer(files[question]) for name, one in contestants.items()}
                calls.append((question, answers))
                console.print(_line(question, answers), highlight=False, markup=False, soft_wrap=True)
    return calls


Figures = dict[str, float | None]


def figures(calls: Sequence[tuple[Question, Answer]]) -> Figures:
    """Return what the calls of one framework come to; milliseconds, counts."""
    waits = sorted(answer.latency_ms for _, answer in calls if answer.latency_ms is not None)
    known = [(question.text, answer.heard) for question, answer in calls if question.text]
    return {
        "median": percentile(waits, 0.5) if waits else None,
        "95th percentile": percentile(waits, 0.95) if waits else None,
        "answers lost": len(calls) - len(waits),
        "words lost": sum(words_lost(said, heard) for said, heard in known),
        "spoke too early": sum(answer.early for _, answer in calls),
        "CPU per call": sum(answer.cpu_ms for _, answer in calls) / len(calls),
    }


async def compare(
    questions: Sequence[Question], recogniser: SpeechToText, rounds: int, console: Console, written: Path
) -> int:
    """Hold all calls and report them.

    Returns exit status 1 if an answer of ours was lost, or a framework failed.
    """
    load = [os.getloadavg()[0]]
    try:
        calls = await hold_calls(questions, rounds, console)
    except (AntiphonError, PeerError) as error:
        console.print(f"[red]failed[/] {error}", highlight=False)
        return 1
    load.append(os.getloadavg()[0])
    alone = {question: await transcribed(recogniser, question.pcm) for question in questions}
    found: dict[str, Any] = {
        "machine": {"cores": os.cpu_count(), "load": load, "calibration_ms": calibration_ms()},
        "calls": len(calls),
        "words": sum(len(words(question.text or "")) for question, _ in calls),
        "words_lost_by_the_recogniser_alone": sum(
            words_lost(question.text or "", alone[question]) for question, _ in calls
        ),
        "figures": {
            name: figures([(question, answers[name]) for question, answers in calls]) for name in TITLES
        },
        "answers": [
            {"question": question.name, "said": question.text}
            | {name: asdict(answer) for name, answer in answers.items()}
            for question, answers in calls
        ],
    }
    _report(found, console)
    if all(question.name in QUESTIONS for question in questions):
        console.print("no recorded callers were found: only the local voice has asked")
    _write(written, found)
    console.print(f"written to {written}", highlight=False)
    return 1 if found["figures"][OURS]["answers lost"] else 0


def _report(found: Mapping[str, Any], console: Console) -> None:
    console.print(_summary(found["figures"]))
    machine, (before, after) = found["machine"], found["machine"]["load"]
    console.print(
        f"{found['calls']} calls of {found['words']} words, of which the recogniser alone loses "
        f"{found['words_lost_by_the_recogniser_alone']}; {machine['cores']} cores, load {before:.1f} before "
        f"and {after:.1f} after, a fixed loop takes {machine['calibration_ms']:.0f} ms",
        highlight=False,
    )


def _write(file: Path, found: Mapping[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(found, indent=2) + "\n")


def _line(question: Question, answers: Mapping[str, Answer]) -> str:
    parts = answers[OURS].parts_ms or {}
    steps = " ".join(f"{parts[part]:.0f}" for part in PARTS if part in parts)
    return _columns(question.name, *(_call(question, answers[name]) for name in TITLES), steps)


def _columns(caller: str, *cells: str) -> str:
    return f"{caller[:38]:40}" + "".join(f"{cell:24}" for cell in cells)


def _call(question: Question, answer: Answer) -> str:
    cell = "no answer" if answer.latency_ms is None else f"{answer.latency_ms:.0f}"
    lost = words_lost(question.text or "", answer.heard)
    return cell + (f", {lost} lost" if lost else "") + (f", {answer.early} early" if answer.early else "")


def _summary(found: Mapping[str, Figures]) -> Table:
    ours = found[OURS]
    shown = Table("", *TITLES.values(), "target", "ours to the better peer's")
    for what, value in ours.items():
        of_peers = [figure for name in PEERS if (figure := found[name][what]) is not None]
        ratio = value / min(of_peers) if value is not None and of_peers and min(of_peers) > 0 else None
        cells = ["–" if (of := found[name][what]) is None else f"{of:.0f}" for name in TITLES]
        target, share = "", "" if ratio is None else f"{ratio:.2f}"
        if what in TARGETS and value is not None:
            target = f"{TARGETS[what]:.0f} {'met' if value <= TARGETS[what] else 'missed'}"
            if ratio is not None:
                share += f", at most {SHARE} {'met' if ratio <= SHARE else 'missed'}"
        shown.add_row(what, *cells, target, share)
    return shown
