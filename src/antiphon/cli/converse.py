"""`antiphon converse`: a recorded caller talks to an agent."""

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import ConfigurationError
from .show import console, say, told

if TYPE_CHECKING:
    from ..agent import AgentDefinition

AFTER = 120.0  # seconds that a call may last longer than its caller speaks

__all__ = [
    "AgentFile",
    "JournalFile",
    "Json",
    "Out",
    "PolicyFile",
    "Virtual",
    "called",
    "converse",
    "play",
    "writable",
]

Caller = Annotated[Path, typer.Argument(metavar="CALLER.wav", help="What the caller says, pauses and all.")]
AgentFile = Annotated[
    Path | None, typer.Option("--agent", metavar="FILE.py", help="Who is called; else the demo's agent.")
]
Out = Annotated[
    Path | None, typer.Option("--out", metavar="CALL.wav", help="The call: left caller, right agent.")
]
Json = Annotated[
    Path | None, typer.Option("--json", metavar="REPORT.json", help="What was said, and how long it took.")
]
JournalFile = Annotated[
    Path | None, typer.Option("--journal", metavar="FILE", help="Every event of the call, a line each.")
]
PolicyFile = Annotated[
    Path | None, typer.Option("--policy", metavar="FILE.toml", help="Another turn policy than the agent's.")
]
Virtual = Annotated[
    bool, typer.Option("--virtual", help="Do not wait: in virtual time, where computing takes none.")
]


@told
def converse(
    caller: Caller,
    agent: AgentFile = None,
    out: Out = None,
    json: Json = None,
    journal: JournalFile = None,
    policy: PolicyFile = None,
    virtual: Virtual = False,
) -> None:
    """Play a recorded caller to an agent; write the call, and a report of it."""
    play(called(agent, policy), caller, out=out, json=json, journal=journal, virtual=virtual)


def called(file: Path | None, policy: Path | None) -> "AgentDefinition":
    """The agent of a command, with the policy that is asked for."""
    from ..agent_file import chosen
    from ..turns.policy import load_policy

    agent = chosen(file)
    if policy is not None:
        agent.turns = load_policy(policy)
    return agent


def play(
    agent: "AgentDefinition",
    caller: Path,
    *,
    out: Path | None = None,
    json: Path | None = None,
    journal: Path | None = None,
    virtual: bool = False,
) -> None:
    """Hold the call of a recorded caller. Exits with 1 where a part failed in it."""
    from ..audio.resample import resample
    from ..audio.wav import read
    from ..testing.virtual import run_virtual
    from ..transports.caller import CallerLine
    from .calls import CALLER_HZ, CallOutcome, hold
    from .ready import fetch, opened
    from .report import report, write
    from .screen import summary

    for file in (out, json, journal):
        if file is not None:
            writable(file)
            if file.exists() and caller.exists() and file.samefile(caller):
                raise ConfigurationError(f"{file} is what the caller says: choose another file to write")
    sound = read(caller)
    line = CallerLine(resample(sound.mono(), sound.sample_rate, CALLER_HZ), 0.0, "now")
    screen = console()
    fetch(agent)

    async def hold_call() -> CallOutcome:
        at_most = sound.seconds + AFTER
        async with opened(agent, screen):
            return await hold(agent, [line], screen, record=out, journal=journal, at_most=at_most)

    call = run_virtual(hold_call()) if virtual else asyncio.run(hold_call())
    latency = call.latency
    summary(screen, latency.turns)
    if virtual:
        screen.print("In virtual time: what the models compute takes none.", style="dim", soft_wrap=True)
    if not latency.turns:
        say(f"no turn was heard in {caller}: nobody speaks in it, or no words were understood")
    if json is not None:
        about = {
            "caller": str(caller),
            "caller_seconds": round(sound.seconds, 3),
            "seconds": round(call.seconds, 3),
            "clock": "virtual" if virtual else "real",
        }
        write(json, about | report(latency))
    if latency.failures:
        raise typer.Exit(1)


def writable(file: Path) -> None:
    """Whether a file can be written, told before the call and not after it."""
    if not file.parent.is_dir():
        raise ConfigurationError(f"cannot write {file}: there is no folder {file.parent}; make it first")
    if file.is_dir() or not os.access(file if file.exists() else file.parent, os.W_OK):
        raise ConfigurationError(f"cannot write {file}: choose another place")
