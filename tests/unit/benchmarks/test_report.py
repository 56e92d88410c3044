from importlib.util import find_spec

from benchmarks import report
from benchmarks.peers.environments import PEERS
from benchmarks.report import Row, met, modes, ratio
from rich.console import Console

ROW = Row("hops.handled", "a frame through a part", "µs", 0.5)
RESULTS: report.Results = {
    "antiphon": {"hops": {"handled": 0.25}},
    "pipecat": {"hops": {"handled": {"as shipped": 22.0, "direct": 5.0}}},
}


def test_what_was_not_measured_is_empty() -> None:
    assert modes(RESULTS, "livekit", ROW) == {}
    assert met(ROW, {}) is None
    assert ratio({}, {"": 5.0}) is None
    assert ratio({"": 0.25}, {}) is None


def test_ours_as_shipped_is_held_to_the_target() -> None:
    assert met(ROW, {"": 0.5}) is True
    assert met(ROW, {"as shipped": 0.6, "lean": 0.1}) is False
    assert met(Row("imports.bot_mib", "", ""), {"": 1.0}) is None


def test_a_peer_is_compared_in_its_cheapest_mode() -> None:
    ours, theirs = modes(RESULTS, "antiphon", ROW), modes(RESULTS, "pipecat", ROW)
    assert ratio(ours, theirs) == 20.0
    assert ratio({"": 0.0}, theirs) is None


def test_rows_are_unique_and_each_benchmark_is_measured_on_us_and_on_a_peer() -> None:
    sources = [row.source for row in report.ROWS]
    assert len(set(sources)) == len(sources)
    for name in report.BENCHMARKS:
        assert find_spec(f"benchmarks.{name}"), name
        alone = name == "decisions"  # the peers have no engine apart from their sessions
        assert alone or any(find_spec(f"benchmarks.peers.{peer}_{name}") for peer in PEERS), name


def test_the_table_shows_only_rows_that_were_measured() -> None:
    titles = {name: peer.title for name, peer in PEERS.items()}
    console = Console(width=200)
    with console.capture() as captured:
        console.print(report.table(RESULTS, titles))
    shown = captured.get()
    assert "hops.handled" in shown and "met" in shown and "direct 5.00" in shown and "20.0" in shown
    assert "hops.ignored" not in shown


def test_a_program_gets_every_row() -> None:
    rows = {row["source"]: row for row in report.as_json(RESULTS, {"pipecat": "Pipecat"})}
    assert len(rows) == len(report.ROWS)
    assert rows["hops.handled"]["met"] is True
    assert rows["hops.handled"]["ratios"] == {"pipecat": 20.0}
    assert rows["hops.ignored"]["met"] is None
