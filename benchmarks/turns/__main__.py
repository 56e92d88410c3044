"""`python -m benchmarks.turns [--data DIR] [--quick] [--json FILE]`: run the benchmark of turn detection.

The figures are printed beside the targets, and written as JSON.
"""

import argparse
import hashlib
import json
import shutil
import sys
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from antiphon.errors import AntiphonError
from antiphon.models.disk import writing
from antiphon.models.store import Store
from antiphon.turns.endpointing import EndpointingSettings

from . import local
from .data import load
from .judging import groups, judge
from .scores import Models, Scored
from .showing import show

RESULTS = Path(__file__).parents[1] / "results" / "turns.json"


def main() -> int:
    """Return exit status 0 if all turns were judged, whether targets are met or not, else 1."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.turns", description="When is a turn over?")
    parser.add_argument("--data", type=Path, metavar="DIR", help="turns in the schema of eot-bench")
    parser.add_argument("--half", choices=("development", "test"), help="only this half of the local data")
    parser.add_argument("--quick", action="store_true", help="a part of the data, rougher intervals")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", default=RESULTS, help="where to write the figures"
    )
    options = parser.parse_args()
    console = Console()
    if not console.is_terminal:
        console = Console(width=140)
    try:
        cache = Store.here().folder / ".benchmarks" / "turns"
        with writing(cache):
            (cache / "scores").mkdir(parents=True, exist_ok=True)
            turns = load(options.data or _local(cache))
        if options.half:
            turns = [turn for turn in turns if turn.half == options.half]
        if options.quick:
            turns = turns[:: max(1, len(turns) // 60)]
        models = Models(cache / "scores")
        with console.status("") as status:
            scored: list[Scored] = []
            for number, turn in enumerate(turns):
                status.update(f"turn {number + 1} of {len(turns)}")
                scored.append(models.scored(turn))
            status.update("policies")
            settings, resamples = EndpointingSettings(), 100 if options.quick else 400
            reports = {
                name: judge(
                    [turns[at] for at in members], [scored[at] for at in members], settings, resamples
                )
                for name, members in groups(turns).items()
            }
    except AntiphonError as error:
        console.print(f"[red]failed[/] {error}", highlight=False)
        return 1
    what = (
        str(options.data)
        if options.data
        else "local data: not conversations, but read and synthesised speech"
    )
    show(console, what, reports)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    figures = {"data": what, "half": options.half, "quick": options.quick}
    figures["groups"] = {name: asdict(report) for name, report in reports.items()}
    options.json.write_text(json.dumps(figures, indent=2) + "\n")
    console.print(f"written to {options.json}", highlight=False)
    return 0


def _local(cache: Path) -> Path:
    """Return the folder of the local data; generates it if it is missing or out of date."""
    made = hashlib.sha256(local.CORPUS.read_bytes() + Path(local.__file__).read_bytes()).hexdigest()[:12]
    folder = cache / f"local-{made}{'-recorded' if local.RECORDED.is_dir() else ''}"
    if not (folder / "metadata.jsonl").exists():
        for old in cache.glob("local-*"):
            shutil.rmtree(old)
        folder.mkdir()
        local.make(folder)
    return folder


if __name__ == "__main__":
    sys.exit(main())
