"""Numbers in logs."""

import pytest

from antiphon.server.redaction import without_numbers


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("transferred to +4930123456", "transferred to …456"),
        ("sip:+4930123456@pbx.example.com:5060", "sip:…456@pbx.example.com:5060"),
        ({"From": "+4930123456", "CallSid": "CA1"}, "{'From': '…456', 'CallSid': 'CA1'}"),
        ("transferred to sip:desk@127.0.0.1:9", "transferred to sip:desk@127.0.0.1:9"),
        ("call +1 (555) 123-4567 back", "call …567 back"),
        ("CallSid CA0123456789abcdef0123456789", "CallSid CA0123456789abcdef0123456789"),
        ("10.20.30.40:50600 and 0301234567", "10.20.30.40:50600 and …567"),
        ("after 12 s: the caller hung up", "after 12 s: the caller hung up"),
    ],
)
def test_the_last_three_digits_are_shown(text: object, shown: str) -> None:
    assert without_numbers(text) == shown
