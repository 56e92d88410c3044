"""What is kept of the user's turn: its words, and what is known of its end."""

import pytest

from antiphon.frames import Transcript
from antiphon.turns.utterance import Utterances, alike, same_words


@pytest.mark.parametrize(
    ("one", "other", "same", "like"),
    [
        ("Hello, there!", "hello there", True, True),
        ("It's me.", "it's me", True, True),
        ("hello ther", "hello there", False, True),
        ("I want a pizza", "I want a large pizza", False, False),
        ("yes", "no", False, False),
        ("", "yes", False, False),
        ("", "", True, True),
    ],
)
def test_same_words(one: str, other: str, same: bool, like: bool) -> None:
    assert (same_words(one, other), alike(one, other)) == (same, like)
    assert (same_words(other, one), alike(other, one)) == (same, like)


def test_final_words_are_kept_and_interim_ones_stand_until_better_ones_come() -> None:
    turn = Utterances(1.0)
    for text, final, whole in [
        ("I", False, "I"),
        ("I want", False, "I want"),
        ("I want it", True, "I want it"),
        ("no", False, "I want it no"),
        ("", True, "I want it"),
        ("now", True, "I want it now"),
    ]:
        turn.hear(Transcript(text, final))
        assert (turn.text, turn.words_due) == (whole, not final)
    turn.keys = "42"
    assert turn.text == "I want it now 4 2"


def test_more_speech_makes_what_was_known_of_the_end_count_no_more() -> None:
    turn = Utterances(1.0)
    turn.hear(Transcript("hello", True))
    turn.score, turn.hint = 0.9, 0.8
    assert not turn.words_due
    assert turn.evidence("", None).sound == 0.9
    turn.go_on()
    assert turn.words_due
    assert (turn.score, turn.hint) == (None, None)
    assert not turn.evidence("", None).final


def test_words_are_fresh_where_they_have_heard_nearly_all() -> None:
    turn = Utterances(1.0)
    turn.go_on()
    turn.stop(3.0, 3.2)
    assert not turn.fresh, "there are none"
    turn.hear(Transcript("hello", False, 1.0, 2.0))
    assert not turn.fresh, "a second is missing"
    turn.hear(Transcript("hello you", False, 1.0, 2.9))
    assert turn.fresh
    turn.hear(Transcript("hello you", False))
    assert turn.fresh, "where they do not say, they are taken for it"


def test_evidence_is_what_there_is() -> None:
    turn = Utterances(1.0)
    turn.ended, turn.score, turn.hint = 3.0, 0.5, 0.6
    turn.hear(Transcript("hello", False))
    evidence = turn.evidence("Who is there?", 0.4)
    assert (evidence.sound, evidence.hint, evidence.spoken, evidence.words) == (0.5, 0.6, 2.0, "hello")
    assert (evidence.final, evidence.asked, evidence.pause) == (False, "Who is there?", 0.4)
