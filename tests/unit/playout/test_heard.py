"""From a place in the audio of a reply to the words that have been heard by then."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.playout.heard import Segment, SpeakingRate, Spoken

RATE = 1000  # samples a second, so that a sample is a millisecond
TEXT = "Hello there. How are you today?"


def spoken(*, words: bool = False, complete: bool = True) -> Spoken:
    """TEXT in two segments, 100 ms a character; with word times, each word takes as long as the next."""
    voice, at = Spoken(RATE), 0
    for start, end in ((0, 12), (12, 31)):
        voice.begin(start, end, at)
        voice.segments[-1].rate = RATE
        if words:
            ends = [offset for offset in range(start + 1, end + 1) if offset == end or TEXT[offset] == " "]
            for number, offset in enumerate(ends):
                voice.word((number + 1) * (end - start) * 100 // len(ends), offset)
        at += (end - start) * 100
        voice.reach(at)
        if complete or start == 0:
            voice.complete()
    return voice


@pytest.mark.parametrize(
    ("seconds", "heard"),
    [
        (0.0, ""), (0.4, ""), (0.5, "Hello"), (1.1, "Hello"), (1.2, "Hello there."), (1.59, "Hello there."),
        (1.6, "Hello there. How"), (2.5, "Hello there. How are you"), (3.1, TEXT), (9.0, TEXT),
    ],
)  # fmt: skip
def test_share_of_a_segment_is_that_of_its_text_up_to_the_end_of_a_word(seconds: float, heard: str) -> None:
    assert TEXT[: spoken().heard(int(seconds * RATE), TEXT, SpeakingRate())].rstrip() == heard


@pytest.mark.parametrize(
    ("seconds", "heard"), [(0.59, ""), (0.6, "Hello"), (1.2, "Hello there."), (1.7, "Hello there. How")]
)
def test_words_are_heard_when_the_vendor_says_so(seconds: float, heard: str) -> None:
    assert TEXT[: spoken(words=True).heard(int(seconds * RATE), TEXT, SpeakingRate())].rstrip() == heard


def test_word_times_count_the_samples_of_the_voice() -> None:
    voice = Spoken(RATE)
    voice.begin(0, 11, 0)
    voice.segments[0].rate = 8 * RATE
    voice.word(8 * 400, 5)
    assert [voice.heard(at, "Hello there", SpeakingRate()) for at in (399, 400)] == [0, 5]


def test_segment_that_is_being_made_is_measured_by_the_pace_of_this_voice() -> None:
    pace, voice = SpeakingRate(), spoken(complete=False)
    assert pace.per_second == 14.0, "until it is known"
    first = voice.heard(2200, TEXT, pace)
    for _ in range(100):
        pace.measure(Segment(0, 10, 0, RATE), RATE)
    assert pace.per_second == pytest.approx(10.0, abs=0.1)
    assert TEXT[: voice.heard(2200, TEXT, pace)].rstrip() == "Hello there. How are"
    assert voice.heard(2200, TEXT, pace) < first, "a slower voice has said less"


def test_nothing_is_heard_of_text_that_nobody_speaks() -> None:
    voice = Spoken(RATE)
    voice.word(5, 5)
    voice.reach(100)
    voice.complete()
    assert voice.heard(100, TEXT, SpeakingRate()) == 0


def test_segment_without_audio_is_heard_when_it_is_complete() -> None:
    """A pause, or a word that the voice leaves out."""
    voice = Spoken(RATE)
    voice.begin(0, 5, 0)
    assert voice.heard(0, TEXT, SpeakingRate()) == 0
    voice.complete()
    assert voice.heard(0, TEXT, SpeakingRate()) == 5


@given(
    st.lists(
        st.tuples(st.text("ab ,", min_size=1, max_size=12), st.integers(0, 900), st.booleans()), max_size=5
    ),
    st.booleans(),
)
def test_it_only_grows_and_never_cuts_a_word(segments: list[tuple[str, int, bool]], complete: bool) -> None:
    voice, text, at = Spoken(RATE), "", 0
    for piece, samples, words in segments:
        voice.begin(len(text), len(text) + len(piece) + 1, at)
        voice.segments[-1].rate = RATE
        if words:
            voice.word(samples, len(text) + len(piece) + 1)
        text += piece + " "
        at += samples
        voice.reach(at)
        if complete or len(text) < 20:
            voice.complete()
    heard = [voice.heard(played, text, SpeakingRate()) for played in range(0, at + 200, 7)]
    assert heard == sorted(heard)
    for offset in heard:
        assert offset in (0, len(text)) or text[offset].isspace() or text[offset - 1].isspace()
