"""The agent as a listener: "mhm", patience with silence, and its end."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.errors import ConfigurationError
from antiphon.frames import (
    SessionStarted,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    SpeechStopped,
    TalkButton,
    Transcript,
    TurnScored,
    UserKey,
    UserText,
)
from antiphon.turns.decisions import EndTurn, ReplyBegan, ReplyOver
from antiphon.turns.listening import Backchannels, BackchannelSettings, Due, Idle, IdleSettings, TurnLimit

OFTEN = BackchannelSettings(frequency=1.0)


def tell(rule: Backchannels | Idle, facts: Sequence[tuple[float, object]]) -> None:
    for now, fact in facts:
        rule.take(fact, now)


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
        rule.take(TurnScored(score, 1 + spoken), 1.1 + spoken)
    return rule


def test_a_backchannel_is_due_in_a_pause_of_a_long_turn() -> None:
    assert listener().due == Due(5.2, "backchannel", "mhm")


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
    rule.take(fact, 5.15)
    assert rule.due is None


def test_speech_of_several_stretches_adds_up_and_pauses_do_not() -> None:
    rule = listener(spoken=2.0)
    tell(rule, [(3.2, SpeechStopped(3.0)), (9.1, SpeechStarted(9.0)), (9.9, SpeechPaused(9.9))])
    rule.take(TurnScored(0.1, 9.9), 9.95)
    assert rule.due is None
    tell(rule, [(10.0, SpeechResumed(10.0)), (10.2, SpeechPaused(10.2)), (10.2, TurnScored(0.1, 10.2))])
    assert rule.due == Due(pytest.approx(10.4), "backchannel", "mhm")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(("frequency", "said"), [(1.0, 5), (0.5, 3), (0.25, 2)])
def test_frequency_spaces_them_and_the_words_take_turns(frequency: float, said: int) -> None:
    rule = Backchannels(BackchannelSettings(frequency=frequency))
    rule.take(SpeechStarted(0.0), 0.0)
    heard: list[Due] = []
    for second in range(1, 31):
        tell(rule, [(second, SpeechPaused(second)), (second, TurnScored(0.1, second))])
        if (due := rule.due) is not None:
            heard.append(due)
            rule.done(due.at)
            assert rule.due is None
        rule.take(SpeechResumed(second + 0.3), second + 0.3)
    assert len(heard) == said
    assert [due.text for due in heard] == ["mhm", "uh-huh", "I see", "mhm", "uh-huh"][:said]
    assert all(b.at - a.at > 6 / frequency - 1e-6 for a, b in pairwise(heard))


def test_after_the_agent_has_spoken_the_turn_is_a_new_one() -> None:
    rule = listener()
    tell(rule, [(6, ReplyBegan()), (8, ReplyOver()), (9, SpeechStarted(9.0)), (10, SpeechPaused(10.0))])
    rule.take(TurnScored(0.1, 10.0), 10.0)
    assert rule.due is None


PATIENCE = IdleSettings(prompt_after=8.0, prompts=("Hello?", "Still there?"), away_after=20.0)


def test_a_silent_user_is_asked_again_then_away_then_the_call_ends() -> None:
    idle = Idle(PATIENCE)
    assert idle.due is None, "the call has not begun"
    tell(idle, [(0, SessionStarted()), (0, ReplyBegan()), (2, ReplyOver())])
    seen: list[Due] = []
    while (due := idle.due) is not None:
        seen.append(due)
        idle.done(due.at)
        if due.text:
            tell(idle, [(due.at, ReplyBegan())])
            assert idle.due is None, "the agent speaks"
            tell(idle, [(due.at + 1, ReplyOver())])
    assert seen == [
        Due(10, "prompt", "Hello?"),
        Due(19, "prompt", "Still there?"),
        Due(22, "away"),
        Due(28, "end"),
    ]


@pytest.mark.parametrize(
    "sign", [UserText("hi"), UserKey("1"), TalkButton(False), SpeechStopped(11.9), Transcript("so", False)]
)
def test_a_sign_of_the_user_begins_it_anew(sign: object) -> None:
    idle = Idle(PATIENCE)
    idle.take(SessionStarted(), 0)
    idle.done(8)
    idle.take(sign, 12)
    assert idle.due == Due(20, "prompt", "Hello?")


def test_a_transcript_without_words_is_no_sign() -> None:
    idle = Idle(PATIENCE)
    tell(idle, [(0, SessionStarted()), (5, Transcript("", True))])
    assert idle.due == Due(8, "prompt", "Hello?")


@pytest.mark.parametrize("sign", [SpeechStarted(5.0), TalkButton(True)])
def test_nobody_is_idle_who_speaks(sign: object) -> None:
    idle = Idle(PATIENCE)
    tell(idle, [(0, SessionStarted()), (5, sign)])
    assert idle.due is None
    tell(idle, [(30, UserText("and types"))])
    assert idle.due is None


def test_by_default_nobody_is_asked_and_nothing_ends() -> None:
    idle = Idle()
    idle.take(SessionStarted(), 0)
    assert idle.due is None
    assert Idle(IdleSettings(prompt_after=5, prompts=())).due is None
    silent = Idle(IdleSettings(prompt_after=5, then_end=False))
    silent.take(SessionStarted(), 0)
    silent.done(5)
    assert silent.due is None


def test_without_prompts_the_call_just_ends() -> None:
    idle = Idle(IdleSettings(prompt_after=5, prompts=()))
    idle.take(SessionStarted(), 0)
    assert idle.due == Due(5, "end")
    idle.done(5)
    assert idle.due is None


def test_a_turn_that_never_ends_is_closed() -> None:
    limit = TurnLimit(seconds=60, words=5)
    assert limit.deadline(3.0) == 63.0
    assert limit.reached(3.0, 62.9, "one two three four") is None
    assert limit.reached(3.0, 63.0) == "spoke for 60 s"
    assert limit.reached(3.0, 4.0, "one two three four five") == "said 5 words"
    assert TurnLimit().deadline(3.0) is None
    assert TurnLimit().reached(0.0, 1e9, "word " * 1000) is None


@pytest.mark.parametrize(
    ("kind", "wrong", "says"),
    [
        (BackchannelSettings, {"frequency": 1.1}, "from 0"),
        (BackchannelSettings, {"frequency": 0.5, "words": ()}, "words"),
        (BackchannelSettings, {"goes_on_below": 2.0}, "probability"),
        (BackchannelSettings, {"wait": -1.0}, "0 or more"),
        (IdleSettings, {"prompt_after": 0.0}, "prompt_after"),
        (IdleSettings, {"away_after": -1.0}, "away_after"),
        (TurnLimit, {"seconds": 0.0}, "above 0"),
        (TurnLimit, {"words": -3}, "above 0"),
    ],
)
def test_wrong_settings_say_what_is_wrong(kind: type, wrong: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        msgspec.convert(wrong, kind)


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
        rule.take(make(now), now)
        if (due := rule.due) is not None:
            assert due.at - last > OFTEN.least_gap - 1e-6
            last = max(now, due.at)
            rule.done(last)
