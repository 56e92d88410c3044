"""A vendor that detects turns by itself: its eager end begins the answer, its final one ends the turn."""

import pytest

from antiphon import Agent
from antiphon.frames import EagerTurn, EagerTurnDropped, Failed, ReplyStarted, TurnHinted, UserTurn
from antiphon.services.ports import Recognized, TurnHint
from antiphon.testing import StreamingSTT, loud, run_virtual
from antiphon.testing.assertions import HeldCall, check, hold, services
from antiphon.transports.caller import CallerLine

WORDS = Recognized("we could meet you at", False), Recognized("we could meet you at noon", True)


def call(*hints: tuple[float, TurnHint]) -> HeldCall:
    hears: list[tuple[float, Recognized | TurnHint | Exception]] = [(1.2, WORDS[0]), (1.6, WORDS[1]), *hints]
    good = services(says=["Noon is fine."])
    good |= {"stt": StreamingSTT(hears), "vad": None, "eot": None}
    held = run_virtual(hold(Agent("Be brief.", **good), [CallerLine(loud(1.0), 0.5, "now")]))
    check(held)
    return held


def test_its_end_of_turn_is_the_end() -> None:
    held = call((1.62, TurnHint(0.9, final=True)))
    (turn,) = held.all(UserTurn)
    assert (turn.text, turn.reason) == (WORDS[1].text, "the vendor heard its end")
    assert held.times(UserTurn) == [pytest.approx(1.62, abs=0.03)]


def test_its_eager_end_of_turn_begins_the_answer_and_more_speech_drops_it() -> None:
    held = call((1.62, TurnHint(0.9)), (1.7, TurnHint(0.0)), (1.9, TurnHint(0.9, final=True)))
    assert held.times(EagerTurn)[0] <= 1.65
    assert held.times(EagerTurnDropped)[0] == pytest.approx(1.7, abs=0.03)
    assert held.all(ReplyStarted)[0].speculative
    assert [turn.text for turn in held.all(UserTurn)] == [WORDS[1].text]


def test_a_hint_that_is_no_probability_is_the_services_failure() -> None:
    held = call((1.62, TurnHint(7.0)))
    assert not held.all(TurnHinted)
    (failed,) = held.all(Failed)
    assert (failed.part, failed.error) == ("STT", "BadResponseError")
