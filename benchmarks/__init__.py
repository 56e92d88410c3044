"""What does Antiphon cost, compared with its targets and with the frameworks that lead its field?

`python -m benchmarks` measures Antiphon; `--peers` also measures the peers, each in its own environment. A
benchmark NAME is one question: `NAME.py` answers it for Antiphon, `peers/<peer>_NAME.py` for a peer, each
with one function, `measure(quick) -> Values`, which is run in a fresh process. If a peer has no such module,
it has nothing comparable to measure. `report.py` lists what is reported.
"""

Values = dict[str, float | dict[str, float]]
"""What a benchmark measured, by key; a dict if the modes of use differ, beginning with the one as shipped."""
