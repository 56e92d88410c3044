"""How much sooner does the first word come if two language models race, or one is a hedge?

    python -m benchmarks.race [--json FILE]

In virtual time, with scripted models whose first word comes after a random delay: log-normal around 0.5 s,
and with a stall of 2 to 6 s in one of 25 answers. All arrangements get the same delays. The stalls of the two
have nothing to do with each other, as those of two vendors. "asked" is what it costs.
"""

import argparse
import json
import random
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from antiphon.clock import LoopClock
from antiphon.context import Context
from antiphon.frames import Prompt, Text
from antiphon.pipeline import Part, Tap
from antiphon.race import Race
from antiphon.services.llm import LLM
from antiphon.services.ports import LanguageModel, TextDelta
from antiphon.session import Session
from antiphon.telemetry.latency import percentile
from antiphon.testing import run_virtual

REPLIES = 2000
MEDIAN, SPREAD = 0.5, 0.35  # seconds, and the standard deviation of their logarithm
STALLS, STALL = 0.04, (2.0, 6.0)
HEDGES = (0.6, 0.8, 1.2)  # seconds

sleep = LoopClock().sleep


class Vendor(LanguageModel):
    """A model whose first word comes after the next of these delays."""

    first_within = 60.0

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.delays: dict[int, float] = {}
        self.reply = 0
        self.asked = 0

    async def generate(self, context: Context) -> AsyncGenerator[Any, None]:
        """Answer with one word."""
        self.asked += 1
        await sleep(self.delay(int(context.instructions)))
        yield TextDelta("Yes.")

    def delay(self, reply: int) -> float:
        """Return the delay of a reply, drawn once."""
        while len(self.delays) <= reply:
            stalls = self.random.random() < STALLS
            usual = MEDIAN * self.random.lognormvariate(0.0, SPREAD)
            self.delays[len(self.delays)] = usual + (self.random.uniform(*STALL) if stalls else 0.0)
        return self.delays[reply]


async def first_words(parts: Part) -> list[float]:
    """Return the seconds to the first word of each reply, sorted."""
    came: list[float] = []
    async with Session([parts, Tap(lambda _: came.append(session.now), Text)]) as session:
        seconds: list[float] = []
        for number in range(REPLIES):
            reply = session.new_reply(
                lambda reply, number=number: session.send(Prompt(reply.number, Context(str(number))))
            )
            begun = session.now
            while len(came) <= number:
                await sleep(0.01)
            seconds.append(came[number] - begun)
            reply.interrupt("measured")
    return sorted(seconds)


async def main() -> dict[str, dict[str, float]]:
    """Measure one model, a race and hedges; returns the figures by arrangement."""
    figures: dict[str, dict[str, float]] = {}
    for name, after in [
        ("one model", None),
        ("a race of two", 0.0),
        *((f"a hedge after {s} s", s) for s in HEDGES),
    ]:
        vendors = [Vendor(1), Vendor(2)]
        stages = [LLM(vendor) for vendor in vendors]
        seconds = await first_words(stages[0] if after is None else Race(*stages, after=after))
        figures[name] = {
            **{f"p{share:g}": round(percentile(seconds, share / 100), 3) for share in (50, 95, 99)},
            "asked": sum(vendor.asked for vendor in vendors) / REPLIES,
        }
    return figures


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.race")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the figures")
    options = parser.parse_args()
    measured = run_virtual(main())
    shown = Table("", "p50 s", "p95 s", "p99 s", "95th over one model", "asked per reply")
    alone = measured["one model"]["p95"]
    for arrangement, values in measured.items():
        row = [f"{values[key]:.2f}" for key in ("p50", "p95", "p99")]
        shown.add_row(arrangement, *row, f"{values['p95'] / alone:.2f}", f"{values['asked']:.2f}")
    Console().print(shown)
    if options.json:
        options.json.write_text(json.dumps(measured, indent=2) + "\n")
