"""Which audio speaks which piece, by word times, by the vendor's marks, or by a guess."""

from antiphon.services.ports import Speech, Word
from antiphon.services.spoken_pieces import SpeakingPace, SpokenPieces

RATE = 1000


def pieces(*texts: str, marked: bool = False, restarting: bool = False) -> SpokenPieces:
    spoken = SpokenPieces(RATE, SpeakingPace(), marked=marked, restarting=restarting)
    for text in texts:
        spoken.add(text)
    return spoken


def sound(spoken: SpokenPieces, samples: int) -> list[tuple[int, int]]:
    items = list(spoken.sound(bytes(samples * 2)))
    return [(item.piece, len(item.pcm) // 2) for item in items if isinstance(item, Speech)]


def test_marks_tell_the_pieces() -> None:
    spoken = pieces("One.", "Two.", marked=True)
    assert sound(spoken, 5000) == [(0, 5000)]
    spoken.end_piece()
    assert sound(spoken, 100) == [(1, 100)]
    spoken.end_piece()
    assert sound(spoken, 100) == [(1, 100)], "there is no third piece"


def test_marks_count_more_than_words_that_come_late() -> None:
    spoken = pieces("One.", "Two.", marked=True, restarting=True)
    assert sound(spoken, 1000) == [(0, 1000)]
    assert list(spoken.word("One.", 0.1, 0.9)) == [Word(0, 3, 0.9)]
    spoken.end_piece()
    assert sound(spoken, 1000) == [(1, 1000)]
    assert list(spoken.word("Two.", 0.2, 0.8)) == [Word(1, 3, 0.8)], "its time counts from its piece"


def test_a_clock_that_restarts_counts_from_the_last_mark() -> None:
    spoken = pieces("One two.", "Three.", marked=True, restarting=True)
    assert list(spoken.word("One", 0.1)) == []
    assert list(spoken.word("two.", 0.4)) == []
    said = [item for item in spoken.sound(bytes(2000)) if isinstance(item, Word)]
    assert said == [Word(0, 3, 0.4)], "a word without an end lasts until the next one"
    spoken.end_piece()
    assert list(spoken.word("Three.", 0.0, 0.5)) == [Word(0, 7, 1.0), Word(1, 5, 0.5)]


def test_words_tell_the_pieces_if_nothing_is_marked() -> None:
    spoken = pieces("One.", "Two.")
    for word in (("One.", 0.0, 1.0), ("Two.", 1.0, 2.0)):
        assert [item.piece for item in spoken.word(*word)] in ([0], [])
    assert sound(spoken, 2000) == [(0, 1000), (1, 1000)]


def test_times_that_cannot_be_are_bounded() -> None:
    spoken = pieces("One two.")
    assert [word.seconds for word in spoken.word("One", -5.0, -4.0)] == [0.0]
    assert list(spoken.word("two.", 1e308, 1e308)) == []
    assert [word.seconds for word in spoken.finish()] == [3600.0]


def test_a_piece_without_words_is_passed_over() -> None:
    spoken = pieces(marked=True)
    assert [spoken.add(text) for text in ("…", "One.", "!", "Two.")] == [False, True, False, True]
    assert sound(spoken, 10) == [(1, 10)]
    spoken.end_piece()
    assert sound(spoken, 10) == [(3, 10)]


def test_a_mark_may_come_before_the_next_piece_is_known() -> None:
    spoken = pieces("One.", marked=True)
    assert sound(spoken, 10) == [(0, 10)]
    spoken.end_piece()
    spoken.add("Two.")
    assert sound(spoken, 10) == [(1, 10)]


def test_a_word_whose_letters_fold_to_two_is_found() -> None:
    spoken = SpokenPieces(1000, SpeakingPace(), marked=False)
    spoken.add("In der großen Straße 5.")
    list(spoken.sound(bytes(4000)))
    words = [("In", 2), ("der", 6), ("großen", 13), ("Straße", 20), ("5", 22)]
    found = [word for at, (text, _) in enumerate(words) for word in spoken.word(text, at / 10, at / 10 + 0.1)]
    assert [word.end for word in found] == [end for _, end in words]
