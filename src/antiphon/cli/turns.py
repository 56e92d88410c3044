"""`antiphon turns`: recorded calls, replayed with other turn policies."""

import json as encoding
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ConfigurationError
from .show import console, reports_errors, table

if TYPE_CHECKING:
    from rich.console import Console

    from ..turns.recorded_call import RecordedCall
    from ..turns.what_if import Change, WhatIf

app = typer.Typer(no_args_is_help=True, help="Analyse the turns of recorded calls.")

JournalArgument = Annotated[
    Path, typer.Argument(metavar="JOURNAL", help="The call's journal, with or without media.")
]
Policies = Annotated[
    list[Path],
    typer.Option("--policy", metavar="FILE.toml", help="The policy to try; give several to compare them."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]

OUTCOMES = ("earlier", "later", "cut off", "joined", "lost", "new")
COUNTS = ("interruptions", "false_interruptions", "guesses", "guesses_dropped")
HEADS = ("last sound", "the user", "recorded", "replayed", "ms saved", "outcome", "because")
WORDS = 40  # characters of a turn's text that are shown


@app.callback()
def turns() -> None:
    """Analyse the turns of recorded calls."""


@app.command()
@reports_errors
def replay(journal: JournalArgument, policy: Policies, json: AsJson = False) -> None:
    """Replay a recorded call with other turn policies, and compare the turns' ends."""
    from ..turns.policy import load_policy
    from ..turns.recorded_call import recorded
    from ..turns.what_if import what_if

    policies = {str(file): load_policy(file) for file in policy}
    try:
        call = recorded(journal)
    except ConfigurationError as error:
        raise ConfigurationError(f"{journal}: {error}") from error
    tried = {name: what_if(call, settings) for name, settings in policies.items()}
    if json:
        content = {
            "journal": str(journal),
            "seconds": round(call.over, 3),
            "turns": len(call.turns),
            **_counts(call.counts),
            "policies": [_report(name, result) for name, result in tried.items()],
        }
        typer.echo(encoding.dumps(content, indent=2, ensure_ascii=False))
        return
    out = console()
    for name, result in tried.items():
        _show(out, name, result)
    _totals(out, call, tried)


# On the screen ---------------------------------------------------------------------------------------


def _show(out: "Console", name: str, result: "WhatIf") -> None:
    out.print(name, style="bold", soft_wrap=True)
    rows = [
        (
            _time(change.ended),
            _short(change.text),
            _after(change, change.recorded),
            _after(change, change.replayed),
            "" if change.saved is None else str(_ms(change.saved)),
            change.outcome,
            change.reason,
        )
        for change in result.changes
    ]
    table(out, HEADS, rows, "r-rrr")
    if result.hung_up is not None:
        out.print(
            f"The policy ends the call at {_time(result.hung_up)}, because the user is idle.", soft_wrap=True
        )
    out.print()


def _totals(out: "Console", call: "RecordedCall", tried: "dict[str, WhatIf]") -> None:
    def row(name: str, values: Sequence[object]) -> tuple[str, ...]:
        return (name, *("-" if value is None else str(value) for value in values))

    results = list(tried.values())
    rows = [row("turns", [len(call.turns), *("" for _ in results)])]
    rows += [row(outcome, ["", *(result.count(outcome) for result in results)]) for outcome in OUTCOMES]
    for label in ("median", "95th"):
        rows.append(row(f"ms saved, {label}", ["", *(_saved(result)[label] for result in results)]))
    for name in COUNTS:
        counted = (call.counts, *(result.replayed for result in results))
        rows.append(row(name.replace("_", " "), [getattr(counts, name) for counts in counted]))
    table(out, ("", "recorded", *(Path(name).name for name in tried)), rows, "-" + "r" * (len(tried) + 1))


def _time(at: float) -> str:
    return f"{int(at // 60)}:{at % 60:05.2f}"


def _after(change: "Change", at: float | None) -> str:
    return "-" if at is None else f"{at - change.ended:+.2f}"


def _short(text: str) -> str:
    return text if len(text) <= WORDS else "…" + text[1 - WORDS :]


# As JSON ---------------------------------------------------------------------------------------------


def _report(name: str, result: "WhatIf") -> dict[str, Any]:
    saved = _saved(result)
    return {
        "policy": name,
        "turns": [_turn(change) for change in result.changes],
        **{outcome.replace(" ", "_"): result.count(outcome) for outcome in ("same", *OUTCOMES)},
        "saved_ms": {"median": saved["median"], "p95": saved["95th"]},
        **_counts(result.replayed),
        "hung_up": result.hung_up,
    }


def _turn(change: "Change") -> dict[str, Any]:
    return {
        "user": change.text,
        "ended": round(change.ended, 3),
        "recorded": change.recorded,
        "replayed": change.replayed,
        "saved_ms": None if change.saved is None else _ms(change.saved),
        "outcome": change.outcome,
        "reason": change.reason,
    }


def _counts(counts: object) -> dict[str, int]:
    return {name: getattr(counts, name) for name in COUNTS}


def _saved(result: "WhatIf") -> dict[str, int | None]:
    """Return the ms by which unchanged turns end earlier; negative if later."""
    from ..telemetry.latency import percentile

    saved = result.saved
    return {
        label: _ms(percentile(saved, share)) if saved else None
        for label, share in (("median", 0.5), ("95th", 0.95))
    }


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
