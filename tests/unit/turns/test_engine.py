"""The turn engine, without clock or loop: facts in, decisions out, and each word of the user in one turn."""

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.errors import ConfigurationError
from antiphon.frames import SpeechPaused, SpeechResumed, SpeechStarted, SpeechStopped, Transcript, TurnScored
from antiphon.turns.engine import (
    TABLE,
    Deadline,
    EndTurn,
    Interrupt,
    ReplyBegan,
    ReplyOver,
    StartTurn,
    State,
    TurnEngine,
    TurnSettings,
)


class Floor:
    """An engine that is told of deadlines when they come, as the part around it does."""

    def __init__(self, *, model: bool = True, **settings: float) -> None:
        self.engine = TurnEngine(TurnSettings(**settings), model=model)
        self.now = 0.0
        self.decided: list[tuple[float, Any]] = []

    def at(self, now: float, *facts: Any) -> "Floor":
        """Let time pass, and tell facts."""
        while (due := self.engine.deadline) is not None and due <= now:
            self.now = max(self.now, due)
            self.tell(Deadline())
            assert self.engine.deadline != due, "a deadline that has come is not asked for again"
        self.now = now
        for fact in facts:
            self.tell(fact)
        return self

    def tell(self, fact: Any) -> None:
        self.decided += [(self.now, decision) for decision in self.engine.decide(fact, self.now)]

    @property
    def turns(self) -> list[tuple[float, str]]:
        return [(round(at, 3), turn.text) for at, turn in self.decided if isinstance(turn, EndTurn)]


def words(text: str, final: bool = True) -> Transcript:
    return Transcript(text, final, 1.0, 2.0)


def test_turn_is_over_when_it_sounds_finished_and_the_words_are_there() -> None:
    floor = Floor()
    floor.at(1.1, SpeechStarted(1.0)).at(2.1, SpeechPaused(2.0), TurnScored(0.9, 2.0))
    floor.at(2.2, SpeechStopped(2.0)).at(2.3, words("hello"))
    assert floor.decided == [
        (1.1, StartTurn(1.0)),
        (2.3, EndTurn("hello", 1.0, 2.0, "sounds finished (0.90)")),
    ]


def test_words_before_the_end_of_speech_are_enough() -> None:
    floor = Floor().at(1.1, SpeechStarted(1.0)).at(2.1, words("hello"), TurnScored(0.9, 2.0))
    assert floor.at(2.2, SpeechStopped(2.0)).turns == [(2.2, "hello")]


def test_quiet_ends_a_turn_that_does_not_sound_finished() -> None:
    floor = (
        Floor(patience=1.5)
        .at(1.1, SpeechStarted(1.0))
        .at(2.2, TurnScored(0.2, 2.0), SpeechStopped(2.0), words("well"))
    )
    assert floor.at(3.49).turns == []
    assert floor.at(9).turns == [(3.5, "well")]


def test_quiet_alone_decides_without_a_model() -> None:
    floor = Floor(model=False, patience_without_model=0.8)
    floor.at(1.1, SpeechStarted(1.0)).at(2.2, SpeechStopped(2.0), words("well"))
    assert floor.at(9).turns == [(2.8, "well")]


def test_words_that_do_not_come_are_not_waited_for_for_ever() -> None:
    floor = (
        Floor(words_within=2.0).at(1.1, SpeechStarted(1.0)).at(2.2, SpeechStopped(2.0), TurnScored(0.9, 2.0))
    )
    assert floor.at(3.9).turns == []
    assert floor.at(9).turns == [(4.0, "")]


def test_words_that_come_after_that_are_a_turn_of_their_own() -> None:
    floor = Floor().at(1.1, SpeechStarted(1.0)).at(2.2, SpeechStopped(2.0), TurnScored(0.9, 2.0)).at(9)
    floor.at(10, ReplyBegan()).at(10.5, words("late words"))
    assert floor.turns[-1] == (10.5, "late words")
    assert (10.5, Interrupt("the user's words came late")) in floor.decided


def test_noise_without_words_is_a_turn_without_text() -> None:
    floor = Floor().at(1.1, SpeechStarted(1.0)).at(1.5, SpeechStopped(1.3), TurnScored(0.9, 1.3), words(""))
    assert floor.turns == [(1.5, "")]


def test_user_who_goes_on_within_the_pause_has_one_turn() -> None:
    floor = Floor()
    floor.at(1.1, SpeechStarted(1.0)).at(2.2, TurnScored(0.2, 2.0), SpeechStopped(2.0), words("when are"))
    floor.at(3.0, SpeechStarted(2.9)).at(4.2, SpeechStopped(4.0), TurnScored(0.9, 4.0), words("you open"))
    assert floor.turns == [(4.2, "when are you open")]
    assert [type(decision) for _, decision in floor.decided] == [StartTurn, EndTurn]
    assert floor.decided[-1][1].started == 1.0


