"""Audio from a network keeps its place in time: late, in bursts, after a stall, and after silence."""

from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.frames import UserAudio
from antiphon.transports.intake import AHEAD, BEHIND, EVIDENCE, SET_BACK, Intake

RATE, FRAME = 8000, 160
SOUND = bytes(range(1, 161)) * 2


def split(frame: UserAudio | None) -> list[int]:
    """Where each 20 ms of a frame are."""
    return [] if frame is None else [frame.at + n for n in range(0, len(frame.pcm) // 2, FRAME)]


def places(intake: Intake, arrivals: list[float], *, backlog: bool = False) -> list[int]:
    """Where each 20 ms were put, that arrived at these times; those that were dropped are left out."""
    return [at for arrived in arrivals for at in split(intake.place(SOUND, arrived, backlog=backlog))]


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


@pytest.mark.parametrize("steady_line", [True, False])
@pytest.mark.parametrize("silent", [0.5, 0.8, 1.5, 3.0, 6.0, 9.0, 60.0])
def test_a_line_that_falls_silent_goes_on_in_the_present(silent: float, steady_line: bool) -> None:
    intake = Intake(RATE, steady=steady_line)
    places(intake, steady(0, 1.0))
    for at in steady(1.0 + silent, 1.0):
        for place in split(intake.place(SOUND, at)):
            assert 0 <= round(at * RATE) - place - FRAME <= EVIDENCE * RATE, "held for 60 ms at most"
    assert abs(intake.missed - silent * RATE) <= FRAME
    assert intake.dropped == 0


@pytest.mark.parametrize("stall", [0.5, 2.0, 6.0, 9.0])
def test_a_burst_keeps_its_place_without_a_hole_or_an_overlap(stall: float) -> None:
    intake = Intake(RATE, steady=True)
    places(intake, steady(0, 1.0))
    found = places(intake, [1.0 + stall] * round(stall * 50) + steady(1.0 + stall, 1.0))
    assert found == [RATE + n * FRAME for n in range(len(found))]
    assert len(found) == round(stall * 50) + 50
    assert intake.dropped == intake.missed == 0


def test_a_backlog_that_is_read_slowly_is_a_burst() -> None:
    """An overloaded machine takes as long for each piece as the piece lasts, but they came long ago."""
    intake = Intake(RATE, steady=True)
    places(intake, steady(0, 1.0))
    found = places(intake, [at + 2.0 for at in steady(1.0, 2.0)], backlog=True)
    assert found[:90] == [RATE + n * FRAME for n in range(90)]
    assert intake.dropped == intake.missed == 0


def test_after_a_burst_that_did_not_fill_the_pause_time_goes_on() -> None:
    intake = Intake(RATE, steady=True)
    places(intake, steady(0, 1.0))
    places(intake, [4.0] * 25)
    assert places(intake, steady(4.0, 1.0))[-1] == round(4.98 * RATE)


def test_what_nothing_follows_is_new() -> None:
    intake = Intake(RATE, steady=True)
    places(intake, steady(0, 1.0))
    assert intake.place(SOUND, 3.0) is None
    assert intake.holding
    assert intake.release(3.0 + EVIDENCE / 2) is None
    assert split(intake.release(3.0 + EVIDENCE)) == [3 * RATE - FRAME]
    assert not intake.holding
    assert intake.release(9.0) is None


def test_silence_that_filled_a_gap_leaves_what_was_held_up_its_place() -> None:
    intake = Intake(RATE)
    places(intake, steady(0, 1.0))
    filled = [intake.fill(1.5), intake.fill(1.75), intake.fill(9.0)]
    assert [(f.at, len(f.pcm) // 2) for f in filled if f] == [(8000, 4000), (12000, 2000), (64000, 8000)]
    assert intake.fill(9.0) is None

    late = Intake(RATE)
    places(late, steady(0, 1.0))
    late.fill(1.5)
    assert places(late, [2.0] * 50) == [RATE + n * FRAME for n in range(50)]


def test_the_timestamps_of_the_sender_say_what_was_never_sent() -> None:
    intake = Intake(RATE)
    places(intake, steady(0, 1.0))
    assert split(intake.place(SOUND, 3.02, skipped=2 * RATE)) == [3 * RATE]
    assert split(intake.place(SOUND, 3.04, skipped=2**31)) == [3 * RATE + FRAME], "never into the future"


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
