"""From probabilities to stretches of speech: documented thresholds and arithmetic on time."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.errors import ConfigurationError
from antiphon.frames import SpeechPaused, SpeechResumed, SpeechStarted, SpeechStopped
from antiphon.turns.vad import SpeechRules, VADSettings

WINDOW = 0.032


def feed(probabilities: list[float], settings: VADSettings | None = None) -> list[tuple[str, float, float]]:
    """What is said of windows of 32 ms: the event, when it happened, and when it was told."""
    rules, told = SpeechRules(settings), list[tuple[str, float, float]]()
    for number, probability in enumerate(probabilities):
        begun, ended = number * WINDOW, (number + 1) * WINDOW
        if (event := rules.feed(probability, begun, ended)) is not None:
            told.append((type(event).__name__, event.at, ended))
    return told


def test_speech_and_its_end() -> None:
    told = feed([0.0] * 10 + [0.9] * 20 + [0.1] * 20)
    assert [(name, pytest.approx(at)) for name, at, _ in told] == [
        ("SpeechStarted", 10 * WINDOW),
        ("SpeechPaused", 30 * WINDOW),
        ("SpeechStopped", 30 * WINDOW),
    ]
    settings = VADSettings()
    owed = (settings.start_after, settings.pause_after, settings.stop_after)
    for (_, at, when), least in zip(told, owed, strict=True):
        assert least - 1e-6 <= when - at <= least + WINDOW, "told as soon as it is certain"


def test_click_is_no_speech() -> None:
    assert feed([0.0, 0.9, 0.0, 0.9, 0.9, 0.0, 0.9, 0.0] * 5) == []


def test_short_gap_is_none_and_a_longer_one_is_a_pause() -> None:
    assert [name for name, _, _ in feed([0.9] * 5 + [0.0] + [0.9] * 5)] == ["SpeechStarted"]
    assert [name for name, _, _ in feed([0.9] * 5 + [0.0] * 4 + [0.9] * 5)] == [
        "SpeechStarted",
        "SpeechPaused",
        "SpeechResumed",
    ]


def test_between_the_thresholds_it_stays_what_it_was() -> None:
    settings = VADSettings(start_above=0.6, stop_below=0.3)
    assert feed([0.5] * 100, settings) == []
    assert [name for name, _, _ in feed([0.9] * 5 + [0.4] * 100, settings)] == ["SpeechStarted"]
    assert [name for name, _, _ in feed([0.9] * 5 + [0.1] * 4 + [0.5] * 100, settings)][-1] == "SpeechStopped"


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 1), st.integers(1, 15)), max_size=30),
    st.floats(0.0, 0.3),
    st.floats(0.0, 0.3),
    st.floats(0.0, 0.3),
)
def test_events_alternate_and_time_runs_forward(
    runs: list[tuple[float, int]], start: float, pause: float, more: float
) -> None:
    rules = VADSettings(start_after=start, pause_after=pause, stop_after=pause + more)
    told = feed([probability for probability, count in runs for _ in range(count)], rules)
    may_follow = {
        "": {"SpeechStarted"},
        "SpeechStarted": {"SpeechPaused", "SpeechStopped"},
        "SpeechPaused": {"SpeechResumed", "SpeechStopped"},
        "SpeechResumed": {"SpeechPaused", "SpeechStopped"},
        "SpeechStopped": {"SpeechStarted"},
    }
    names = ["", *(name for name, _, _ in told)]
    assert all(after in may_follow[before] for before, after in pairwise(names)), names
    assert all(at <= when for _, at, when in told)
    assert [when for _, _, when in told] == sorted(when for _, _, when in told)
    edges = [at for name, at, _ in told if name in ("SpeechStarted", "SpeechStopped")]
    assert edges == sorted(edges)


@pytest.mark.parametrize(
    "wrong",
    [
        {"start_above": 1.0},
        {"stop_below": 0.0},
        {"start_above": 0.3, "stop_below": 0.4},
        {"pause_after": 0.3, "stop_after": 0.2},
        {"pause_after": -0.1},
    ],
    ids=str,
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match="VAD"):
        VADSettings(**wrong)


def test_events_are_frames() -> None:
    assert {SpeechStarted, SpeechPaused, SpeechResumed, SpeechStopped} == {
        type(kind(0.0)) for kind in (SpeechStarted, SpeechPaused, SpeechResumed, SpeechStopped)
    }
