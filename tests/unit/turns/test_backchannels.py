"""When the agent says "mhm"."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.errors import ConfigurationError
from antiphon.frames import (
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    SpeechStopped,
    Transcript,
    TurnScored,
)
from antiphon.turns.backchannels import Backchannels, BackchannelSettings
from antiphon.turns.decisions import Due, EndTurn, ReplyBegan, ReplyOver, SayBackchannel

OFTEN = BackchannelSettings(frequency=1.0)
SAID = ("mhm", "uh-huh", "I see", "mhm", "uh-huh")


def tell(rule: Backchannels, facts: Sequence[tuple[float, object]]) -> None:
    for now, fact in facts:
        rule.observe(fact, now)


def listener(
    words: str = "so I went there,",
    spoken: float = 4.0,
    score: float | None = 0.1,
    settings: BackchannelSettings = OFTEN,
) -> Backchannels:
    """In a pause of somebody who has spoken for so long."""
    rule = Backchannels(settings)
    tell(
        rule,
        [
            (1.1, SpeechStarted(1.0)),
            (1 + spoken, Transcript(words, False)),
            (1 + spoken, SpeechPaused(1 + spoken)),
        ],
    )
    if score is not None:
        rule.observe(TurnScored(score, 1 + spoken), 1.1 + spoken)
    return rule


def test_a_backchannel_is_due_in_a_pause_of_a_long_turn() -> None:
    assert listener().due == Due(5.2, SayBackchannel("mhm"))


@pytest.mark.parametrize(
    ("words", "score", "fits"),
    [
        ("so I went there,", 0.1, True),
        ("so i went there", 0.1, True),  # a recogniser without punctuation
        ("", 0.1, True),
        ("I went there. And so on.", 0.1, True),
        ("Well, I went to the", 0.1, False),
        ("so I went there,", 0.3, False),
        ("so I went there,", None, True),
        ("so i went there", None, False),
        ("So I went there.", None, False),
        ("", None, False),
    ],
)
def test_it_waits_for_the_end_of_a_clause_and_never_speaks_at_the_end_of_a_turn(
    words: str, score: float | None, fits: bool
) -> None:
    assert (listener(words, score=score).due is not None) is fits


def test_it_is_off_unless_asked_for_and_not_for_short_turns() -> None:
    assert listener(settings=BackchannelSettings()).due is None
    assert listener(spoken=2.9).due is None


@pytest.mark.parametrize(
    "fact", [SpeechResumed(5.1), EndTurn("", 0, 0, ""), ReplyBegan(), TurnScored(0.9, 5)]
)
def test_what_happens_takes_it_back(fact: object) -> None:
    rule = listener()
    rule.observe(fact, 5.15)
    assert rule.due is None


def test_speech_of_several_stretches_adds_up_and_pauses_do_not() -> None:
    rule = listener(spoken=2.0)
    tell(rule, [(3.2, SpeechStopped(3.0)), (9.1, SpeechStarted(9.0)), (9.9, SpeechPaused(9.9))])
    rule.observe(TurnScored(0.1, 9.9), 9.95)
    assert rule.due is None
    tell(rule, [(10.0, SpeechResumed(10.0)), (10.2, SpeechPaused(10.2)), (10.2, TurnScored(0.1, 10.2))])
    assert rule.due == Due(pytest.approx(10.4), SayBackchannel("mhm"))  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(("frequency", "said"), [(1.0, 5), (0.5, 3), (0.25, 2)])
def test_frequency_spaces_them_and_the_words_take_turns(frequency: float, said: int) -> None:
    rule = Backchannels(BackchannelSettings(frequency=frequency))
    rule.observe(SpeechStarted(0.0), 0.0)
    heard: list[Due] = []
    for second in range(1, 31):
        tell(rule, [(second, SpeechPaused(second)), (second, TurnScored(0.1, second))])
        if (due := rule.due) is not None:
            heard.append(due)
            rule.done(due.at)
            assert rule.due is None
        rule.observe(SpeechResumed(second + 0.3), second + 0.3)
    assert len(heard) == said
    assert [due.decision for due in heard] == [SayBackchannel(text) for text in SAID[:said]]
    assert all(b.at - a.at > 6 / frequency - 1e-6 for a, b in pairwise(heard))


def test_after_the_agent_has_spoken_the_turn_is_a_new_one() -> None:
    rule = listener()
    tell(rule, [(6, ReplyBegan()), (8, ReplyOver()), (9, SpeechStarted(9.0)), (10, SpeechPaused(10.0))])
    rule.observe(TurnScored(0.1, 10.0), 10.0)
    assert rule.due is None


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"frequency": 1.1}, "from 0"),
        ({"frequency": 0.5, "words": ()}, "words"),
        ({"goes_on_below": 2.0}, "probability"),
        ({"wait": -1.0}, "0 seconds or more"),
    ],
)
def test_wrong_settings_say_what_is_wrong(wrong: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        msgspec.convert(wrong, BackchannelSettings)


FACTS: list[Callable[[float], object]] = [
    *(SpeechStarted, SpeechPaused, SpeechResumed, SpeechStopped),
    lambda at: TurnScored(0.1, at),
    lambda at: TurnScored(0.9, at),
    lambda at: Transcript("so,", False),
    lambda at: ReplyBegan(),
    lambda at: ReplyOver(),
    lambda at: EndTurn("", 0, at, ""),
    lambda at: None,
]


@given(st.lists(st.tuples(st.floats(0, 3), st.sampled_from(FACTS))))
def test_in_any_order_backchannels_keep_their_distance(
    steps: list[tuple[float, Callable[[float], object]]],
) -> None:
    rule, now, last = Backchannels(OFTEN), 0.0, -100.0
    for pause, make in steps:
        now += pause
        rule.observe(make(now), now)
        if (due := rule.due) is not None:
            assert due.at - last > OFTEN.least_gap - 1e-6
            last = max(now, due.at)
            rule.done(last)