def test_user_who_goes_on_after_the_turn_was_answered_interrupts_the_answer() -> None:
    floor = Floor()
    floor.at(1.1, SpeechStarted(1.0)).at(2.2, TurnScored(0.9, 2.0), SpeechStopped(2.0), words("when are"))
    floor.at(2.2, ReplyBegan()).at(2.6, SpeechStarted(2.5))
    assert floor.decided[-1] == (2.6, Interrupt("the user spoke"))
    floor.at(2.6, ReplyOver()).at(3.5, SpeechStopped(3.3), TurnScored(0.9, 3.3), words("you open"))
    assert [text for _, text in floor.turns] == ["when are", "you open"]


def test_score_of_speech_that_went_on_does_not_count() -> None:
    floor = Floor().at(1.1, SpeechStarted(1.0)).at(2.1, SpeechPaused(2.0), TurnScored(0.9, 2.0))
    floor.at(2.15, SpeechResumed(2.13)).at(3.2, words("and"), SpeechStopped(3.0))
    assert floor.turns == []
    assert floor.at(9).turns == [(4.5, "and")]


def test_silence_does_not_interrupt_and_speech_interrupts_only_a_reply() -> None:
    floor = Floor().at(1.1, SpeechStarted(1.0)).at(1.5, SpeechStopped(1.3)).at(9)
    assert not any(isinstance(decision, Interrupt) for _, decision in floor.decided)
    floor.at(10, ReplyBegan()).at(11, SpeechStarted(10.9))
    assert floor.decided[-2:] == [(11, StartTurn(10.9)), (11, Interrupt("the user spoke"))]
    floor.at(11, ReplyOver()).at(12, SpeechStopped(11.5)).at(20, ReplyBegan(), ReplyOver()).at(
        21, SpeechStarted(20.9)
    )
    assert floor.decided[-1] == (21, StartTurn(20.9))


@pytest.mark.parametrize(
    "wrong", [{"done_above": 1.1}, {"done_above": -0.1}, {"patience": -1.0}, {"words_within": -0.5}], ids=str
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match="turns"):
        TurnSettings(**wrong)


def test_table_is_whole() -> None:
    """Every fact has its place in every state where it matters: speech, words, replies."""
    for state in State:
        for fact in (ReplyBegan, ReplyOver, Transcript):
            assert (state, fact) in TABLE
    assert (State.LISTENING, SpeechStarted) in TABLE
    assert (State.SPEAKING, SpeechStopped) in TABLE
    assert (State.ENDING, SpeechStarted) in TABLE
    assert (State.ENDING, Deadline) in TABLE


FACTS = st.sampled_from(
    [
        "start",
        "pause",
        "resume",
        "stop",
        "score low",
        "score high",
        "interim",
        "final",
        "empty",
        "began",
        "over",
    ]
)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(FACTS, st.floats(0.0, 2.5)), max_size=60), st.booleans())
def test_no_word_is_lost_or_said_twice_whatever_happens(steps: list[tuple[str, float]], model: bool) -> None:
    """Any facts in any order: turns begin before they end, and words stand in one turn each, in order."""
    floor, now, said = Floor(model=model), 0.0, list[str]()
    for number, (name, wait) in enumerate(steps):
        now += wait
        fact = {
            "start": SpeechStarted(now - 0.1),
            "pause": SpeechPaused(now - 0.1),
            "resume": SpeechResumed(now - 0.03),
            "stop": SpeechStopped(now - 0.2),
            "score low": TurnScored(0.1, now),
            "score high": TurnScored(0.9, now),
            "interim": Transcript(f"maybe{number}", False),
            "final": Transcript(f"word{number}", True, now - 1, now - 0.2),
            "empty": Transcript("", True),
            "began": ReplyBegan(),
            "over": ReplyOver(),
        }[name]
        if name == "final":
            said.append(f"word{number}")
        floor.at(now, fact)
        if floor.engine.state is State.ENDING:
            assert floor.engine.deadline is not None, "a turn that is ending ends"
            assert floor.engine.deadline <= now + 1.5 + 2.0 + 0.3
    floor.at(now + 0.1, SpeechStopped(now)).at(now + 100)
    assert " ".join(text for _, text in floor.turns if text).split() == said
    open_turn = False
    for _, decision in floor.decided:
        if isinstance(decision, StartTurn):
            assert not open_turn
            open_turn = True
        elif isinstance(decision, EndTurn):
            assert open_turn
            open_turn = False
            assert decision.reason
    if floor.engine.state is State.LISTENING:
        assert not open_turn


def test_same_facts_give_the_same_decisions() -> None:
    def run() -> list[Any]:
        draw, floor, now = random.Random(1), Floor(), 0.0
        for _ in range(300):
            now += draw.random()
            floor.at(
                now,
                draw.choice(
                    [SpeechStarted(now), SpeechStopped(now), words("a"), TurnScored(draw.random(), now)]
                ),
            )
        return floor.decided

    assert run() == run()
