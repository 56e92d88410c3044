import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.audio.timeline import Timeline
from antiphon.errors import UsageError


def pcm(*values: int) -> bytes:
    return np.array(values, "<i2").tobytes()


def taken(timeline: Timeline, at: int, count: int) -> list[int]:
    return np.frombuffer(timeline.read(at, count), "<i2").tolist()


def test_what_was_put_is_there_and_beside_it_is_silence() -> None:
    timeline = Timeline(8)
    timeline.write(10, pcm(1, 2, 3))
    timeline.write(15, pcm(4))
    assert taken(timeline, 8, 10) == [0, 0, 1, 2, 3, 0, 0, 4, 0, 0]
    assert taken(timeline, 8, 10) == [0, 0, 1, 2, 3, 0, 0, 4, 0, 0]


def test_only_the_newest_are_kept() -> None:
    timeline = Timeline(4)
    timeline.write(0, pcm(1, 2, 3, 4, 5, 6))
    assert taken(timeline, 0, 6) == [0, 0, 3, 4, 5, 6]


def test_what_was_cut_is_not_heard_and_what_comes_after_is() -> None:
    timeline = Timeline(8)
    timeline.write(0, pcm(1, 2, 3, 4))
    timeline.cut(2)
    assert taken(timeline, 0, 4) == [1, 2, 0, 0]
    timeline.write(3, pcm(9))
    assert taken(timeline, 0, 5) == [1, 2, 0, 9, 0]


def test_before_the_beginning_is_silence() -> None:
    timeline = Timeline(8)
    timeline.write(0, pcm(7, 8))
    assert taken(timeline, -3, 5) == [0, 0, 0, 7, 8]


@given(
    st.integers(1, 12),
    st.lists(
        st.tuples(st.booleans(), st.integers(0, 40), st.lists(st.integers(1, 99), max_size=20)), max_size=12
    ),
)
def test_it_is_a_window_on_an_endless_tape(kept: int, acts: list[tuple[bool, int, list[int]]]) -> None:
    timeline, tape, end, oldest = Timeline(kept), dict[int, int](), 0, 0
    for is_cut, at, values in acts:
        if is_cut:
            timeline.cut(at)
            end = min(end, at)
            tape = {place: value for place, value in tape.items() if place < end}
        elif values:
            timeline.write(at, pcm(*values))
            end = max(end, at + len(values))
            oldest = max(oldest, end - kept)
            tape |= dict(enumerate(values, at))
    heard = taken(timeline, -5, 75)
    assert heard == [tape.get(place, 0) if place >= oldest else 0 for place in range(-5, 70)]


def test_half_a_sample_is_refused() -> None:
    with pytest.raises(UsageError, match="half a sample"):
        Timeline(8).write(0, b"abc")
