"""What is learned of a speaker's own pauses."""

from hypothesis import given
from hypothesis import strategies as st

from antiphon.turns.pauses import LONGEST, NEEDED, REMEMBERED, SHORTEST, Pauses


def learned(*seconds: float) -> float | None:
    pauses = Pauses()
    for pause in seconds:
        pauses.learn(pause)
    return pauses.floor


def test_a_few_pauses_tell_nothing() -> None:
    assert learned() is None
    assert learned(*[0.5] * (NEEDED - 1)) is None


def test_usual_is_the_middle_of_them() -> None:
    assert learned(0.3, 0.4, 0.5, 0.6, 0.7) == 0.5


def test_outliers_are_forgotten() -> None:
    assert learned(0.4, 0.4, 0.4, 0.4, 2.4) == 0.4
    assert learned(0.4, 0.4, 0.4, 0.4, 60.0, 60.0, 60.0, 60.0, 60.0) == 0.4
    assert learned(0.4, 0.4, 0.4, 0.4, *[0.03] * 50) == 0.4


def test_old_ones_are_forgotten() -> None:
    assert learned(*[1.0] * 50, *[0.3] * REMEMBERED) == 0.3


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=40))
def test_whatever_comes_it_stays_within_bounds(seconds: list[float]) -> None:
    floor = learned(*seconds)
    assert floor is None or SHORTEST <= floor <= LONGEST
