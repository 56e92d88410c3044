"""What a recogniser says after words that were answered, however it spells them by then."""

import pytest

from antiphon.services.answered_words import after_answered


@pytest.mark.parametrize(
    ("answered", "text", "rest"),
    [
        ("the words", "The words. And more.", "And more."),
        ("the words", "The words.", ""),
        ("the words", "The", ""),
        ("the words of", "the words of the caller", "the caller"),
        ("I want to by", "I want to buy a car", "a car"),
        ("the words", "hello, who is this?", "hello, who is this?"),
        ("你好", "你好，今天", "，今天"),
        ("the words", "", ""),
    ],
)
def test_what_is_left(answered: str, text: str, rest: str) -> None:
    assert after_answered(answered, text) == rest
