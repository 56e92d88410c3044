"""`antiphon demo`: a short spoken conversation, with all models on this machine."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ..errors import ConfigurationError
from .converse import check_writable
from .show import console, reports_errors

if TYPE_CHECKING:
    from rich.console import Console

    from ..agent import AgentDefinition
    from ..transports.caller import CallerLine

__all__ = ["SCRIPT", "caller_lines", "demo"]

SCRIPT: tuple[tuple[str, float, Literal["answer", "barge-in"]], ...] = (
    ("Hi there. Do you repair flat tires?", 0.7, "answer"),
    ("Could you look up your opening hours on Saturday?", 0.6, "answer"),
    ("How do I choose a good bike?", 0.7, "answer"),
    ("Sorry, wait. And the opening hours on Sunday?", 1.6, "barge-in"),
)
"""The caller's lines: text, delay in seconds, and the cue after which the delay starts.

They show a question, a tool call, a long answer and a barge-in.
"""

DEEPER, FASTER = 0.8, 1.2  # the caller's voice is the agent's, played slower and therefore deeper
AT_MOST = 300.0  # seconds; a machine that is busy takes several times as long as one that is not

STOP_IDLE = 120.0  # seconds without a session after which the page stops, if no terminal can send Ctrl-C

NEXT = """
Talk to it       antiphon serve            (a page at http://localhost:7860)
In the terminal  antiphon talk             (or type: antiphon talk --text)
Your own agent   examples/bicycle_shop.py  (ten lines; antiphon serve FILE.py)
A recording      antiphon converse CALLER.wav --out CALL.wav --json REPORT.json
"""

ServePage = Annotated[
    bool, typer.Option(help="Then serve a page to talk to the agent; in CI the default is not to.")
]
DemoOutFile = Annotated[Path, typer.Option("--out", metavar="CALL.wav", help="Where to write the call.")]


@reports_errors
def demo(out: DemoOutFile = Path("antiphon-demo.wav"), page: ServePage = "CI" not in os.environ) -> None:
    """Run a short conversation with local models, show latencies, then serve a page."""
    from ..demo_agent import agent
    from .calls import CallOutcome, run_call
    from .ready import fetch, opened
    from .screen import summary
    from .show import step

    check_writable(out)
    screen = console()
    screen.print("A call to a bicycle shop. All models run on this machine.", style="bold", soft_wrap=True)
    fetch(agent)

    async def call() -> CallOutcome:
        async with opened(agent, screen):
            with step(screen, "Synthesising the caller's voice", "Caller's voice synthesised"):
                lines = await caller_lines()
            screen.print()
            return await run_call(agent, lines, screen, record=out, linger=1.0, awaits=30.0, at_most=AT_MOST)

    outcome = asyncio.run(call())
    screen.print()
    summary(screen, outcome.latency.turns, outcome.costs)
    screen.print(
        f"\nRecording of the call: {out}, {outcome.seconds:.0f} s, caller left, agent right", soft_wrap=True
    )
    screen.print(NEXT, soft_wrap=True, end="")
    if outcome.latency.failures:
        raise typer.Exit(1)
    if page:
        _serve(agent, screen)


def _serve(agent: "AgentDefinition", screen: "Console") -> None:
    """Serve the page until Ctrl-C, or until it is idle for STOP_IDLE."""
    from ..server.settings import ServerSettings
    from .serve import open_server

    idle = None if sys.stdin.isatty() else STOP_IDLE
    try:
        open_server({"bicycle_shop": agent}, ServerSettings.from_environment(stop_idle_after=idle))
    except ConfigurationError as error:
        screen.print(f"The page cannot be served: {error}", soft_wrap=True)


async def caller_lines() -> "list[CallerLine]":
    """Synthesise the caller's lines in a voice other than the agent's."""
    from ..audio.resample import resample
    from ..services.ports import Speech
    from ..transports.caller import CallerLine
    from ..vendors.local.tts import Hibari
    from .calls import CALLER_HZ

    voice = Hibari(speed=FASTER)

    async def once(text: str) -> AsyncGenerator[str, None]:
        yield text

    lines: list[CallerLine] = []
    for text, wait, cue in SCRIPT:
        pcm = b"".join([item.pcm async for item in voice.speak(once(text)) if isinstance(item, Speech)])
        lines.append(CallerLine(resample(pcm, round(voice.sample_rate * DEEPER), CALLER_HZ), wait, cue))
    return lines
