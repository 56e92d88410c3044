"""What Antiphon costs, beside its targets and beside the frameworks that lead its field.

`python -m benchmarks` measures ours; `--peers` measures the peers too, in environments of their own.
A benchmark NAME is one question: `NAME.py` answers it for Antiphon, `peers/<peer>_NAME.py` for a peer, each
with one function, `measure(quick) -> Values`, that is run in a fresh process. Where a framework has no such
module, it has no such thing to measure. The table of what is reported is in `report.py`.
"""

Values = dict[str, float | dict[str, float]]
"""What a benchmark measured, by key. One value for each mode of use where they differ, as shipped first."""
