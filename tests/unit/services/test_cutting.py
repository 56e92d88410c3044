"""Cutting text for the voice: nothing is lost, doubled or out of order, however the text comes."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.services.cutting import LONGEST, Cutter, Piece, bounded


def cut(chunks: list[str], begin: int = 0) -> list[Piece]:
    cutter, pieces, at = Cutter(), list[Piece](), begin
    for chunk in chunks:
        pieces += cutter.feed(chunk, at)
        at += len(chunk)
    return [*pieces, *cutter.flush()]


AWKWARD = 'yes Dr. p.m. 3.5 I. and because word, end. what?! "so." … 。 ， e.g. $1,000. J. of ! —'.split()  # noqa: SIM905
WORDS = st.sampled_from([*AWKWARD, "x" * 300, "\n", " ", ""])
CHUNKS = st.lists(WORDS.map(lambda word: f"{word} ") | st.text(max_size=40), max_size=40)


@settings(max_examples=300, deadline=None)
@given(CHUNKS, st.integers(0, 50))
def test_pieces_are_the_text_in_order(chunks: list[str], begin: int) -> None:
    text = "".join(chunks)
    pieces = cut(chunks, begin)
    at = begin
    for piece in pieces:
        assert at <= piece.start <= piece.end
        assert text[at - begin : piece.start - begin].strip() == "", "only blanks lie between pieces"
        assert piece.text == text[piece.start - begin : piece.end - begin].strip() != ""
        at = piece.end
    assert text[at - begin :].strip() == ""


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="ab ,.!?\n", max_size=2000), st.integers(1, 50))
def test_no_piece_keeps_the_voice_waiting_for_ever(text: str, size: int) -> None:
    """However long a sentence, and however few its blanks, a piece comes after so many characters."""
    cutter, held, given_ = Cutter(), 0, 0
    for at in range(0, len(text), size):
        for piece in cutter.feed(text[at : at + size], at):
            given_ = piece.end
        held = max(held, min(len(text), at + size) - given_)
    blanks = max((len(part) for part in text.split("ab,.!?") if not part.strip()), default=0)
    assert held <= LONGEST + size + blanks + 1


@pytest.mark.parametrize(
    "text",
    [
        "I saw Dr. Smith today. He was well.",
        "Come at 5 p.m. today. Bring J. R. Tolkien.",
        "That is 3.5 litres. No more.",
        "We sell bread, e.g. rye, and milk. Cheap.",
    ],
)
def test_full_stop_of_a_word_is_no_end_of_a_sentence(text: str) -> None:
    ends = [piece.text for piece in cut([f"{word} " for word in text.split()])]
    assert not any(end.endswith(("Dr.", "p.m.", "J.", "R.", "3.", "e.g.")) for end in ends), ends


@pytest.mark.parametrize("text", ["One. Two! Three? Four.", "一。二！三？", "One.\nTwo.\n\nThree."])
def test_sentences_are_pieces(text: str) -> None:
    assert len(cut(list(text))) >= 3


@pytest.mark.parametrize(
    ("tokens", "first", "after"),
    [
        (["Yes", ",", " we", " do"], "Yes,", 2),
        (["Yes,", " we", " do"], "Yes,", 1),
        (["1", ",", "000", " bikes", " stand", " here"], "1,000 bikes stand", 6),
        (["Yes, we do, and", " more"], "Yes,", 1),
    ],
)
def test_the_first_clause_does_not_wait_for_the_token_behind_its_comma(
    tokens: list[str], first: str, after: int
) -> None:
    cutter, at = Cutter(), 0
    for count, token in enumerate(tokens, 1):
        if pieces := list(cutter.feed(token, at)):
            assert (pieces[0].text, count) == (first, after)
            return
        at += len(token)
    raise AssertionError("no piece came")


def test_nothing_is_no_piece() -> None:
    assert cut([]) == cut([""]) == cut([" ", "\n \t"]) == []


def test_piece_says_how_long_it_takes_to_speak() -> None:
    (piece,) = cut(["x" * 140])
    assert 5 < piece.seconds < 15


LONG = "the bicycle that you brought in last week has been looked at " * 85


@pytest.mark.parametrize(
    "text", [LONG, LONG.replace(" has", ", has"), "ก" * 5000, "😀" * 5000, "ab-" * 2000, "\n " * 3000]
)
@pytest.mark.parametrize("size", [1, 5, 1000, 10_000])
def test_no_piece_is_over_the_limit_in_any_script(text: str, size: int) -> None:
    pieces = cut([text[at : at + size] for at in range(0, len(text), size)])
    assert all(len(piece.text) <= LONGEST for piece in pieces)
    assert "".join(piece.text for piece in pieces).replace(" ", "") == "".join(text.split())
    whole = list(bounded(text))
    assert all(len(piece.text) <= LONGEST and text[piece.start :].startswith(piece.text) for piece in whole)
    assert "".join(piece.text for piece in whole).replace(" ", "") == "".join(text.split())


def test_a_short_text_is_one_piece_as_it_is() -> None:
    assert [piece.text for piece in bounded(" One. Two. ")] == [" One. Two. "]


def test_a_long_text_is_not_cut_within_a_character() -> None:
    text = "".join("e\u0301" for _ in range(400))
    assert not any(piece.text[0] == "\u0301" for piece in cut([text]))


@pytest.mark.parametrize("size", [1, 4, 100])
def test_a_number_of_several_groups_stays_whole(size: int) -> None:
    text = "Please call 555 123 4567 today before five, or 030 90 18 20."
    pieces = [piece.text for piece in cut([text[at : at + size] for at in range(0, len(text), size)])]
    assert any("555 123 4567" in piece for piece in pieces)
    assert any("030 90 18 20" in piece for piece in pieces)


def test_lines_are_known_and_a_number_of_a_list_is_no_sentence() -> None:
    pieces = cut(list("# Hours\n1. Open it.\n2. Close it.\nIn 5. Yes."))
    lines = [(piece.text, piece.begins_line, piece.ends_line) for piece in pieces]
    assert lines == [
        ("# Hours", True, True),
        ("1. Open it.", True, True),
        ("2. Close it.", True, True),
        ("In 5.", True, False),
        ("Yes.", False, False),
    ]


def test_the_first_piece_lasts_until_the_second_can_be_heard() -> None:
    text = "Well, you could, of course, come by on Monday morning, or call us."
    for covers, first in ((0.0, "Well,"), (0.8, "Well, you could,"), (1.4, "Well, you could, of course,")):
        cutter, at, pieces = Cutter(covers=covers), 0, list[Piece]()
        for word in re.findall(r"\S+ ?", text):
            pieces += cutter.feed(word, at)
            at += len(word)
        assert pieces[0].text.strip() == first
    sentences = Cutter(covers=2.0).feed("Yes. That is all. ", 0)
    assert [piece.text.strip() for piece in sentences] == ["Yes.", "That is all."]
