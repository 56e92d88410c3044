"""All evidence becomes one probability, and that a waiting time below a ceiling."""

import timeit
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.errors import ConfigurationError
from antiphon.turns.endpointing import EndpointingSettings, Evidence, likely, wait
from antiphon.turns.word_rules import WordRule

DEFAULT = EndpointingSettings()


def seconds(settings: EndpointingSettings = DEFAULT, **evidence: Any) -> float:
    return wait(Evidence(**evidence), settings).seconds


def test_without_evidence_quiet_alone_decides() -> None:
    told = wait(Evidence(), DEFAULT)
    assert told.likely == 0.5
    assert told.seconds == dict(DEFAULT.curve)[0.5]
    assert told.reason == f"quiet for {told.seconds:g} s"


def test_the_surer_the_model_the_shorter_the_wait() -> None:
    waits = [seconds(sound=sound / 20) for sound in range(21)]
    assert waits == sorted(waits, reverse=True) and waits[0] > 3 * waits[-1]


@pytest.mark.parametrize("words", ["Yeah.", "No.", "Two.", "Yes, please.", "Nein.", "Oui.", "yeah"])
@pytest.mark.parametrize("final", [True, False])
def test_short_answers_are_not_made_to_wait(words: str, final: bool) -> None:
    assert seconds(sound=0.1, words=words, final=final, spoken=0.4) <= 0.4
    assert seconds(sound=0.1, words=words, final=final, spoken=0.4, pause=1.0) <= 0.4
    assert seconds(sound=0.1, words=words, asked="Is that right?", final=final, spoken=0.4, pause=1.0) <= 0.3


@pytest.mark.parametrize(
    "words", ["I want it and", "my number is zero four one", "it's j o h n", "um", "weil"]
)
def test_unfinished_words_wait_although_it_sounds_finished(words: str) -> None:
    told = wait(Evidence(sound=0.9, words=words, final=True, spoken=2.0), DEFAULT)
    assert told.seconds >= 2 * seconds(sound=0.9, spoken=2.0)
    assert told.seconds >= 0.8


def test_what_was_asked_makes_waits_longer_or_shorter() -> None:
    def answered(asked: str) -> float:
        return seconds(sound=0.6, words="Smith.", asked=asked, final=True, spoken=2.0)

    spelt = answered("Could you spell your email?")
    assert spelt > answered("I see.") > answered("Is that right?")


def test_words_that_may_change_count_less() -> None:
    final, interim = (
        likely(Evidence(words="I want it and", final=final), DEFAULT) for final in (True, False)
    )
    assert final < interim < 0.5


def test_a_vendors_own_event_counts() -> None:
    assert seconds(hint=0.99) < seconds(hint=0.5) < seconds(hint=0.1)
    assert seconds(hint=0.5) == seconds()
    assert wait(Evidence(hint=1.0), DEFAULT).reason == "the service says so (1.00)"


def test_the_model_counts_less_while_it_has_heard_little() -> None:
    assert seconds(sound=0.1, spoken=0.3) < seconds(sound=0.1, spoken=2.0) == seconds(sound=0.1)


def test_the_reason_is_what_told_most() -> None:
    assert wait(Evidence(sound=0.93), DEFAULT).reason == "sounds finished (0.93)"
    assert wait(Evidence(sound=0.2), DEFAULT).reason == "sounds unfinished (0.20)"
    assert wait(Evidence(sound=0.93, words="I want it and"), DEFAULT).reason == 'ends with "and"'
    assert wait(Evidence(asked="Could you spell that?"), DEFAULT).reason == "asked to spell"


def test_a_speakers_pauses_raise_the_wait_within_bounds() -> None:
    quick = wait(Evidence(sound=0.93), DEFAULT)
    usual = wait(Evidence(sound=0.93, pause=0.7), DEFAULT)
    assert quick.seconds < usual.seconds == 0.7
    assert usual.reason == "this speaker pauses for 0.7 s"
    assert seconds(sound=0.93, pause=5.0) == DEFAULT.learned_most
    assert seconds(sound=0.99, pause=5.0) == seconds(sound=0.99)
    assert seconds(sound=0.1, pause=0.1) == seconds(sound=0.1)
    assert seconds(EndpointingSettings(learn=False), sound=0.93, pause=0.7) == quick.seconds


