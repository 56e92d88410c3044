"""Audio from a network keeps its place in time: late, in bursts, after a stall, and after silence."""

from itertools import accumulate, pairwise

from hypothesis import given
from hypothesis import strategies as st

from antiphon.transports.intake import AHEAD, BEHIND, SET_BACK, Intake

RATE, FRAME = 8000, 160
SOUND = bytes(range(1, 161)) * 2


def places(intake: Intake, arrivals: list[float]) -> list[int]:
    """Where each 20 ms were put, that arrived at these times; those that were dropped are left out."""
    frames = [intake.place(SOUND, at) for at in arrivals]
    return [frame.at for frame in frames if frame is not None]


def steady(begin: float, seconds: float) -> list[float]:
    return [begin + n * 0.02 for n in range(1, round(seconds * 50) + 1)]


@given(st.lists(st.floats(0, 0.25), min_size=50, max_size=100))
def test_jitter_moves_nothing(delays: list[float]) -> None:
    intake = Intake(RATE)
    times = steady(0, len(delays) * 0.02)
    arrivals = list(accumulate((at + delay for at, delay in zip(times, delays, strict=True)), max))
    found = places(intake, arrivals)
    back = [before + FRAME - at for before, at in pairwise(found)]
    assert all(jump >= 0 for jump in back), "no gap"
    assert sum(back) <= 0.25 * RATE, "set back once, by as much as the first was late"
    assert intake.dropped == intake.missed == 0


def test_what_a_stall_held_up_is_not_lost() -> None:
    intake = Intake(RATE)
    places(intake, steady(0, 1.0))
    late = places(intake, [2.5] * 75)
    assert late == [RATE + n * FRAME for n in range(75)], "it was spoken between 1.0 and 2.5"
    assert places(intake, steady(2.5, 0.1))[0] == 2.5 * RATE
    assert intake.dropped == intake.missed == 0


def test_time_goes_on_where_nothing_was_sent() -> None:
    for silent in (1.0, 60.0):
        intake = Intake(RATE)
        places(intake, steady(0, 1.0))
        found = places(intake, steady(1.0 + silent, 1.0))
        true = [round((1.0 + silent) * RATE) + n * FRAME for n in range(50)]
        assert found[11:] == true[11:], "within 0.2 s it is known that nothing was held up"
        assert abs(intake.missed - silent * RATE) <= FRAME


def test_a_line_that_never_stops_is_believed_to_be_late_for_longer() -> None:
    """An overloaded machine reads what is there already late, again and again."""
    intake = Intake(RATE, steady=True)
    places(intake, steady(0, 1.0))
    found = places(intake, [at + 0.6 for at in steady(1.0, 1.5)] + [3.1] * 30 + steady(3.1, 1.0))
    assert found == [RATE + n * FRAME for n in range(75 + 30 + 50)]
    assert intake.dropped == intake.missed == 0
    places(intake, steady(64.1, 5.0))
    assert intake.missed > 55 * RATE


def test_what_waited_while_the_session_began_is_kept_and_is_not_in_the_future() -> None:
    intake = Intake(RATE)
    begun = places(intake, [0.01] * 25)
    assert len(begun) == 25
    assert intake.dropped == 0
    later = places(intake, steady(0.01, 1.0))
    assert abs(later[-1] + FRAME - 1.01 * RATE) <= AHEAD * RATE


def test_of_a_flood_only_as_much_as_may_be_ahead_is_kept() -> None:
    intake = Intake(RATE)
    places(intake, steady(0, 2.0))
    flood = places(intake, [2.0] * 500)
    kept = 500 * FRAME - intake.dropped
    assert kept <= len(flood) * FRAME
    assert kept <= (SET_BACK + AHEAD + 0.1) * RATE
    assert max(flood) <= (2.0 + AHEAD) * RATE + FRAME


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(1, 800)), max_size=60))
def test_positions_stay_near_the_time(steps: list[tuple[float, int]]) -> None:
    intake, now = Intake(RATE), 0.0
    for wait, count in steps:
        now += wait
        frame = intake.place(bytes(2 * count), now)
        if frame is None:
            continue
        assert frame.at >= 0
        end = frame.at + len(frame.pcm) // 2
        assert end <= (now + AHEAD) * RATE + count + 1
        assert end >= (now - 2.0 - BEHIND) * RATE or now < 0.2
