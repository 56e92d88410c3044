"""How are the figures shown? As tables for a terminal."""

import math
from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from .contestants import OURS, SOUND, WORDS_AFTER
from .judging import RATIO, Curve, Figure, Report


def show(console: Console, what: str, reports: Mapping[str, Report]) -> None:
    """Print the first group in full, and a line for each of the others."""
    name, report = next(iter(reports.items()))
    console.print(f"{what}\n{name}: {report.turns} turns, {report.holds} holds", highlight=False)
    console.print(_contestants(report))
    told = report.shipped
    console.print(
        f"ours as shipped, no policy chosen: cuts off {_share(told.cutoffs)} % of holds, "
        f"{100 * told.turns_cut:.1f} % of turns; latency {_ms(told.latency)} ms, "
        f"95 % within {1e3 * told.p95:.0f}",
        f"words count from {1e3 * WORDS_AFTER:.0f} ms of silence on; cost in CPU time: "
        f"{report.sound_ms:.0f} ms a score of the sound, {report.words_ms:.0f} a transcript (one a silence)",
        sep="\n",
        highlight=False,
    )
    targets = Table("target", "value", "", header_style="bold")
    targets.add_row(
        f"latency at 5 %, ours over {SOUND}: at most {RATIO:g}",
        _shown(report.ratio, 1, 2),
        _verdict(report.ratio.value <= RATIO),
    )
    targets.add_row(
        "nowhere on the curve later than it beyond the interval",
        ", ".join(f"{_ms(by)} ms at {budget}" for budget, by in report.worse.items()) or "nowhere",
        _verdict(not report.worse),
    )
    console.print(targets)
    if len(reports) > 1:
        console.print(_groups(reports))


def _contestants(report: Report) -> Table:
    table = Table("", header_style="bold", title="95 % intervals in grey", title_style="dim")
    for heading in (
        "latency at 5 %, ms",
        "95 % within",
        "turns cut",
        "latency at 10 %",
        "cut at 300 ms, %",
        "cut at 600 ms, %",
    ):
        table.add_column(heading, justify="right")
    for name, curve in report.contestants.items():
        table.add_row(name, *_cells(curve))
    return table


def _cells(curve: Curve) -> tuple[str, ...]:
    return (
        _ms(curve.at_5.latency),
        f"{1e3 * curve.at_5.p95:.0f}",
        f"{100 * curve.at_5.turns_cut:.1f} %",
        _ms(curve.latency_at_10),
        _share(curve.cutoffs_at_300),
        _share(curve.cutoffs_at_600),
    )


def _groups(reports: Mapping[str, Report]) -> Table:
    table = Table("", header_style="bold", title="latency at 5 %, ms")
    contestants = next(iter(reports.values())).contestants
    for heading in ("turns", "holds", *contestants, f"{OURS} over {SOUND}"):
        table.add_column(heading, justify="right")
    for name, report in reports.items():
        latencies = [_ms(curve.at_5.latency) for curve in report.contestants.values()]
        table.add_row(name, str(report.turns), str(report.holds), *latencies, _shown(report.ratio, 1, 2))
    return table


def _verdict(met: bool) -> str:
    return "[green]met[/]" if met else "[red]missed[/]"


def _ms(figure: Figure) -> str:
    return _shown(figure, 1000, 0)


def _share(figure: Figure) -> str:
    return _shown(figure, 100, 1)


def _shown(figure: Figure, scale: float, places: int) -> str:
    """Return a value with its interval; "–" if no policy is within the budget."""
    if not math.isfinite(figure.value):
        return "–"
    return (
        f"{figure.value * scale:.{places}f} "
        f"[dim]{figure.low * scale:.{places}f}–{figure.high * scale:.{places}f}[/]"
    )