probabilities = st.none() | st.floats(0, 1)
texts = st.text(max_size=60) | st.sampled_from(["Yes.", "I want it and", "zero four", "Could you spell it?"])


@given(
    st.builds(
        Evidence,
        sound=probabilities,
        words=texts,
        final=st.booleans(),
        asked=texts,
        spoken=st.floats(0, 100),
        hint=probabilities,
        pause=st.none() | st.floats(0, 100),
    ),
    st.sampled_from([DEFAULT, EndpointingSettings(ceiling=0.3), EndpointingSettings(floor=0.0, ceiling=0.0)]),
)
def test_the_ceiling_always_holds(evidence: Evidence, settings: EndpointingSettings) -> None:
    told = wait(evidence, settings)
    assert settings.floor <= told.seconds <= settings.ceiling
    assert 0 < told.likely < 1 and told.likely == likely(evidence, settings)
    assert told.reason


def test_settings_come_from_a_table() -> None:
    settings = msgspec.convert(
        {
            "curve": [[0.2, 1.0], [0.8, 0.1]],
            "floor": 0.1,
            "more_rules": [{"pattern": "over$", "side": "user", "effect": 9, "reason": "says over"}],
        },
        EndpointingSettings,
    )
    told = wait(Evidence(words="Roger and over", final=True), settings)
    assert told.seconds == 0.1 and told.reason == "says over"
    assert settings == EndpointingSettings(
        curve=((0.2, 1.0), (0.8, 0.1)), floor=0.1, more_rules=(WordRule("over$", "user", 9.0, "says over"),)
    )


def test_rules_can_be_replaced() -> None:
    assert seconds(EndpointingSettings(rules=()), words="I want it and", final=True) == seconds()


def test_a_rule_may_be_as_sure_as_it_likes() -> None:
    sure = EndpointingSettings(more_rules=(WordRule(r"\bwait\b", "user", -1000.0, "must wait"),))
    told = wait(Evidence(sound=0.5, words="please wait a", final=True), sure)
    assert 0 < told.likely < 1e-9
    assert (told.seconds, told.reason) == (DEFAULT.curve[0][1], "must wait")


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"floor": 3.0}, "floor <= ceiling"),
        ({"ceiling": float("inf")}, "ceiling"),
        ({"curve": ()}, "at least one point"),
        ({"curve": ((0.5, 1.0), (0.4, 0.5))}, "rise"),
        ({"curve": ((0.5, 1.0), (0.6, 1.5))}, "fall"),
        ({"curve": ((0.5, 1.0), (1.6, 0.5))}, "rise"),
        ({"curve": ((0.5, -1.0),)}, "curve"),
        ({"sound_even": 1.0}, "sound_even"),
        ({"sound_weight": -1.0}, "sound_weight"),
        ({"interim_weight": float("nan")}, "interim_weight"),
        ({"rules": (WordRule("(", "user", 1.0, "mine"),)}, "mine"),
        ({"more_rules": (WordRule("x", "user", float("nan"), "mine"),)}, "mine"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        EndpointingSettings(**wrong)


def test_the_default_curve_falls_from_patience_to_the_floor() -> None:
    assert all(longer > shorter for (_, longer), (_, shorter) in pairwise(DEFAULT.curve))
    assert DEFAULT.curve[0][1] <= DEFAULT.ceiling and DEFAULT.curve[-1][1] >= DEFAULT.floor


def test_a_decision_costs_little() -> None:
    evidence = Evidence(
        0.4,
        "and then I would like to bring my own wine and food if that is at all possible " * 20,
        True,
        "x " * 500,
    )
    assert min(timeit.repeat(lambda: wait(evidence, DEFAULT), number=100, repeat=5)) / 100 < 200e-6
