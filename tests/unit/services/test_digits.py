"""Which numbers are read out digit by digit: those of telephones, cards, accounts, orders, codes."""

import time

import pytest

from antiphon.services.digits import digit_by_digit
from antiphon.services.respelling import Respelled

SPELLED = {
    "Call 5551234567.": "Call 5 5 5 1 2 3 4 5 6 7.",
    "Call 555-123-4567.": "Call 5 5 5, 1 2 3, 4 5 6 7.",
    "Call (555) 123-4567.": "Call 5 5 5, 1 2 3, 4 5 6 7.",
    "Call 555 123 4567.": "Call 5 5 5, 1 2 3, 4 5 6 7.",
    "555.123.4567": "5 5 5, 1 2 3, 4 5 6 7",
    "Call +1 555 123 4567.": "Call +1, 5 5 5, 1 2 3, 4 5 6 7.",
    "+49 (0)30 901820": "+4 9, 0, 3 0, 9 0 1 8 2 0",
    "1-800-555-0199": "1, 8 0 0, 5 5 5, 0 1 9 9",
    "030 901 820, 030/901820": "0 3 0, 9 0 1, 8 2 0, 0 3 0, 9 0 1 8 2 0",
    "01 23 45 67 89": "0 1, 2 3, 4 5, 6 7, 8 9",
    "Your card ends in 4242 4242.": "Your card ends in 4 2 4 2, 4 2 4 2.",
    "4242 4242 4242 4242": "4 2 4 2, 4 2 4 2, 4 2 4 2, 4 2 4 2",
    "The code is 493 817.": "The code is 4 9 3, 8 1 7.",
    "The code is 493-817.": "The code is 4 9 3, 8 1 7.",
    "Order number 100 234 567.": "Order number 1 0 0, 2 3 4, 5 6 7.",
    "Sort code 12-34-56": "Sort code 1 2, 3 4, 5 6",
    "Your PIN is 1234. Call 911 now.": "Your PIN is 1 2 3 4. Call 9 1 1 now.",
}


@pytest.mark.parametrize(("text", "said"), SPELLED.items())
def test_these_are_spelled(text: str, said: str) -> None:
    spelled = digit_by_digit(Respelled.of(text))
    assert spelled.text == said
    assert digit_by_digit(spelled).text == said


@pytest.mark.parametrize(
    "text",
    [
        "It costs 555 euros, or $5 000 000, or 10 000 euros.",
        "We have 1200 bikes and sold 1 250 000 cars.",
        "In 2025 we sold 4,567. In 2025 500 people came.",
        "open 9-5, 2019-2024, 10-15 minutes, 100-200 people",
        "2025-03-04, 3/4/2025, 03/04/2025, 03.04.2025",
        "192.168.0.1, version 3.11.7, 12.5%, 1 200,50, 24/7, 9:05",
        "scores 90 85 77, page 100 of 200, call 200 people, (1999)",
    ],
)
def test_quantities_dates_and_ranges_are_not(text: str) -> None:
    assert digit_by_digit(Respelled.of(text)).text == text


def test_the_words_before_may_stand_in_an_earlier_piece() -> None:
    assert digit_by_digit(Respelled.of("4711."), "Your code is").text == "4 7 1 1."
    assert digit_by_digit(Respelled.of("4711."), "We have").text == "4711."


def test_a_page_of_digits_takes_no_time() -> None:
    begun = time.process_time()
    for text in ("1 " * 20_000, "(" * 20_000, "12" * 20_000 + "a"):
        digit_by_digit(Respelled.of(text))
    assert time.process_time() - begun < 5
