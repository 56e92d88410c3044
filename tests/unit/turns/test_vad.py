"""From probabilities to stretches of speech: documented thresholds and arithmetic on time."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.errors import ConfigurationError
from antiphon.frames import SoundHeard
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


def names(probabilities: list[float], settings: VADSettings | None = None) -> list[str]:
    return [name for name, _, _ in feed(probabilities, settings)]


def test_speech_and_its_end() -> None:
    told = feed([0.0] * 10 + [0.9] * 20 + [0.1] * 20)
    assert [(name, pytest.approx(at)) for name, at, _ in told] == [
        ("SoundHeard", 10 * WINDOW),
        ("SpeechStarted", 10 * WINDOW),
        ("SpeechPaused", 30 * WINDOW),
        ("SpeechStopped", 30 * WINDOW),
    ]
    settings = VADSettings()
    owed = (0.0, settings.start_after, settings.pause_after, settings.stop_after)
    for (_, at, when), least in zip(told, owed, strict=True):
        assert least - 1e-6 <= when - at <= least + WINDOW, "told as soon as it is certain"


def test_click_is_a_sound_that_goes() -> None:
    told = feed([0.0, 0.9, 0.0, 0.0, 0.9, 0.9, 0.0])
    assert [(name, at) for name, at, _ in told] == [
        ("SoundHeard", pytest.approx(1 * WINDOW)),
        ("SoundHeard", pytest.approx(1 * WINDOW)),
        ("SoundHeard", pytest.approx(4 * WINDOW)),
        ("SoundHeard", pytest.approx(4 * WINDOW)),
    ]
    rules = SpeechRules()
    events = [rules.feed(probability, 0.0, 0.032) for probability in (0.9, 0.0, 0.0)]
    assert events == [SoundHeard(0.0, judged=0.032), SoundHeard(0.0, gone=True, judged=0.032), None]


def test_speech_that_is_certain_at_once_is_not_told_as_a_sound_before() -> None:
    assert names([0.9] * 3, VADSettings(start_after=0.0)) == ["SpeechStarted"]


def test_gap_is_a_pause_from_the_length_on_that_is_set() -> None:
    begun = ["SoundHeard", "SpeechStarted"]
    settings = VADSettings(pause_after=0.064)
    assert names([0.9] * 5 + [0.0] + [0.9] * 5, settings) == begun
    assert names([0.9] * 5 + [0.0] * 2 + [0.9] * 5, settings) == [*begun, "SpeechPaused", "SpeechResumed"]
    assert names([0.9] * 5 + [0.0] * 5 + [0.9] * 2, settings)[2:4] == ["SpeechPaused", "SpeechResumed"]
    assert names([0.9] * 5 + [0.0] * 7 + [0.9], settings)[2:] == [
        "SpeechPaused",
        "SpeechStopped",
        "SoundHeard",
    ]


def test_between_the_thresholds_it_stays_what_it_was() -> None:
    settings = VADSettings(start_above=0.6, stop_below=0.3)
    assert feed([0.5] * 100, settings) == []
    assert names([0.9] * 5 + [0.4] * 100, settings) == ["SoundHeard", "SpeechStarted"]
    assert names([0.9] * 5 + [0.1] * 4 + [0.5] * 100, settings)[-1] == "SpeechStopped"


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
        "": {"SoundHeard", "SpeechStarted"},
        "SoundHeard": {"SoundHeard", "SpeechStarted"},
        "SpeechStarted": {"SpeechPaused", "SpeechStopped"},
        "SpeechPaused": {"SpeechResumed", "SpeechStopped"},
        "SpeechResumed": {"SpeechPaused", "SpeechStopped"},
        "SpeechStopped": {"SoundHeard", "SpeechStarted"},
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
