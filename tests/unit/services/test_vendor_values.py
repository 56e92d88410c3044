"""What vendors send where text, a number or an object is expected."""

from typing import Any

import pytest

from antiphon.errors import BadResponseError
from antiphon.services.vendor_values import (
    base64_bytes,
    json_object,
    plain_text,
    reason_in,
    said_text,
    seconds_in,
    token_count,
)


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "null", '"text"', "[" * 100_000, b"\xff", "1" * 5000])
def test_what_is_no_object(text: str | bytes) -> None:
    with pytest.raises(BadResponseError, match="not a message"):
        json_object(text)


@pytest.mark.parametrize(
    ("value", "count"),
    [
        (7, 7),
        (7.0, 7),
        (0, 0),
        *(
            (odd, 0)
            for odd in (None, "7", True, -1, 7.5, 10**30, 1e300, float("inf"), float("nan"), [7], {"n": 7})
        ),
    ],
)
def test_token_counts(value: Any, count: int) -> None:
    assert token_count(value) == count


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, ""),
        ("Nine.", "Nine."),
        (42, "42"),
        ([], ""),
        ([{"type": "text", "text": "Nine "}, {"type": "output_text", "text": "to five."}], "Nine to five."),
        ([{"type": "thinking", "thinking": [{"type": "text", "text": "They ask."}]}, "Nine."], "Nine."),
        ([{"type": "reasoning", "text": "They ask."}, {"text": "Nine."}], "Nine."),
        ({"type": "text", "text": "Nine."}, "Nine."),
        ({"type": "text", "text": 7}, ""),
        ([None, 9], "9"),
    ],
)
def test_text_of_content(content: Any, text: str) -> None:
    assert plain_text(content) == text


@pytest.mark.parametrize("content", [True, [[["deep"]]]])
def test_what_is_no_content(content: Any) -> None:
    with pytest.raises(BadResponseError, match="neither text nor parts"):
        plain_text(content)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ('{"error": {"message": "full", "code": 503}}', "full"),
        ('{"error": "full"}', "full"),
        ('{"message": "full"}', "full"),
        ('{"detail": "full"}', "full"),
        ('{"code": 503, "details": "full"}', "full"),
        ('{"error": {"code": 503}}', "{'code': 503}"),
        ('{"error": null, "code": 503}', "{'error': None, 'code': 503}"),
        ("<html>full</html>", "<html>full</html>"),
        (b"\xff full ", "\ufffd full"),
        ("", "nothing"),
    ],
)
def test_reason_of_an_error(body: str | bytes, reason: str) -> None:
    assert reason_in(body) == reason


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("2.5", 2.5), ("0", 0.0), *((odd, None) for odd in (None, "", "-1", "nan", "inf", "Wed, 21 Oct 2026"))],
)
def test_seconds_to_wait(header: str | None, seconds: float | None) -> None:
    assert seconds_in(header) == seconds


def test_what_is_said_must_be_a_text() -> None:
    assert (said_text("yes"), said_text(None)) == ("yes", "")
    for value in ({"text": "yes"}, ["yes"], 7):
        with pytest.raises(BadResponseError, match="where a text should be"):
            said_text(value)
        with pytest.raises(BadResponseError):
            base64_bytes(value)
