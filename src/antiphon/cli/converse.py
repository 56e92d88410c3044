"""`antiphon converse`: a call between a recorded caller and an agent."""

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import ConfigurationError
from .show import console, reports_errors, say

if TYPE_CHECKING:
    from ..agent import AgentDefinition

AFTER = 120.0  # seconds that a call may last beyond the caller's recording

__all__ = [
    "AgentFile",
    "JournalFile",
    "JsonFile",
    "OutFile",
    "PolicyFile",
    "Virtual",
    "agent_of",
    "check_writable",
    "converse",
    "play_recording",
]

CallerFile = Annotated[
    Path, typer.Argument(metavar="CALLER.wav", help="A recording of the caller, including the pauses.")
]
AgentFile = Annotated[
    Path | None,
    typer.Option("--agent", metavar="FILE.py", help="The agent's file. By default, the demo's agent."),
]
OutFile = Annotated[
    Path | None, typer.Option("--out", metavar="CALL.wav", help="Record the call: caller left, agent right.")
]
JsonFile = Annotated[
    Path | None,
    typer.Option("--json", metavar="REPORT.json", help="Write a report: what was said, and all latencies."),
]
JournalFile = Annotated[
    Path | None,
    typer.Option("--journal", metavar="FILE", help="Write a journal: every event of the call, one per line."),
]
PolicyFile = Annotated[
    Path | None,
    typer.Option("--policy", metavar="FILE.toml", help="Use this turn policy instead of the agent's."),
]
Virtual = Annotated[
    bool,
    typer.Option("--virtual", help="Run in virtual time, as fast as possible; computing then takes no time."),
]


@reports_errors
def converse(
    caller: CallerFile,
    agent: AgentFile = None,
    out: OutFile = None,
    json: JsonFile = None,
    journal: JournalFile = None,
    policy: PolicyFile = None,
    virtual: Virtual = False,
) -> None:
    """Play a recorded caller to an agent; show the conversation and its latencies."""
    play_recording(agent_of(agent, policy), caller, out=out, json=json, journal=journal, virtual=virtual)


def agent_of(file: Path | None, policy: Path | None) -> "AgentDefinition":
    """Load the agent of a command, and set its turn policy if one is given."""
    from ..agent_file import chosen
    from ..turns.policy import load_policy

    agent = chosen(file)
    if policy is not None:
        agent.turns = load_policy(policy)
    return agent


def play_recording(
    agent: "AgentDefinition",
    caller: Path,
    *,
    out: Path | None = None,
    json: Path | None = None,
    journal: Path | None = None,
    virtual: bool = False,
) -> None:
    """Run the call of a recorded caller, and print or write its results.

    Exits with status 1 if any part failed during the call.
    """
    from ..audio.resample import resample
    from ..audio.wav import read
    from ..testing.virtual import run_virtual
    from ..transports.caller import CallerLine
    from .calls import CALLER_HZ, CallOutcome, run_call
    from .ready import fetch, opened
    from .report import report, write
    from .screen import summary

    for file in (out, json, journal):
        if file is not None:
            check_writable(file)
            if file.exists() and caller.exists() and file.samefile(caller):
                raise ConfigurationError(f"{file} is the caller's recording: choose another file to write")
    sound = read(caller)
    line = CallerLine(resample(sound.mono(), sound.sample_rate, CALLER_HZ), 0.0, "now")
    screen = console()
    fetch(agent)

    async def call() -> CallOutcome:
        at_most = sound.seconds + AFTER
        async with opened(agent, screen):
            return await run_call(agent, [line], screen, record=out, journal=journal, at_most=at_most)

    outcome = run_virtual(call()) if virtual else asyncio.run(call())
    latency = outcome.latency
    summary(screen, latency.turns, outcome.costs)
    if virtual:
        screen.print("In virtual time: the models' computing takes no time.", style="dim", soft_wrap=True)
    if not latency.turns:
        say(f"no turn was heard in {caller}: it contains no speech, or no words were recognised")
    if json is not None:
        about = {
            "caller": str(caller),
            "caller_seconds": round(sound.seconds, 3),
            "seconds": round(outcome.seconds, 3),
            "clock": "virtual" if virtual else "real",
        }
        write(json, about | report(latency, outcome.costs))
    if latency.failures:
        raise typer.Exit(1)


def check_writable(file: Path) -> None:
    """Raise ConfigurationError if a file cannot be written; called before the call."""
    if not file.parent.is_dir():
        raise ConfigurationError(f"cannot write {file}: there is no folder {file.parent}; create it first")
    if file.is_dir() or not os.access(file if file.exists() else file.parent, os.W_OK):
        raise ConfigurationError(f"cannot write {file}: choose another place")
