"""The end-of-turn benchmark: its definition, its sweep and its data, without models."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from benchmarks.turns import local
from benchmarks.turns.contestants import OURS, SILENCE, SOUND, contestants, evidence, fires, shipped
from benchmarks.turns.data import HZ, Turn, load
from benchmarks.turns.judging import groups, judge
from benchmarks.turns.policies import (
    DELAYS,
    TIMEOUTS,
    cutoffs_within,
    fired,
    interval,
    latency_within,
    sweep,
    weights,
)
from benchmarks.turns.scores import Scored, moments
from benchmarks.turns.showing import show
from rich.console import Console

from antiphon.audio.wav import WavAudio, write
from antiphon.errors import ConfigurationError
from antiphon.turns.endpointing import EndpointingSettings, Wait

SETTINGS = EndpointingSettings()


def turn(*spans: tuple[float, float], half: str = "", kind: str = "", language: str = "en") -> Turn:
    return Turn("t", language, b"", spans, begins=0.0, half=half, kind=kind)


def scored(turn: Turn, *sound: float, words: str = "") -> Scored:
    """One and the same score throughout each silence."""
    every = [[score] * len(moments(*span)) for score, span in zip(sound, turn.spans, strict=True)]
    return Scored(every, [words] * len(turn.spans), 30.0, 80.0)


HELD = turn((1.0, 1.5), (2.0, 4.0))  # one hold of 0.5 s, then the end
TURNS = [HELD, turn((1.0, 1.25), (2.0, 2.8), (3.0, 5.0)), turn((1.0, 3.0))]
KNOWN = [scored(HELD, 0.1, 0.9), scored(TURNS[1], 0.2, 0.3, 0.95), scored(TURNS[2], 0.85)]


def point(name: str, settings: EndpointingSettings = SETTINGS) -> tuple[float, float, float]:
    """Latency with no hold cut off; with one of three; holds cut off at 0.3 s."""
    judges = contestants(settings)[name]
    cut, late = sweep(TURNS, [judges(*pair) for pair in zip(TURNS, KNOWN, strict=True)]).means(
        np.ones((3, 1))
    )
    none, one = (float(latency_within(cut, late, budget)[0]) for budget in (0, 1 / 3))
    return none, one, float(cutoffs_within(cut, late, 0.3)[0])


def test_a_silence_is_scored_every_100_ms_of_it() -> None:
    assert moments(1.0, 1.35) == pytest.approx([0.0, 0.1, 0.2, 0.3])
    assert moments(1.0, 1.3) == pytest.approx([0.0, 0.1, 0.2, 0.3])


def test_silence_alone_fires_at_the_timeout() -> None:
    assert point(SILENCE) == pytest.approx((0.8, 0.5, 2 / 3))


def test_a_model_that_is_right_fires_at_the_least_delay() -> None:
    assert point(SOUND) == pytest.approx((0.1, 0.1, 0.0))


def test_a_policy_fires_at_the_first_moment_from_the_delay_on_that_reaches_the_threshold() -> None:
    times = fired([0.9, 0.2, 0.6, 0.4], np.array([0.5, 0.95]))
    assert times.shape == (2, len(DELAYS))
    assert times[0, :2] == pytest.approx([0.2, 0.2])
    assert np.isinf(times[0, 2:]).all() and np.isinf(times[1]).all()


def test_what_fires_as_a_hold_ends_does_not_cut_it_off() -> None:
    swept = sweep([HELD], [[[0.0] * 6, [0.0] * 21]])
    by_timeout = swept.cut.reshape(-1, len(TIMEOUTS))[-1]  # the threshold that nothing reaches
    assert by_timeout.tolist() == [1.0] * 4 + [0.0] * 16
    assert swept.late.reshape(-1, len(TIMEOUTS))[-1] == pytest.approx(TIMEOUTS)


def test_a_budget_that_cannot_be_kept_is_no_figure() -> None:
    cut, late = np.array([[0.2], [0.1]]), np.array([[0.3], [0.9]])
    assert latency_within(cut, late, 0.2)[0] == 0.3
    assert latency_within(cut, late, 0.1)[0] == 0.9
    assert math.isinf(latency_within(cut, late, 0.05)[0])
    assert cutoffs_within(cut, late, 0.5)[0] == 0.2
    assert math.isinf(cutoffs_within(cut, late, 0.2)[0])


def test_resamples_are_of_whole_turns_and_the_same_each_time() -> None:
    drawn = weights(20, 50)
    assert drawn.shape == (20, 51) and (drawn[:, 0] == 1).all()
    assert (drawn.sum(axis=0) == 20).all() and (drawn == weights(20, 50)).all()
    assert interval(np.array([9.0, *range(101)])) == pytest.approx((2.5, 97.5))
    assert math.isnan(interval(np.array([1.0, np.inf]))[0])


def test_ours_asks_once_and_knows_words_from_200_ms_of_silence_on() -> None:
    known = Scored([[0.2, 0.4, 0.9, 0.9]], ["yes"], 30.0, 80.0)
    moments_ = evidence(turn((1.0, 1.3)), known)[0]
    assert [moment.words for moment in moments_] == ["", "", "yes", "yes"]
    assert [moment.sound for moment in moments_] == [0.2, 0.4, 0.4, 0.4]
    assert {moment.words for moment in evidence(turn((1.0, 1.3)), known, words=False)[0]} == {""}


def test_as_shipped_the_newest_wait_counts() -> None:
    def waits(*seconds: float) -> list[Wait]:
        return [Wait(one, "", 0.5) for one in seconds]

    assert fires(waits(0.25, 0.25, 0.25, 0.25)) == 0.25
    assert fires(waits(0.9, 0.9, 0.05, 0.05)) == pytest.approx(0.2)
    assert fires(waits(0.05, 0.9)) == 0.05
    assert fires(waits(2.0, 2.0)) == 2.0
    assert len(shipped(HELD, KNOWN[0], SETTINGS)) == 2


def test_a_report_compares_all_on_the_same_turns() -> None:
    report = judge(TURNS, KNOWN, SETTINGS, 20)
    assert (report.turns, report.holds) == (3, 3)
    assert report.contestants[SOUND].at_5.latency.value == pytest.approx(0.1)
    assert report.contestants[SILENCE].at_5.turns_cut == 0
    assert report.ratio.value == pytest.approx(
        report.contestants[OURS].at_5.latency.value / report.contestants[SOUND].at_5.latency.value
    )
    assert report.worse == {} or min(by.low for by in report.worse.values()) > 0
    console = Console(width=200)
    with console.capture() as captured:
        show(console, "some data", {"all": report, "en": report})
    shown = captured.get()
    assert "some data" in shown and "3 turns, 3 holds" in shown and SOUND in shown and "at most 0.7" in shown


def test_what_was_tuned_on_is_not_what_judges() -> None:
    turns = [turn((0, 1), half=half, kind=kind) for half, kind in (("development", "a"), ("test", "b"))]
    assert groups(turns) == {"test half": [1], "development half": [0], "of it: b": [1]}
    assert groups([turn((0, 1)), turn((0, 1), language="de")]) == {"all": [0, 1], "de": [1], "en": [0]}


def test_the_corpus_has_two_halves_and_pauses_between_words() -> None:
    lines = local.corpus()
    halves = {half: sum(line.half == half for line in lines) for half in ("development", "test")}
    assert 150 <= len(lines) <= 250 and min(halves.values()) > len(lines) / 3
    for line in lines:
        assert line.text and line.asked and "|" not in line.text and ">" not in line.text
        assert all(line.text[cut] == " " for cut in line.cuts), line.text
    assert local.line("What? > I want | um | this.") == local.Line("What?", "I want um this.", (6, 9))


def test_silences_are_found_to_the_end_of_the_turn() -> None:
    random = np.random.default_rng(1)
    parts = [(0.3, 0.0), (0.8, 0.3), (0.4, 0.0), (0.6, 0.3), (1.0, 0.0)]
    sound = np.concatenate([level * random.standard_normal(round(seconds * HZ)) for seconds, level in parts])
    found = local.silences((sound.clip(-1, 1) * 32767).astype("<i2").tobytes())
    assert np.array(found) == pytest.approx(np.array([(1.1, 1.5), (2.1, 3.1)]), abs=0.02)


def test_turns_are_read_in_the_schema_of_eot_bench(tmp_path: Path) -> None:
    write(tmp_path / "one.wav", WavAudio(bytes(2 * 8000), 8000))
    row = {
        "id": 7,
        "language": "de",
        "audio": "one.wav",
        "silence_spans": [
            {"start": 0.2, "end": 0.25},
            {"start": 0.3, "end": 0.4},
            {"start": 0.5, "end": 1.0},
        ],
        "messages": [{"role": "assistant", "content": "Ja?"}, {"role": "user", "content": "So"}],
    }
    (tmp_path / "metadata.jsonl").write_text(json.dumps(row) + "\n\n")
    [read] = load(tmp_path)
    assert (read.id, read.language, read.asked) == ("7", "de", "Ja?")
    assert read.spans == ((0.3, 0.4), (0.5, 1.0))
    assert len(read.pcm) == 2 * HZ and len(read.until(0.25)) == HZ // 2


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "is not JSON"),
        ('{"id": 1}', "not in the schema"),
        ('{"id": 1, "language": "en", "audio": "x.wav", "silence_spans": []}', "so no end"),
        ('{"id": 1, "language": "en", "audio": "x.wav", "silence_spans": [[0, 1]]}', "x.wav"),
        ("", "has no turns"),
    ],
)
def test_data_that_is_none_is_refused(tmp_path: Path, line: str, says: str) -> None:
    (tmp_path / "metadata.jsonl").write_text(line)
    with pytest.raises(ConfigurationError, match=says):
        load(tmp_path)


def test_a_directory_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="not a directory"):
        load(tmp_path / "nowhere")
