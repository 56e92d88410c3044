"""What follows when nobody speaks."""

from collections.abc import Sequence

import msgspec
import pytest

from antiphon.errors import ConfigurationError
from antiphon.frames import (
    SessionStarted,
    SpeechStarted,
    SpeechStopped,
    TalkButton,
    Transcript,
    UserKey,
    UserText,
)
from antiphon.turns.decisions import BeIdle, Due, ReplyBegan, ReplyOver
from antiphon.turns.idle import Idle, IdleSettings

PATIENCE = IdleSettings(prompt_after=8.0, prompts=("Hello?", "Still there?"), away_after=20.0)


def tell(rule: Idle, facts: Sequence[tuple[float, object]]) -> None:
    for now, fact in facts:
        rule.observe(fact, now)


def test_a_silent_user_is_asked_again_then_away_then_the_call_ends() -> None:
    idle = Idle(PATIENCE)
    assert idle.due is None, "the call has not begun"
    tell(idle, [(0, SessionStarted()), (0, ReplyBegan()), (2, ReplyOver())])
    seen: list[Due] = []
    while (due := idle.due) is not None:
        seen.append(due)
        idle.done(due.at)
        if due.at in (10, 19):
            tell(idle, [(due.at, ReplyBegan())])
            assert idle.due is None, "the agent speaks"
            tell(idle, [(due.at + 1, ReplyOver())])
    assert seen == [
        Due(10, BeIdle("prompt", "Hello?")),
        Due(19, BeIdle("prompt", "Still there?")),
        Due(22, BeIdle("away")),
        Due(28, BeIdle("end")),
    ]


@pytest.mark.parametrize(
    "sign", [UserText("hi"), UserKey("1"), TalkButton(False), SpeechStopped(11.9), Transcript("so", False)]
)
def test_a_sign_of_the_user_begins_it_anew(sign: object) -> None:
    idle = Idle(PATIENCE)
    idle.observe(SessionStarted(), 0)
    idle.done(8)
    idle.observe(sign, 12)
    assert idle.due == Due(20, BeIdle("prompt", "Hello?"))


def test_a_transcript_without_words_is_no_sign() -> None:
    idle = Idle(PATIENCE)
    tell(idle, [(0, SessionStarted()), (5, Transcript("", True))])
    assert idle.due == Due(8, BeIdle("prompt", "Hello?"))


@pytest.mark.parametrize("sign", [SpeechStarted(5.0), TalkButton(True)])
def test_nobody_is_idle_who_speaks(sign: object) -> None:
    idle = Idle(PATIENCE)
    tell(idle, [(0, SessionStarted()), (5, sign)])
    assert idle.due is None
    tell(idle, [(30, UserText("and types"))])
    assert idle.due is None


def test_by_default_nobody_is_asked_and_nothing_ends() -> None:
    idle = Idle()
    idle.observe(SessionStarted(), 0)
    assert idle.due is None
    assert Idle(IdleSettings(prompt_after=5, prompts=())).due is None
    silent = Idle(IdleSettings(prompt_after=5, then_end=False))
    silent.observe(SessionStarted(), 0)
    silent.done(5)
    assert silent.due is None


def test_without_prompts_the_call_just_ends() -> None:
    idle = Idle(IdleSettings(prompt_after=5, prompts=()))
    idle.observe(SessionStarted(), 0)
    assert idle.due == Due(5, BeIdle("end"))
    idle.done(5)
    assert idle.due is None


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"prompt_after": 0.0}, "prompt_after"),
        ({"away_after": -1.0}, "away_after"),
    ],
)
def test_wrong_settings_say_what_is_wrong(wrong: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        msgspec.convert(wrong, IdleSettings)
