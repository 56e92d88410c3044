"""What is reported? The list of all figures with their targets, and the report as a table and as JSON.

Row `density.listening` is the value `listening` that `density.measure` returns for Antiphon, and that
`peers/pipecat_density.measure` and `peers/livekit_density.measure` return for the peers.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from rich.table import Table

from . import Values

OURS = "antiphon"

Results = Mapping[str, Mapping[str, Values]]
"""By framework, then by benchmark."""


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: its benchmark and key, what it measures, its unit, and the target for Antiphon."""

    source: str
    question: str
    unit: str
    at_most: float | None = None


ROWS = (
    Row("imports.core_ms", "importing the core, CPU time", "ms", 100),
    Row("imports.core_mib", "importing the core, memory of the process", "MiB", 28.6),
    Row("imports.bot_ms", "importing a whole bot, CPU time", "ms", 300),
    Row("imports.bot_mib", "importing a whole bot, memory of the process", "MiB"),
    Row("installed.core_mb", "the core and what it requires, on disk", "MB", 100),
    Row("hops.ignored", "one audio frame past a part that ignores it", "µs", 0.01),
    Row("hops.handled", "one audio frame through a part that handles it", "µs", 0.5),
    Row("density.listening", "a session that listens, no VAD", "ms/s", 0.5),
    Row("density.listening_silero", "a session that listens, Silero VAD", "ms/s", 3),
    Row("density.monologue", "a session whose agent talks on", "ms/s", 1.5),
    Row("density.dialogue", "a session in dialogue, 2 s each", "ms/s", 1.5),
    Row("paced.listening", "paced in real time: listens, no VAD", "ms/s", 0.5),
    Row("paced.listening_silero", "paced in real time: listens, Silero VAD", "ms/s", 3),
    Row("paced.monologue", "paced in real time: agent talks on", "ms/s", 1.5),
    Row("paced.dialogue", "paced in real time: dialogue", "ms/s", 1.5),
    Row("memory.session_kib", "memory of a session", "KiB", 150),
    Row("memory.growth_kib_s", "its growth per second of dialogue", "KiB/s", 0.1),
    Row("lifecycle.start_ms", "start of a session", "ms", 1),
    Row("lifecycle.close_ms", "close of a session", "ms", 5),
    Row("lifecycle.tasks", "asyncio tasks of a session", "", 6),
    Row("first_audio.ms", "final transcript to first audio out", "ms", 0.5),
    Row("interruption.cleared_ms", "decision to interrupt to output cleared", "ms", 0.1),
    Row("decisions.decision_us", "a decision of the turn engine, CPU time", "µs", 50),
    Row("history.turn_ms_50", "a turn after 50 turns, CPU time", "ms"),
    Row("history.turn_ms_200", "a turn after 200 turns, CPU time", "ms"),
    Row("history.turn_ms_400", "a turn after 400 turns, CPU time", "ms"),
    Row("history.turn_ms_800", "a turn after 800 turns, CPU time", "ms"),
    Row("history.growth", "the last of these over the first", "×", 1.1),
)

BENCHMARKS = tuple(dict.fromkeys(row.source.split(".")[0] for row in ROWS))


def modes(results: Results, framework: str, row: Row) -> dict[str, float]:
    """Return what was measured for a row, by mode of use; empty if nothing was."""
    benchmark, key = row.source.split(".")
    value = results.get(framework, {}).get(benchmark, {}).get(key)
    if value is None:
        return {}
    return value if isinstance(value, dict) else {"": value}


def met(row: Row, ours: Mapping[str, float]) -> bool | None:
    """Return whether Antiphon as shipped meets the target; None if there is no target or no figure."""
    if row.at_most is None or not ours:
        return None
    return next(iter(ours.values())) <= row.at_most


def ratio(ours: Mapping[str, float], theirs: Mapping[str, float]) -> float | None:
    """Return a peer's cheapest mode divided by Antiphon as shipped."""
    if not ours or not theirs or (own := next(iter(ours.values()))) <= 0:
        return None
    return min(theirs.values()) / own


def table(results: Results, titles: Mapping[str, str]) -> Table:
    """Return the rows that were measured as a table; `titles` names the peers in it."""
    shown = Table("row", "what", "unit", header_style="bold")
    for heading in ("ours", "at most", ""):
        shown.add_column(heading, justify="right")
    for title in titles.values():
        shown.add_column(title, justify="right")
        shown.add_column("× ours", justify="right")
    for row in ROWS:
        ours = modes(results, OURS, row)
        theirs = [modes(results, peer, row) for peer in titles]
        if not ours and not any(theirs):
            continue
        verdict = {True: "[green]met[/]", False: "[red]missed[/]", None: ""}[met(row, ours)]
        target = "" if row.at_most is None else f"{row.at_most:g}"
        cells = [cell for one in theirs for cell in (_lines(one), _figure(ratio(ours, one)))]
        shown.add_row(row.source, row.question, row.unit, _lines(ours), target, verdict, *cells)
    return shown


def as_json(results: Results, titles: Mapping[str, str]) -> list[dict[str, object]]:
    """Return the rows as JSON objects."""
    rows: list[dict[str, object]] = []
    for row in ROWS:
        ours = modes(results, OURS, row)
        theirs = {peer: modes(results, peer, row) for peer in titles}
        ratios = {peer: ratio(ours, one) for peer, one in theirs.items()}
        rows.append(
            {**asdict(row), "met": met(row, ours), "figures": {OURS: ours, **theirs}, "ratios": ratios}
        )
    return rows


def _lines(values: Mapping[str, float]) -> str:
    return "\n".join(f"{mode} {_figure(value)}".strip() for mode, value in values.items()) or "–"


def _figure(value: float | None) -> str:
    if value is None:
        return ""
    places = 2 - math.floor(math.log10(abs(value))) if value else 0
    return f"{value:,.{min(3, max(0, places))}f}"
