"""`python -m benchmarks [--peers] [--only NAME ...] [--json FILE] [--quick]`: run the benchmarks.

The figures are printed as a table and written as JSON.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console

from antiphon.errors import AntiphonError

from . import Values, report
from .gauges import calibration_ms
from .peers.environments import PEERS, ROOT, prepare

TIMEOUT = 900  # seconds for one benchmark


class BenchmarkError(Exception):
    """A benchmark failed."""


def main() -> int:
    """Run them all. Returns 0 if everything was measured, whatever the targets."""
    options = _options()
    console = Console()
    if not console.is_terminal:
        console = Console(width=160)
    if not Path("/proc/self/statm").exists():
        console.print("The benchmarks read memory from /proc: they need Linux.")
        return 1
    titles = {name: peer.title for name, peer in PEERS.items()} if options.peers else {}
    pythons = {report.OURS: Path(sys.executable)}
    results: dict[str, dict[str, Values]] = {}
    failures: list[str] = []
    with console.status("") as status:
        for name, title in titles.items():
            status.update(f"environment of {title}")
            try:
                pythons[name] = prepare(name)
            except AntiphonError as error:
                failures.append(str(error))
        # All frameworks run one benchmark before the next, so that compared figures are close in time.
        for benchmark in options.only or report.BENCHMARKS:
            for framework, python in pythons.items():
                module = _module(framework, benchmark)
                if find_spec(module) is None:
                    continue
                status.update(f"{benchmark}: {titles.get(framework, 'Antiphon')}")
                try:
                    results.setdefault(framework, {})[benchmark] = _measure(
                        framework, python, module, options.quick
                    )
                except BenchmarkError as error:
                    failures.append(str(error))
    console.print(report.table(results, titles))
    for failure in failures:
        console.print(f"[red]failed[/] {failure}", highlight=False)
    console.print(f"written to {_write(options, results, titles, failures)}", highlight=False)
    return 1 if failures else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="What Antiphon costs.")
    parser.add_argument("--peers", action="store_true", help="measure the peers beside it")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=report.BENCHMARKS, help="only these")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the figures")
    parser.add_argument("--quick", action="store_true", help="shorter runs, rougher figures")
    return parser.parse_args()


def _module(framework: str, benchmark: str) -> str:
    return (
        f"benchmarks.{benchmark}" if framework == report.OURS else f"benchmarks.peers.{framework}_{benchmark}"
    )


def _measure(framework: str, python: Path, module: str, quick: bool) -> Values:
    command = [str(python), "-m", "benchmarks.measure", module, *(["--quick"] if quick else [])]
    environment = dict(os.environ)
    if framework != report.OURS:
        environment.pop("PYTHONPATH", None)  # each additional path makes a peer's imports slower
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise BenchmarkError(f"{module} did not finish within {TIMEOUT} s") from error
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise BenchmarkError(f"{module}: {reason}. To see all of its output, run: {' '.join(command)}")
    return json.loads(done.stdout.splitlines()[-1])


def _write(
    options: argparse.Namespace,
    results: report.Results,
    titles: dict[str, str],
    failures: list[str],
) -> Path:
    now = datetime.now(UTC)
    path: Path = options.json or ROOT / "benchmarks" / "results" / f"{now:%Y%m%dT%H%M%SZ}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    written = {
        "when": now.isoformat(),
        "machine": {
            "system": platform.platform(),
            "python": platform.python_version(),
            "cores": os.cpu_count(),
            "calibration_ms": calibration_ms(),
        },
        "quick": options.quick,
        "peers": titles,
        "rows": report.as_json(results, titles),
        "failures": failures,
    }
    path.write_text(json.dumps(written, indent=2, ensure_ascii=False) + "\n")
    return path


if __name__ == "__main__":
    sys.exit(main())
