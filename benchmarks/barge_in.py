"""How soon does the agent fall silent when a person begins to speak over it?

The agent speaks without end, and each question of `voice_to_voice` interrupts it, in virtual time, with the
local voice activity detector. Measured is the time from the first sound of the question, as visible in its
waveform, to the moment when playout holds the voice. The models' computing takes no time here.

    python -m benchmarks.barge_in [RECORDING.wav ...]

Target: 100 ms at most.
"""

import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from antiphon import Agent
from antiphon.audio.levels import find_speech
from antiphon.frames import PlayoutPaused
from antiphon.telemetry.latency import percentile
from antiphon.testing import ScriptedLLM, ScriptedSTT, run_virtual
from antiphon.transports.caller import Caller, CallerLine

from .callers import HZ, Question, recorded, synthesised

TARGET = 0.1
MONOLOGUE = (
    "Welcome to the shop, where we sell bicycles, helmets, tyres and pumps, and repair what you bring. " * 4
)


async def delay(agent: Agent, question: Question) -> float | None:
    """Return the seconds until the voice was held; None if it never was."""
    first = find_speech(question.pcm, HZ, 0.1)[0][0] / HZ
    caller = Caller([CallerLine(question.pcm, 1.0, "barge-in")], HZ, linger=1.0, at_most=20)
    session = agent.session(caller)
    held: list[float] = []
    session.on(PlayoutPaused, lambda _: held.append(session.now))
    await session.run()
    spoke = caller.spoken[0][0] + first
    return next((at - spoke for at in held if at >= spoke), None)


async def main() -> int:
    """Return exit status 1 if a person was not heard."""
    agent = Agent(
        "You talk on.",
        greeting=MONOLOGUE,
        stt=ScriptedSTT(["stop it now"] * 100),
        llm=ScriptedLLM(["Well."] * 100),
    )
    await agent.open()
    questions = await synthesised(agent.service("tts")) + [recorded(path) for path in sys.argv[1:]]
    delays = [(question.name, await delay(agent, question)) for question in questions]
    shown = Table("who speaks", "ms until the agent is silent")
    for name, seconds in delays:
        shown.add_row(Path(name).stem, "never" if seconds is None else f"{seconds * 1000:.0f}")
    console = Console()
    console.print(shown)
    heard = sorted(seconds for _, seconds in delays if seconds is not None)
    if heard:
        worst = heard[-1]
        verdict = "met" if worst <= TARGET else "missed"
        console.print(
            f"median {percentile(heard, 0.5) * 1000:.0f} ms, at most {worst * 1000:.0f} ms; "
            f"target {TARGET * 1000:.0f} ms at most: {verdict}"
        )
    return 0 if len(heard) == len(delays) else 1


if __name__ == "__main__":
    sys.exit(run_virtual(main()))
