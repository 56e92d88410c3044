"""`antiphon demo`: a short spoken conversation, with every model on this machine."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ..errors import ConfigurationError
from .converse import writable
from .show import console, told

if TYPE_CHECKING:
    from rich.console import Console

    from ..agent import AgentDefinition
    from ..transports.caller import CallerLine

__all__ = ["SCRIPT", "demo", "voiced"]

SCRIPT: tuple[tuple[str, float, Literal["answer", "barge-in"]], ...] = (
    ("Hi there. Do you repair flat tires?", 0.7, "answer"),
    ("Could you look up your opening hours on Saturday?", 0.6, "answer"),
    ("How do I choose a good bike?", 0.7, "answer"),
    ("Sorry, wait. And the opening hours on Sunday?", 1.6, "barge-in"),
)
"""What the caller says, how many seconds after which cue: a question, a tool, a long answer, a barge-in."""

DEEPER, FASTER = 0.8, 1.2  # the agent's voice, played slower and so deeper, is the caller's
AT_MOST = 120.0  # seconds

NOBODY = 120.0  # seconds without a caller after which the page goes, where no terminal can stop it

NEXT = """
Talk to it      antiphon serve           (a page at http://localhost:7860)
In the terminal antiphon talk            (or type: antiphon talk --text)
Your own agent  examples/bicycle_shop.py (ten lines; antiphon serve FILE.py)
A recording     antiphon converse CALLER.wav --out CALL.wav --json REPORT.json
"""

Page = Annotated[bool, typer.Option(help="Then serve the page to talk to it. In CI it is not.")]
Out = Annotated[Path, typer.Option("--out", metavar="CALL.wav", help="Where to write the call.")]


@told
def demo(out: Out = Path("antiphon-demo.wav"), page: Page = "CI" not in os.environ) -> None:
    """Hold a short spoken conversation with the local models, show how long it took, and serve a page."""
    from ..demo_agent import agent
    from .calls import CallOutcome, hold
    from .ready import fetch, opened
    from .screen import summary
    from .show import step

    writable(out)
    screen = console()
    screen.print("A call to a bicycle shop. All models run on this machine.", style="bold", soft_wrap=True)
    fetch(agent)

    async def call() -> CallOutcome:
        async with opened(agent, screen):
            with step(screen, "Caller's voice made"):
                lines = await voiced()
            screen.print()
            return await hold(agent, lines, screen, record=out, linger=1.0, at_most=AT_MOST)

    held = asyncio.run(call())
    screen.print()
    summary(screen, held.latency.turns)
    screen.print(f"\nThe call: {out}, {held.seconds:.0f} s, left the caller, right the agent", soft_wrap=True)
    screen.print(NEXT, soft_wrap=True, end="")
    if held.latency.failures:
        raise typer.Exit(1)
    if page:
        _serve(agent, screen)


def _serve(agent: "AgentDefinition", screen: "Console") -> None:
    """The page to talk to the agent, until somebody stops it."""
    from ..server.settings import ServerSettings
    from .serve import open_server

    idle = None if sys.stdin.isatty() else NOBODY
    try:
        open_server({"bicycle_shop": agent}, ServerSettings.from_environment(stop_idle_after=idle))
    except ConfigurationError as error:
        screen.print(f"The page is not served: {error}", soft_wrap=True)


async def voiced() -> "list[CallerLine]":
    """The caller's lines, spoken in another voice than the agent's."""
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
