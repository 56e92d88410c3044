"""Words lost, wrong and added; case, punctuation and the spelling of numbers do not count."""

import pytest

from antiphon.cli.services.word_errors import WordErrors, count_errors, plain_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Hello, World!", "hello world"),
        ("It's five o'clock", "it's five o'clock"),
        ("It’s 5 o’clock", "it's five o'clock"),
        ("ten-speed bicycle", "ten speed bicycle"),
        ("21 bikes", "twenty one bikes"),
        ("1,250 euros", "one thousand two hundred fifty euros"),
        ("300000", "three hundred thousand"),
        ("0049 1234567", "zero zero four nine one two three four five six seven"),
        ("Mr. Smith & Sons, 5 %", "mister smith and sons five percent"),
        ("ÜBER straße", "über strasse"),
        ("٣ days", "three days"),
        ("... --- !", ""),
        ("½ ² _", "½ ² _"),
    ],
)
def test_plain_words(text: str, words: str) -> None:
    if text == "½ ² _":
        plain_words(text)  # whatever comes, nothing breaks
        return
    assert " ".join(plain_words(text)) == words


@pytest.mark.parametrize(
    ("said", "heard", "errors"),
    [
        ("go forward ten meters", "Go forward, 10 meters.", WordErrors(4, 0, 0, 0)),
        ("go forward ten meters", "go ten meters", WordErrors(4, 1, 0, 0)),
        ("go forward ten meters", "go forward tin meters", WordErrors(4, 0, 1, 0)),
        ("go forward ten meters", "please go forward ten meters", WordErrors(4, 0, 0, 1)),
        ("go forward ten meters", "", WordErrors(4, 4, 0, 0)),
        ("", "hello there", WordErrors(0, 0, 0, 2)),
        ("a b c d", "b x d e", WordErrors(4, 1, 1, 1)),
    ],
)
def test_errors_are_those_of_the_best_alignment(said: str, heard: str, errors: WordErrors) -> None:
    assert count_errors(said, heard) == errors


def test_the_rate_counts_all_errors_and_adds_up() -> None:
    both = WordErrors(10, 1, 2, 3) + WordErrors(10, 0, 0, 0)
    assert both.rate == 0.3
    assert WordErrors().rate is None
